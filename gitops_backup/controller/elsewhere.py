"""What Applications are rendered from besides the commit that is edited: other commits, charts, files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from gitops_backup.controller.contents import Files
from gitops_backup.controller.reading import Entry, Opened, Readable
from gitops_backup.sources.places import Place, PlaceKind


class Git(Protocol):
    """The clones."""

    def snapshot(self, url: str, revision: str) -> Readable:
        """A revision of a repository: a branch, a tag, a commit, a range of versions."""


class Downloads(Protocol):
    """What is downloaded."""

    def open(self, place: Place) -> Opened:
        """A chart, or a file. Raises `Unavailable`."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Places that are not the commit at hand."""

    git: Git
    downloads: Downloads

    def open(self, place: Place) -> Opened:
        """What is at a place now. Raises `Unavailable`, and what Git raises."""
        if place.kind != PlaceKind.COMMIT:
            return self.downloads.open(place)
        readable = self.git.snapshot(place.url, place.revision)
        return _Commit(readable, readable.fetch().commit)


@dataclass(frozen=True, slots=True)
class _Commit:
    """A commit of another repository, or of another branch."""

    readable: Readable
    identity: str

    def tree(self) -> Mapping[str, Entry]:
        """The paths, with what is there."""
        return self.readable.tree(self.identity)

    def read(self, paths: Iterable[str]) -> Files:
        """The contents of files."""
        return self.readable.read(self.identity, paths)
