"""What a set is taken to generate, and what Argo CD has generated: the first difference is told."""

from typing import Any

import pytest

from gitops_backup.sources.applications import Application
from gitops_backup.sources.applicationsets.agreement import disagreement

_SERVER = "https://kubernetes.default.svc"


def _application(name: str, /, *sources: dict[str, Any], **destination: str) -> Application:
    said = list(sources) or [_source()]
    spec: dict[str, Any] = {"source": said[0]} if len(said) == 1 else {"sources": said}
    where = {"server": _SERVER, "namespace": "shop", **destination}
    return Application.project({"metadata": {"name": name}, "spec": {**spec, "destination": where}})


def _source(**more: Any) -> dict[str, Any]:
    return {"repoURL": "https://git.example/shop", "path": "web", **more}


_A, _B = _application("a"), _application("b")


@pytest.mark.parametrize(
    ("made", "live"),
    [
        ([_A, _B], [_B, _A]),
        ([], []),
        ([_A], [_application("a", _source(repoURL="https://git.example/shop.git", targetRevision=""))]),
        (
            [_application("a", _source(helm={"values": "a: 1"}))],
            [_application("a", _source(helm={"values": "{a: 1}"}))],
        ),
    ],
    ids=["in another order", "nothing", "written otherwise", "values written otherwise"],
)
def test_what_is_the_same_is_no_difference(made: list[Application], live: list[Application]) -> None:
    """However it is written."""
    assert disagreement(made, live) == ""


@pytest.mark.parametrize(
    ("made", "live", "told"),
    [
        ([_A], [_B, _A], "Argo CD has generated the Application b, which the listed clusters do not make"),
        ([_A, _B], [_A], "the listed clusters make an Application b, which Argo CD has not generated"),
        (
            [_application("a", server="https://other")],
            [_A],
            "make spec.destination.server of the Application a",
        ),
        ([_application("a", name="other")], [_A], "make spec.destination.name of the Application a"),
        (
            [_application("a", namespace="other")],
            [_A],
            "make spec.destination.namespace of the Application a",
        ),
        ([_application("a", _source(path="api"))], [_A], "make spec.source.path of the Application a"),
        (
            [_application("a", _source(targetRevision="next"))],
            [_A],
            "make spec.source.targetRevision of the Application a",
        ),
        ([_application("a", _source(), _source())], [_A], "make spec.sources of the Application a"),
        (
            [_application("a", _source(), _source())],
            [_application("a", _source(), _source(), _source())],
            "make spec.sources of the Application a",
        ),
        (
            [_application("a", _source(helm={"values": "secret: 1"}))],
            [_application("a", _source(helm={"values": "secret: 2"}))],
            "make spec.source.helm.values of the Application a",
        ),
        (
            [_application("a", _source(kustomize={"images": ["a=b"]}))],
            [_application("a", _source(kustomize={"images": ["a=c"]}))],
            "make spec.source.kustomize.images[0] of the Application a",
        ),
    ],
)
def test_the_first_difference_is_named_and_what_to_do(
    made: list[Application], live: list[Application], told: str
) -> None:
    """By its field; what is said there may be a secret."""
    message = disagreement(made, live)
    assert told in message
    assert "secret" not in message
    assert message.endswith(
        "; correct argocd_clusters, or, where Git has changed, wait for Argo CD to generate it anew"
    )
