"""Parts of texts that are changed where they are written as scalars: all else stays, byte for byte."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yaml.nodes import ScalarNode

from gitops_backup.sources.documents import File
from gitops_backup.sources.edits import apply
from gitops_backup.sources.inline.texts import CannotWrite, edited
from gitops_backup.sources.mappings import find

_WORDS = st.text(st.sampled_from("ab: #'\"\\-é{}[]|>&*!%@\U0001f600\t"), max_size=12).map(str.rstrip)
_LINES = st.lists(_WORDS, min_size=1, max_size=6)


def _literal(text: str, header: str, indentation: int, newline: str) -> bytes:
    lines = [f"{' ' * indentation}{line}" if line else "" for line in text.split("\n")]
    content = newline.join(["a: # ä", f"  b: |{header}", *lines, "", "  c: d", ""])
    return content.encode()


def _node(content: bytes) -> tuple[File, ScalarNode]:
    file = File.read("x.yaml", content)
    found = find(next(file.documents()).root, "a", "b")
    assert found is not None
    assert isinstance(found.node, ScalarNode)
    return file, found.node


@given(
    lines=_LINES,
    place=st.tuples(st.integers(0, 5), st.integers(0, 12)),
    header=st.sampled_from(["", "-", "+", "2", "2-"]),
    newline=st.sampled_from(["\n", "\r\n"]),
    style=st.sampled_from(["literal", "json", "single"]),
    appended=st.booleans(),
)
def test_what_is_put_into_a_text_is_all_that_changes(
    *, lines: list[str], place: tuple[int, int], header: str, newline: str, style: str, appended: bool
) -> None:
    """The text says what it should, and without what was put in the file is what it was."""
    text = "\n".join(["x", *lines, "y"])
    if style == "literal":
        content = _literal(text, header, 4, newline)
    elif style == "json":
        content = json.dumps({"a": {"b": text}}).encode()
    else:
        text = text.replace("\n", " ").replace("\t", " ")
        content = f"a:\n  b: '{text.replace(chr(39), chr(39) * 2)}'\n".encode()
    file, node = _node(content)
    old = node.value.split("\n")
    said = [number for number, line in enumerate(old) if line]
    number = said[place[0] % len(said)]
    at = min(place[1], len(old[number]))
    new = [*old]
    new[number] = f"{old[number][:at]}NEW{old[number][at:]}"
    last = node.value.rstrip("\n").count("\n") + 1
    if appended and style != "single" and number < last:
        new.insert(last, "ADDED: 1")
    wanted = "\n".join(new)
    after = apply(content, edited(file, node, wanted))
    assert _node(after)[1].value == wanted
    without = after.replace(b"NEW", b"", 1)
    for added in (b"    ADDED: 1\r\n", b"    ADDED: 1\n", b"\\nADDED: 1", b"ADDED: 1\\n"):
        without = without.replace(added, b"", 1) if b"ADDED" in without else without
    assert without == content


REFUSED = {
    "folded": ("a:\n  b: >\n    x\n    y\n", "folded block"),
    "empty": ("a:\n  b: ''\n", "empty text"),
    "an empty block": ("a:\n  b: |\n  c: d\n", "empty block"),
    "bytes that are no text": ("a:\n  b: |\n    \udcff x\n", "not understood"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_led_back_is_refused(content: str, message: str) -> None:
    """With a word about why."""
    file, node = _node(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(CannotWrite, match=message):
        edited(file, node, f"{node.value}z")


def test_lines_are_not_put_into_quotes_that_know_none() -> None:
    """A line break would have to be escaped, which single quotes cannot."""
    file, node = _node(b"a:\n  b: 'x'\n")
    with pytest.raises(CannotWrite, match="no line break"):
        edited(file, node, "x\ny")


def test_double_quotes_are_escaped_as_they_have_to_be() -> None:
    """What was escaped another way stays so."""
    file, node = _node(
        rb'a: {b: "\x41\u00e9 \"c\" d\
      e"}'
    )
    after = apply(file.content, edited(file, node, node.value.replace("c", '\\"')))
    assert (
        after
        == rb'a: {b: "\x41\u00e9 \"\\\"\" d\
      e"}'
    )
