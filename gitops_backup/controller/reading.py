"""What is read of a commit: the files that sources are read from, some of which name further ones."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gitops_backup.controller.parts import Part
from gitops_backup.sources.applications import Source
from gitops_backup.sources.shapes import files_to_read
from gitops_backup.sources.trees import Tree

RENDERED_AT_A_TIME = min(4, os.cpu_count() or 1)
"""How many sources are rendered at a time."""


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


@dataclass(slots=True)
class Reading:
    """What was read of a commit.

    `reads` has the files that a source of the part of each number is read from; `rendered` are the sources
    that take a renderer, with the same; `shared` are the files that several sources are read from.
    """

    contents: dict[str, bytes] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    reads: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    rendered: list[tuple[int, Source, frozenset[str]]] = field(default_factory=list)
    shared: frozenset[str] = frozenset()


def read_sources(
    branch: Readable, commit: str, tree: Tree, parts: Sequence[Part], readers: Sequence[Part] = ()
) -> Reading:
    """All files that the sources are read from: some of them say which others there are.

    Of readers, those that take no renderer are left out: a file's edit is proven by itself.
    """
    reading = Reading()
    everybody = (*parts, *readers)
    open_ones = [(number, source) for number, part in enumerate(everybody) for source in part.sources]
    counts: Counter[str] = Counter()
    while open_ones:
        unknown: set[str] = set()
        again: list[tuple[int, Source]] = []
        for number, source in open_ones:
            named = files_to_read(everybody[number].application, source, tree, reading.contents)
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
        if unknown:
            files = branch.read(commit, unknown)
            reading.contents |= files.contents
            gone = unknown - files.contents.keys()
            reading.refused |= {**dict.fromkeys(gone, "is not there"), **files.refused}
        open_ones = again
    reading.shared = frozenset(path for path, count in counts.items() if count > 1)
    return reading


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
            for path in paths:
                one, other = sorted((root(first.setdefault(path, number)), root(number)))
                groups[other] = one
    taking = {root(number) for number, _, _ in reading.rendered if number < count}
    found: dict[int, list[int]] = {}
    for number in range(count):
        found.setdefault(root(number), []).append(number)
    plain = [number for first_of, group in found.items() if first_of not in taking for number in group]
    return sorted(plain), [group for first_of, group in sorted(found.items()) if first_of in taking]
