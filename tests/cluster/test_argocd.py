"""Reading Argo CD's settings, and what counts where they cannot be read."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from gitops_backup.cluster.argocd import ArgoCdReader, ArgoCdWatch
from gitops_backup.cluster.connection import Connection
from gitops_backup.cluster.errors import Forbidden, NotFound
from gitops_backup.errors import GitopsBackupError, Transient
from gitops_backup.sources.argocd import ArgoCd
from gitops_backup.sources.tracking import Tracking
from tests.cluster.scripted import Reply, ScriptedServer, in_turn, refused

BY_LABEL = Reply({"data": {"application.resourceTrackingMethod": "label"}})
MISSING, HIDDEN = refused(404, "not found"), refused(403, "forbidden")
AWAY = refused(503, "away")
LABELLED = ArgoCd(Tracking("app.kubernetes.io/instance"))


class Read:
    """A reader, and what it told."""

    def __init__(self, connection: Connection, *homes: str) -> None:
        self.put: queue.Queue[tuple[str, ArgoCd]] = queue.Queue()
        self.defaults: list[tuple[str, type[GitopsBackupError]]] = []
        self.reader = ArgoCdReader(
            connection,
            homes=lambda: homes,
            put=lambda home, argocd: self.put.put((home, argocd)),
            on_default=lambda home, error: self.defaults.append((home, type(error))),
        )

    def next(self, count: int) -> list[tuple[str, ArgoCd]]:
        """What comes next."""
        return [self.put.get(timeout=30) for _ in range(count)]


@contextmanager
def running(watch: ArgoCdWatch, stop: threading.Event) -> Iterator[None]:
    """A watch in a thread of its own, which ends at the exit."""
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)
    assert not thread.is_alive()


@pytest.fixture
def reader(scripted_connection: Connection) -> Callable[..., Read]:
    """Who reads the settings in namespaces, and says nothing to the server but that."""
    return lambda *homes: Read(scripted_connection, *homes)


def test_the_one_config_map_is_read_in_each_namespace(
    scripted: ScriptedServer, reader: Callable[..., Read]
) -> None:
    """By its name, so that no other one need be shown."""
    scripted.answer = lambda request: BY_LABEL if "/two/" in request.path else Reply({})
    read = reader("two", "one")
    read.reader.read()
    assert read.next(2) == [("one", ArgoCd()), ("two", LABELLED)]
    assert [(each.method, each.path) for each in scripted.requests] == [
        ("GET", "/api/v1/namespaces/one/configmaps/argocd-cm"),
        ("GET", "/api/v1/namespaces/two/configmaps/argocd-cm"),
    ]


def test_what_may_not_be_read_is_taken_for_the_defaults_and_that_is_told_once(
    scripted: ScriptedServer, reader: Callable[..., Read]
) -> None:
    """Until it was read in between."""
    scripted.answer = in_turn(MISSING, HIDDEN, BY_LABEL, HIDDEN)
    read = reader("argocd")
    for _ in range(5):
        read.reader.read()
    assert [found for _, found in read.next(5)] == [ArgoCd(), ArgoCd(), LABELLED, ArgoCd(), ArgoCd()]
    assert read.defaults == [("argocd", NotFound), ("argocd", Forbidden)]


def test_an_api_server_that_is_away_changes_nothing(
    scripted: ScriptedServer, reader: Callable[..., Read]
) -> None:
    """What was read before goes on to count."""
    scripted.answer = lambda request: AWAY
    read = reader("argocd")
    with pytest.raises(Transient):
        read.reader.read()
    assert read.put.empty()
    assert read.defaults == []


def test_settings_that_change_are_seen(scripted: ScriptedServer, reader: Callable[..., Read]) -> None:
    """They are read again and again, through failures, from when the Applications are known."""
    scripted.answer = in_turn(AWAY, Reply({}), BY_LABEL)
    read = reader("argocd")
    known, stop = threading.Event(), threading.Event()
    failures: queue.Queue[GitopsBackupError] = queue.Queue()
    watch = ArgoCdWatch(read.reader, after=known, stop=stop, on_failure=failures.put, seconds=0.05)
    with running(watch, stop):
        assert not watch.synced.is_set()
        assert scripted.requests == []
        known.set()
        assert isinstance(failures.get(timeout=30), Transient)
        assert read.next(3) == [("argocd", ArgoCd()), ("argocd", LABELLED), ("argocd", LABELLED)]
        assert watch.synced.is_set()


def test_it_can_be_stopped_before_anything_is_known(
    scripted: ScriptedServer, reader: Callable[..., Read]
) -> None:
    """And asks for nothing then."""
    stop = threading.Event()
    watch = ArgoCdWatch(reader("argocd").reader, after=threading.Event(), stop=stop, on_failure=print)
    with running(watch, stop):
        pass
    assert scripted.requests == []
