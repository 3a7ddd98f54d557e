"""Leader election on a real API server, and on one that fails."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gitops_backup.cluster.connection import Connection, Json
from gitops_backup.cluster.lease import LeaderElection
from gitops_backup.cluster.resources import LEASES
from gitops_backup.errors import GitopsBackupError
from tests.cluster.scripted import End, Reply, Request, ScriptedServer, Watch, refused


class Candidate:
    """An election that runs in a thread and can be paused between two renewals."""

    def __init__(self, connection: Connection, namespace: str, identity: str, **options: Any) -> None:
        self.started = threading.Event()
        self.lost = threading.Event()
        self.stop = threading.Event()
        self.going = threading.Event()
        self.failures: list[GitopsBackupError] = []
        self.going.set()
        times: dict[str, Any] = {"lease_duration": 4.0, "renew_deadline": 3.0, "retry_period": 0.1}
        election = LeaderElection(
            connection,
            namespace=namespace,
            name="controller",
            identity=identity,
            on_failure=self.failures.append,
            jitter=self._pause,
            **{**times, **options},
        )
        self._thread = threading.Thread(
            target=election.run,
            kwargs={"on_started": self.started.set, "on_lost": self.lost.set, "stop": self.stop},
        )
        self._thread.start()

    def end(self) -> None:
        self.going.set()
        self.stop.set()
        self._thread.join(20)
        assert not self._thread.is_alive()

    def _pause(self, low: float, high: float) -> float:
        self.going.wait()
        return low


Stand = Callable[..., Candidate]


@pytest.fixture
def stand() -> Iterator[Stand]:
    """Lets candidates stand, and ends them with the test."""
    candidates: list[Candidate] = []

    def start(*args: Any, **options: Any) -> Candidate:
        candidates.append(Candidate(*args, **options))
        return candidates[-1]

    yield start
    for candidate in candidates:
        candidate.end()


def held(connection: Connection, namespace: str) -> Json:
    lease: Json = connection.get(LEASES.path(namespace, "controller"))
    return lease


def wait_for_renewals(connection: Connection, namespace: str, count: int) -> None:
    seen = {held(connection, namespace)["spec"]["renewTime"]}
    deadline = time.monotonic() + 20
    while len(seen) <= count:
        assert time.monotonic() < deadline
        time.sleep(0.02)
        seen.add(held(connection, namespace)["spec"]["renewTime"])


def test_a_lease_is_made_renewed_and_released(connection: Connection, namespace: str, stand: Stand) -> None:
    """When it ends, nobody holds it, and the next one need not wait."""
    first = stand(connection, namespace, "first")
    assert first.started.wait(20)
    wait_for_renewals(connection, namespace, 3)
    spec = held(connection, namespace)["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("first", 4, 0)
    first.end()
    assert not held(connection, namespace)["spec"]["holderIdentity"]
    assert not first.lost.is_set()
    second = stand(connection, namespace, "second")
    assert second.started.wait(20)
    spec = held(connection, namespace)["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("second", 1)
    assert spec["acquireTime"] <= spec["renewTime"]


def test_of_many_candidates_one_leads(connection: Connection, namespace: str, stand: Stand) -> None:
    """However they race for a Lease that is not there yet; those that wait end without having led."""
    candidates = [stand(connection, namespace, f"candidate-{number}") for number in range(6)]
    wait_until(lambda: any(candidate.started.is_set() for candidate in candidates))
    wait_for_renewals(connection, namespace, 5)
    leaders = [candidate for candidate in candidates if candidate.started.is_set()]
    assert len(leaders) == 1
    for candidate in candidates:
        if candidate not in leaders:
            candidate.end()
    wait_for_renewals(connection, namespace, 2)
    assert not leaders[0].lost.is_set()


def test_a_paused_leader_finds_that_it_has_lost(connection: Connection, namespace: str, stand: Stand) -> None:
    """Another takes over when its lease has run out; it writes nothing when it comes back."""
    first = stand(connection, namespace, "first")
    assert first.started.wait(20)
    second = stand(connection, namespace, "second")
    wait_for_renewals(connection, namespace, 3)
    assert not second.started.is_set()
    first.going.clear()
    assert second.started.wait(20)
    first.going.set()
    assert first.lost.wait(20)
    wait_for_renewals(connection, namespace, 3)
    assert held(connection, namespace)["spec"]["holderIdentity"] == "second"
    assert not second.lost.is_set()


def test_a_leader_that_was_paused_alone_goes_on(connection: Connection, namespace: str, stand: Stand) -> None:
    """Nobody else has written meanwhile, so nobody else has led."""
    only = stand(connection, namespace, "only", renew_deadline=1.0)
    assert only.started.wait(20)
    only.going.clear()
    time.sleep(1.5)
    only.going.set()
    wait_for_renewals(connection, namespace, 3)
    assert not only.lost.is_set()


def test_wall_clocks_decide_nothing(connection: Connection, namespace: str, stand: Stand) -> None:
    """A leader whose clock is years behind keeps its lease as long as it renews it."""
    ticks = itertools.count()
    past = datetime(2001, 1, 1, tzinfo=UTC)
    first = stand(connection, namespace, "first", now=lambda: past + timedelta(seconds=next(ticks)))
    assert first.started.wait(20)
    second = stand(connection, namespace, "second")
    time.sleep(5)
    assert not second.started.is_set()
    assert not first.lost.is_set()
    assert held(connection, namespace)["spec"]["renewTime"].startswith("2001-01-01")


def test_what_others_wrote_on_the_lease_stays(connection: Connection, namespace: str, stand: Stand) -> None:
    """Annotations of before and of meanwhile, and the leader goes on."""
    path = LEASES.path(namespace)
    connection.create(path, {"metadata": {"name": "controller", "annotations": {"team": "shop"}}})
    first = stand(connection, namespace, "first")
    assert first.started.wait(20)
    connection.merge_patch(f"{path}/controller", {"metadata": {"annotations": {"note": "kept"}}})
    wait_for_renewals(connection, namespace, 3)
    first.end()
    assert held(connection, namespace)["metadata"]["annotations"] == {"team": "shop", "note": "kept"}
    assert not first.lost.is_set()


@pytest.mark.parametrize("how", ["taken", "deleted"])
def test_a_lease_that_is_taken_away_is_lost(
    connection: Connection, namespace: str, stand: Stand, how: str
) -> None:
    """By somebody's own hand, for example."""
    path = LEASES.path(namespace, "controller")
    first = stand(connection, namespace, "first")
    assert first.started.wait(20)
    if how == "taken":
        connection.merge_patch(path, {"spec": {"holderIdentity": "somebody"}})
    else:
        connection.delete(path)
    assert first.lost.wait(20)


