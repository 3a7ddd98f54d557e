"""Globs as Argo CD's library matches them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_backup.sources.globs import Glob, InvalidGlob

# what github.com/gobwas/glob 1.0.0 says with no separators
MATCHES = {
    "*.yaml": (["a.yaml", "a/b.yaml", ".yaml"], ["a.yml", "a.yaml.bak"]),
    "**/*.yaml": (["a/b.yaml", "a/b/c.yaml"], ["a.yaml"]),
    "*": (["", "a", "a/b"], []),
    "?.yaml": (["a.yaml", "/.yaml", "é.yaml"], [".yaml", "ab.yaml"]),
    "{a,b}/*.y*ml": (["a/x.yml", "b/c/d.yaml"], ["c/x.yml"]),
    "*.{yaml,yml}": (["a.yaml", "b.yml"], ["c.json", "a.y"]),
    "{*.json,dev/{a,b?}.yaml}": (["x.json", "dev/a.yaml", "dev/bc.yaml"], ["dev/b.yaml", "a.yaml"]),
    "a{,.prod}.yaml": (["a.yaml", "a.prod.yaml"], ["a.dev.yaml"]),
    "[ab].yaml": (["a.yaml", "b.yaml"], ["c.yaml", "ab.yaml"]),
    "[!ab].yaml": (["c.yaml", "/.yaml"], ["a.yaml"]),
    "[a-c]x": (["ax", "cx"], ["dx", "-x"]),
    "[!a-c]x": (["dx"], ["bx"]),
    "[ab-d]x": (["ax", "bx", "-x", "dx"], ["cx"]),
    "[^a]x": (["^x", "ax"], ["bx"]),
    r"[\]a]x": (["]x", "ax"], ["bx"]),
    r"\*.yaml": (["*.yaml"], ["a.yaml"]),
    r"a\{b\}": (["a{b}"], ["ab"]),
    "a,b}": (["a,b}"], ["a"]),
    "a*b*c": (["abc", "axbxc", "abcbc"], ["ab", "acb"]),
    "test*test.yaml": (["test-test.yaml", "testtest.yaml"], ["test.yaml", "test"]),
    "x{b*b,c}": (["xbb", "xc"], ["x", "xb", "xba"]),
    "x{}": (["x"], ["x{}"]),
    "secrets": (["secrets"], ["secrets/a.yaml"]),
    "": ([""], ["a"]),
}

INVALID = [
    "[",
    "[]",
    "[!]",
    "[a",
    "[a-",
    "[a-]",
    "[b-a]",
    "[a-zA-Z]",
    "{a",
    "{a,{b}",
    "a\\",
    "{" * 60 + "a" + "}" * 60,
]


@pytest.mark.parametrize("pattern", MATCHES)
def test_a_pattern_matches_what_argo_cd_takes(pattern: str) -> None:
    """Slashes are characters like any other; the whole path has to match."""
    good, bad = MATCHES[pattern]
    glob = Glob(pattern)
    assert [text for text in good if not glob.matches(text)] == []
    assert [text for text in bad if glob.matches(text)] == []


@pytest.mark.parametrize("pattern", INVALID)
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    """The library refuses it, and Argo CD then matches nothing."""
    with pytest.raises(InvalidGlob):
        Glob(pattern)


def test_a_pattern_made_to_take_for_ever_ends() -> None:
    """Nothing backtracks, so stars and alternatives cannot multiply."""
    assert not Glob("*a" * 60 + "b").matches("a" * 200)
    assert not Glob("{a,a}" * 60 + "b").matches("a" * 200)
    assert not Glob("{*,{*,*}}" * 20 + "b").matches("a" * 200)


@settings(max_examples=200)
@given(pattern=st.text("ab/*?[]{},!-\\", max_size=12), text=st.text("ab/-,", max_size=8))
def test_any_pattern_is_a_pattern_or_is_refused(pattern: str, text: str) -> None:
    """No other error comes of a pattern, and a pattern in literal alternatives means what it says."""
    try:
        matched = Glob(pattern).matches(text)
    except InvalidGlob:
        return
    if not set(pattern) & set("*?[]{}!\\"):
        assert matched == (pattern == text)
