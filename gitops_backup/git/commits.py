"""A commit as `git fast-import` reads it: a parent, and new bytes for some of its files.

The same parent, files, message, identity and time make the same commit, byte for byte, so that a step that is
taken twice pushes nothing twice. Format: git-fast-import(1), "Input Format"; every path is quoted, so that
none can be read as a command.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gitops_backup.errors import UsageError


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a commit names as its author and committer. Raises `UsageError` for what git cannot store."""

    name: str
    email: str

    def __post_init__(self) -> None:
        for value in (self.name, self.email):
            if not value.strip() or not value.isprintable() or set(value) & set("<>"):
                raise UsageError(f"{value!r} cannot stand in a commit's author: no angle brackets, not empty")

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


@dataclass(frozen=True, slots=True)
class Change:
    """New bytes for one file; `mode` is the one that it has, or gets, as git writes it."""

    path: str
    mode: str
    content: bytes


def commit_stream(
    changes: Iterable[Change], *, parent: str, ref: str, message: str, identity: Identity, when: datetime
) -> bytes:
    """The input that makes git write a commit, point `ref` at it and answer its name.

    `when` must know its time zone; it is stored in whole seconds, in UTC.
    """
    if when.tzinfo is None:
        raise ValueError("a commit's time needs a time zone")
    stamp = f"{identity} {int(when.timestamp())} +0000"
    text = f"{message.rstrip()}\n".encode()
    head = f"commit {ref}\nmark :1\nauthor {stamp}\ncommitter {stamp}\ndata {len(text)}\n"
    parts = [head.encode(), text, f"from {parent}\n".encode()]
    for change in sorted(changes, key=lambda change: change.path):
        parts.append(b"M %s inline %s\n" % (change.mode.encode(), _quoted(change.path)))
        parts.append(b"data %d\n%s\n" % (len(change.content), change.content))
    parts.append(b"get-mark :1\ndone\n")
    return b"".join(parts)


def signed_commit(commit: bytes, signature: bytes) -> bytes:
    """A commit object with a signature of it as its last header, where git puts and finds it (gpgsig)."""
    head, blank, message = commit.partition(b"\n\n")
    lines = b"\n ".join(signature.strip().splitlines())
    return head + b"\ngpgsig " + lines + blank + message


def _quoted(path: str) -> bytes:
    escaped = path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return b'"%s"' % escaped
