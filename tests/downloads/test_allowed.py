"""What may be downloaded, by the prefixes of a setting."""

from contextlib import nullcontext

import pytest

from gitops_backup.domain.urls import UrlPrefix
from gitops_backup.downloads.fetching import Allowed
from gitops_backup.sources.mounts import Unavailable

_REPOSITORY = "https://git.example/acme/values"


@pytest.mark.parametrize(
    ("prefix", "allowed"),
    [
        (_REPOSITORY, True),
        (f"{_REPOSITORY}.git", True),
        ("https://git.example/acme", True),
        ("https://git.example/acme/val", False),
        ("https://git.example/acme/values/more", False),
        ("ssh://git.example/acme", False),
    ],
)
@pytest.mark.parametrize("url", [_REPOSITORY, f"{_REPOSITORY}.git"])
def test_a_repository_is_named_with_or_without_its_ending(prefix: str, allowed: bool, url: str) -> None:
    """In the setting as in an Application."""
    with nullcontext() if allowed else pytest.raises(Unavailable, match="below none of the setting"):
        Allowed([UrlPrefix.parse(prefix)]).check_repository(url)
