"""Workers: what a step's outcome means for its key, and that no outcome ends the work."""

import itertools
import threading
import time
from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from gitops_backup.controller.queue import WorkQueue
from gitops_backup.controller.worker import DONE, After, Outcome, Workers
from gitops_backup.errors import Conflict, GitopsBackupError, Transient
from gitops_backup.metrics import Metrics

_SECONDS = 20.0


class Watched(WorkQueue[str]):
    """A queue that remembers the delays it was asked for; its clock runs, so that each is over at once."""

    def __init__(self) -> None:
        super().__init__(itertools.count(step=1000).__next__)
        self.delays: list[float] = []

    def add_after(self, key: str, seconds: float) -> None:
        """Remember it as well."""
        self.delays.append(seconds)
        super().add_after(key, seconds)

    def hold(self, key: str, seconds: float) -> None:
        """Remember it as well."""
        self.delays.append(seconds)
        super().hold(key, seconds)


def _delays(outcomes: Sequence[Outcome | Exception], *, random: float = 0.0) -> tuple[list[float], Metrics]:
    """The delays that one key gets from steps with these outcomes, one after the other, and the metrics."""
    queue, metrics, script = Watched(), Metrics(), list(outcomes)

    def step(key: str) -> Outcome:
        outcome = script.pop(0)
        if script:
            queue.add(key)
        else:
            queue.close()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    workers = Workers("test", queue=queue, reconcile=step, count=1, metrics=metrics, random=lambda: random)
    queue.add("key")
    workers.start()
    assert workers.join(time.monotonic() + _SECONDS)
    return queue.delays, metrics


def _count(metrics: Metrics, outcome: str) -> float | None:
    labels = {"reconciler": "test", "outcome": outcome}
    return metrics.registry.get_sample_value("gitops_backup_reconciles_total", labels)


def test_a_key_that_is_done_is_not_looked_at_again() -> None:
    """Until something happens."""
    delays, metrics = _delays([DONE])
    assert delays == []
    assert _count(metrics, "Done") == 1


def test_a_key_that_waits_is_looked_at_again_in_time() -> None:
    """After just as many seconds as the step said."""
    delays, metrics = _delays([After(12.5)])
    assert delays == [12.5]
    assert _count(metrics, "Later") == 1


def test_a_conflict_is_looked_at_again_soon() -> None:
    """Later and later, but never much later, and with jitter, which parts those in conflict."""
    delays, metrics = _delays([Conflict("moved")] * 9)
    assert delays == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5]
    assert _count(metrics, "Conflict") == 9
    assert _delays([Conflict("moved")], random=1.0)[0] == pytest.approx([0.075])


def test_failures_in_a_row_are_tried_again_later_and_later() -> None:
    """Twice as late each time, five minutes at the most."""
    delays, metrics = _delays([GitopsBackupError("no")] * 12)
    assert delays == [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert _count(metrics, "Failed") == 12


def test_a_success_forgets_the_failures_before() -> None:
    """The next failure is the first one again."""
    delays, _ = _delays([GitopsBackupError("no"), GitopsBackupError("no"), DONE, GitopsBackupError("no")])
    assert delays == [0.5, 1, 0.5]


def test_a_server_that_says_when_is_taken_at_its_word() -> None:
    """But not asked sooner than a failure of its own accord would be."""
    delays, _ = _delays([Transient("busy", retry_after=30), Transient("busy", retry_after=0.1)], random=1.0)
    assert delays == [45, 1.5]


def test_a_step_that_breaks_is_tried_again_as_one_that_fails() -> None:
    """A bug in the handling of one object is told, and ends nothing."""
    with capture_logs() as log:
        delays, metrics = _delays([ZeroDivisionError("a bug"), DONE])
    assert delays == [0.5]
    assert (_count(metrics, "Broken"), _count(metrics, "Done")) == (1, 1)
    assert [(line["event"], line["exc_info"]) for line in log] == [("a step broke", True)]


def test_many_workers_share_a_queue() -> None:
    """As many keys are worked on at a time as there are workers."""
    queue, metrics = Watched(), Metrics()
    together = threading.Barrier(3)

    def step(key: str) -> Outcome:
        together.wait(_SECONDS)
        return DONE

    workers = Workers("test", queue=queue, reconcile=step, count=3, metrics=metrics, random=lambda: 0.0)
    for key in ("a", "b", "c"):
        queue.add(key)
    workers.start()
    while _count(metrics, "Done") != 3:
        threading.Event().wait(0.01)
    queue.close()
    assert workers.join(time.monotonic() + _SECONDS)


def test_joining_gives_up_on_a_step_that_does_not_end() -> None:
    """The answer says so; workers that were never started have ended."""
    queue, over, begun = Watched(), threading.Event(), threading.Event()

    def step(key: str) -> Outcome:
        begun.set()
        over.wait(_SECONDS)
        return DONE

    workers = Workers("test", queue=queue, reconcile=step, count=1, metrics=Metrics(), random=lambda: 0.0)
    assert workers.join(time.monotonic())
    queue.add("key")
    workers.start()
    assert begun.wait(_SECONDS)
    queue.close()
    assert not workers.join(time.monotonic() + 0.05)
    over.set()
    assert workers.join(time.monotonic() + _SECONDS)
