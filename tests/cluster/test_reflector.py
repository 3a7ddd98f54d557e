"""Following the API server, through all that can come between."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gitops_backup.cluster.connection import Connection, Json
from gitops_backup.cluster.errors import Forbidden
from gitops_backup.cluster.keys import ObjectKey
from gitops_backup.cluster.reflector import Reflector
from gitops_backup.cluster.resources import CONFIG_MAPS, CUSTOM_RESOURCE_DEFINITIONS, PODS, Resource
from gitops_backup.errors import GitopsBackupError, Transient
from tests.cluster.scripted import (
    Answer,
    End,
    Reply,
    ScriptedServer,
    Watch,
    event,
    in_turn,
    lists_and_watches,
    object_list,
    pod,
    refused,
)

WIDGETS = Resource("widgets.example", "v1", "widgets", "Widget")
SILENT = Watch(end=End.SILENT)
A, B = ObjectKey("shop", "a"), ObjectKey("shop", "b")


def node_of(thing: Json) -> str | None:
    return thing["spec"]["nodeName"] or None


class Followed:
    """A reflector that runs in a thread, and what it tells."""

    def __init__(self, connection: Connection, resource: Resource = PODS, **options: Any) -> None:
        self.changes: queue.Queue[tuple[ObjectKey, str | None]] = queue.Queue()
        self.failures: queue.Queue[GitopsBackupError] = queue.Queue()
        self.stop = options.pop("stop", None) or threading.Event()
        self.reflector: Reflector[str] = Reflector(
            connection,
            resource,
            project=options.pop("project", node_of),
            on_change=lambda key, projection: self.changes.put((key, projection)),
            on_failure=self.failures.put,
            stop=self.stop,
            jitter=options.pop("jitter", lambda low, high: low / 5),
            **options,
        )
        self.thread = threading.Thread(target=self.reflector.run)
        self.thread.start()

    def next(self, count: int) -> list[tuple[ObjectKey, str | None]]:
        return [self.changes.get(timeout=20) for _ in range(count)]

    def end(self) -> None:
        self.stop.set()
        self.thread.join(20)
        assert not self.thread.is_alive()


class ImpatientStop(threading.Event):
    """Remembers how long it was to be waited for, and waits for less."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is None:
            return super().wait()
        self.waits.append(timeout)
        return super().wait(0.01)


Follow = Callable[..., Followed]


@pytest.fixture
def follow() -> Iterator[Follow]:
    """Starts reflectors and ends them with the test."""
    running: list[Followed] = []

    def start(*args: Any, **options: Any) -> Followed:
        running.append(Followed(*args, **options))
        return running[-1]

    yield start
    for followed in running:
        followed.end()


def watched(scripted: ScriptedServer) -> list[str]:
    return [request.query["resourceVersion"] for request in scripted.requests if "watch" in request.query]


def test_objects_of_a_real_server_are_followed(
    connection: Connection, namespace: str, follow: Follow
) -> None:
    """What was there, what comes, what changes and what goes."""
    path = CONFIG_MAPS.path(namespace)
    first, second = ObjectKey(namespace, "first"), ObjectKey(namespace, "second")
    connection.create(path, {"metadata": {"name": "first"}, "data": {"a": "1"}})
    followed = follow(
        connection,
        CONFIG_MAPS,
        namespace=namespace,
        project=lambda thing: thing["data"]["a"],
        jitter=lambda low, high: low,
    )
    assert followed.next(1) == [(first, "1")]
    assert followed.reflector.synced.wait(20)
    connection.create(path, {"metadata": {"name": "second"}, "data": {"a": "2"}})
    assert followed.next(1) == [(second, "2")]
    connection.merge_patch(f"{path}/first", {"metadata": {"labels": {"irrelevant": "x"}}})
    connection.merge_patch(f"{path}/first", {"data": {"a": "3"}})
    assert followed.next(1) == [(first, "3")]
    assert followed.reflector.get(first) == "3"
    assert sorted(followed.reflector.items()) == [(first, "3"), (second, "2")]
    connection.delete(f"{path}/first")
    assert followed.next(1) == [(first, None)]
    assert followed.reflector.get(first) is None
    assert followed.reflector.values() == ["2"]
    assert followed.failures.empty()


def test_a_watch_that_ends_goes_on_where_it_was(
    connection: Connection, namespace: str, follow: Follow
) -> None:
    """A real server ends each watch after a second here, and nothing is missed or told twice."""
    path = CONFIG_MAPS.path(namespace)
    followed = follow(
        connection,
        CONFIG_MAPS,
        namespace=namespace,
        project=lambda thing: thing["metadata"]["name"],
        watch_seconds=(5, 5),
    )
    names = [f"map-{number}" for number in range(5)]
    for name in names:
        connection.create(path, {"metadata": {"name": name}})
        time.sleep(0.5)
    assert followed.next(5) == [(ObjectKey(namespace, name), name) for name in names]
    assert followed.changes.empty()
    assert followed.failures.empty()


