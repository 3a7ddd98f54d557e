"""Which Applications deploy from the repository at hand."""

from typing import Any

import pytest

from gitops_backup.sources.applications import Application
from gitops_backup.sources.applicationsets.sets import ApplicationSet, read_sets
from gitops_backup.sources.discovery import discover
from gitops_backup.sources.origin import Local, UnknownOrigin, local, urls_of
from tests.sources.applicationsets import manifest

_SHOP = "https://git.example/acme/shop"


def _application(*sources: dict[str, Any]) -> Application:
    return Application.project({"metadata": {"name": "a"}, "spec": {"sources": list(sources)}})


def _local(applications: list[Application], remotes: list[str], *, handed_in: bool = False) -> Local:
    return local(applications, urls_of(applications, (), remotes, handed_in=handed_in))


def _source(url: str = _SHOP, **more: Any) -> dict[str, Any]:
    return {"repoURL": url, "path": "app", **more}


@pytest.mark.parametrize(
    "remote",
    [
        "https://git.example/acme/shop.git",
        "https://ci-token:secret@GIT.example/Acme/Shop.git/",
        "git@git.example:acme/shop.git",
        "ssh://git@git.example:2222/acme/shop",
    ],
)
def test_one_repository_has_many_urls(remote: str) -> None:
    """Host and path tell."""
    found = _local([_application(_source()), _application(_source(f"{_SHOP}-2"))], [remote], handed_in=False)
    assert (len(found.applications), found.others) == (1, 1)


def test_all_sources_name_it_alike_and_follow_one_branch() -> None:
    """So that there is one commit that everything is drafted on; what is pinned stays so."""
    application = _application(
        _source(targetRevision="main"),
        _source("git@git.example:acme/shop.git", targetRevision="release"),
        _source(targetRevision="refs/tags/v1"),
    )
    (found,) = _local([application], [f"{_SHOP}.git"], handed_in=False).applications
    assert [(s.repo_url, s.target_revision) for s in found.sources] == [
        (_SHOP, ""),
        (_SHOP, ""),
        (_SHOP, "refs/tags/v1"),
    ]


@pytest.mark.parametrize(("remotes", "handed_in"), [([], False), (["https://git.example/fork"], True)])
def test_the_only_repository_is_the_one(remotes: list[str], handed_in: bool) -> None:
    """Where nothing says otherwise, or somebody says so."""
    chart = {"repoURL": "https://charts.example", "chart": "redis", "targetRevision": "1"}
    found = _local([_application(_source(), chart)], remotes, handed_in=handed_in)
    assert [[source.repo_url for source in each.sources] for each in found.applications] == [
        [_SHOP, "https://charts.example"]
    ]
    assert [place.url for place in found.places] == [_SHOP]


@pytest.mark.parametrize(
    ("sources", "remotes", "handed_in", "told"),
    [
        ([_SHOP], ["https://h/fork"], False, f"remote is https://h/fork; they deploy from {_SHOP}"),
        ([_SHOP, f"{_SHOP}-2"], [], False, f"deploy from {_SHOP}, {_SHOP}-2, and the repository"),
        ([_SHOP, f"{_SHOP}-2"], [], True, "no remote that says which it is"),
        ([], [], False, "the Applications deploy from no Git repository"),
        ([f"https://h/{n}" for n in range(7)], [], False, "https://h/4 and 2 more, and"),
    ],
)  # fmt: skip
def test_what_nothing_says_is_not_guessed(
    sources: list[str], remotes: list[str], handed_in: bool, told: str
) -> None:
    """An edit of another repository's file would be nonsense."""
    applications = [_application(*map(_source, sources))]
    with pytest.raises(UnknownOrigin) as error:
        _local(applications, remotes, handed_in=handed_in)
    assert told in str(error.value)


def test_sets_name_repositories_too() -> None:
    """Their generators and their templates, but for charts and what is made of parameters."""
    git = {"repoURL": "git@git.example:acme/shop.git", "revision": "HEAD", "files": [{"path": "x"}]}
    sources = [{"repoURL": f"{_SHOP}-2", "path": "a"}, {"repoURL": "{{url}}"}, {"repoURL": "c", "chart": "d"}]
    template = {"metadata": {}, "spec": {"sources": sources}}
    (found,) = _sets(
        manifest({"matrix": {"generators": [{"git": git}, {"clusters": {}}]}}, template=template)
    )
    assert found.repositories == {"git@git.example:acme/shop.git", f"{_SHOP}-2"}
    assert urls_of((), [found], [_SHOP], handed_in=False) == ("ssh://git@git.example/acme/shop",)


def _sets(content: bytes) -> tuple[ApplicationSet, ...]:
    return read_sets("set.yaml", content, namespace="argocd")


def test_an_application_that_deploys_from_elsewhere_is_kept_for_what_it_says() -> None:
    """Its values are in the repository; one that says nothing is not looked at, nor is a patch."""
    said = f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: a, namespace: argocd}}
spec:
  source: {{repoURL: {_SHOP}-2, path: x, helm: {{values: "a: b"}}}}
"""
    other = said.replace("name: a", "name: b").replace("a: b", "")
    patch = said.replace("name: a", "name: c").replace(f"repoURL: {_SHOP}-2, ", "")
    files = {"a.yaml": said.encode(), "b.yaml": other.encode(), "c.yaml": patch.encode()}
    found = discover(files, namespaces=frozenset({"argocd"})).applications
    kept = _local(list(found), [_SHOP])
    assert ([each.name for each in kept.applications], kept.others) == (["a"], 2)
    (declarer,) = kept.applications[0].declarers
    assert declarer.source.repository == _SHOP


@pytest.mark.parametrize(
    ("other", "declarers"),
    [
        ("{repoURL: https://charts.example, chart: web, targetRevision: 1.0.0}", 1),
        ("{path: y, repoURL: %s}", 0),
    ],
)
def test_an_application_may_deploy_from_here_and_from_elsewhere(other: str, declarers: int) -> None:
    """The values of a chart from elsewhere are its own, whatever else it deploys."""
    said = f"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: a, namespace: argocd}}
spec:
  sources: [{{repoURL: {_SHOP}, path: x}}, {other.replace("%s", _SHOP)}]
"""
    found = discover({"a.yaml": said.encode()}, namespaces=frozenset({"argocd"})).applications
    (kept,) = _local(list(found), [_SHOP]).applications
    assert len(kept.declarers) == declarers
