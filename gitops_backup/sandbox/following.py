"""What a stand-in knows of the cluster: a collection, listed once and then watched, kept in memory."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self, TypeAlias

from gitops_backup.sandbox.api import Api, ApiAway, ApiError, Json, Watch

Key: TypeAlias = tuple[str, str]

_SECONDS_AFTER_A_FAILURE = 0.3


class Follower:
    """A copy of a collection, kept current by a thread between `__enter__` and `__exit__`.

    `changed` is called, on that thread, with the namespace and the name of each object that came, changed or
    went; then with the object as it was, or None where it is new.
    """

    def __init__(self, api: Api, path: str, *, changed: Callable[[Key, Json | None], None]) -> None:
        self._api = api
        self._path = path
        self._changed = changed
        self._objects: dict[Key, Json] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._watch: Watch | None = None
        self._thread = threading.Thread(target=self._run, name=f"follow {path}", daemon=True)

    def get(self, key: Key) -> Json | None:
        """The object as it was last seen."""
        with self._lock:
            return self._objects.get(key)

    def all(self) -> dict[Key, Json]:
        """Every object as it was last seen."""
        with self._lock:
            return dict(self._objects)

    def note(self, thing: Json) -> None:
        """Learn at once what a write answered, without waiting for its event."""
        self._put(thing)

    def forget(self, key: Key) -> None:
        """Learn at once that an object was deleted."""
        self._remove(key)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        with self._lock:
            watch = self._watch
        if watch is not None:
            watch.end()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                version = self._list()
                while version and not self._stopping.is_set():
                    version = self._follow(version)
            except (ApiAway, ApiError):
                self._stopping.wait(_SECONDS_AFTER_A_FAILURE)

    def _list(self) -> str:
        answer = self._api.get(self._path)
        listed = {_key(each): each for each in answer["items"]}
        for key in self.all().keys() - listed.keys():
            self._remove(key)
        for thing in listed.values():
            self._put(thing)
        version: str = answer["metadata"]["resourceVersion"]
        return version

    def _follow(self, version: str) -> str:
        """Watch until the server ends it; the version to go on from, empty when a new list is needed."""
        watch = self._api.watch(self._path, since=version)
        with self._lock:
            self._watch = watch
        # whoever stops us between opening the watch and showing it would wait for its end
        if self._stopping.is_set():
            watch.end()
        for event in watch:
            if event["type"] == "ERROR":
                return ""
            thing = event["object"]
            version = thing["metadata"]["resourceVersion"]
            if event["type"] == "DELETED":
                self._remove(_key(thing))
            elif event["type"] != "BOOKMARK":
                self._put(thing)
        return version

    def _put(self, thing: Json) -> None:
        key = _key(thing)
        with self._lock:
            before = self._objects.get(key)
            if before is not None and _version(before) >= _version(thing):
                return
            self._objects[key] = thing
        self._changed(key, before)

    def _remove(self, key: Key) -> None:
        with self._lock:
            before = self._objects.pop(key, None)
        if before is not None:
            self._changed(key, before)


def _key(thing: Json) -> Key:
    return thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def _version(thing: Json) -> int:
    return int(thing["metadata"]["resourceVersion"])
