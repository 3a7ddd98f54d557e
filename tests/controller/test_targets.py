"""Where in Git an Application can be written, and why not."""

from typing import Any

import pytest

from gitops_backup.controller.targets import management, target_of
from gitops_backup.domain.planning import Target
from tests.controller.cluster import application, source

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
