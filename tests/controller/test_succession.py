"""Edits in succession: worked out ahead and side by side, to the same end as one after the other."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from gitops_backup.controller.contents import Contents, Edited
from gitops_backup.controller.shaping import Unknown
from gitops_backup.controller.succession import Succession

_AT_A_TIME = 2


@dataclass(frozen=True)
class _Made:
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class _Read:
    contents: Mapping[str, bytes]
    refused: Mapping[str, str]


@dataclass
class _Edits:
    """All read `shared`; those that are `writing` add a letter to it, others write a file of their own.

    `worked_out` has what was worked out, `read` what was read; where one is `forgotten`, it is never known.
    """

    writing: Sequence[bool]
    forgotten: frozenset[int] = frozenset()
    worked_out: list[int] = field(default_factory=list)
    read: list[frozenset[str]] = field(default_factory=list)
    known: set[tuple[int, str | None]] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def contents(self) -> Contents:
        """The shared file, and one for each."""
        names = ["shared", *(f"own-{number}" for number in range(len(self.writing)))]
        return Contents(lambda: names, identify=lambda path: f"first {path}", read=self._read)

    def paths(self, number: int) -> Iterable[str]:
        """What one is read from."""
        return ("shared", f"own-{number}")

    def edit(self, number: int, contents: Edited, anew: bool) -> _Made:
        """The edit of a number."""
        key = number, contents.identity("shared")
        with self.lock:
            if key not in self.known:
                if not anew:
                    raise Unknown
                self.worked_out.append(number)
                if number not in self.forgotten:
                    self.known.add(key)
        path = "shared" if self.writing[number] else f"own-{number}"
        return _Made({path: contents["shared"] + b"%d," % number})

    def all(self, contents: Contents) -> list[_Made]:
        """What came of all of them."""
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            succession = Succession(
                contents, edit=self.edit, paths=self.paths, pool=pool, at_a_time=_AT_A_TIME
            )
            return succession.of([range(len(self.writing))])

    def _read(self, paths: Iterable[str]) -> _Read:
        asked = frozenset(paths)
        self.read.append(asked)
        return _Read({path: f"{path}:".encode() for path in asked}, {})


@given(
    writing=st.lists(st.booleans(), min_size=1, max_size=40),
    forgotten=st.frozensets(st.integers(0, 39), max_size=3),
)
def test_each_edit_is_made_on_what_those_before_it_made(
    writing: list[bool], forgotten: frozenset[int]
) -> None:
    """However many were worked out ahead, and whatever became of that."""
    edits = _Edits(writing, forgotten)
    made = edits.all(edits.contents())
    shared, expected = b"shared:", []
    for number, writes in enumerate(writing):
        now = shared + b"%d," % number
        expected.append(_Made({"shared" if writes else f"own-{number}": now}))
        shared = now if writes else shared
    assert made == expected


def test_those_that_share_no_edit_are_worked_out_once() -> None:
    """And read in a few goes."""
    edits = _Edits([False] * 40)
    edits.all(edits.contents())
    assert sorted(edits.worked_out) == list(range(40))
    assert len(edits.read) < 8


def test_those_that_edit_what_they_share_are_worked_out_one_by_one() -> None:
    """But for the first few, of which nobody knew."""
    edits = _Edits([True] * 40)
    edits.all(edits.contents())
    assert len(edits.worked_out) < 40 + _AT_A_TIME


def test_what_is_known_is_neither_worked_out_nor_read() -> None:
    """Only the one that is not."""
    edits = _Edits([False] * 40)
    edits.all(edits.contents())
    edits.known -= {(7, "first shared")}
    edits.worked_out.clear()
    edits.read.clear()
    edits.all(edits.contents())
    assert edits.worked_out == [7]
    assert frozenset().union(*edits.read) == {"shared", "own-7"}
