"""The commit that a branch is at, and what it changes: enough to tell our own from other people's.

What is pushed anew over a branch of ours must be ours. Whose a commit is, its committer and its message say;
what it changes, the names of the contents before and after it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

_NO_FILE = "0" * 40
BlobNames = tuple[str, str]
"""The names of a file's contents before and after; zeros where there is no file."""


@dataclass(frozen=True, slots=True)
class Tip:
    """A branch's head: `changed` has what differs from its first parent, by path.

    `own` says that it has one parent, and the author and committer of a store's own commits.
    """

    commit: str
    message: str
    own: bool
    changed: Mapping[str, BlobNames]

    def makes(self, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> bool:
        """Whether it makes exactly this of these files, some of which were not there before."""
        wanted = {path: (_blob_name_of(before.get(path)), blob_name(each)) for path, each in after.items()}
        return self.changed == wanted


def _blob_name_of(content: bytes | None) -> str:
    return _NO_FILE if content is None else blob_name(content)


def blob_name(content: bytes) -> str:
    """The name that git has for a file's content (gitformat-pack(5), "SHA-1")."""
    return hashlib.sha1(b"blob %d\0%s" % (len(content), content), usedforsecurity=False).hexdigest()


def changed_blobs(raw: bytes) -> dict[str, BlobNames]:
    """What `git diff-tree -r -z --no-renames` prints, by path (git-diff-tree(1), "RAW OUTPUT FORMAT")."""
    parts = raw.split(b"\0")[:-1]
    found = {}
    for header, path in zip(parts[::2], parts[1::2], strict=True):
        _, _, before, after, _ = header.decode("ascii").split()
        found[path.decode("utf-8", "surrogateescape")] = before, after
    return found
