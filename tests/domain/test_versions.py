"""Versions and ranges: which of those that are offered Argo CD takes."""

import pytest

from gitops_backup.domain.versions import Range, Version, is_version, newest

OFFERED = [
    "0.0.3",
    "0.0.4",
    "0.2.3",
    "0.3.0",
    "1.0.0-rc.1",
    "1.0.0",
    "1.2.0",
    "1.2.3+a",
    "1.10.0",
    "2.0.0",
    "nightly",
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("1.2.0", "1.2.0"),
        ("v1.2.0", "1.2.0"),
        ("nightly", "nightly"),
        ("1.0.0-rc.1", "1.0.0-rc.1"),
        ("", "2.0.0"),
        ("*", "2.0.0"),
        ("x", "2.0.0"),
        (">=0", "2.0.0"),
        ("1", "1.10.0"),
        ("1.*", "1.10.0"),
        ("1.x.x", "1.10.0"),
        ("1.2", "1.2.3+a"),
        ("1.2.X", "1.2.3+a"),
        ("~1.2", "1.2.3+a"),
        ("~1.2.3", "1.2.3+a"),
        ("~>1", "1.10.0"),
        ("~*", "2.0.0"),
        ("^1", "1.10.0"),
        ("^1.2.1", "1.10.0"),
        ("^0.2.3", "0.2.3"),
        ("^0.2", "0.2.3"),
        ("^0.0.3", "0.0.3"),
        ("^0.0", "0.0.4"),
        ("^0", "0.3.0"),
        ("^*", None),
        ("0", "0.3.0"),
        ("0.x", "0.3.0"),
        ("~0.0", "0.0.4"),
        ("~0.0.0", "2.0.0"),
        ("<=*", "0.0.4"),
        (">=1.0.0 <2.0.0", "1.10.0"),
        (">= 1.0.0, < 1.10.0", "1.2.3+a"),
        ("=>1.0.0,=<1.2", "1.2.3+a"),
        ("<=1", "1.10.0"),
        ("<1", "0.3.0"),
        ("<1.0.0-rc.2", "1.0.0-rc.1"),
        (">1.0.0-0 <1.0.0", "1.0.0-rc.1"),
        (">0.3", "2.0.0"),
        (">1", "2.0.0"),
        (">1.2 <2", "1.10.0"),
        ("1.0.0 - 1.9", "1.2.3+a"),
        ("0.2.x || 1.2.x", "1.2.3+a"),
        ("!=2.0.0", "1.10.0"),
        ("!=2", "1.10.0"),
        ("!=1.10.x <2", "1.2.3+a"),
        ("=1.2", "1.2.3+a"),
        ("3.x", None),
        (">2", None),
        ("latest", None),
        (">=1.0.0<2.0.0", None),
        (",1", None),
        ("1,", None),
        ("1 ||", None),
        ("1" * 300, None),
        ("1x.2", None),
    ],
)
def test_the_newest_that_fits_is_taken(wanted: str, found: str | None) -> None:
    """A name is a name; a version before a release fits only where a condition names one."""
    assert newest(wanted, OFFERED) == found


def test_versions_have_an_order() -> None:
    """By their numbers; before a release by labels, of which numbers come before words."""
    ordered = [
        "0.9",
        "1.0.0-1",
        "1.0.0-2",
        "1.0.0-10",
        "1.0.0-a",
        "1.0.0-a.1",
        "1.0.0-b",
        "1",
        "v1.0.1",
        "1.1",
        "10",
    ]
    versions = [Version.parse(text) for text in ordered]
    shuffled = versions[1::2] + versions[::2]
    assert sorted(shuffled, key=lambda each: each or Version((0, 0, 0))) == versions
    assert Version.parse("1.2.3+a") == Version.parse("v1.2.3+b")


@pytest.mark.parametrize("text", ["", "a", "1.2.3.4", "1.2.3-", "1..2", "1.2.3+", " 1", "1\n", "-1"])
def test_what_is_no_version(text: str) -> None:
    """None."""
    assert Version.parse(text) is None


@pytest.mark.parametrize("text", ["<>1", "||", ">", "1 &2", "^^1", "1.2.3.4", "~1-"])
def test_what_is_no_range(text: str) -> None:
    """None."""
    assert Range.parse(text) is None


def test_one_version_is_told_from_a_range() -> None:
    """All its numbers are said."""
    assert [is_version(text) for text in ("1.2.3", "v1.2.3-rc.1+b", "1.2", "1.x.3", "^1.2.3")] == [
        True,
        True,
        False,
        False,
        False,
    ]
