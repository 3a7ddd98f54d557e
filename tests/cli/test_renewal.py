"""Credentials that change while the controller runs."""

import threading
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from gitops_backup.cli.renewal import Renewable, Renewal
from gitops_backup.errors import UsageError

_SECONDS = 20.0


class Scripted:
    """What reading gives, one time after the other; the last thing for ever."""

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = list(answers)
        self.over = threading.Event()

    def __call__(self) -> bool:
        """The next one."""
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if len(self._answers) == 1:
            self.over.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


def _renewed(script: Scripted, on_change: Callable[[], None]) -> None:
    quiet = Renewable("quiet", lambda: False, on_change=lambda: pytest.fail("nothing changed"))
    renewal = Renewal([quiet, Renewable("scripted", script, on_change=on_change)], seconds=0.001)
    renewal.start()
    try:
        assert script.over.wait(_SECONDS)
    finally:
        renewal.stop()


def test_a_change_is_told_once() -> None:
    """And said, without what it is."""
    changes: list[str] = []
    with capture_logs() as said:
        _renewed(Scripted(False, True, False, False, False), lambda: changes.append("changed"))
    assert changes == ["changed"]
    assert [(line["event"], line["what"]) for line in said] == [("credentials have changed", "scripted")]


def test_what_cannot_be_read_is_said_once_and_read_again() -> None:
    """A folder that is half written, or gone for a moment, ends nothing."""
    changes: list[str] = []
    missing, other = UsageError("the folder has no file 'password'"), PermissionError(13, "denied")
    with capture_logs() as said:
        _renewed(
            Scripted(missing, missing, missing, other, True, False, False), lambda: changes.append("changed")
        )
    assert changes == ["changed"]
    assert [line["log_level"] for line in said] == ["warning", "warning", "info"]
