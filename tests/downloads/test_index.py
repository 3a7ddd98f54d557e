"""Indexes of chart repositories, in the forms that servers write them in."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitops_backup.downloads.index import InvalidIndex, Release, read_index

_HELM = b"""\
apiVersion: v1
entries:
  other: []
  web:
  - annotations: {category: a, "x: y": [b, {c: d}]}
    apiVersion: v2
    created: "2026-01-01T00:00:00Z"
    dependencies:
    - name: common
      version: 2.x
      digest: none
      urls: [wrong]
    description: |
      digest: wrong
      version: wrong
    digest: AbC
    name: web
    urls:
    - https://charts.example/web-1.2.3.tgz
    - https://mirror.example/web-1.2.3.tgz
    version: 1.2.3
  - {version: "1.0", digest: "sha256:def", urls: [web-1.0.tgz], ? [odd] : key}
  - {version: 0.9.0, urls: [{a: b}, x.tgz]}
  - {version: 0.8.0, digest: null}
  - just a text
generated: "2026-01-01T00:00:00Z"
"""
_WEB = (
    Release("1.2.3", "https://charts.example/web-1.2.3.tgz", "abc"),
    Release("1.0", "web-1.0.tgz", "def"),
    Release("0.9.0", "x.tgz", ""),
)


def test_versions_are_read_with_their_archives() -> None:
    """What else is said of a chart does not count, even in the same words; nor what has no archive."""
    assert read_index(_HELM) == {"other": (), "web": _WEB}


def test_json_will_do() -> None:
    """Some servers write nothing else."""
    releases = [{"version": "1.2.3", "urls": ["a.tgz"], "digest": "sha256:AB"}, {"version": "1.0.0"}]
    content = json.dumps({"entries": {"web": releases, "none": None}}).encode()
    assert read_index(content) == {"web": (Release("1.2.3", "a.tgz", "ab"),), "none": ()}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"a",
        b"[]",
        b"{}",
        b"entries",
        b"a: [",
        b"{",
        b'{"entries": []}',
        b'{"entries": {"web": [1]}}',
        b"<html><body>Not found</body></html>",
        b"\x00",
        b"entries: {web: [{version: 1, urls: [a]}",
        b"a: &a [*a]\nb: *a\n",
        b"[" * 1_000_000,
        b'{"a":' * 1_000_000,
    ],
)
def test_what_is_no_index_is_refused(content: bytes) -> None:
    """Whatever a server sends."""
    with pytest.raises(InvalidIndex):
        read_index(content)


_TEXT = st.text("ab1.{}[]:# -'\"\n", max_size=6)
_RELEASES = st.lists(
    st.fixed_dictionaries(
        {"version": _TEXT, "digest": st.just("ab"), "urls": st.lists(_TEXT, min_size=1, max_size=2)},
        optional={"description": _TEXT, "annotations": st.dictionaries(_TEXT, st.lists(_TEXT, max_size=2))},
    ),
    max_size=3,
)


@given(st.dictionaries(_TEXT, _RELEASES, max_size=3), st.booleans())
def test_yaml_and_json_say_the_same(entries: dict[str, list[dict[str, object]]], flow: bool) -> None:
    """However they are written."""
    index = {"entries": entries}
    written = yaml.safe_dump(index, default_flow_style=flow).encode()
    assert read_index(b"---\n" + written) == read_index(json.dumps(index).encode())
