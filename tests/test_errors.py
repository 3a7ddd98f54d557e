"""Errors: one line for people, with a hint where there is one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_backup.errors import Conflict, GitopsBackupError, Transient, UsageError, one_line


def test_an_error_shows_its_message_and_its_hint() -> None:
    """What was seen, and in brackets what to do."""
    assert str(GitopsBackupError("no such file")) == "no such file"
    assert str(UsageError("no such file", hint="make it")) == "no such file (make it)"


def test_a_transient_error_knows_when_to_try_again() -> None:
    """A conflict is one of them: look again."""
    assert Transient("later", retry_after=3.5).retry_after == 3.5
    assert Conflict("changed").retry_after is None
    assert isinstance(Conflict("changed"), Transient)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        (" a \t b\r\n\n c ", "a b c"),
        (b"caf\xc3\xa9", "café"),
        (b"\xff\xfe", "��"),
        ("a\0b\x1b[31mc", "a b [31mc"),
        ("left\u202eright", "left right"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 299 + "…"),
    ],
)
def test_foreign_text_becomes_one_line(text: str | bytes, line: str) -> None:
    """Neither line breaks nor terminal codes of others reach a terminal, a log or a status."""
    assert one_line(text) == line


@settings(max_examples=200)
@given(st.text() | st.binary(), st.integers(1, 50))
def test_foreign_text_is_printable_and_short(text: str | bytes, limit: int) -> None:
    """Whatever a registry answers fits into a message."""
    line = one_line(text, limit=limit)
    assert len(line) <= limit
    assert line.isprintable()
    assert one_line(line, limit=limit) == line
