"""Who of several replicas acts: the holder of a `coordination.k8s.io/v1` Lease.

- Clocks of different machines are never compared. Another's lease has run out when its record has not changed
  for its whole duration on our own monotonic clock, counted from when we first saw it so.
- Every write is guarded by the resource version that it was computed from: of two that want it, one gets it.
- A holder counts from before it sent the last renewal that succeeded, and its requests end in time, so that
  it knows to have lost the lease before another can have won it.
- What others wrote on the object, annotations for example, stays.

Leadership keeps replicas from doing the same work; nothing that must be right may rest on it.
"""

import math
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from gitops_backup.cluster.connection import Connection, Json
from gitops_backup.cluster.errors import NotFound
from gitops_backup.cluster.resources import LEASES
from gitops_backup.cluster.times import micro_time
from gitops_backup.errors import Conflict, GitopsBackupError


class LeaderElection:
    """One candidate for one Lease; `run` in a thread of its own.

    `identity` names this process among all that ever ran. In seconds: the others wait for `lease_duration`
    after the last renewal that they saw; a holder that could not renew for the shorter `renew_deadline` has
    lost; `retry_period` is the pause between tries. `now` is the wall clock, for those who read the object.
    `on_failure` gets each failure to reach the API server.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        namespace: str,
        name: str,
        identity: str,
        lease_duration: float = 15.0,
        renew_deadline: float = 10.0,
        retry_period: float = 2.0,
        on_failure: Callable[[GitopsBackupError], None] = lambda error: None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._connection = connection
        self._namespace = namespace
        self._name = name
        self._path = LEASES.path(namespace, name)
        self._identity = identity
        self._lease_duration = lease_duration
        self._renew_deadline = renew_deadline
        self._retry_period = retry_period
        self._on_failure = on_failure
        self._clock = clock
        self._now = now
        self._jitter = jitter
        # a renewal reads and writes, and may begin just before the deadline
        self._timeout = (lease_duration - renew_deadline) / 2
        self._renewed_at = -math.inf
        self._seen: Json | None = None
        self._seen_at = -math.inf

    def run(
        self, *, on_started: Callable[[], None], on_lost: Callable[[], None], stop: threading.Event
    ) -> None:
        """Wait for the lease, call `on_started`, and keep it until `stop` is set, or call `on_lost`.

        Neither callback may take long: nothing is renewed meanwhile. When stopped, the lease is released, so
        that another can have it at once: set `stop` when the work under it has ended.
        """
        while not self._acquire():
            if stop.wait(self._pause()):
                return
        on_started()
        while self._seconds_left() > 0:
            if stop.wait(min(self._pause(), self._seconds_left())):
                self._release()
                return
            if not self._renew():
                break
        on_lost()

    def _acquire(self) -> bool:
        try:
            lease = self._read()
            if not self._is_free(lease):
                return False
            self._hold(lease)
        except Conflict:
            return False
        except GitopsBackupError as error:
            self._on_failure(error)
            return False
        return True

    def _renew(self) -> bool:
        """False when it is certain that the lease is lost."""
        try:
            lease = self._read()
            if _holder(lease) != self._identity:
                return False
            self._hold(lease)
        except GitopsBackupError as error:
            self._on_failure(error)
        return True

    def _release(self) -> None:
        try:
            lease = self._read()
            if _holder(lease) == self._identity:
                spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
                self._connection.replace(self._path, {**lease, "spec": spec}, timeout=self._timeout)
        except GitopsBackupError as error:
            self._on_failure(error)

    def _read(self) -> Json:
        """The Lease, or one that nobody holds and that is yet to be created."""
        try:
            return self._connection.get(self._path, timeout=self._timeout)
        except NotFound:
            return {
                "apiVersion": LEASES.api_version,
                "kind": LEASES.kind,
                "metadata": {"namespace": self._namespace, "name": self._name},
            }

    def _is_free(self, lease: Json) -> bool:
        if _holder(lease) in ("", self._identity):
            return True
        spec = lease["spec"]
        if spec != self._seen:
            self._seen, self._seen_at = spec, self._clock()
        duration: float = spec.get("leaseDurationSeconds", self._lease_duration)
        return self._clock() - self._seen_at > duration

    def _hold(self, lease: Json) -> None:
        sent_at = self._clock()
        now = micro_time(self._now())
        before = lease.get("spec") or {}
        spec = {
            **before,
            "holderIdentity": self._identity,
            "leaseDurationSeconds": math.ceil(self._lease_duration),
            "renewTime": now,
        }
        if _holder(lease) != self._identity:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = before["leaseTransitions"] + 1 if "leaseTransitions" in before else 0
        body = {**lease, "spec": spec}
        if "resourceVersion" in lease["metadata"]:
            self._connection.replace(self._path, body, timeout=self._timeout)
        else:
            self._connection.create(LEASES.path(self._namespace), body, timeout=self._timeout)
        self._renewed_at = sent_at

    def _pause(self) -> float:
        return self._jitter(1.0, 1.2) * self._retry_period

    def _seconds_left(self) -> float:
        return self._renewed_at + self._renew_deadline - self._clock()


def _holder(lease: Json) -> str:
    return (lease.get("spec") or {}).get("holderIdentity") or ""
