"""What is read of a commit, and of other places: the files that sources are read from.

Some of them name further ones. What is not on the commit is mounted (see `sources.mounts`): each place is
opened once, however many sources are rendered from it.
"""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import filterfalse
from typing import NamedTuple, Protocol

from gitops_backup.controller.parts import Part
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.applications import Source
from gitops_backup.sources.mounts import Mounts, Problem, Unavailable, folder_for, is_mounted
from gitops_backup.sources.places import Place
from gitops_backup.sources.shapes import files_to_read
from gitops_backup.sources.trees import Tree

RENDERED_AT_A_TIME = min(4, os.cpu_count() or 1)
"""How many sources are rendered at a time."""

_OPENED_AT_A_TIME = 8


class Entry(Protocol):
    """What Git keeps at a path."""

    @property
    def mode(self) -> str:
        """As `git ls-tree` prints it."""


class Files(Protocol):
    """What was read of a commit."""

    @property
    def contents(self) -> Mapping[str, bytes]:
        """The bytes by path."""

    @property
    def refused(self) -> Mapping[str, str]:
        """Why a path could not be read."""


class Head(Protocol):
    """Where a branch is."""

    @property
    def commit(self) -> str:
        """The commit."""


class Readable(Protocol):
    """A branch of a repository, or a commit that stands for one, to look at."""

    @property
    def name(self) -> str:
        """Its name."""

    def fetch(self) -> Head:
        """Where the branch is now."""

    def tree(self, commit: str, path: str = "") -> Mapping[str, Entry]:
        """The paths of a commit, with what is there."""

    def read(self, commit: str, paths: Iterable[str]) -> Files:
        """The contents of files of a commit."""


class Opened(Protocol):
    """What is at a place now, and stays so."""

    @property
    def identity(self) -> str:
        """What tells it from what may be there at another time: a commit's name, an archive's digest."""

    def tree(self) -> Mapping[str, Entry]:
        """The paths, with what is there."""

    def read(self, paths: Iterable[str]) -> Files:
        """The contents of files."""


class Elsewhere(Protocol):
    """Places that are not the commit at hand."""

    def open(self, place: Place) -> Opened:
        """What is at a place. Raises `Unavailable`, or another `GitopsBackupError`."""


@dataclass(slots=True)
class Reading:
    """What was read of a commit, and from elsewhere.

    `tree` has the paths of both, and `mounts` says where which is. `reads` has the files that a source of the
    part of each number is read from; `rendered` are the sources that take a renderer, with the same; `shared`
    are the files that several sources are read from.
    """

    tree: Tree
    mounts: Mounts
    contents: dict[str, bytes] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    reads: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    rendered: list[tuple[int, Source, frozenset[str]]] = field(default_factory=list)
    shared: frozenset[str] = frozenset()


def read_sources(
    branch: Readable,
    commit: str,
    parts: Sequence[Part],
    readers: Sequence[Part] = (),
    *,
    elsewhere: Elsewhere | None = None,
) -> Reading:
    """All files that the sources are read from: some of them say which others there are.

    Of readers, those that take no renderer are left out: a file's edit is proven by itself. Without
    `elsewhere`, there is nothing but the commit.
    """
    everybody = (*parts, *readers)
    view = _View(branch, commit, here=(place for part in everybody for place in part.places_here))
    reading = Reading(view.tree, view.mounts)
    open_ones = [(number, source) for number, part in enumerate(everybody) for source in part.sources]
    counts: Counter[str] = Counter()
    while open_ones:
        unknown: set[str] = set()
        places: set[Place] = set()
        again: list[tuple[int, Source]] = []
        for number, source in open_ones:
            named = files_to_read(
                everybody[number].application, source, reading.tree, reading.contents, mounts=reading.mounts
            )
            if named.places:
                places |= named.places
                again.append((number, source))
                continue
            if number >= len(parts) and not named.rendered:
                continue
            new = named.paths - reading.contents.keys() - reading.refused.keys()
            unknown |= new
            if new and named.rendered:
                again.append((number, source))
                continue
            counts.update(named.paths)
            reading.reads.append((number, named.paths))
            if named.rendered:
                reading.rendered.append((number, source, named.paths))
        if places:
            view.open(places, elsewhere)
            reading.tree, reading.mounts = view.tree, view.mounts
        if unknown:
            files = view.read(unknown)
            reading.contents |= files.contents
            gone = unknown - files.contents.keys()
            reading.refused |= {**dict.fromkeys(gone, "is not there"), **files.refused}
        open_ones = again
    several = (path for path, count in counts.items() if count > 1 and not is_mounted(path))
    reading.shared = frozenset(several)
    return reading


