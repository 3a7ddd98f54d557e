"""A commit is written as fast-import reads it, whatever its paths and contents are."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_backup.errors import UsageError
from gitops_backup.git.commits import Change, Identity, commit_stream

_BOT = Identity("Backup Bot", "bot@example.org")
_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _stream(*changes: Change, when: datetime = _NOON, message: str = "Change") -> bytes:
    return commit_stream(changes, parent="a" * 40, ref="refs/x", message=message, identity=_BOT, when=when)


def test_a_commit_is_written_as_git_reads_it() -> None:
    """Author, committer, message, parent and files, each counted in bytes."""
    stream = _stream(Change("apps/é.yaml", "100755", b"a: b\r\n"), message="Grüße\n\nBody")
    assert (
        stream
        == (
            "commit refs/x\nmark :1\n"
            "author Backup Bot <bot@example.org> 1772366400 +0000\n"
            "committer Backup Bot <bot@example.org> 1772366400 +0000\n"
            "data 14\nGrüße\n\nBody\n"
            f"from {'a' * 40}\n"
            'M 100755 inline "apps/é.yaml"\ndata 6\na: b\r\n\nget-mark :1\ndone\n'
        ).encode()
    )


def test_the_same_moment_in_another_zone_is_the_same_commit() -> None:
    """Times are stored in UTC, in whole seconds."""
    elsewhere = (_NOON + timedelta(microseconds=5)).astimezone(timezone(timedelta(hours=9)))
    assert _stream(when=elsewhere) == _stream()


def test_a_time_without_a_zone_is_refused() -> None:
    """It would be another moment on another machine."""
    with pytest.raises(ValueError, match="time zone"):
        _stream(when=datetime(2026, 3, 1, 12))  # noqa: DTZ001, that is the point


@pytest.mark.parametrize("name", ["", " ", "a <b", "a\nauthor evil", "a>"])
def test_an_identity_that_git_cannot_store_is_refused(name: str) -> None:
    """A line end or an angle bracket would start something else."""
    with pytest.raises(UsageError):
        Identity(name, "bot@example.org")
    with pytest.raises(UsageError):
        Identity("Bot", name)


_PATHS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(st.dictionaries(_PATHS, st.binary(max_size=50), max_size=5))
def test_no_path_or_content_can_be_read_as_a_command(files: dict[str, bytes]) -> None:
    """Read back by fast-import's rules, the stream holds exactly these files, whatever their order was."""
    changes = [Change(path, "100644", content) for path, content in files.items()]
    stream = _stream(*changes)
    assert _stream(*reversed(changes)) == stream
    _, _, rest = stream.partition(b"from " + b"a" * 40 + b"\n")
    found = {}
    while rest != b"get-mark :1\ndone\n":
        command, count, rest = rest.split(b"\n", 2)
        quoted = re.fullmatch(rb'M 100644 inline "((?:[^"\\]|\\.)*)"', command)
        assert quoted is not None
        path = re.sub(rb"\\(.)", lambda escape: {b"n": b"\n"}.get(escape[1], escape[1]), quoted[1])
        size = int(count.removeprefix(b"data "))
        found[path.decode()] = rest[:size]
        rest = rest[size + 1 :]
    assert found == files