class LeaseServer:
    """Keeps one Lease as an API server does, as long as it is well."""

    def __init__(self) -> None:
        self.lease: Json | None = None
        self.version = 0
        self.ill: Reply | Watch | None = None

    def __call__(self, request: Request) -> Reply | Watch:
        if self.ill is not None:
            return self.ill
        if request.method == "GET":
            return Reply(self.lease) if self.lease else refused(404, "not found")
        body = request.body
        expected = self.lease["metadata"]["resourceVersion"] if self.lease else None
        if body["metadata"].get("resourceVersion") != expected:
            return refused(409, "the object has been modified")
        self.version += 1
        body["metadata"]["resourceVersion"] = str(self.version)
        self.lease = body
        return Reply(body)


def test_a_leader_that_gets_no_answer_has_lost(
    scripted: ScriptedServer, scripted_connection: Connection, stand: Stand
) -> None:
    """An API server that hangs lets no leader believe in itself."""
    server = scripted.answer = LeaseServer()
    first = stand(scripted_connection, "shop", "first")
    assert first.started.wait(20)
    server.ill = Watch(end=End.SILENT)
    assert first.lost.wait(20)
    assert all("is silent" in str(failure) for failure in first.failures)


def test_a_short_failure_is_survived(
    scripted: ScriptedServer, scripted_connection: Connection, stand: Stand
) -> None:
    """As long as one renewal succeeds in time."""
    server = scripted.answer = LeaseServer()
    first = stand(scripted_connection, "shop", "first", renew_deadline=10.0, lease_duration=15.0)
    assert first.started.wait(20)
    server.ill = refused(500, "etcdserver: request timed out")
    wait_until(lambda: len(first.failures) > 2)
    server.ill = None
    version = server.version
    wait_until(lambda: server.version > version + 2)
    assert not first.lost.is_set()


def test_a_candidate_waits_while_the_server_is_away(
    scripted: ScriptedServer, scripted_connection: Connection, stand: Stand
) -> None:
    """It tells of each failure, and leads as soon as it can."""
    server = scripted.answer = LeaseServer()
    server.ill = refused(503, "starting")
    first = stand(scripted_connection, "shop", "first")
    wait_until(lambda: len(first.failures) > 2)
    assert not first.started.is_set()
    server.ill = None
    assert first.started.wait(20)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