def still_the_same(mounts: Mounts, elsewhere: Elsewhere | None) -> bool:
    """Whether each place from elsewhere that was opened holds what it held."""
    try:
        return all(
            elsewhere is not None and elsewhere.open(place).identity == identity
            for place, identity in mounts.opened.items()
        )
    except GitopsBackupError:
        return False


class _Read(NamedTuple):
    contents: Mapping[str, bytes]
    refused: Mapping[str, str]


class _View:
    """A commit with what is mounted into it."""

    def __init__(self, branch: Readable, commit: str, *, here: Iterable[Place]) -> None:
        self._branch = branch
        self._commit = commit
        self._opened: dict[str, Opened] = {}
        entries = branch.tree(commit).items()
        self._modes = {path: entry.mode for path, entry in entries if not is_mounted(path)}
        self.tree = Tree(self._modes)
        self.mounts = Mounts(frozenset(here))

    def open(self, places: Iterable[Place], elsewhere: Elsewhere | None) -> None:
        """Mount places, or take note of why that cannot be."""
        identities, problems = dict(self.mounts.opened), dict(self.mounts.problems)
        with ThreadPoolExecutor(_OPENED_AT_A_TIME) as pool:
            for place, opened in pool.map(lambda each: (each, _opened(each, elsewhere)), places):
                if isinstance(opened, Problem):
                    problems[place] = opened
                    continue
                folder = folder_for(place)
                identities[place], self._opened[folder] = opened.identity, opened
                self._modes |= {f"{folder}/{path}": entry.mode for path, entry in opened.tree().items()}
        self.tree = Tree(self._modes)
        self.mounts = replace(self.mounts, opened=identities, problems=problems)

    def read(self, paths: Iterable[str]) -> _Read:
        """Files of the commit, and of what is mounted."""
        contents: dict[str, bytes] = {}
        refused: dict[str, str] = {}
        apart: dict[str, list[str]] = {}
        for path in paths:
            folder = "/".join(path.split("/")[:2]) if is_mounted(path) else ""
            apart.setdefault(folder, []).append(path.removeprefix(f"{folder}/") if folder else path)
        for folder, inside in apart.items():
            if not folder:
                found = self._branch.read(self._commit, inside)
            else:
                found = self._opened[folder].read(inside)
            front = f"{folder}/" if folder else ""
            contents |= {f"{front}{path}": content for path, content in found.contents.items()}
            refused |= {f"{front}{path}": why for path, why in found.refused.items()}
        return _Read(contents, refused)


def _opened(place: Place, elsewhere: Elsewhere | None) -> Opened | Problem:
    if elsewhere is None:
        return Problem(Reason.UNSUPPORTED_SOURCE, f"{place} is elsewhere, and is not looked at")
    try:
        return elsewhere.open(place)
    except Unavailable as error:
        return Problem(error.reason, str(error))
    except GitopsBackupError as error:
        return Problem(Reason.REPOSITORY_UNAVAILABLE, one_line(str(error)))


def independent(count: int, reading: Reading) -> tuple[list[int], list[list[int]]]:
    """The numbers of parts that take no renderer, and of the others in groups that share no file.

    A part without a renderer that shares a file with one that takes it goes with that one.
    """
    groups = list(range(count))

    def root(number: int) -> int:
        while groups[number] != number:
            number = groups[number] = groups[groups[number]]
        return number

    first: dict[str, int] = {}
    for number, paths in reading.reads:
        if number < count:
            for path in filterfalse(is_mounted, paths):
                one, other = sorted((root(first.setdefault(path, number)), root(number)))
                groups[other] = one
    taking = {root(number) for number, _, _ in reading.rendered if number < count}
    found: dict[int, list[int]] = {}
    for number in range(count):
        found.setdefault(root(number), []).append(number)
    plain = [number for first_of, group in found.items() if first_of not in taking for number in group]
    return sorted(plain), [group for first_of, group in sorted(found.items()) if first_of in taking]
