"""The settings of Argo CDs, read again and again: that needs no right but to get one ConfigMap by its name.

Where it is missing, or may not be read, Argo CD's defaults stand for it, which is told once. Where the API
server does not answer, what was read before goes on to count.
"""

import threading
from collections.abc import Callable, Iterable

from gitops_backup.cluster.connection import Connection
from gitops_backup.cluster.errors import Forbidden, NotFound
from gitops_backup.cluster.resources import CONFIG_MAPS
from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.argocd import CONFIG_MAP, ArgoCd

_SECONDS_BETWEEN_READINGS = 30.0
_SECONDS_AFTER_A_FAILURE = 5.0


class ArgoCdReader:
    """Reads the settings of the Argo CDs in the namespaces that `homes` names at the time.

    `put` gets each of them; `on_default` gets a namespace, and why Argo CD's defaults stand for its settings.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        homes: Callable[[], Iterable[str]],
        put: Callable[[str, ArgoCd], None],
        on_default: Callable[[str, GitopsBackupError], None],
    ) -> None:
        self._connection = connection
        self._homes = homes
        self._put = put
        self._on_default = on_default
        self._defaults: set[str] = set()

    def read(self) -> None:
        """Read all of them once. Raises what `Connection.get` raises, but `NotFound` and `Forbidden`."""
        for home in sorted(self._homes()):
            try:
                found = ArgoCd.project(self._connection.get(CONFIG_MAPS.path(home, CONFIG_MAP)))
            except (NotFound, Forbidden) as error:
                found = ArgoCd()
                if home not in self._defaults:
                    self._on_default(home, error)
                self._defaults.add(home)
            else:
                self._defaults.discard(home)
            self._put(home, found)


class ArgoCdWatch:
    """Lets a reader read every so many seconds, from when `after` is set; `run` in a thread of its own."""

    def __init__(
        self,
        reader: ArgoCdReader,
        *,
        after: threading.Event,
        stop: threading.Event,
        on_failure: Callable[[GitopsBackupError], None],
        seconds: float = _SECONDS_BETWEEN_READINGS,
    ) -> None:
        self.synced = threading.Event()
        """Set when all of them have been read once."""
        self._reader = reader
        self._after = after
        self._stop = stop
        self._on_failure = on_failure
        self._seconds = seconds

    def run(self) -> None:
        """Read until `stop` is set."""
        while not self._after.wait(0.1):
            if self._stop.is_set():
                return
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                self._reader.read()
            except GitopsBackupError as error:
                self._on_failure(error)
                pause = min(self._seconds, _SECONDS_AFTER_A_FAILURE)
            else:
                self.synced.set()
                pause = self._seconds
