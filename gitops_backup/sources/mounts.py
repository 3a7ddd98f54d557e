"""Files from elsewhere, among those of the commit that is edited: below a folder that no repository has.

A chart's archive, another repository's commit and a file by its URL are shown to whatever reads a source as
further paths, each place in a folder of its own that follows from the place alone. Nothing there is written.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.places import Place

ELSEWHERE = ".from-elsewhere"
"""The folder of everything that is not from the commit at hand."""


class Unavailable(GitopsBackupError):
    """What is at a place cannot be had; the message names it, and the setting where one is in the way."""

    def __init__(self, reason: Reason, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class Problem(NamedTuple):
    """Why what is at a place is not there."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Mounts:
    """Which places are on the commit at hand, and what is known of others.

    `here` are those that the commit itself stands for. `opened` has what each other place holds now, in a
    form to compare: a commit's name, an archive's digest; `problems` has those that could not be opened.
    """

    here: frozenset[Place]
    opened: Mapping[Place, str] = field(default_factory=dict)
    problems: Mapping[Place, Problem] = field(default_factory=dict)

    def root(self, place: Place) -> str:
        """The folder that holds what is at a place; empty for the commit at hand."""
        return "" if place in self.here else folder_for(place)

    def unknown(self, places: Iterable[Place]) -> frozenset[Place]:
        """Those that nobody has tried to open."""
        return frozenset(places) - self.here - self.opened.keys() - self.problems.keys()

    def problem(self, places: Iterable[Place]) -> Problem | None:
        """What is wrong with one of these places, if anything is."""
        wrong = [place for place in places if place in self.problems]
        return self.problems[min(wrong, key=str)] if wrong else None


def folder_for(place: Place) -> str:
    """The folder that a place is shown in, where it is not the commit at hand."""
    what = f"{place.kind}\n{place.url}\n{place.revision}\n{place.chart}"
    name = hashlib.sha256(what.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return f"{ELSEWHERE}/{place.kind}-{name}"


def is_mounted(path: str) -> bool:
    """Whether a path is one from elsewhere, which is never written."""
    return path == ELSEWHERE or path.startswith(f"{ELSEWHERE}/")
