"""The names and modes of a Git tree, in the order in which Argo CD reads files.

It walks a folder's entries by name, a folder's content in that folder's place (Go's filepath.Walk). That is
another order than Git's, and than that of the whole paths: `a/x` comes before `a-b`.
"""

import posixpath
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import NamedTuple

from gitops_backup.errors import one_line
from gitops_backup.sources.edits import NEW_MODE


class Entry(NamedTuple):
    """What Git keeps at a path; `mode` is as `git ls-tree` prints it."""

    path: str
    mode: str

    @property
    def is_file(self) -> bool:
        """Whether it is a file, and no symbolic link or submodule."""
        return self.mode.startswith("100")

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return self.mode == "120000"


class Tree:
    """All paths of a commit, or of a folder in it, with their modes; folders themselves are not listed.

    Paths are the repository's own, without a slash in front.
    """

    def __init__(self, modes: Mapping[str, str]) -> None:
        self._modes = modes
        self._order = sorted(tuple(path.split("/")) for path in modes)
        self._fingerprints: dict[tuple[str, bool], bytes] = {}

    def under(self, folder: str, *, recurse: bool) -> Iterator[Entry]:
        """What is in a folder, and with `recurse` in those below, in Argo CD's order."""
        parts = tuple(folder.split("/")) if folder else ()
        first = bisect_left(self._order, parts)
        for number in range(first, len(self._order)):
            entry = self._order[number]
            if entry[: len(parts)] != parts:
                break
            if recurse or len(entry) == len(parts) + 1:
                path = "/".join(entry)
                yield Entry(path, self._modes[path])

    def fingerprint(self, folder: str, *, recurse: bool) -> bytes:
        """What `under` finds, in a few bytes: the same for the same names and modes alone."""
        known = self._fingerprints.get((folder, recurse))
        if known is None:
            lines = "".join(f"{mode} {path}\0" for path, mode in self.under(folder, recurse=recurse))
            known = sha256(lines.encode("utf-8", "surrogateescape")).digest()
            self._fingerprints[folder, recurse] = known
        return known

    def link_towards(self, folder: str) -> str | None:
        """The symbolic link that is in the way to a folder, or is there in its place."""
        parts = folder.split("/")
        for length in range(1, len(parts) + 1):
            path = "/".join(parts[:length])
            if path in self._modes and Entry(path, self._modes[path]).is_link:
                return path
        return None


def with_files(tree: Tree, paths: Iterable[str]) -> Tree:
    """The tree with those of these files that are not in it; itself where there are none."""
    new = dict.fromkeys((path for path in paths if path not in tree._modes), NEW_MODE)
    if not new:
        return tree
    made = Tree({})
    made._modes = {**tree._modes, **new}
    made._order = list(tree._order)
    for path in new:
        insort(made._order, tuple(path.split("/")))
    made._fingerprints = {
        (folder, recurse): known
        for (folder, recurse), known in tree._fingerprints.items()
        if folder and not any(path.startswith(f"{folder}/") for path in new)
    }
    return made


def folder_of(path: str) -> str | None:
    """A source's `path` without needless dots and slashes, empty for the root; None if it leads outside."""
    folder = posixpath.normpath(path or ".")
    if folder.startswith("/") or folder.split("/")[0] == "..":
        return None
    return "" if folder == "." else folder


def not_followed(link: str) -> str:
    """What is said of a symbolic link: a file or folder that it leads to may be anybody's."""
    return f"{one_line(link)} is a symbolic link, which is not followed"
