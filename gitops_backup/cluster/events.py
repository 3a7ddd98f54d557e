"""Events on objects (`events.k8s.io/v1`), so that `kubectl describe` tells what happened to them.

The same event again within ten minutes is counted on the first one, as a series, so that a reconcile that
repeats itself does not flood the cluster. Nothing rests on an event: one that cannot be written is lost, and
its writer goes on.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from gitops_backup.cluster.connection import Connection
from gitops_backup.cluster.errors import NotFound
from gitops_backup.cluster.resources import EVENTS
from gitops_backup.cluster.times import micro_time
from gitops_backup.errors import GitopsBackupError

_SERIES_GAP = timedelta(minutes=10)
_REMEMBERED = 1000
_LONGEST_NOTE = 1024  # bytes, as the API server validates it
_LONGEST_NAME = 253
_TIMEOUT = 5.0

_Key = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Series:
    namespace: str
    name: str
    last: datetime
    count: int


class EventRecorder:
    """Writes events in the name of `component` (a qualified name, as labels have it) and of this `instance`.

    May be used from any thread. `on_failure` gets what kept an event from being written.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        component: str,
        instance: str,
        on_failure: Callable[[GitopsBackupError], None] = lambda error: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = connection
        self._component = component
        self._instance = instance
        self._on_failure = on_failure
        self._clock = clock
        self._lock = threading.Lock()
        self._recent: OrderedDict[_Key, _Series] = OrderedDict()

    def event(
        self,
        regarding: Mapping[str, str],
        *,
        reason: str,
        action: str,
        note: str,
        related: Mapping[str, str] | None = None,
        type: Literal["Normal", "Warning"] = "Normal",  # noqa: A002, the field's name
        when: datetime | None = None,
    ) -> None:
        """Tell what happened to an object; a failure goes to `on_failure`.

        `regarding` and `related` are references: apiVersion, kind, namespace, name, uid. `reason` and
        `action` are words in CamelCase of at most 128 characters; `note` is for people, cut to 1024 bytes;
        `when` it happened is now where it is not given.
        """
        note = note.encode()[:_LONGEST_NOTE].decode(errors="ignore")
        key = (*sorted(regarding.items()), ("reason", reason), ("note", note))
        now = when or self._clock()
        series = self._counted(key, regarding, now)
        try:
            if series.count > 1 and self._continued(series):
                return
            self._connection.create(
                EVENTS.path(series.namespace),
                {
                    "apiVersion": EVENTS.api_version,
                    "kind": EVENTS.kind,
                    "metadata": {"namespace": series.namespace, "name": series.name},
                    "eventTime": micro_time(now),
                    "type": type,
                    "reason": reason,
                    "action": action,
                    "note": note,
                    "regarding": dict(regarding),
                    **({"related": dict(related)} if related else {}),
                    "reportingController": self._component,
                    "reportingInstance": self._instance,
                },
                timeout=_TIMEOUT,
            )
        except GitopsBackupError as error:
            with self._lock:
                self._recent.pop(key, None)
            self._on_failure(error)

    def _counted(self, key: _Key, regarding: Mapping[str, str], now: datetime) -> _Series:
        with self._lock:
            series = self._recent.pop(key, None)
            if series is not None and now - series.last < _SERIES_GAP:
                series = replace(series, last=now, count=series.count + 1)
            else:
                # objects of no namespace have their events in "default"
                namespace = regarding.get("namespace") or "default"
                series = _Series(namespace, _name(regarding["name"], key, now), last=now, count=1)
            self._recent[key] = series
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
            return series

    def _continued(self, series: _Series) -> bool:
        update = {"series": {"count": series.count, "lastObservedTime": micro_time(series.last)}}
        try:
            self._connection.merge_patch(EVENTS.path(series.namespace, series.name), update, timeout=_TIMEOUT)
        except NotFound:
            return False  # events live for an hour or so, and may be deleted
        return True


def _name(subject: str, key: _Key, now: datetime) -> str:
    digest = hashlib.sha256(repr((key, now)).encode()).hexdigest()[:16]
    return f"{subject[: _LONGEST_NAME - 17].rstrip('.-')}.{digest}"
