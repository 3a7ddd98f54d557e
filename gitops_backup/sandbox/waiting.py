"""Waiting for another process to get somewhere: look, wait a little longer than before, look again."""

import time
from collections.abc import Callable
from typing import TypeVar

from gitops_backup.errors import GitopsBackupError

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.2

T = TypeVar("T")


class WaitedInVain(GitopsBackupError):
    """What was waited for did not come about in time."""


def until(look: Callable[[], T | None], *, what: str, timeout: float = 30.0) -> T:
    """The first result of `look` that is true, looked for during `timeout` seconds.

    `what` completes "waited 30 s for ...". Raises `WaitedInVain`.
    """
    deadline = time.monotonic() + timeout
    pause = _FIRST_PAUSE
    while not (seen := look()):
        if time.monotonic() >= deadline:
            raise WaitedInVain(f"waited {timeout:g} s for {what}; last seen: {seen!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return seen
