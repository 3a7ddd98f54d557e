"""The command as a user types it: a process with arguments, an environment, and what comes out of it."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gitops_backup.process import run

PROJECT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "gitops_backup")
SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str


def command(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Answer:
    """Run the command to its end; of the environment, it has PATH and HOME, and what `env` adds."""
    done = run([*COMMAND, *map(str, arguments)], timeout=SECONDS, env=env, cwd=PROJECT)
    return Answer(done.returncode, done.stdout.decode(), done.stderr.decode())


def refused(*arguments: str | Path, env: Mapping[str, str] | None = None) -> str:
    """Run a command that must not begin: it says why in one line, and exits with 2."""
    answer = command(*arguments, env=env)
    assert (answer.code, answer.out) == (2, ""), answer
    line, end, more = answer.err.partition("\n")
    assert line.startswith("gitops-backup: "), answer.err
    assert (end, more) == ("\n", ""), answer.err
    return line.removeprefix("gitops-backup: ")


def path_with(folder: Path, programs: Mapping[str, str]) -> dict[str, str]:
    """An environment whose PATH has these programs alone; each is a shell script, or a link to a program."""
    folder.mkdir()
    for name, content in programs.items():
        if content.startswith("/"):
            (folder / name).symlink_to(content)
        else:
            (folder / name).write_text(f"#!/bin/sh\n{content}\n")
            (folder / name).chmod(0o755)
    return {"PATH": str(folder)}


def which(program: str) -> str:
    """Where a program is; the test fails where it is not."""
    folders = os.environ["PATH"].split(os.pathsep)
    return next(str(Path(folder) / program) for folder in folders if (Path(folder) / program).is_file())
