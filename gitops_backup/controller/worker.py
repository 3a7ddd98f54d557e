"""Where outcomes become retries and metrics: the one loop that every reconciler runs in."""

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from gitops_backup.controller.queue import WorkQueue
from gitops_backup.errors import Conflict, GitopsBackupError, Transient
from gitops_backup.metrics import Metrics

K = TypeVar("K", bound=Hashable)

_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RETRY_SECONDS = 300.0
_CONFLICT_SECONDS = 0.05
_LONGEST_CONFLICT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class After:
    """Nothing more to do now; look again after so many seconds even if nothing happens."""

    seconds: float


class Done:
    """Nothing more to do until something happens."""


Outcome = Done | After
DONE = Done()
Reconcile = Callable[[K], Outcome]


class Workers(Generic[K]):
    """Threads that take keys from a queue and hand them to a reconciler until they are stopped.

    `random` returns a number from 0 to 1, to spread retries.
    """

    def __init__(
        self,
        name: str,
        *,
        queue: WorkQueue[K],
        reconcile: Reconcile[K],
        count: int,
        metrics: Metrics,
        random: Callable[[], float],
    ) -> None:
        self._name = name
        self._queue = queue
        self._reconcile = reconcile
        self._metrics = metrics
        self._random = random
        self._log = structlog.get_logger(reconciler=name)
        self._failures: dict[K, int] = {}
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(count)
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def join(self, deadline: float) -> bool:
        """Wait until all threads have ended, or `deadline` (of time.monotonic); whether they have."""
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (key := self._queue.get()) is not None:
            began = time.monotonic()
            try:
                outcome = self._step(key)
            finally:
                self._queue.done(key)
            self._metrics.reconciles.labels(self._name, outcome).inc()
            self._metrics.reconcile_seconds.labels(self._name).observe(time.monotonic() - began)

    def _step(self, key: K) -> str:
        try:
            outcome = self._reconcile(key)
        except Conflict:
            self._queue.hold(
                key, self._backoff(key, None, first=_CONFLICT_SECONDS, most=_LONGEST_CONFLICT_SECONDS)
            )
            return "Conflict"
        except GitopsBackupError as error:
            seconds = self._backoff(key, error.retry_after if isinstance(error, Transient) else None)
            self._log.warning("a step failed", key=str(key), error=str(error), retry_in=round(seconds, 1))
            self._queue.hold(key, seconds)
            return "Failed"
        except Exception:
            # a bug in one object's handling must not end the work on all the others
            seconds = self._backoff(key, None)
            self._log.exception("a step broke", key=str(key), retry_in=round(seconds, 1))
            self._queue.hold(key, seconds)
            return "Broken"
        self._failures.pop(key, None)
        self._queue.release(key)
        if isinstance(outcome, After):
            self._queue.add_after(key, outcome.seconds)
            return "Later"
        return "Done"

    def _backoff(
        self,
        key: K,
        retry_after: float | None,
        *,
        first: float = _FIRST_RETRY_SECONDS,
        most: float = _LONGEST_RETRY_SECONDS,
    ) -> float:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        seconds = min(first * 2.0 ** min(failures - 1, 20), most)
        return max(seconds, retry_after or 0.0) * (1 + self._random() / 2)
