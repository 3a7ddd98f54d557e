"""The process that starts a sandbox's programs and ends them: run as a script, standard library alone.

A parent that is killed with SIGKILL can clean nothing up, so somebody else has to notice. The keeper holds
the read end of a pipe whose only writer is the parent: when that ends, however it ends, the pipe does too,
and the keeper kills every program with all that the program started, removes the folder that it was told to
remove, and goes. That works on every Unix. On Linux the kernel also kills the programs when the keeper itself
is killed; that follows the thread that forked, not the process, and the keeper has one thread only.

It reads one JSON object per line: `{"start": NAME, "argv": [...], "env": {...}, "cwd": PATH, "stdout": PATH,
"stderr": PATH}` and `{"kill": NAME}`; it answers `{"started": NAME, "pid": N}`, `{"failed": NAME, "error":
TEXT}` and `{"ended": NAME, "code": N}`.
"""

import contextlib
import ctypes
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_READ_AT_ONCE = 65536


def main(remove: list[str]) -> None:
    """Serve standard input until it ends, then kill every program and remove the paths in `remove`."""
    wakeups = _wake_on_signals(signal.SIGCHLD, signal.SIGTERM)
    keeper = _Keeper()
    with selectors.DefaultSelector() as selector:
        selector.register(0, selectors.EVENT_READ)
        selector.register(wakeups, selectors.EVENT_READ)
        pending = b""
        ended = False
        while not ended:
            ready = {key.fd for key, _ in selector.select()}
            if wakeups in ready:
                ended = signal.SIGTERM in os.read(wakeups, _READ_AT_ONCE)
                keeper.reap()
            if 0 in ready:
                chunk = os.read(0, _READ_AT_ONCE)
                ended = ended or not chunk
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    keeper.obey(json.loads(line))
    keeper.kill_all()
    for path in remove:
        if Path(path).is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink(missing_ok=True)


class _Keeper:
    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._die_with_keeper = _death_signal()

    def obey(self, command: dict[str, Any]) -> None:
        if "start" in command:
            self._start(command)
        elif command["kill"] in self._running:
            _kill_group(self._running[command["kill"]])

    def reap(self) -> None:
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                # what the program started may still run in its group
                _kill_group(process)
                del self._running[name]
                _answer({"ended": name, "code": process.returncode})

    def kill_all(self) -> None:
        for process in self._running.values():
            _kill_group(process)
        for process in self._running.values():
            process.wait()

    def _start(self, command: dict[str, Any]) -> None:
        name = command["start"]
        try:
            with Path(command["stdout"]).open("ab") as out, Path(command["stderr"]).open("ab") as err:
                process = subprocess.Popen(
                    command["argv"],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    env=command["env"],
                    cwd=command["cwd"],
                    start_new_session=True,
                    preexec_fn=self._die_with_keeper,
                )
        except OSError as error:
            _answer({"failed": name, "error": str(error)})
        else:
            self._running[name] = process
            _answer({"started": name, "pid": process.pid})


def _death_signal() -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    keeper = os.getpid()

    def die_with_keeper() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != keeper:
            os._exit(1)

    return die_with_keeper


def _wake_on_signals(*signals: signal.Signals) -> int:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for sign in signals:
        signal.signal(sign, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return reader


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _answer(message: dict[str, object]) -> None:
    with contextlib.suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
    # whoever waits for the removed paths may believe that we are gone, too
    os._exit(0)
