"""The controller as its users run it, timed by its own log."""

import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import yaml

from benchmarks.bench import Bench
from benchmarks.usage import PROJECT, Cpu, MeasurementFailed, cpu, peak_memory
from gitops_backup.errors import one_line
from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.programs import Program, Programs
from gitops_backup.sandbox.waiting import until

_SECONDS_TO_START = 60.0
_SECONDS_TO_STOP = 15.0
_LONGEST_SECONDS = 600.0


class Controller:
    """One replica in this mode, from enter to exit; `settings` are added to the sandbox's.

    Its times are in seconds since it said that it has started. At the exit it is stopped; it ends with this
    process, too, however that ends.
    """

    def __init__(self, bench: Bench, mode: str, *, name: str = "controller", **settings: Any) -> None:
        self._bench = bench
        self._mode = mode
        self._folder = bench.folder / name
        self._log = self._folder / "log"
        self._settings = {
            **bench.sandbox.settings,
            "listen": "127.0.0.1",
            "probes_port": 0,
            "metrics_port": 0,
            "cache": str(self._folder / "cache"),
            **settings,
        }
        self._lines: list[Json] = []
        self._read = 0
        self._programs: Programs
        self._program: Program
        self._cpu_at_start: Cpu

    def __enter__(self) -> Self:
        self._folder.mkdir(parents=True)
        settings = self._folder / "settings.yaml"
        settings.touch(mode=0o600)
        settings.write_text(yaml.safe_dump(self._settings))
        self._programs = Programs()
        try:
            self._program = self._programs.start(
                "the controller",
                [
                    *(sys.executable, "-m", "gitops_backup"),
                    *("--kubeconfig", self._bench.sandbox.kubeconfig, "--config", settings),
                    *("--log-format", "json", "run", "--mode", self._mode),
                ],
                log=self._log,
                cwd=PROJECT,
            )
            self.wait_for("started", 1, timeout=_SECONDS_TO_START)
            self._cpu_at_start = cpu(self._program.pid)
        except BaseException:
            self._programs.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._program.returncode is None:
                os.kill(self._program.pid, signal.SIGTERM)
                self._program.wait(_SECONDS_TO_STOP)
        finally:
            self._programs.close()
        if error is None:
            self._check()

    @property
    def started_at(self) -> float:
        """When it said that it has started, in seconds since the epoch."""
        return _moment(self.lines("started")[0])

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._program.pid

    def cpu(self) -> Cpu:
        """The processor time since it has started."""
        return cpu(self._program.pid).since(self._cpu_at_start)

    def memory(self) -> float:
        """The largest resident size so far, in MB."""
        return peak_memory(self._program.pid)

    def lines(self, event: str | None = None) -> Sequence[Json]:
        """The lines of the log with this message, or all."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            whole, end, _ = log.read().rpartition(b"\n")
        self._read += len(whole) + len(end)
        self._lines += [_line(text) for text in whole.splitlines()]
        return [line for line in self._lines if event is None or line["event"] == event]

    def times(self, event: str) -> list[float]:
        """When it logged this message."""
        return [_moment(line) - self.started_at for line in self.lines(event)]

    def wait_for(self, event: str, count: int, *, timeout: float = _LONGEST_SECONDS) -> None:
        """Wait until it has logged this message so many times."""

        def logged() -> bool:
            self._check()
            self._program.check()
            return len(self.lines(event)) >= count

        until(logged, what=f"the controller to log {event!r} {count} times", timeout=timeout)

    def _check(self) -> None:
        for line in self.lines():
            if line.get("level") in ("error", "critical"):
                raise MeasurementFailed(f"the controller says: {one_line(json.dumps(line))}")


def _line(text: bytes) -> Json:
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    return line if isinstance(line, dict) else {"event": text.decode("utf-8", "replace")}


def _moment(line: Json) -> float:
    return datetime.strptime(line["timestamp"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()
