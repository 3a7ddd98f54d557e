"""The work queue: a key waits once, and is never worked on by two workers at a time.

A key that is added while it is worked on comes again when that is done. The ideas are those of client-go's
workqueue (k8s.io/client-go/util/workqueue), with delays in the same structure. A key whose work failed can be
held, so that what keeps happening to it does not make its retries come faster.
"""

import heapq
import itertools
import threading
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Keys to be worked on, in the order in which they came due. `clock` returns seconds, and only grows."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()
        self._working: set[K] = set()
        self._delayed: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._not_before: dict[K, float] = {}
        self._order = itertools.count()
        self._closed = False

    def add(self, key: K, *, first: bool = False) -> None:
        """Make the key due now, behind those that are due already or before them."""
        with self._changed:
            if self._not_before.get(key, 0.0) > self._clock():
                return
            self._due.pop(key, None)
            self._make_ready(key)
            if first and key in self._ready:
                self._ready.remove(key)
                self._ready.appendleft(key)

    def add_after(self, key: K, seconds: float) -> None:
        """Make the key due after so many seconds, unless it comes due earlier anyway."""
        with self._changed:
            if key not in self._waiting:
                self._delay(key, self._clock() + seconds)

    def hold(self, key: K, seconds: float) -> None:
        """Make the key due after so many seconds and not before, whoever adds it, until it is released."""
        with self._changed:
            self._not_before[key] = self._clock() + seconds
            self._waiting.discard(key)
            if key in self._ready:
                self._ready.remove(key)
            self._due.pop(key, None)
            self._delay(key, self._not_before[key])

    def release(self, key: K) -> None:
        """The key may come due at any time again."""
        with self._changed:
            self._not_before.pop(key, None)

    def get(self) -> K | None:
        """The next key, to be given back with `done`; waits for one; None once the queue is closed."""
        with self._changed:
            while not self._closed:
                self._ripen()
                if self._ready:
                    key = self._ready.popleft()
                    self._waiting.discard(key)
                    self._working.add(key)
                    return key
                self._changed.wait(self._until_next())
            return None

    def done(self, key: K) -> None:
        """The work on the key has ended."""
        with self._changed:
            self._working.discard(key)
            if key in self._waiting:
                self._ready.append(key)
                self._changed.notify()

    def close(self) -> None:
        """Let every `get` return None, now and from now on."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """How many keys are due."""
        with self._changed:
            return len(self._ready)

    def _delay(self, key: K, due: float) -> None:
        if self._due.get(key, due + 1) > due:
            self._due[key] = due
            heapq.heappush(self._delayed, (due, next(self._order), key))
            self._changed.notify()

    def _make_ready(self, key: K) -> None:
        if self._closed or key in self._waiting:
            return
        self._waiting.add(key)
        if key not in self._working:
            self._ready.append(key)
            self._changed.notify()

    def _ripen(self) -> None:
        now = self._clock()
        while self._delayed and self._delayed[0][0] <= now:
            due, _, key = heapq.heappop(self._delayed)
            # an entry that was overtaken by an earlier one, or by add(), is stale
            if self._due.get(key) == due:
                del self._due[key]
                self._make_ready(key)

    def _until_next(self) -> float | None:
        return max(0.0, self._delayed[0][0] - self._clock()) if self._delayed else None
