"""The manager: what is started and stopped, in which order, and what ends the process."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.manager import Manager, Queues
from gitops_backup.controller.worker import DONE, Outcome, Workers
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.metrics import Metrics
from tests.controller.cluster import backup, inventory, policy, workload

_SECONDS = 20.0
_WEB, _BACKUP = workload("web", "nginx:1.25"), backup("redis:7")


class MemoryWatch:
    """A watch that has seen everything when it is told to, or breaks."""

    def __init__(self) -> None:
        self.synced = threading.Event()
        self.over = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        """Follow until it is over."""
        self.over.wait(_SECONDS)
        if self.error is not None:
            raise self.error


class MemoryElection:
    """An election that is won at once, and kept until it is lost or released."""

    def __init__(self, told: Callable[[str], None]) -> None:
        self.lost = threading.Event()
        self._told = told

    def run(
        self, *, on_started: Callable[[], None], on_lost: Callable[[], None], stop: threading.Event
    ) -> None:
        """Lead."""
        self._told("lease taken")
        on_started()
        while not stop.wait(0.005):
            if self.lost.is_set():
                return on_lost()
        self._told("lease released")
        return None


@dataclass
class Replica:
    """A manager with parts in memory; `story` is what happened, in order."""

    known: Inventory = field(default_factory=lambda: inventory(_WEB, _BACKUP))
    story: list[str] = field(default_factory=list)
    watches: list[MemoryWatch] = field(default_factory=lambda: [MemoryWatch(), MemoryWatch()])
    stop: threading.Event = field(default_factory=threading.Event)
    cancel: threading.Event = field(default_factory=threading.Event)
    ended_in_time: list[bool] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Put it together."""
        self.election = MemoryElection(self.story.append)
        self.queues = Queues(lambda: 0.0)

    def manager(self, *, leads: bool = True, resync: float = 1000.0) -> Manager:
        """The manager, which writes nothing unless it can lead."""
        return Manager(
            watches=self.watches,
            queues=self.queues,
            workers=self._workers() if leads else [],
            inventory=self.known,
            policy=policy(),
            election=self.election if leads else None,
            cancel=self.cancel,
            resync=resync,
            on_leading=lambda leading: self.story.append(f"leading: {leading}"),
            end_now=lambda why: self.story.append(f"ended: {why}"),
        )

    def sync(self) -> None:
        """Let every watch have seen everything."""
        for watch in self.watches:
            watch.synced.set()

    def wait_for(self, event: str, times: int = 1) -> None:
        """Wait until this has happened so many times."""
        for _ in range(int(_SECONDS / 0.005)):
            if self.story.count(event) >= times:
                return
            threading.Event().wait(0.005)
        raise AssertionError(f"{event} did not happen: {self.story}")

    def _workers(self) -> list[Workers[WorkloadKey] | Workers[str]]:
        def step(key: object) -> Outcome:
            self.story.append(f"work on {key}")
            if self.cancel.wait(0.05):
                self.story.append(f"{key} cancelled")
            return DONE

        common = {"reconcile": step, "count": 1, "metrics": Metrics(), "random": lambda: 0.0}
        return [
            Workers("workloads", queue=self.queues.workloads, **common),  # type: ignore[arg-type]
            Workers("backups", queue=self.queues.backups, **common),  # type: ignore[arg-type]
        ]


@contextmanager
def _running(replica: Replica, manager: Manager) -> Iterator[None]:
    thread = threading.Thread(target=lambda: replica.ended_in_time.append(manager.run(replica.stop)))
    thread.start()
    try:
        yield
    finally:
        replica.stop.set()
        thread.join(_SECONDS)
        for watch in replica.watches:
            watch.over.set()
    assert not thread.is_alive()


@pytest.fixture
def replica() -> Replica:
    """A replica that knows one workload and one ImageBackup."""
    return Replica()


def test_nothing_is_done_before_everything_was_seen_once(replica: Replica) -> None:
    """Not even the Lease is asked for; the replica is not ready."""
    manager = replica.manager()
    with _running(replica, manager):
        replica.watches[0].synced.set()
        assert not manager.ready
        threading.Event().wait(0.25)
        assert replica.story == []
        replica.watches[1].synced.set()
        replica.wait_for("lease taken")
        assert manager.ready


def test_a_replica_that_is_stopped_before_that_just_ends(replica: Replica) -> None:
    """There is nothing to be brought to an end."""
    with _running(replica, replica.manager()):
        pass
    assert (replica.story, replica.ended_in_time) == ([], [True])


def test_who_leads_works_on_everything(replica: Replica) -> None:
    """All workloads and all ImageBackups are due at first."""
    replica.sync()
    with _running(replica, replica.manager()):
        replica.wait_for("work on Deployment/shop/web")
        replica.wait_for(f"work on {_BACKUP.name}")
    assert replica.story[:2] == ["lease taken", "leading: True"]


def test_everything_is_due_again_after_a_while(replica: Replica) -> None:
    """In case that something was missed."""
    replica.sync()
    with _running(replica, replica.manager(resync=0.05)):
        replica.wait_for("work on Deployment/shop/web", times=3)


def test_at_the_end_the_work_is_cancelled_and_the_lease_is_released_last(replica: Replica) -> None:
    """Whoever leads next finds nobody at work."""
    replica.sync()
    with _running(replica, replica.manager(resync=0.05)):
        replica.wait_for(f"work on {_BACKUP.name}")
    assert replica.cancel.is_set()
    assert replica.story[-2:] == ["lease released", "leading: False"]
    assert replica.ended_in_time == [True]
    assert len(replica.queues.workloads) == 0


def test_who_loses_the_lease_ends_the_process(replica: Replica) -> None:
    """Another replica leads already."""
    replica.sync()
    with _running(replica, replica.manager()):
        replica.wait_for("leading: True")
        replica.election.lost.set()
        replica.wait_for("ended: the lease is lost")


def test_a_watch_that_breaks_ends_the_process(replica: Replica) -> None:
    """Decisions would rest on what once was."""
    replica.watches[1].error = RuntimeError("a bug")
    with _running(replica, replica.manager()):
        replica.watches[1].over.set()
        replica.wait_for("ended: a watch broke")


def test_mode_report_takes_no_lease_and_tells_what_it_sees(replica: Replica) -> None:
    """Once, and again when it changes."""
    replica.sync()
    with capture_logs() as log, _running(replica, replica.manager(leads=False, resync=0.02)):
        threading.Event().wait(0.2)
        api = workload("api", "acme/x:1", available=False)
        replica.known.put_workload(api.key, api)
        threading.Event().wait(0.2)
    told = [(line["action"], line["reason"], line["count"]) for line in log if line["event"] == "images"]
    assert told == [("Copy", "", 1), ("Blocked", "NotReady", 1), ("Copy", "", 1)]
    assert (replica.story, replica.ended_in_time) == ([], [True])


def test_the_tally_counts_containers_by_what_is_next_and_why(replica: Replica) -> None:
    """As the metrics show it."""
    away = workload("away", "nginx:1.25", "redis:7", namespace="kube-system")
    replica.known.put_workload(away.key, away)
    assert replica.manager().tally() == {("Copy", ""): 1, ("Blocked", "RestrictedNamespace"): 2}
