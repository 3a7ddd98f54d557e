"""What a process has used up, as proc(5) tells it, and programs that are measured on their own."""

import json
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.process import run

PROJECT = Path(__file__).resolve().parents[1]

_TICKS = os.sysconf("SC_CLK_TCK")
_LONGEST_SECONDS = 600.0


class MeasurementFailed(GitopsBackupError):
    """What was to be measured did not do its job."""


class Cpu(NamedTuple):
    """Seconds of processor time: of a process, and of its children that have ended."""

    own: float
    children: float

    def since(self, earlier: "Cpu") -> "Cpu":
        """What was used up in between."""
        return Cpu(self.own - earlier.own, self.children - earlier.children)


def cpu(pid: int) -> Cpu:
    """What a process has used up so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, child_user, child_system = (int(ticks) / _TICKS for ticks in fields[11:15])
    return Cpu(user + system, child_user + child_system)


def peak_memory(pid: int | str = "self") -> float:
    """The largest resident size that a process has had, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise MeasurementFailed(f"/proc/{pid}/status does not tell the largest resident size")


def resident_memory() -> float:
    """The resident size of this process as it is now, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise MeasurementFailed("/proc/self/status does not tell the resident size")


def in_a_process(module: str, *arguments: str | Path, longest: float = _LONGEST_SECONDS) -> dict[str, Any]:
    """Run a module of this package by itself, and return the JSON object that it prints.

    It may take `longest`, in seconds.
    """
    argv = [sys.executable, "-m", module, *map(str, arguments)]
    ended = run(argv, timeout=longest, cwd=PROJECT)
    if ended.returncode != 0:
        raise MeasurementFailed(f"{module} failed: {one_line(ended.stderr[-300:])}")
    printed: dict[str, Any] = json.loads(ended.stdout)
    return printed
