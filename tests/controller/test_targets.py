"""Where in Git an Application can be written, and why not."""

from typing import Any

import pytest

from gitops_backup.controller.parts import Part
from gitops_backup.controller.targets import management, signature_missing, target_of
from gitops_backup.domain.planning import Target
from gitops_backup.sources.applications import Application
from gitops_backup.sources.projects import Project
from tests.controller.cluster import application, project, source

_URL = "https://Git.example/team/shop.git"


@pytest.mark.parametrize(
    ("written", "branch"),
    [
        (source(_URL), None),
        (source(_URL, revision=""), None),
        (source(_URL, revision="main"), "main"),
        (source(_URL, revision="refs/heads/release/1"), "release/1"),
    ],
)
def test_a_branch_can_be_written(written: dict[str, Any], branch: str | None) -> None:
    """The repository is known in one form of its URL; the URL as it is written works."""
    shop = application("shop", written)
    target = target_of(shop, shop.sources[0])
    assert target == Target("https://git.example/team/shop", branch)
    assert (target.url, target.blocked) == (_URL, None)


@pytest.mark.parametrize(
    ("written", "reason", "message"),
    [
        (source(_URL, revision="refs/tags/v1"), "PinnedRevision", "targetRevision refs/tags/v1 is a tag"),
        (source(_URL, revision="0f1e2d3c4b"), "PinnedRevision", "targetRevision 0f1e2d3c4b is a commit"),
        (source(_URL, revision="1.x"), "PinnedRevision", "targetRevision 1.x is a range of versions"),
        (source("https://charts.example", chart="redis"), "UnsupportedSource", "the chart redis comes from"),
        (source("oci://reg.example/app"), "UnsupportedSource", "which is not in Git"),
    ],
)
def test_what_cannot_be_written_says_why(written: dict[str, Any], reason: str, message: str) -> None:
    """A reason, and a sentence that names what is there."""
    shop = application("shop", written)
    target = target_of(shop, shop.sources[0])
    assert target.blocked == reason
    assert message in target.message


def test_an_application_is_known_by_its_name_its_places_and_whether_it_heals() -> None:
    """In the order of its sources."""
    sources = source(_URL), source(_URL, revision="main")
    known = management(application("shop", *sources, syncPolicy={"automated": {"selfHeal": True}}))
    assert (known.application, known.self_heal) == ("argocd/shop", True)
    assert [target.branch for target in known.targets] == [None, "main"]
    assert not management(application("shop", source(_URL))).self_heal


_KEY, _OTHER = "4AEE18F83AFDEB23", "C31383ECF773C48B"


@pytest.mark.parametrize(
    ("keys", "ours"),
    [((), "git_signing_key names no OpenPGP key"), ((_OTHER,), f"git_signing_key is {_OTHER}")],
)
def test_a_project_that_wants_another_signature_blocks_every_source(keys: tuple[str, ...], ours: str) -> None:
    """Whose the project is, which key it wants, and which setting would name it."""
    wanting = project(signatureKeys=[{"keyID": _KEY}])
    shop = application("shop", source(_URL), source(_URL, revision="1.x"))
    known = management(shop, wanting, signing_keys=keys)
    assert [target.blocked for target in known.targets] == ["SignatureRequired", "PinnedRevision"]
    message = known.targets[0].message
    assert message.startswith("the project default of the Application argocd/shop takes commits that")
    assert f"{_KEY} signed" in message
    assert ours in message
    assert known.targets[0].branch is None


def test_a_project_that_wants_our_signature_or_none_blocks_nothing() -> None:
    """A policy for other repositories is no policy for this one."""
    shop = application("shop", source(_URL))
    elsewhere = {"repos": [{"url": "https://other.example/*"}], "gpg": {"mode": "head", "keys": [_KEY]}}
    for known in (
        management(shop, project(signatureKeys=[{"keyID": _KEY}]), signing_keys={_KEY, _OTHER}),
        management(shop, project(sourceIntegrity={"git": {"policies": [elsewhere]}})),
        management(shop, project()),
        management(shop, None),
    ):
        assert [target.blocked for target in known.targets] == [None]


def test_a_branch_is_signed_for_all_who_follow_it() -> None:
    """Argo CD verifies the branch's head for each Application, whoever a change was for."""
    open_one, strict = (
        application("open", source(_URL)),
        application("strict", source(_URL), project="strict"),
    )
    parts = [Part(each, each.sources, ()) for each in (open_one, strict)]
    projects = {"strict": project("strict", signatureKeys=[{"keyID": _KEY}])}

    def project_of(app: Application) -> Project | None:
        return projects.get(app.app_project)

    assert signature_missing(parts[:1], project_of, ()) is None
    assert signature_missing(parts, project_of, {_KEY}) is None
    message = signature_missing(parts, project_of, ())
    assert message is not None
    assert "the project strict of the Application argocd/strict" in message