def test_a_kind_that_is_installed_later_is_found(connection: Connection, follow: Follow) -> None:
    """Until its definition is there it counts as listed, with nothing in it."""
    followed = follow(connection, WIDGETS, project=lambda thing: thing["metadata"]["name"], absent_seconds=1)
    assert followed.reflector.synced.wait(20)
    assert not followed.reflector.served
    definition = _widget_definition()
    connection.create(CUSTOM_RESOURCE_DEFINITIONS.path(), definition)
    try:
        created = None
        while created is None:
            try:
                created = connection.create(
                    WIDGETS.path("default"),
                    {
                        "apiVersion": "widgets.example/v1",
                        "kind": "Widget",
                        "metadata": {"name": "shop"},
                    },
                )
            except GitopsBackupError:
                time.sleep(0.1)
        assert followed.next(1) == [(ObjectKey("default", "shop"), "shop")]
        _wait_until(lambda: followed.reflector.served)
    finally:
        connection.delete(CUSTOM_RESOURCE_DEFINITIONS.path(name=definition["metadata"]["name"]))
    assert followed.next(1) == [(ObjectKey("default", "shop"), None)]


def test_watches_are_bounded_and_ask_for_bookmarks(
    scripted: ScriptedServer, scripted_connection: Connection, follow: Follow
) -> None:
    """A bookmark moves the place to go on from, and is no change."""
    bookmark = event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": "15"}})
    scripted.answer = lists_and_watches(
        lists=in_turn(object_list(pod("a"))), watches=in_turn(Watch([bookmark]), SILENT)
    )
    followed = follow(scripted_connection, jitter=lambda low, high: low, watch_seconds=(240.0, 300.0))
    _wait_until(lambda: len(watched(scripted)) == 2)
    first = scripted.requests[1].query
    assert (first["timeoutSeconds"], first["allowWatchBookmarks"]) == ("240", "true")
    assert watched(scripted) == ["10", "15"]
    assert followed.next(1) == [(A, "a")]
    assert followed.changes.empty()


def test_only_changed_projections_are_told(
    scripted: ScriptedServer, scripted_connection: Connection, follow: Follow
) -> None:
    """An object that changed elsewhere, or is projected to nothing, is no news."""
    events = [
        event("MODIFIED", pod("a", version="11")),
        event("ADDED", pod("b", version="12", node="")),
        event("DELETED", pod("b", version="13", node="")),
        event("MODIFIED", pod("a", version="14", node="")),
        event("ADDED", pod("b", version="15", node="z")),
    ]
    scripted.answer = lists_and_watches(
        lists=in_turn(object_list(pod("a"))), watches=in_turn(Watch(events, End.SILENT))
    )
    assert follow(scripted_connection).next(3) == [(A, "a"), (A, None), (B, "z")]


@pytest.mark.parametrize(
    "expired",
    [
        refused(410, "too old resource version", reason="Expired"),
        Watch([event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})]),
        Watch([event("ERROR", {"kind": "Status", "code": 410, "message": "too old"})]),
        Watch([event("ERROR", {"kind": "Status", "reason": "Gone"})]),
    ],
    ids=["as a status", "as an event", "without a reason", "without a code"],
)
def test_a_version_that_is_too_old_means_to_list_again(
    scripted: ScriptedServer, scripted_connection: Connection, follow: Follow, expired: Reply | Watch
) -> None:
    """What was deleted meanwhile comes out of the difference, and what stayed is not told again."""
    scripted.answer = lists_and_watches(
        lists=in_turn(
            object_list(pod("a"), pod("b")), object_list(pod("b"), pod("c", node="c"), version="20")
        ),
        watches=in_turn(expired, SILENT),
    )
    followed = follow(scripted_connection)
    assert followed.next(4) == [(A, "a"), (B, "a"), (ObjectKey("shop", "c"), "c"), (A, None)]
    _wait_until(lambda: watched(scripted) == ["10", "20"])
    assert followed.changes.empty()
    assert followed.failures.empty()


@pytest.mark.parametrize(
    "line",
    [
        b'{"type": "MODIFIED", "object": {"metadata"\n',
        b"<html>bad gateway</html>\n",
        b'{"type": "MODIFIED", "object": {}}\n',
        b"[]\n",
    ],
)
def test_a_line_that_is_no_event_means_to_list_again(
    scripted: ScriptedServer, scripted_connection: Connection, follow: Follow, line: bytes
) -> None:
    """What it would have said is not known, so everything is asked for."""
    scripted.answer = lists_and_watches(
        lists=in_turn(object_list(pod("a")), object_list(pod("a", node="z"), version="20")),
        watches=in_turn(Watch([line], End.SILENT), SILENT),
    )
    followed = follow(scripted_connection)
    assert followed.next(2) == [(A, "a"), (A, "z")]
    assert "not an event" in str(followed.failures.get(timeout=20))


