"""What came of sources, kept for as long as all that it rests on is the same.

An outcome is found by what was asked, and taken only where the evidence of what it rests on holds: see
`evidence`. So a commit that changes one file has those sources worked on that look at that file, and a due
image those that it is due for. Of what was asked several outcomes are kept, because a source is looked at
before and after the edits of others; but of each source only what was asked last, because images change for
as long as a controller runs, and what is not asked again must not push out what is.

What is known of a source goes together, first that of the one that was not asked for longest.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from gitops_backup.controller.evidence import Evidence, Surroundings
from gitops_backup.sources.applications import Application, Source

LARGEST = 128 * 1024 * 1024
"""About so many bytes are kept: see the benchmark `rendered` for what a source takes."""

_QUESTIONS = 6
_VARIANTS = 3
_PER_OUTCOME = 1500
_PER_ANSWER = 200

_Subject: TypeAlias = tuple[Application, Source, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a computation, with the evidence for each of the surroundings that it looked at.

    `size` is about how many bytes it takes.
    """

    came: Any
    evidence: tuple[Evidence, ...]
    size: int

    def holds(self, here: Sequence[Surroundings]) -> bool:
        """Whether the same would come of it in these surroundings."""
        return all(evidence.holds(there) for evidence, there in zip(self.evidence, here, strict=True))


class Known:
    """What is known of a source. Threads may share it."""

    def __init__(self, resized: Callable[["Known", int], None]) -> None:
        self._resized = resized
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Outcome, ...]] = OrderedDict()

    def recall(self, asked: Hashable, here: Sequence[Surroundings]) -> Outcome | None:
        """What came of this in the same surroundings."""
        for outcome in self._kept.get(asked, ()):
            if outcome.holds(here):
                self._put(asked, outcome)
                return outcome
        return None

    def keep(self, asked: Hashable, came: object, evidence: Sequence[Evidence], *, size: int = 0) -> None:
        """Keep what came of this; `size` is what it takes beyond an ordinary outcome, in bytes."""
        answers = sum(each.answers for each in evidence)
        self._put(asked, Outcome(came, tuple(evidence), _PER_OUTCOME + _PER_ANSWER * answers + size))

    def _put(self, asked: Hashable, outcome: Outcome) -> None:
        with self._lock:
            before = self._kept.get(asked, ())
            if before and before[0] is outcome:
                self._kept.move_to_end(asked)
                return
            others = (each for each in before if each.evidence != outcome.evidence)
            after = self._kept[asked] = (outcome, *others)[:_VARIANTS]
            self._kept.move_to_end(asked)
            gone = self._kept.popitem(last=False)[1] if len(self._kept) > _QUESTIONS else ()
            grown = _size(after) - _size(before) - _size(gone)
        self._resized(self, grown)


class Outcomes:
    """What came of the sources of Applications; about `largest` bytes at most. Threads may share it."""

    def __init__(self, *, largest: int = LARGEST) -> None:
        self._largest = largest
        self._lock = threading.Lock()
        self._known: OrderedDict[_Subject, Known] = OrderedDict()
        self._sizes: dict[Known, int] = {}
        self.size = 0

    def of(self, application: Application, source: Source) -> Known:
        """What is known of a source of an Application."""
        # what a source says as it is takes no part in comparisons
        subject = application, source, repr([each.said for each in (*application.sources, source)])
        with self._lock:
            known = self._known.get(subject)
            if known is None:
                known = self._known[subject] = Known(self._grow)
                self._sizes[known] = 0
            else:
                self._known.move_to_end(subject)
            return known

    def _grow(self, known: Known, bytes_: int) -> None:
        with self._lock:
            if known not in self._sizes:  # it was let go in the meantime
                return
            self._sizes[known] += bytes_
            self.size += bytes_
            while self.size > self._largest:
                _, oldest = self._known.popitem(last=False)
                self.size -= self._sizes.pop(oldest)


def _size(outcomes: Sequence[Outcome]) -> int:
    return sum(each.size for each in outcomes)
