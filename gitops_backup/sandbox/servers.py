"""Starting a server on a port that is free, and waiting until it answers.

A port that was free a moment ago can be taken by somebody else before the server gets it; then another is
tried.
"""

import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from gitops_backup.sandbox.programs import Program, ProgramFailed
from gitops_backup.sandbox.waiting import until

LOOPBACK = "127.0.0.1"

_ATTEMPTS = 3
_PORT_TAKEN = "address already in use"
# a server whose port another process got in between ends within this time
_SECONDS_TO_FAIL = 0.05


def start_server(
    launch: Callable[[Sequence[int]], Program],
    *,
    ready: Callable[[Sequence[int]], bool],
    ports: int = 1,
    timeout: float = 60.0,
) -> tuple[Program, Sequence[int]]:
    """Start a program with `launch`, given so many free ports, and wait until `ready` says so.

    Raises `ProgramFailed` when it ends by itself, `WaitedInVain` when it is not ready within `timeout` s.
    """
    for last in (*[False] * (_ATTEMPTS - 1), True):
        numbers = _free_ports(ports)
        program = launch(numbers)
        try:
            _wait(program, lambda at=numbers: ready(at), timeout=timeout)  # type: ignore[misc]
        except ProgramFailed:
            if last or _PORT_TAKEN not in program.log.read_text(errors="replace"):
                raise
        else:
            return program, numbers
    raise AssertionError("unreachable")


def answers(port: int) -> bool:
    """Whether somebody listens on this port of the loopback address."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _wait(program: Program, ready: Callable[[], bool], *, timeout: float) -> None:
    def look() -> bool:
        program.check()
        return ready()

    try:
        until(look, what=f"{program.name} to answer", timeout=timeout)
    except BaseException:
        program.kill()
        raise
    program.wait(_SECONDS_TO_FAIL)
    program.check()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [each.getsockname()[1] for each in sockets]
