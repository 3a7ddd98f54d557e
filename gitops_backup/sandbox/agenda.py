"""The work of a stand-in: keys, each handled by one thread at a time, perhaps later, perhaps again."""

import heapq
import itertools
import threading
import time
import traceback
from collections.abc import Callable, Hashable
from types import TracebackType
from typing import Generic, Self, TypeVar

from gitops_backup.errors import GitopsBackupError

_SECONDS_AFTER_A_FAILURE = 0.5

K = TypeVar("K", bound=Hashable)


class Agenda(Generic[K]):
    """Hands keys to `handle` on some threads, between `__enter__` and `__exit__`.

    `handle` returns after how many seconds the key is due again, or None. A key that is added twice before it
    is handled is handled once; one that is added while it is handled is handled again. When `handle` raises,
    `report` gets a line and the key comes again.
    """

    def __init__(
        self, handle: Callable[[K], float | None], *, threads: int, report: Callable[[str], None]
    ) -> None:
        self._handle = handle
        self._report = report
        self._changed = threading.Condition()
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._busy: set[K] = set()
        self._again: dict[K, float] = {}
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]

    def add(self, key: K, *, after: float = 0.0) -> None:
        """Have the key handled in so many seconds, or earlier where that was asked for before."""
        when = time.monotonic() + after
        with self._changed:
            if key in self._busy:
                self._again[key] = min(when, self._again.get(key, when))
            else:
                self._push(key, when)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (key := self._take()) is not None:
            again: float | None = _SECONDS_AFTER_A_FAILURE
            try:
                again = self._handle(key)
            except GitopsBackupError as error:
                self._complain(f"{key}: {error}")
            except Exception:
                self._complain(f"{key}: {traceback.format_exc()}")
            self._give_back(key)
            if again is not None:
                self.add(key, after=again)

    def _take(self) -> K | None:
        with self._changed:
            while not self._stopping:
                now = time.monotonic()
                if not self._heap or self._heap[0][0] > now:
                    self._changed.wait(self._heap[0][0] - now if self._heap else None)
                    continue
                when, _, key = heapq.heappop(self._heap)
                if self._due.get(key) == when:
                    del self._due[key]
                    self._busy.add(key)
                    return key
            return None

    def _give_back(self, key: K) -> None:
        with self._changed:
            self._busy.remove(key)
            if key in self._again:
                self._push(key, self._again.pop(key))

    def _push(self, key: K, when: float) -> None:
        if key not in self._due or when < self._due[key]:
            self._due[key] = when
            heapq.heappush(self._heap, (when, next(self._order), key))
            self._changed.notify()

    def _complain(self, what: str) -> None:
        # while everything ends, what cannot be reached is no news
        if not self._stopping:
            self._report(what)
