"""Credentials that change while the controller runs: those that are mounted as files, when a Secret does.

The files are read again every few seconds, which takes less than to watch them, and sees every way in which
they are replaced: a mounted Secret changes behind symbolic links. What cannot be read is said once, and what
was read before stays in use.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from gitops_backup.errors import GitopsBackupError

_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Renewable:
    """Some credentials: `renew` reads them again, and says whether they changed; then `on_change` is called.

    `renew` raises errors of ours, or `OSError`.
    """

    what: str
    renew: Callable[[], bool]
    on_change: Callable[[], None] = lambda: None


class Renewal:
    """A thread that renews credentials, every `seconds`, from `start` to `stop`."""

    def __init__(self, credentials: Sequence[Renewable], *, seconds: float = _SECONDS) -> None:
        self._credentials = credentials
        self._seconds = seconds
        self._unreadable: dict[str, str] = {}
        self._stop = threading.Event()
        self._log = structlog.get_logger()

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="credentials", daemon=True).start()

    def renew(self) -> None:
        """Renew all of them now."""
        for each in self._credentials:
            self._renew(each)

    def stop(self) -> None:
        """End, soon."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self.renew()

    def _renew(self, credentials: Renewable) -> None:
        try:
            changed = credentials.renew()
        except (GitopsBackupError, OSError) as error:
            if self._unreadable.get(credentials.what) != str(error):
                self._log.warning("credentials cannot be read again", what=credentials.what, error=str(error))
            self._unreadable[credentials.what] = str(error)
            return
        self._unreadable.pop(credentials.what, None)
        if changed:
            self._log.info("credentials have changed", what=credentials.what)
            credentials.on_change()
