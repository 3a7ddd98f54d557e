"""The patterns of Git generators, which are of two kinds.

Files are listed by `git ls-files`, so their patterns are Git's pathspecs: a path, a folder with all that is
in it, or a pattern in which `*` stands for slashes, too (wildmatch.c without WM_PATHNAME). Directories are
matched by Go's path.Match, where it does not. (Argo CD can be told to match files by a third kind of pattern,
which is not the default, and is not known here.)

Patterns come from people who may mean harm, so nothing here backtracks.
"""

import posixpath
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gitops_backup.errors import GitopsBackupError, one_line


class InvalidPattern(GitopsBackupError):
    """A pattern that is none, or of a kind that is not understood here."""


class FilePattern:
    """A pattern of the files of a repository. Raises `InvalidPattern`."""

    def __init__(self, pattern: str) -> None:
        if pattern.startswith((":", "/")) or ".." in pattern.split("/"):
            what = f"the pattern {one_line(pattern)} is not understood"
            raise InvalidPattern(f"{what}: expected a path from the repository's root")
        self._literal = posixpath.normpath(pattern or ".")
        self._whole = pattern.endswith("/")
        self._parts = _parts(self._literal, slashes=True) if _WILD.search(self._literal) else None

    def matches(self, path: str) -> bool:
        """Whether a path is meant."""
        if self._literal == "." or path.startswith(f"{self._literal}/"):
            return True
        if self._whole:
            return False
        return path == self._literal or (self._parts is not None and _matches(self._parts, path))


class DirectoryPattern:
    """A pattern of the directories of a repository. Raises `InvalidPattern`."""

    def __init__(self, pattern: str) -> None:
        self._parts = _parts(pattern, slashes=False)

    def matches(self, path: str) -> bool:
        """Whether a directory is meant."""
        return _matches(self._parts, path)


_Fits = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Part:
    """One character that fits, or with `many` any number of them."""

    fits: _Fits
    many: bool = False


def _matches(parts: Sequence[_Part], text: str) -> bool:
    places = {0}
    for part in parts:
        if not part.many:
            places = {at + 1 for at in places if at < len(text) and part.fits(text[at])}
            continue
        reached: set[int] = set()
        for start in sorted(places):
            at = start
            while at not in reached:
                reached.add(at)
                if at < len(text) and part.fits(text[at]):
                    at += 1
        places = reached
    return len(text) in places


def _parts(pattern: str, *, slashes: bool) -> tuple[_Part, ...]:
    """The parts of a pattern, in which `*` and `?` stand for slashes, too, or not."""

    def wild(character: str) -> bool:
        return slashes or character != "/"

    parts: list[_Part] = []
    at = 0
    while at < len(pattern):
        match = _TOKEN.match(pattern, at)
        if match is None:
            raise InvalidPattern(f"the pattern {one_line(pattern)} is none: something is not closed in it")
        at = match.end()
        found = match[0]
        if found[0] == "*":
            parts.append(_Part(wild, many=True))
        elif found == "?":
            parts.append(_Part(wild))
        elif match["list"] is not None:
            parts.append(_Part(_listed(match["list"], negated=bool(match["not"]), wild=wild)))
        else:
            parts.append(_Part(found[-1].__eq__))
    return tuple(parts)


def _listed(listed: str, *, negated: bool, wild: _Fits) -> _Fits:
    ranges = [(match["low"][-1], (match["high"] or match["low"])[-1]) for match in _RANGE.finditer(listed)]

    def fits(character: str) -> bool:
        return wild(character) and any(low <= character <= high for low, high in ranges) != negated

    return fits


_WILD = re.compile(r"[*?\[\\]")
_RANGE = re.compile(r"(?P<low>\\.|[^\\])(?:-(?P<high>\\.|[^\\\]]))?", re.DOTALL)
_TOKEN = re.compile(r"\*+|\?|\[(?P<not>[\^!]?)(?P<list>\]?(?:\\.|[^\\\]])+)\]|\\.|[^\\\[]", re.DOTALL)
