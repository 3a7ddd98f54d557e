"""The log of the controller, for people and for machines."""

import json
import os
import pty
import subprocess

import pytest

from tests.cli.command import COMMAND, PROJECT, SECONDS
from tests.cli.conftest import Options

_SEEN = b"everything was seen once"


def _log(*arguments: object, env: dict[str, str], terminal: bool) -> bytes:
    """What a controller logs until it has seen everything; it is ended then."""
    reading, writing = pty.openpty() if terminal else os.pipe()
    with (
        open(reading, "rb", buffering=0) as log,  # noqa: PTH123, there is no path
        subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stderr=writing,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **env},
            cwd=PROJECT,
        ) as process,
    ):
        os.close(writing)
        lines = b""
        while _SEEN not in lines:
            lines += log.read(65536)
        process.terminate()
        assert process.wait(SECONDS) == 0
    return lines


@pytest.mark.parametrize(
    ("env", "terminal", "coloured"),
    [
        ({"TERM": "xterm"}, True, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": "xterm", "FORCE_COLOR": "1"}, False, False),
    ],
)
def test_colours_are_for_terminals_that_show_them(
    options: Options, env: dict[str, str], terminal: bool, coloured: bool
) -> None:
    """And can be refused."""
    assert (b"\x1b" in _log(*options, "run", "--mode", "report", env=env, terminal=terminal)) == coloured


def test_for_machines_each_line_is_an_object(options: Options) -> None:
    """With the time, the level and what happened."""
    log = _log(*options, "--log-format", "json", "run", "--mode", "report", env={}, terminal=False)
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["event"] for line in lines][:2] == ["started", _SEEN.decode()]
    assert all({"timestamp", "level", "event"} <= line.keys() for line in lines)