def test_blank_lines_are_nothing(
    scripted: ScriptedServer, scripted_connection: Connection, follow: Follow
) -> None:
    """Some proxies send them to keep a connection alive."""
    lines: list[Json | bytes] = [b"\n", b"  \n", event("MODIFIED", pod("a", version="11", node="z"))]
    scripted.answer = lists_and_watches(
        lists=in_turn(object_list(pod("a"))), watches=in_turn(Watch(lines, End.SILENT))
    )
    followed = follow(scripted_connection)
    assert followed.next(2) == [(A, "a"), (A, "z")]
    assert followed.failures.empty()


@pytest.mark.parametrize(
    "broken",
    [
        Watch([event("MODIFIED", pod("a", version="11", node="y"))], End.RESET),
        Watch([event("MODIFIED", pod("a", version="11", node="y"))], End.SILENT),
        Watch([event("MODIFIED", pod("a", version="11", node="y")), b'{"type": "MODI']),
    ],
    ids=["reset", "half open", "cut off in a line"],
)
def test_a_broken_watch_goes_on_where_it_was(
    scripted: ScriptedServer,
    scripted_connection: Connection,
    follow: Follow,
    broken: Watch,
) -> None:
    """With no new list; a connection that died silently is noticed by its silence."""
    scripted.answer = lists_and_watches(
        lists=in_turn(object_list(pod("a"))),
        watches=in_turn(broken, Watch([event("MODIFIED", pod("a", version="12", node="z"))], End.SILENT)),
    )
    followed = follow(scripted_connection, watch_seconds=(0.5, 0.5))
    assert followed.next(3) == [(A, "a"), (A, "y"), (A, "z")]
    assert watched(scripted)[:2] == ["10", "11"]


def test_two_failures_in_a_row_mean_to_list_again(
    scripted: ScriptedServer, scripted_connection: Connection, follow: Follow
) -> None:
    """A server that was set back would otherwise refuse the same version for ever."""
    too_large = refused(504, "Timeout: Too large resource version: 10, current: 5")
    scripted.answer = lists_and_watches(
        lists=in_turn(object_list(pod("a")), object_list(pod("a", node="z"), version="5")),
        watches=in_turn(too_large, too_large, SILENT),
    )
    followed = follow(scripted_connection)
    assert followed.next(2) == [(A, "a"), (A, "z")]
    _wait_until(lambda: watched(scripted) == ["10", "10", "5"])


def test_failing_watches_do_not_spin(
    scripted: ScriptedServer, scripted_connection: Connection, follow: Follow
) -> None:
    """After watches that end at once the pauses get longer, up to half a minute."""
    stop = ImpatientStop()
    scripted.answer = lists_and_watches(lists=in_turn(object_list()), watches=in_turn(Watch()))
    follow(scripted_connection, jitter=lambda low, high: high, stop=stop)
    _wait_until(lambda: len(stop.waits) >= 8)
    assert stop.waits[:8] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(
    scripted: ScriptedServer, scripted_connection: Connection, follow: Follow
) -> None:
    """Retry-After counts, where it is longer than our own pause."""
    scripted.answer = in_turn(refused(429, "too many requests", headers={"Retry-After": "3600"}))
    followed = follow(scripted_connection)
    assert isinstance(followed.failures.get(timeout=20), Transient)
    time.sleep(0.5)
    assert len(scripted.requests) == 1
    assert not followed.reflector.synced.is_set()


def test_what_is_forbidden_is_told_and_tried_again(
    scripted: ScriptedServer, scripted_connection: Connection, follow: Follow
) -> None:
    """Once it is granted, all goes on by itself."""
    scripted.answer = lists_and_watches(
        lists=in_turn(refused(403, 'User "jane" cannot list resource "pods"'), object_list(pod("a"))),
        watches=in_turn(SILENT),
    )
    followed = follow(scripted_connection)
    assert isinstance(followed.failures.get(timeout=20), Forbidden)
    assert followed.next(1) == [(A, "a")]


@pytest.mark.parametrize(
    "answer",
    [
        lists_and_watches(lists=in_turn(object_list(pod("a"))), watches=in_turn(SILENT)),
        lists_and_watches(
            lists=in_turn(object_list(pod("a"))),
            watches=in_turn(refused(429, "busy", headers={"Retry-After": "3600"})),
        ),
    ],
    ids=["in a silent watch", "in a long pause"],
)
def test_it_stops_at_once(
    scripted: ScriptedServer, scripted_connection: Connection, follow: Follow, answer: Answer
) -> None:
    """Whatever it waits for, and without calling that a failure."""
    scripted.answer = answer
    followed = follow(scripted_connection, jitter=lambda low, high: low)
    assert followed.next(1) == [(A, "a")]
    _wait_until(lambda: len(scripted.requests) == 2)
    time.sleep(0.2)
    followed.stop.set()
    followed.thread.join(1)
    assert not followed.thread.is_alive()


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _widget_definition() -> Json:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "widgets", "singular": "widget", "kind": "Widget"}
    return {
        "metadata": {"name": "widgets.widgets.example"},
        "spec": {"group": "widgets.example", "scope": "Namespaced", "names": names, "versions": [version]},
    }
