"""What is read of a commit, and of other places: the files that sources are read from.

Some of them name further ones. What is not on the commit is mounted (see `sources.mounts`): each place is
opened once, however many sources are rendered from it.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import filterfalse
from typing import NamedTuple, Protocol

from gitops_backup.controller.contents import Contents, Files
from gitops_backup.controller.evidence import Surroundings
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.controller.parts import Part
from gitops_backup.controller.shaping import Named, Naming, Subject
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.applications import Source
from gitops_backup.sources.mounts import Mounts, Problem, Unavailable, folder_for, is_mounted
from gitops_backup.sources.places import Place
from gitops_backup.sources.shapes import ToRead
from gitops_backup.sources.trees import Tree

RENDERED_AT_A_TIME = min(4, os.cpu_count() or 1)
"""How many sources are rendered at a time."""

_OPENED_AT_A_TIME = 8


class Entry(Protocol):
    """What there is at a path."""

    @property
    def mode(self) -> str:
        """As `git ls-tree` prints it."""

    @property
    def sha(self) -> str:
        """The name that Git has for its content; empty for what is not from Git."""


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


class Read(NamedTuple):
    """The files that a source of the part of this number is read from, some of them `rendered` together."""

    number: int
    subject: Subject
    paths: frozenset[str]
    rendered: frozenset[str]


class Reading:
    """What is read of a commit, and from elsewhere.

    `tree` has the paths of both, and `mounts` says where which is. `shared` are the files of the commit that
    several sources are read from.
    """

    def __init__(self, tree: Tree, mounts: Mounts, contents: Contents, reads: Sequence[Read]) -> None:
        self.tree = tree
        self.mounts = mounts
        self.contents = contents
        self.reads = reads
        counts = Counter(path for read in reads for path in read.paths)
        several = (path for path, count in counts.items() if count > 1 and not is_mounted(path))
        self.shared = frozenset(several)
        self._by_number: dict[int, dict[int, Read]] = {}
        for read in reads:
            self._by_number.setdefault(read.number, {})[read.subject.source.index] = read

    @property
    def refused(self) -> Mapping[str, str]:
        """Why a path could not be read."""
        return self.contents.refused

    def of(self, number: int, source: Source) -> Read:
        """What is read of a source of the part of this number."""
        return self._by_number[number][source.index]

    def paths(self, number: int) -> Iterator[str]:
        """The files that the part of this number is read from."""
        return (path for read in self._by_number.get(number, {}).values() for path in read.paths)


def read_sources(
    branch: Readable,
    commit: str,
    parts: Sequence[Part],
    readers: Sequence[Part] = (),
    *,
    elsewhere: Elsewhere | None = None,
    outcomes: Outcomes | None = None,
) -> Reading:
    """All files that the sources are read from: some of them say which others there are.

    Of readers, those that take no renderer are left out: a file's edit is proven by itself. Without
    `elsewhere`, there is nothing but the commit. Of a source whose files are known, none is read here.
    """
    everybody = (*parts, *readers)
    outcomes = outcomes or Outcomes()
    view = _View(branch, commit, here=(place for part in everybody for place in part.places_here))
    contents = Contents(view.paths, identify=view.identity, read=view.read)
    subjects = (
        (number, Subject.of(part.application, source, outcomes))
        for number, part in enumerate(everybody)
        for source in part.sources
    )
    open_ones = [(number, subject, Naming(subject)) for number, subject in subjects]
    reads: list[Read] = []
    found: list[tuple[Naming, ToRead]] = []
    while open_ones:
        here = Surroundings(view.tree, contents.loaded, view.mounts)
        unknown: set[str] = set()
        places: set[Place] = set()
        again: list[tuple[int, Subject, Naming]] = []
        for number, subject, naming in open_ones:
            known = naming.recall(here)
            if known is not None:
                contents.refused |= known.refused
                named = known.to_read
            else:
                named = naming.ask(here)
            relevant = number < len(parts) or named.rendered
            if known is None:
                paths = named.paths if number < len(parts) else named.paths - named.beside
                new = paths - contents.known.keys() - contents.refused.keys()
                places |= named.places
                unknown |= new if relevant else set()
                if named.places or (new and named.rendered):
                    again.append((number, subject, naming))
                    continue
                found.append((naming, named))
            if relevant:
                reads.append(Read(number, subject, named.paths, named.together))
        if places:
            view.open(places, elsewhere)
        contents.load(unknown)
        open_ones = again
    for naming, named in found:
        refused = {path: contents.refused[path] for path in named.paths if path in contents.refused}
        naming.keep(Named(named, refused))
    reads.sort(key=lambda read: (read.number, read.subject.source.index))
    return Reading(view.tree, view.mounts, contents, reads)


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
        entries = branch.tree(commit)
        self._entries = {path: entry for path, entry in entries.items() if not is_mounted(path)}
        self.tree = self._tree()
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
                found, tree = opened
                identities[place], self._opened[folder] = found.identity, found
                self._entries |= {f"{folder}/{path}": entry for path, entry in tree.items()}
        self.tree = self._tree()
        self.mounts = replace(self.mounts, opened=identities, problems=problems)

    def paths(self) -> Iterable[str]:
        """All paths, of the commit and of what is mounted."""
        return self._entries

    def identity(self, path: str) -> str | None:
        """What tells a file by its content: the name that Git has for that, or what its place holds."""
        entry = self._entries.get(path)
        if entry is None:
            return None
        if entry.sha:
            return f"{entry.mode} {entry.sha}"
        place = self._opened[_folder(path)].identity if is_mounted(path) else self._commit
        return f"{entry.mode} {place} {path}"

    def read(self, paths: Iterable[str]) -> _Read:
        """Files of the commit, and of what is mounted."""
        contents: dict[str, bytes] = {}
        refused: dict[str, str] = {}
        apart: dict[str, list[str]] = {}
        for path in paths:
            folder = _folder(path) if is_mounted(path) else ""
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

    def _tree(self) -> Tree:
        return Tree({path: entry.mode for path, entry in self._entries.items()})


def _folder(path: str) -> str:
    """The folder of the place that a mounted path is from."""
    return "/".join(path.split("/")[:2])


def _opened(place: Place, elsewhere: Elsewhere | None) -> tuple[Opened, Mapping[str, Entry]] | Problem:
    if elsewhere is None:
        return Problem(Reason.UNSUPPORTED_SOURCE, f"{place} is elsewhere, and is not looked at")
    try:
        opened = elsewhere.open(place)
        return opened, opened.tree()
    except Unavailable as error:
        return Problem(error.reason, str(error))
    except GitopsBackupError as error:
        return Problem(Reason.REPOSITORY_UNAVAILABLE, one_line(str(error)))


def independent(count: int, reading: Reading) -> list[list[int]]:
    """The numbers of parts, in groups that share no file of the commit."""
    groups = list(range(count))

    def root(number: int) -> int:
        while groups[number] != number:
            number = groups[number] = groups[groups[number]]
        return number

    first: dict[str, int] = {}
    for read in reading.reads:
        if read.number < count:
            for path in filterfalse(is_mounted, read.paths):
                one, other = sorted((root(first.setdefault(path, read.number)), root(read.number)))
                groups[other] = one
    found: dict[int, list[int]] = {}
    for number in range(count):
        found.setdefault(root(number), []).append(number)
    return list(found.values())
