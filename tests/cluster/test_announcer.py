"""Events that wait for their turn."""

from gitops_backup.cluster.announcer import Announcer
from gitops_backup.cluster.connection import Connection
from gitops_backup.cluster.events import EventRecorder
from gitops_backup.cluster.resources import EVENTS
from gitops_backup.domain.workloads import Kind, WorkloadKey


def announcer(connection: Connection) -> Announcer:
    made = Announcer(EventRecorder(connection, component="k8slab.io/gitops-backup", instance="controller-0"))
    made.start()
    return made


def test_what_waits_for_its_turn_is_written_at_the_end(connection: Connection, namespace: str) -> None:
    """Many events at once are spread over seconds, unless it is the last moment to write them."""
    telling = announcer(connection)
    for number in range(150):
        key = WorkloadKey(Kind.DEPLOYMENT, namespace, f"web-{number}")
        telling.workload(key, f"uid-{number}", reason="Rewritten", note="now uses its backup")
    telling.stop(20.0)
    assert len(connection.get(EVENTS.path(namespace))["items"]) == 150


def test_what_stays_as_it_is_is_told_once(connection: Connection, namespace: str) -> None:
    """The same words about the same object are no news."""
    telling = announcer(connection)
    key = WorkloadKey(Kind.DAEMON_SET, namespace, "agent")
    for _ in range(3):
        telling.workload(key, "uid", reason="NotReady", note="has no available pod", warning=True)
    telling.workload(key, "uid", reason="Rewritten", note="now uses its backup")
    telling.stop(20.0)
    reasons = sorted(item["reason"] for item in connection.get(EVENTS.path(namespace))["items"])
    assert reasons == ["NotReady", "Rewritten"]
