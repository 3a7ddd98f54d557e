"""Events, written in the background: nothing waits for what is only there to be read.

What stays as it is is told once in ten minutes, so that a cluster in which nothing happens is not written to.
And when much happens at once, it is told little by little, five a second as client-go's clients do everything
unless they are told otherwise (QPS in k8s.io/client-go/rest): an event costs the API server as much as the
patch that it tells of, and the work comes first.
"""

import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Literal

from gitops_backup.cluster.events import EventRecorder
from gitops_backup.cluster.resources import DEPLOYMENTS, IMAGE_BACKUPS
from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.workloads import WorkloadKey

_MOST_WAITING = 10_000
_MOST_REMEMBERED = 10_000
_QUIET_SECONDS = 600.0
_AT_ONCE = 25
_SECONDS_EACH = 0.2

_Event = tuple[datetime, Mapping[str, str], str, str, Literal["Normal", "Warning"]]


class Announcer:
    """Tells what happened on ImageBackups and workloads; when too much waits, the newest is lost.

    `clock` returns seconds that never go back.
    """

    def __init__(self, recorder: EventRecorder, clock: Callable[[], float] = time.monotonic) -> None:
        self._recorder = recorder
        self._clock = clock
        self._lock = threading.Lock()
        self._told: OrderedDict[tuple[str, str, str], float] = OrderedDict()
        self._waiting: queue.Queue[_Event | None] = queue.Queue(_MOST_WAITING)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._write, name="events", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Write what waits, for at most `timeout` seconds."""
        if self._thread.ident is None:
            return
        self._stopping.set()
        try:
            self._waiting.put(None, timeout=timeout)
        except queue.Full:
            return
        self._thread.join(timeout)

    def backup(self, backup: ImageBackup, *, reason: str, note: str, warning: bool = False) -> None:
        """An event on an ImageBackup."""
        regarding = {
            "apiVersion": IMAGE_BACKUPS.api_version,
            "kind": IMAGE_BACKUPS.kind,
            "namespace": backup.namespace,
            "name": backup.name,
            "uid": backup.uid,
        }
        self._put((datetime.now(UTC), regarding, reason, note, "Warning" if warning else "Normal"))

    def workload(self, key: WorkloadKey, uid: str, *, reason: str, note: str, warning: bool = False) -> None:
        """An event on a workload."""
        regarding = {
            "apiVersion": DEPLOYMENTS.api_version,
            "kind": key.kind,
            "namespace": key.namespace,
            "name": key.name,
            "uid": uid,
        }
        self._put((datetime.now(UTC), regarding, reason, note, "Warning" if warning else "Normal"))

    def _put(self, event: _Event) -> None:
        _, regarding, reason, note, _ = event
        if self._was_told((regarding["uid"], reason, note)):
            return
        try:
            self._waiting.put_nowait(event)
        except queue.Full:
            return

    def _was_told(self, what: tuple[str, str, str]) -> bool:
        now = self._clock()
        with self._lock:
            if now - self._told.get(what, float("-inf")) < _QUIET_SECONDS:
                return True
            self._told[what] = now
            self._told.move_to_end(what)
            if len(self._told) > _MOST_REMEMBERED:
                self._told.popitem(last=False)
        return False

    def _write(self) -> None:
        turn = self._clock()
        while (event := self._waiting.get()) is not None:
            turn = max(turn + _SECONDS_EACH, self._clock() - _AT_ONCE * _SECONDS_EACH)
            self._stopping.wait(max(0.0, turn - self._clock()))
            when, regarding, reason, note, kind = event
            self._recorder.event(regarding, reason=reason, action="Backup", note=note, type=kind, when=when)
