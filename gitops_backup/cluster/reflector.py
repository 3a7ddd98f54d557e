"""A copy of all objects of a kind that follows the API server: a list, then watches from where it ended.

- Only projections are kept, and a change is told only where the projection changed.
- Deletes that happened unseen come out of the difference between a new list and what was known.
- A watch is bounded: the server ends it after some minutes and the client gives up a little later, so that a
  connection that died silently is noticed. Then the next one begins where the last one was.
- A resource version that is too old (410, as a status or inside the stream), a line that cannot be read, and
  two failures in a row mean: list again. After each failure it waits, with jitter, longer each time.

Kubernetes documentation, "API Concepts", "Efficient detection of changes".
"""

import json
import random
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from gitops_backup.cluster.connection import Connection, Json, Stream
from gitops_backup.cluster.errors import Gone, NotFound, refusal
from gitops_backup.cluster.keys import ObjectKey
from gitops_backup.cluster.listing import list_objects
from gitops_backup.cluster.resources import Resource
from gitops_backup.errors import GitopsBackupError, Transient, one_line

T = TypeVar("T")

_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 30.0
_SHORTEST_WATCH = 1.0


class Reflector(Generic[T]):
    """Follows one kind of object, in one namespace or all; `run` in a thread of its own.

    `project` gets an object as the API server sent it (with no `apiVersion` and `kind` when it came from a
    list) and answers what is to be kept of it, or None to do as if it were not there. `on_change` gets each
    key whose projection changed, with the new one or None, after `get` answers it. Both are called on the
    thread of `run`, and what they raise ends it. `on_failure` gets each failure to list or watch.
    `watch_seconds` is how long a watch lasts, from and to; `absent_seconds` is how often a kind is looked for
    that the API server does not know.
    """

    def __init__(
        self,
        connection: Connection,
        resource: Resource,
        *,
        project: Callable[[Json], T | None],
        on_change: Callable[[ObjectKey, T | None], None],
        stop: threading.Event,
        namespace: str | None = None,
        on_failure: Callable[[GitopsBackupError], None] = lambda error: None,
        watch_seconds: tuple[float, float] = (240.0, 300.0),
        absent_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.resource = resource
        self.synced = threading.Event()
        """Set when the kind was listed for the first time, or is not served at all."""
        self.served = True
        """False while the API server does not know the kind: its definition is not installed."""
        self._connection = connection
        self._namespace = namespace
        self._path = resource.path(namespace)
        self._project = project
        self._on_change = on_change
        self._on_failure = on_failure
        self._stop = stop
        self._watch_seconds = watch_seconds
        self._absent_seconds = absent_seconds
        self._clock = clock
        self._jitter = jitter
        self._objects: dict[ObjectKey, T] = {}
        self._lock = threading.Lock()
        self._version: str | None = None
        self._failures = 0
        self._stream: Stream | None = None

    def get(self, key: ObjectKey) -> T | None:
        """The projection of one object, None when it is not there."""
        with self._lock:
            return self._objects.get(key)

    def items(self) -> list[tuple[ObjectKey, T]]:
        """All keys and projections, as of now."""
        with self._lock:
            return list(self._objects.items())

    def values(self) -> list[T]:
        """All projections, as of now."""
        with self._lock:
            return list(self._objects.values())

    def run(self) -> None:
        """Follow until `stop` is set, which ends a watch or a wait at once, a list when it is complete."""
        threading.Thread(target=self._interrupt_when_stopped, daemon=True).start()
        while not self._stop.is_set():
            began = self._clock()
            try:
                self._follow()
            except GitopsBackupError as error:
                if not self._stop.is_set():
                    self._stop.wait(self._after_failure(error))
            else:
                if self._clock() - began < _SHORTEST_WATCH:
                    self._stop.wait(self._backoff())
                else:
                    self._failures = 0

    def _follow(self) -> None:
        if self._version is None:
            listing = list_objects(
                self._connection, self.resource, project=self._project, namespace=self._namespace
            )
            self._replace(listing.objects)
            self._version = listing.resource_version
            self.served = True
            self.synced.set()
        self._watch(self._version)

    def _watch(self, version: str) -> None:
        seconds = self._jitter(*self._watch_seconds)
        query: dict[str, str | int] = {
            "watch": "1",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": max(1, int(seconds)),
        }
        with self._connection.stream(self._path, query, timeout=seconds * 1.1 + 1) as stream:
            self._stream = stream
            if self._stop.is_set():
                return
            for line in stream:
                if line.strip():
                    self._handle(line)
                    self._failures = 0

    def _handle(self, line: bytes) -> None:
        try:
            event = json.loads(line)
            kind, thing = event["type"], event["object"]
            if kind == "ERROR":
                raise refusal(
                    status=410 if thing.get("reason") in ("Expired", "Gone") else thing.get("code", 500),
                    body=json.dumps(thing).encode(),
                    retry_after=None,
                    method="GET",
                    path=self._path,
                    watching=True,
                )
            version = thing["metadata"]["resourceVersion"]
            key = ObjectKey.of(thing) if kind != "BOOKMARK" else None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._version = None
            raise Transient(f"watching {self.resource}: not an event: {one_line(line, limit=80)}") from error
        if key is not None:
            self._put(key, None if kind == "DELETED" else self._project(thing))
        self._version = version

    def _put(self, key: ObjectKey, projection: T | None) -> None:
        with self._lock:
            if self._objects.get(key) == projection:
                return
            if projection is None:
                del self._objects[key]
            else:
                self._objects[key] = projection
        self._on_change(key, projection)

    def _replace(self, objects: dict[ObjectKey, T]) -> None:
        with self._lock:
            before, self._objects = self._objects, objects
        for key, projection in objects.items():
            if before.get(key) != projection:
                self._on_change(key, projection)
        for key in before.keys() - objects.keys():
            self._on_change(key, None)

    def _after_failure(self, error: GitopsBackupError) -> float:
        """Settle where to go on from; answers how many seconds to wait before."""
        if isinstance(error, NotFound):
            self._version = None
            self.served = False
            self._replace({})
            self.synced.set()
            return self._jitter(0.5, 1.0) * self._absent_seconds
        if isinstance(error, Gone) or self._failures:
            self._version = None
        if not isinstance(error, Gone):
            self._on_failure(error)
        asked_for = (error.retry_after or 0.0) if isinstance(error, Transient) else 0.0
        return max(self._backoff(), asked_for)

    def _backoff(self) -> float:
        longest = min(_FIRST_BACKOFF * 2.0 ** min(self._failures, 10), _LONGEST_BACKOFF)
        self._failures += 1
        return self._jitter(0.5, 1.0) * longest

    def _interrupt_when_stopped(self) -> None:
        self._stop.wait()
        if self._stream is not None:
            self._stream.interrupt()
