"""Sets that another Application deploys: what they say of images is written where that deploys them from."""

from collections.abc import Mapping
from typing import Any

import pytest

from gitops_backup.controller.foresight import Future, foresee
from gitops_backup.domain.planning import plan
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from tests.controller.cluster import NOW, backup, inventory, policy, source
from tests.controller.memory import MemoryBranch, MemoryGit
from tests.controller.test_declared import APPS, WEB, as_yaml, chart, diffs, obstacles
from tests.controller.test_drafting_elsewhere import MemoryElsewhere

_IN_CLUSTER = "https://kubernetes.default.svc"
_FROM, _TO = "nginx", "bak.example/m/library_nginx"


def _set(*generators: Any, revision: str = "HEAD") -> dict[str, Any]:
    """A set whose Applications deploy `web` from a chart."""
    made: dict[str, Any] = {
        "repoURL": APPS,
        "path": "chart",
        "targetRevision": revision,
        "helm": {"parameters": [{"name": "image", "value": "{{image}}"}]},
    }
    spec = {
        "project": "default",
        "source": made,
        "destination": {"server": _IN_CLUSTER, "namespace": "shop"},
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {"generators": generators, "template": {"metadata": {"name": "{{name}}"}, "spec": spec}},
    }


def _live(*, path: str = "chart", image: str = "nginx") -> Application:
    """The Application that the set has generated, with its workload."""
    resource = {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"}
    owner = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "name": "shop",
        "controller": True,
    }
    helm = {"parameters": [{"name": "image", "value": image}]}
    return Application.project(
        {
            "metadata": {"name": "web", "namespace": "argocd", "ownerReferences": [owner]},
            "spec": {
                "source": source(APPS, path, helm=helm),
                "destination": {"server": _IN_CLUSTER, "namespace": "shop"},
            },
            "status": {"resources": [resource]},
        }
    )


def _root() -> Application:
    """The Application that deploys the set."""
    resource = {"group": "argoproj.io", "kind": "ApplicationSet", "namespace": "argocd", "name": "shop"}
    return Application.project(
        {
            "metadata": {"name": "root", "namespace": "argocd"},
            "spec": {
                "source": source(APPS, "sets"),
                "destination": {"server": _IN_CLUSTER, "namespace": "argocd"},
            },
            "status": {"resources": [resource], "sync": {"status": "Synced"}},
        }
    )


def _foreseen(renderer: LocalRenderer, files: Mapping[str, bytes], *applications: Application) -> Future:
    known = inventory(WEB, backup("nginx:1.25"), *(applications or (_root(), _live())))
    git = MemoryGit({APPS: [MemoryBranch({**chart(), **files})]})
    return foresee(
        plan(known, policy()), known, git, renderer=renderer, now=NOW, elsewhere=MemoryElsewhere({})
    )


_LIST = {"list": {"elements": [{"name": "web", "image": _FROM}]}}
_GIT = {"git": {"repoURL": f"{APPS}.git", "revision": "HEAD", "files": [{"path": "env/*.json"}]}}
_CLUSTERS = {"clusters": {"values": {"image": _FROM}}}


@pytest.mark.parametrize(
    ("generator", "files", "path"),
    [
        (_LIST, {}, "sets/set.yaml"),
        (_GIT, {"env/web.json": b'{"name": "web", "image": "nginx"}\n'}, "env/web.json"),
    ],
)
def test_what_a_set_says_is_written_where_it_is_deployed_from(
    both_renderers: LocalRenderer, generator: Any, files: dict[str, bytes], path: str
) -> None:
    """In its manifest, or in the file that its generator reads; never in the Application."""
    future = _foreseen(both_renderers, {"sets/set.yaml": as_yaml(_set(generator)), **files})
    assert obstacles(future) == []
    ((where, (old, new)),) = diffs(future).items()
    assert where == f"{APPS} {path}"
    assert new == old.replace(_FROM, _TO).replace("-", "+", 1)


@pytest.mark.parametrize(
    ("files", "applications", "why"),
    [
        (
            {"sets/set.yaml": as_yaml(_set(_LIST, _CLUSTERS))},
            (),
            "which clusters there are is known to Argo CD alone",
        ),
        ({"sets/set.yaml": b"{}"}, (), "the ApplicationSet argocd/shop generates it, and is to be changed"),
        (
            {"sets/a.yaml": as_yaml(_set(_LIST)), "sets/b.yaml": as_yaml(_set(_LIST))},
            (),
            "the ApplicationSet argocd/shop generates it, and is to be changed",
        ),
        (
            {"sets/set.yaml": as_yaml(_set(_LIST))},
            (_live(),),
            "the ApplicationSet argocd/shop generates it, and is to be changed",
        ),
        (
            {"sets/set.yaml": as_yaml(_set(_LIST, revision="main"))},
            (),
            "the ApplicationSet argocd/shop generates it, and is to be changed",
        ),
    ],
    ids=["clusters", "elsewhere", "twice", "no parent", "another revision"],
)
def test_a_set_that_cannot_be_evaluated_as_it_is_deployed_is_named(
    both_renderers: LocalRenderer,
    files: dict[str, bytes],
    applications: tuple[Application, ...],
    why: str,
) -> None:
    """And nothing is written."""
    future = _foreseen(both_renderers, files, *applications)
    assert diffs(future) == {}
    (told,) = obstacles(future)
    assert told.startswith(("Overridden: ", "UnsupportedSource: "))
    assert why in told


def test_what_git_says_already_waits_for_the_set(both_renderers: LocalRenderer) -> None:
    """Until the Application is generated anew."""
    element = {"list": {"elements": [{"name": "web", "image": _TO}]}}
    future = _foreseen(both_renderers, {"sets/set.yaml": as_yaml(_set(element))})
    assert diffs(future) == {}
    (told,) = obstacles(future)
    assert told.startswith("AwaitingSync: ")
