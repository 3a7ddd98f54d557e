"""Answers of a moment ago: what many steps at once are about to ask for, the first of them asks for all.

Before something is written, what the decision rested on is read again. A thousand workloads in a namespace,
with the same few images, would ask the same servers the same thing thousands of times within seconds. So an
answer serves for as long as a request may take anyway, counted from when it was asked for; a step that is
stopped in between asks anew.
"""

import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_SECONDS = 0.2
_MOST = 1000


class Recent(Generic[K, V]):
    """The answers of `ask`; from any thread. `clock` returns seconds, and only grows."""

    def __init__(self, ask: Callable[[K], V], *, clock: Callable[[], float]) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[K, _Known[V]] = {}

    def __call__(self, key: K) -> V:
        """The answer, at most a fifth of a second old. Raises what `ask` raises."""
        with self._lock:
            if key not in self._known and len(self._known) >= _MOST:
                self._known.clear()
            known = self._known.setdefault(key, _Known())
        with known.asking:
            asked_at = self._clock()
            if known.answer is None or asked_at - known.asked_at >= _SECONDS:
                known.answer, known.asked_at = (self._ask(key),), asked_at
            return known.answer[0]

    def forget(self, key: K) -> None:
        """Ask anew the next time."""
        with self._lock:
            self._known.pop(key, None)


class _Known(Generic[V]):
    """An answer, if there is one yet, and the lock of whoever asks for it."""

    def __init__(self) -> None:
        self.asking = threading.Lock()
        self.asked_at = 0.0
        self.answer: tuple[V] | None = None
