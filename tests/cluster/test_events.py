"""Events on a real API server, and when it does not take them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gitops_backup.cluster.connection import Connection
from gitops_backup.cluster.events import EventRecorder
from gitops_backup.cluster.resources import EVENTS
from gitops_backup.errors import GitopsBackupError
from tests.cluster.scripted import ScriptedServer, in_turn, refused

START = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


class Clock:
    """A wall clock that is set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def recorder(connection: Connection, clock: Clock, failures: list[GitopsBackupError]) -> EventRecorder:
    return EventRecorder(
        connection,
        component="k8slab.io/gitops-backup",
        instance="controller-0",
        on_failure=failures.append,
        clock=clock,
    )


def deployment(namespace: str, name: str = "web") -> dict[str, str]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "namespace": namespace,
        "name": name,
        "uid": "1-2-3",
    }


def written(connection: Connection, namespace: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = connection.get(EVENTS.path(namespace))["items"]
    return sorted(items, key=lambda item: str(item["eventTime"]))


def test_an_event_is_on_its_object(connection: Connection, namespace: str) -> None:
    """With all that kubectl describe shows."""
    failures: list[GitopsBackupError] = []
    backup = {"apiVersion": "k8slab.io/v1alpha1", "kind": "ImageBackup", "name": "nginx"}
    recorder(connection, Clock(), failures).event(
        deployment(namespace),
        related={**backup, "namespace": "image-backup", "uid": "4-5-6"},
        type="Warning",
        reason="RateLimited",
        action="Copy",
        note="docker.io asks to wait",
    )
    (event,) = written(connection, namespace)
    assert failures == []
    assert event["regarding"] == deployment(namespace)
    assert event["related"]["name"] == "nginx"
    assert (event["type"], event["reason"], event["action"]) == ("Warning", "RateLimited", "Copy")
    assert (event["note"], event["eventTime"]) == ("docker.io asks to wait", "2026-05-04T03:02:01.000000Z")
    assert event["reportingController"] == "k8slab.io/gitops-backup"


def test_the_same_event_again_is_counted(connection: Connection, namespace: str) -> None:
    """For as long as not ten minutes lie between two of them."""
    clock, failures = Clock(), list[GitopsBackupError]()
    events = recorder(connection, clock, failures)
    for wait in (0, 9, 9, 10):
        clock.now += timedelta(minutes=wait)
        events.event(deployment(namespace), reason="Copied", action="Copy", note="done")
    first, second = written(connection, namespace)
    assert first["series"] == {"count": 3, "lastObservedTime": "2026-05-04T03:20:01.000000Z"}
    assert second["eventTime"] == "2026-05-04T03:30:01.000000Z"
    assert second.get("series") is None
    assert failures == []


def test_another_object_reason_or_note_is_another_event(connection: Connection, namespace: str) -> None:
    """Even at the same moment."""
    failures: list[GitopsBackupError] = []
    events = recorder(connection, Clock(), failures)
    for name, reason, note in (("web", "A", "x"), ("api", "A", "x"), ("web", "B", "x"), ("web", "A", "y")):
        events.event(deployment(namespace, name), reason=reason, action="Copy", note=note)
    assert len(written(connection, namespace)) == 4
    assert failures == []


def test_a_counted_event_that_was_deleted_is_written_anew(connection: Connection, namespace: str) -> None:
    """Events do not live long, and may be removed by anybody."""
    failures: list[GitopsBackupError] = []
    events = recorder(connection, Clock(), failures)
    events.event(deployment(namespace), reason="Copied", action="Copy", note="done")
    connection.delete(EVENTS.path(namespace, written(connection, namespace)[0]["metadata"]["name"]))
    events.event(deployment(namespace), reason="Copied", action="Copy", note="done")
    assert len(written(connection, namespace)) == 1
    assert failures == []


def test_notes_and_names_are_cut_to_what_is_admitted(connection: Connection, namespace: str) -> None:
    """1,024 bytes, not in the middle of a character, and 253 characters."""
    failures: list[GitopsBackupError] = []
    events = recorder(connection, Clock(), failures)
    events.event(deployment(namespace, "a." * 126 + "b"), reason="A", action="Copy", note="x" + "é" * 600)
    (event,) = written(connection, namespace)
    assert failures == []
    assert event["note"] == "x" + "é" * 511


def test_events_on_cluster_scoped_objects_are_in_default(connection: Connection, namespace: str) -> None:
    """As the API server demands it."""
    failures: list[GitopsBackupError] = []
    events = recorder(connection, Clock(), failures)
    regarding = {"apiVersion": "v1", "kind": "Namespace", "name": namespace, "uid": "1-2-3"}
    events.event(regarding, reason="Ignored", action="Look", note="left alone")
    mine = [item for item in written(connection, "default") if item["regarding"]["name"] == namespace]
    assert len(mine) == 1
    assert failures == []


def test_an_event_that_is_refused_is_reported_and_tried_anew(
    scripted: ScriptedServer, scripted_connection: Connection
) -> None:
    """The caller goes on; the next time it is not counted on what was never written."""
    failures: list[GitopsBackupError] = []
    scripted.answer = in_turn(refused(403, 'User "jane" cannot create resource "events"'))
    events = recorder(scripted_connection, Clock(), failures)
    for _ in range(2):
        events.event(deployment("shop"), reason="A", action="Copy", note="x")
    assert [str(failure)[:61] for failure in failures] == [
        "the API server forbids to create events.events.k8s.io in the "
    ] * 2
    assert [request.method for request in scripted.requests] == ["POST", "POST"]
