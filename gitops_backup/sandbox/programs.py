"""Programs that run as long as their sandbox and not a moment longer.

They are children of a keeper process (see `keeper`), not of this one, so that they end with this process
however it ends. Nobody asks them to end in good order: their state is thrown away with the sandbox, and a
server that crashed must not differ from one that was stopped. What they print goes to files.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.process import environment
from gitops_backup.sandbox import keeper

_SECONDS_TO_START = 10.0
_SECONDS_TO_END = 10.0
_LAST_BYTES = 4000


class ProgramFailed(GitopsBackupError):
    """A program of the sandbox could not be started, or ended by itself."""


class Program:
    """A program that was started: its process id, its log, and whether it still runs."""

    def __init__(self, *, name: str, log: Path, output: Path, kill: Callable[[], None]) -> None:
        self.name = name
        self.log = log
        self.output = output
        self.pid = 0
        self._kill = kill
        self._changed = threading.Condition()
        self._code: int | None = None
        self._error: str | None = None

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for a signal; None while the program runs."""
        with self._changed:
            return self._code

    def wait(self, timeout: float) -> int | None:
        """The exit code, or None when the program still runs after `timeout` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._code is not None, timeout)
            return self._code

    def check(self) -> None:
        """Raise `ProgramFailed`, with the last thing that it said, when the program has ended."""
        if self.returncode is not None:
            raise ProgramFailed(f"{self.name} ended by itself: {self.last_words()}", hint=f"see {self.log}")

    def last_words(self) -> str:
        """The last line of the log, cut to a length that fits a message."""
        lines = _tail(self.log).strip().splitlines()
        return one_line(lines[-1]) if lines else "it printed nothing"

    def kill(self) -> None:
        """End the program, and what it started, at once; returns when it is gone."""
        if self.returncode is None:
            self._kill()
            self.wait(_SECONDS_TO_END)

    def _wait_until_started(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.pid or self._error, _SECONDS_TO_START)
            if not self.pid:
                raise ProgramFailed(f"{self.name} could not be started: {self._error or 'no answer'}")

    def _note(self, *, pid: int = 0, code: int | None = None, error: str | None = None) -> None:
        with self._changed:
            self.pid = pid or self.pid
            self._code = code if self._code is None else self._code
            self._error = error or self._error
            self._changed.notify_all()


class Programs(AbstractContextManager["Programs"]):
    """Starts programs, and ends them all when it is closed or when this process ends.

    `remove` names files and folders that are removed after the last program has ended; `hold` is a file
    descriptor that stays open until then, such as one that holds a lock.
    """

    def __init__(self, *, remove: Sequence[Path] = (), hold: int | None = None) -> None:
        keeper_process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(keeper.__file__)), *map(str, remove)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
            pass_fds=[] if hold is None else [hold],
            start_new_session=True,
            cwd="/",
        )
        if keeper_process.stdin is None or keeper_process.stdout is None:
            raise ProgramFailed("the keeper of the sandbox's programs has no pipes")
        self._keeper = keeper_process
        self._commands = keeper_process.stdin
        self._answers = keeper_process.stdout
        self._lock = threading.Lock()
        self._programs: dict[str, Program] = {}
        self._started = 0
        self._reader = threading.Thread(target=self._listen, name="sandbox-keeper", daemon=True)
        self._reader.start()

    @property
    def keeper_pid(self) -> int:
        """The process id of the keeper."""
        return self._keeper.pid

    def start(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        output: Path | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Program:
        """Start a program; `log` gets what it prints, but for its standard output where `output` is given.

        `env` is added to PATH, HOME and a UTF-8 locale. Raises `ProgramFailed`.
        """
        with self._lock:
            self._started += 1
            key = f"{name}-{self._started}"
            program = Program(
                name=name, log=log, output=output or log, kill=lambda: self._tell({"kill": key})
            )
            self._programs[key] = program
        self._tell(
            {
                "start": key,
                "argv": [str(part) for part in argv],
                "env": environment(env),
                "cwd": str(cwd) if cwd else None,
                "stdout": str(program.output),
                "stderr": str(program.log),
            }
        )
        program._wait_until_started()
        return program

    def close(self) -> None:
        """End every program and the keeper; returns when they are gone."""
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._commands.close()
        try:
            self._keeper.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
        self._reader.join(_SECONDS_TO_END)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def _tell(self, command: dict[str, object]) -> None:
        with self._lock:
            if self._commands.closed:
                return
            try:
                self._commands.write(json.dumps(command).encode() + b"\n")
                self._commands.flush()
            except BrokenPipeError as error:
                raise ProgramFailed("the keeper of the sandbox's programs is gone") from error

    def _listen(self) -> None:
        with self._answers:
            for line in self._answers:
                answer = json.loads(line)
                key = answer.get("started") or answer.get("failed") or answer["ended"]
                with self._lock:
                    program = self._programs[key]
                program._note(pid=answer.get("pid", 0), code=answer.get("code"), error=answer.get("error"))
        with self._lock:
            programs = list(self._programs.values())
        for program in programs:
            program._note(code=-9, error="the keeper of the sandbox's programs is gone")


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _LAST_BYTES))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
