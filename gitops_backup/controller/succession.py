"""Edits one after the other where they share files, and side by side where they do not.

What the first edit makes of a file is what the next one finds there. Many that share a file, such as a base
or a chart, change files of their own, though: so some are worked out ahead, on what there is so far, and each
counts when it is its turn if it would come to the same then (see `outcomes`). Where one did not, those of its
group are worked out one by one.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from itertools import islice
from typing import Generic, Protocol, TypeVar

from gitops_backup.controller.contents import Contents, Edited
from gitops_backup.controller.shaping import Unknown


class Made(Protocol):
    """What came of an edit."""

    @property
    def files(self) -> Mapping[str, bytes]:
        """The new contents of the files that it changes."""


_Made = TypeVar("_Made", bound=Made)


class Succession(Generic[_Made]):
    """Edits by number, in groups that share no file.

    `edit` makes the edit of a number on top of some contents, and leaves these as they are; one that is not
    to be worked out, and is not known, raises `Unknown`. `paths` has the files that a number is read from.
    The `pool` has as many threads as edits may be worked out `at_a_time`.
    """

    def __init__(
        self,
        contents: Contents,
        *,
        edit: Callable[[int, Edited, bool], _Made],
        paths: Callable[[int], Iterable[str]],
        pool: Executor,
        at_a_time: int,
    ) -> None:
        self._contents = contents
        self._edit = edit
        self._paths = paths
        self._pool = pool
        self._at_a_time = at_a_time

    def of(self, groups: Iterable[Sequence[int]]) -> list[_Made]:
        """What came of all edits, group by group."""
        begun = [_Group[_Made](deque(group), Edited(self._contents)) for group in groups]
        for group in begun:
            self._as_far_as_known(group)
        few = [group for group in begun if 0 < len(group.rest) <= _FEW]
        self._load(number for group in few for number in group.rest)
        later = [self._pool.submit(self._one_by_one, group) for group in few]
        for group in begun:
            if len(group.rest) > _FEW:
                self._looking_ahead(group)
        for each in later:
            each.result()
        return [made for group in begun for made in group.made]

    def _as_far_as_known(self, group: "_Group[_Made]") -> None:
        try:
            while group.rest:
                group.take(self._edit(group.rest[0], group.contents, False))
        except Unknown:
            pass

    def _one_by_one(self, group: "_Group[_Made]") -> None:
        self._as_far_as_known(group)
        while group.rest:
            self._load([group.rest[0]])
            group.take(self._edit(group.rest[0], group.contents, True))
            self._as_far_as_known(group)

    def _looking_ahead(self, group: "_Group[_Made]") -> None:
        far = self._at_a_time
        while group.rest:
            ahead = [number for number in islice(group.rest, far) if not self._is_known(number, group)]
            self._load(ahead)
            if len(ahead) > 1:
                list(self._pool.map(lambda number: self._edit(number, group.contents, True), ahead))
            wanted = max(0, len(group.rest) - far)
            group.take(self._edit(group.rest[0], group.contents, True))
            self._as_far_as_known(group)
            if len(group.rest) > wanted:
                return self._one_by_one(group)
            far = min(2 * far, _FARTHEST)
        return None

    def _is_known(self, number: int, group: "_Group[_Made]") -> bool:
        try:
            self._edit(number, group.contents, False)
        except Unknown:
            return False
        return True

    def _load(self, numbers: Iterable[int]) -> None:
        self._contents.load(path for number in numbers for path in self._paths(number))


class _Group(Generic[_Made]):
    """Edits of files that they share: what is made of the files so far, and who is next."""

    def __init__(self, rest: deque[int], contents: Edited) -> None:
        self.rest = rest
        self.contents = contents
        self.made: list[_Made] = []

    def take(self, made: _Made) -> None:
        """Take what came of the next one."""
        self.rest.popleft()
        self.contents.update(made.files)
        self.made.append(made)


_FEW = 4
_FARTHEST = 64
