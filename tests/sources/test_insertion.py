"""Keys that are added: in the file's own style, with all else as it was."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitops_backup.sources.documents import InvalidManifest
from gitops_backup.sources.insertion import CannotInsert, insert

INSERTED = {
    "at the end of its mapping": ("a:\n  x: 1\nb: 2\n", "a.y", "a:\n  x: 1\n  y: new\nb: 2\n"),
    "with what is missing on the way": ("a: 1\n", "b.c.d", "a: 1\nb:\n  c:\n    d: new\n"),
    "below the comments that are of the mapping": (
        "a:\n  x: 1 # one\n  # more\n\n# b\nb: 2\n",
        "a.y",
        "a:\n  x: 1 # one\n  # more\n  y: new\n\n# b\nb: 2\n",
    ),
    "below the comments of what it holds": (
        "a:\n  x:\n    - 1\n    # - 2\n# b\nb: 2\n",
        "a.y",
        "a:\n  x:\n    - 1\n    # - 2\n  y: new\n# b\nb: 2\n",
    ),
    "below a comment without a final newline": ("a:\n  x: 1\n  # c", "a.y", "a:\n  x: 1\n  # c\n  y: new"),
    "as far in as the file indents": ("a:\n    x: 1\n", "b.c", "a:\n    x: 1\nb:\n    c: new\n"),
    "as far in as its neighbours": (
        "a:\n  b:\n      c: 1\n",
        "a.d.e",
        "a:\n  b:\n      c: 1\n  d:\n      e: new\n",
    ),
    "with the file's line ends": ("a:\r\n  x: 1\r\n", "a.y", "a:\r\n  x: 1\r\n  y: new\r\n"),
    "without a final newline": ("a:\n  x: 1", "a.y", "a:\n  x: 1\n  y: new"),
    "behind a list": (
        "a:\n  x:\n  - 1\n  - b: c\nb: 2\n",
        "a.y",
        "a:\n  x:\n  - 1\n  - b: c\n  y: new\nb: 2\n",
    ),
    "behind a block": (
        "a:\n  x: |\n    1\n\n    2\n\nb: 2\n",
        "a.y",
        "a:\n  x: |\n    1\n\n    2\n\n  y: new\nb: 2\n",
    ),
    "behind a block that keeps its end": (
        "a:\n  x: |+\n    1\n\n",
        "a.y",
        "a:\n  x: |+\n    1\n\n  y: new\n",
    ),
    "behind a block at the end": ("a:\n  x: >-\n    1\n    2", "a.y", "a:\n  x: >-\n    1\n    2\n  y: new"),
    "behind an alias": (
        "z: &z {q: 1}\na:\n  x: *z\nb: 2\n",
        "a.y",
        "z: &z {q: 1}\na:\n  x: *z\n  y: new\nb: 2\n",
    ),
    "behind a merge": ("z: &z {q: 1}\na:\n  <<: *z\n", "a.y", "z: &z {q: 1}\na:\n  <<: *z\n  y: new\n"),
    "behind nothing": ("a:\n  x:\nb: 2\n", "a.y", "a:\n  x:\n  y: new\nb: 2\n"),
    "behind text over lines": (
        "a:\n  x: one\n    two\nb: 2\n",
        "a.y",
        "a:\n  x: one\n    two\n  y: new\nb: 2\n",
    ),
    "behind quotes over lines": (
        "a:\n  x: 'one\n\n    two' # c\n",
        "a.y",
        "a:\n  x: 'one\n\n    two' # c\n  y: new\n",
    ),
    "in flow style": ("a: {x: 1}\n", "a.y", "a: {x: 1, y: new}\n"),
    "in flow style with blanks": ("a: { x: 1 }\n", "a.y.z", "a: { x: 1, y: {z: new} }\n"),
    "in flow style with a comma": ("a: {x: 1,}\n", "a.y", "a: {x: 1, y: new}\n"),
    "in flow style over lines": ("a: {\n  x: 1, # one\n}\n", "a.y", "a: {\n  y: new,\n  x: 1, # one\n}\n"),
    "in nothing of flow style": ("a: {}\n", "a.y", "a: {y: new}\n"),
    "in a file of nothing": ("", "a.y", "a:\n  y: new\n"),
    "in a file of comments": ("# none\n", "a", "# none\na: new\n"),
    "in a file of comments without a final newline": ("# none", "a", "# none\na: new"),
    "in a file that begins with a mark": ("---\n# none\n", "a", "---\n# none\na: new\n"),
    "in the first of several documents": ("a: 1\n---\nb: 2\n", "c", "a: 1\nc: new\n---\nb: 2\n"),
    "behind a mapping that has its anchor elsewhere": (
        "a:\n    b: &b\n        c: 1\nd:\n    e: *b\n",
        "d.f.g",
        "a:\n    b: &b\n        c: 1\nd:\n    e: *b\n    f:\n        g: new\n",
    ),
    "in nothing that another document follows": ("---\n# none\n---\nb: 2\n", "a", None),
    "in JSON": ('{"a": {"x": 1}}', "a.y", '{"a": {"x": 1, "y": "new"}}'),
    "behind letters of other alphabets": ("é: ü\na:\n  x: 😀\n", "a.y", "é: ü\na:\n  x: 😀\n  y: new\n"),
    "with a byte order mark": ("\ufeffa:\n  x: 1\n", "a.y", "\ufeffa:\n  x: 1\n  y: new\n"),
    "beside a list of mappings": ("- x\n", "a", None),
    "where something else stands": ("a: 1\n", "a.y", None),
    "where nothing stands": ("a:\nb: 1\n", "a.y", None),
    "where it is already": ("a: {y: 1}\n", "a.y", None),
    "in a list": ("a: [{x: 1}]\n", "a.y", None),
    "behind a list that ends in an alias": ("a:\n  x: &x 1\n  z:\n  - *x\n", "a.y", None),
}


@pytest.mark.parametrize("case", INSERTED.values(), ids=INSERTED.keys())
def test_a_key_is_added(case: tuple[str, str, str | None]) -> None:
    """At the end of the innermost mapping that is there, in its style; elsewhere, it is refused."""
    before, keys, after = case
    if after is None:
        with pytest.raises(CannotInsert):
            insert("x.yaml", before.encode(), keys=keys.split("."), value="new")
    else:
        assert insert("x.yaml", before.encode(), keys=keys.split("."), value="new").decode() == after


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("a", "bak.example:5000/m/x:1.25@sha256:ab", "a: bak.example:5000/m/x:1.25@sha256:ab"),
        ("a", "1.25", 'a: "1.25"'),
        ("a", "true", 'a: "true"'),
        ("a", "[::1]:5000/x", 'a: "[::1]:5000/x"'),
        ("on", "x: y", '"on": "x: y"'),
        ("a b", "x #y", '"a b": "x #y"'),
        ("a/b.c", "x:", 'a/b.c: "x:"'),
        ("", "", '"": ""'),
    ],
)
def test_what_would_be_misread_is_quoted(key: str, value: str, line: str) -> None:
    """Quotes are used where a text would not be one, or not that one, without."""
    assert insert("x.yaml", b"x: 1\n", keys=[key], value=value).decode() == f"x: 1\n{line}\n"


def test_a_file_that_cannot_be_read_is_named() -> None:
    """With the line, as everywhere."""
    with pytest.raises(InvalidManifest, match=r"x\.yaml, line 2"):
        insert("x.yaml", b"a: [\n", keys=["b"], value="c")


KEYS = st.text(alphabet="abc-1é", min_size=1, max_size=3)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(alphabet="ab #:\n-'\"", max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


@given(
    values=st.dictionaries(KEYS, VALUES, max_size=4),
    keys=st.lists(KEYS, min_size=1, max_size=4),
    style=st.sampled_from([None, False, True]),
    indent=st.sampled_from([2, 4]),
    newline=st.sampled_from(["\n", "\r\n"]),
    final=st.booleans(),
    as_json=st.booleans(),
)
def test_whatever_is_added_is_all_that_changes(
    values: dict[str, Any],
    keys: list[str],
    style: bool | None,
    indent: int,
    newline: str,
    final: bool,
    as_json: bool,
) -> None:
    """The file says what it said and the new value; its lines are still there, but for one in flow style."""
    text = (
        json.dumps(values)
        if as_json
        else yaml.safe_dump(values, default_flow_style=style, indent=indent, allow_unicode=True)
    )
    before = (text if final else text.rstrip("\n")).replace("\n", newline).encode()
    try:
        after = insert("x.yaml", before, keys=keys, value="new/value")
    except CannotInsert:
        assert not has_room(values, keys)
        return
    cursor = values
    for key in keys[:-1]:
        cursor = cursor.setdefault(key, {})
    cursor[keys[-1]] = "new/value"
    assert yaml.safe_load(after) == values
    kept = before.split(newline.encode())
    assert sum(line not in after.split(newline.encode()) for line in kept) <= 1


def has_room(values: Any, keys: list[str]) -> bool:
    """Whether there is nothing, or a mapping, all the way."""
    for key in keys:
        if not isinstance(values, dict):
            return False
        if key not in values:
            return True
        values = values[key]
    return False
