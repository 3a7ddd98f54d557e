"""Starting and stopping: watches first, then the election, then the workers; and back.

A replica that does not lead follows the watches all the same, so that it can take over at once. On a stop,
the programs that run (copies, pushes) are ended, the workers finish their step, and the Lease is released
last.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import structlog

from gitops_backup.controller.inventory import Concerned, Inventory
from gitops_backup.controller.queue import WorkQueue
from gitops_backup.controller.worker import Workers
from gitops_backup.domain.planning import Target, decide
from gitops_backup.domain.policy import Policy
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.metrics import ImageTally

_STOP_SECONDS = 8.0


class Watch(Protocol):
    """Follows a kind of object until its stop event is set."""

    @property
    def synced(self) -> threading.Event:
        """Set when all objects that there are have been seen once."""

    def run(self) -> None:
        """Follow; returns when stopped."""


class Election(Protocol):
    """Decides which replica acts."""

    def run(
        self, *, on_started: Callable[[], None], on_lost: Callable[[], None], stop: threading.Event
    ) -> None:
        """Wait for the Lease, call `on_started`, keep it until `stop` is set, or call `on_lost`."""


class Queues:
    """The three queues, and what is due in them after a change."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.workloads: WorkQueue[WorkloadKey] = WorkQueue(clock)
        self.backups: WorkQueue[str] = WorkQueue(clock)
        self.repositories: WorkQueue[Target] = WorkQueue(clock)

    def wake(self, concerned: Concerned) -> None:
        """Make due whom a change concerns."""
        for key in concerned.workloads:
            self.workloads.add(key)
        for name in concerned.backups:
            self.backups.add(name)

    def close(self) -> None:
        """Let all workers end after their step."""
        for queue in (self.workloads, self.backups, self.repositories):
            queue.close()


class Manager:
    """One replica of the controller.

    `election` is None where nothing is ever written. `standing` are the places in Git that are looked at
    whether or not anything is due there. `cancel` ends the programs that run. `end_now` is
    called, with the reason, when the Lease is lost or a watch broke; it must end the process.
    """

    def __init__(
        self,
        *,
        watches: Sequence[Watch],
        queues: Queues,
        workers: Sequence[Workers[WorkloadKey] | Workers[str] | Workers[Target]],
        inventory: Inventory,
        policy: Policy,
        election: Election | None,
        cancel: threading.Event,
        resync: float,
        standing: Callable[[], Iterable[Target]] = lambda: (),
        on_leading: Callable[[bool], None],
        end_now: Callable[[str], None],
    ) -> None:
        self._watches = watches
        self._queues = queues
        self._workers = workers
        self._inventory = inventory
        self._policy = policy
        self._election = election
        self._cancel = cancel
        self._resync = resync
        self._standing = standing
        self._on_leading = on_leading
        self._end_now = end_now
        self._released = threading.Event()
        self._log = structlog.get_logger()

    @property
    def ready(self) -> bool:
        """Whether everything in the cluster was seen once."""
        return all(watch.synced.is_set() for watch in self._watches)

    def tally(self) -> ImageTally:
        """How many containers there are of each next action and reason."""
        tally: ImageTally = Counter()
        for workload in self._inventory.workloads():
            for use in decide(workload, self._inventory, self._policy).uses:
                tally[use.action.value, use.reason.value if use.reason is not None else ""] += 1
        return tally

    def run(self, stop: threading.Event) -> bool:
        """Work until `stop` is set; whether everything came to its end in time."""
        for watch in self._watches:
            threading.Thread(target=self._follow, args=(watch,), name="watch", daemon=True).start()
        if not _all_set((watch.synced for watch in self._watches), stop):
            return True
        self._log.info("everything was seen once", workloads=len(list(self._inventory.workloads())))
        if self._election is None:
            self._report_until(stop)
            return True
        leading = threading.Thread(target=self._lead, args=(self._election,), name="lease", daemon=True)
        leading.start()
        while not stop.wait(self._resync):
            self._everything_is_due()
        return self._stop(leading)

    def _follow(self, watch: Watch) -> None:
        try:
            watch.run()
        except Exception:
            # without it, decisions would rest on what once was
            self._log.exception("a watch broke")
            self._end_now("a watch broke")

    def _lead(self, election: Election) -> None:
        election.run(
            on_started=self._start,
            on_lost=lambda: self._end_now("the lease is lost"),
            stop=self._released,
        )

    def _start(self) -> None:
        self._log.info("this replica leads")
        self._on_leading(True)
        self._inventory.look_afresh()
        self._everything_is_due()
        for workers in self._workers:
            workers.start()

    def _everything_is_due(self) -> None:
        workloads = frozenset(workload.key for workload in self._inventory.workloads())
        self._queues.wake(Concerned(workloads, frozenset(self._inventory.backup_names())))
        for target in self._standing():
            self._queues.repositories.add(target)

    def _report_until(self, stop: threading.Event) -> None:
        before: ImageTally | None = None
        while True:
            tally = self.tally()
            if tally != before:
                for (action, reason), count in sorted(tally.items()):
                    self._log.info("images", action=action, reason=reason, count=count)
            before = tally
            if stop.wait(min(self._resync, 60.0)):
                return

    def _stop(self, leading: threading.Thread) -> bool:
        self._log.info("stopping")
        deadline = time.monotonic() + _STOP_SECONDS
        self._queues.close()
        self._cancel.set()
        still_at_work = [workers for workers in self._workers if not workers.join(deadline)]
        self._released.set()
        leading.join(max(0.5, deadline - time.monotonic()))
        self._on_leading(False)
        return not still_at_work


def _all_set(events: Iterable[threading.Event], stop: threading.Event) -> bool:
    for event in events:
        while not event.wait(0.1):
            if stop.is_set():
                return False
    return True
