"""Running other programs: argument lists, a time limit, a process group to end, a clean environment.

Nothing is inherited but PATH and HOME, so that a `GIT_*`, a `SKOPEO_*` or a proxy of the surrounding shell
changes nothing unless the caller hands it on. A program that runs out of time, or is cancelled, is ended
together with everything that it started.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from gitops_backup.errors import GitopsBackupError, Transient

_BACKGROUND_NICENESS = 10
_GRACE_SECONDS = 2.0
_POLL_SECONDS = 0.2


class ProgramMissing(GitopsBackupError):
    """The program is not on PATH."""


class ProcessTimeout(Transient):
    """The program did not end within its time limit, and was ended."""


class ProcessCancelled(Transient):
    """The program was ended because its caller is stopping."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program left behind: its exit code and the bytes that it printed."""

    returncode: int
    stdout: bytes
    stderr: bytes


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """PATH, HOME and a UTF-8 locale, and what `extra` adds."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8", **(extra or {})}


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    input: bytes | None = None,  # noqa: A002, the name that subprocess.run has
    cwd: Path | None = None,
    cancel: threading.Event | None = None,
    background: bool = False,
) -> Completed:
    """Run a program to its end and return what it left, whatever its exit code.

    `timeout` is in seconds; in the `background`, it leaves the processor to others first. When `cancel` is
    set while the program runs, it is ended within about 2 s. Raises `ProgramMissing`, `ProcessTimeout` or
    `ProcessCancelled`.
    """
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(env),
            cwd=cwd,
            start_new_session=True,
        )
    except (FileNotFoundError, PermissionError) as error:
        if error.filename != argv[0]:  # the folder to start in
            raise
        raise ProgramMissing(f"{argv[0]} is not on PATH", hint=f"install {argv[0]}") from error
    if background:
        _give_way(process)
    if process.stdin is not None:
        # communicate() does not go on with its input when it is called again after a timeout
        _feed(process.stdin, input or b"")
        process.stdin = None
    try:
        return _wait(process, argv[0], timeout=timeout, cancel=cancel)
    except BaseException:  # Ctrl-C does not reach a process group of its own
        _end(process)
        raise


def _give_way(process: subprocess.Popen[bytes]) -> None:
    niceness = max(os.getpriority(os.PRIO_PROCESS, 0), _BACKGROUND_NICENESS)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.setpriority(os.PRIO_PGRP, process.pid, niceness)


def _feed(pipe: IO[bytes], data: bytes) -> None:
    def write() -> None:
        with contextlib.suppress(BrokenPipeError), pipe:
            pipe.write(data)

    threading.Thread(target=write, name="input of a process", daemon=True).start()


def _wait(
    process: subprocess.Popen[bytes], name: str, *, timeout: float, cancel: threading.Event | None
) -> Completed:
    deadline = time.monotonic() + timeout
    while True:
        wait = min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())) if cancel else timeout
        try:
            stdout, stderr = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            if cancel is not None and cancel.is_set():
                raise ProcessCancelled(f"{name} was stopped") from None
            if cancel is None or time.monotonic() >= deadline:
                raise ProcessTimeout(f"{name} did not end within {timeout:g} s") from None
        else:
            return Completed(process.returncode, stdout, stderr)


def _end(process: subprocess.Popen[bytes]) -> None:
    with process:  # closes the pipes, which a process that left the group may hold open for ever
        _signal(process, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_GRACE_SECONDS)
        # even where the program itself has ended, its children may not have listened
        _signal(process, signal.SIGKILL)


def _signal(process: subprocess.Popen[bytes], sign: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, sign)
