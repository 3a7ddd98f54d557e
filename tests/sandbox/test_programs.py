"""Programs end with whoever started them, however that ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitops_backup.errors import UsageError
from gitops_backup.sandbox.programs import ProgramFailed, Programs
from gitops_backup.sandbox.sandbox import Sandbox, end_sandbox
from gitops_backup.sandbox.waiting import until

# starts a program that starts another, and tells both their process ids
_PARENT = """
import sys, time
from pathlib import Path
from gitops_backup.sandbox.programs import Programs
folder = Path(sys.argv[1])
(folder / "state").mkdir()
with Programs(remove=[folder / "state"]) as programs:
    program = programs.start("shell", ["sh", "-c", "sleep 600 & echo $!; wait"], log=folder / "log")
    while not (folder / "log").read_text():
        time.sleep(0.01)
    print(programs.keeper_pid, program.pid, (folder / "log").read_text().strip(), flush=True)
    time.sleep(600)
"""
_SANDBOX = """
import sys, time
from gitops_backup.sandbox.sandbox import Sandbox
with Sandbox.start(name=sys.argv[1]) as sandbox:
    print(sandbox.folder, flush=True)
    time.sleep(600)
"""


@contextmanager
def _python(*argv: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([sys.executable, "-c", *argv], stdout=subprocess.PIPE, text=True)
    try:
        with process:
            yield process
    finally:
        process.kill()


def _first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _wait_until_gone(pids: Sequence[int]) -> None:
    until(lambda: not any(map(_runs, pids)), what=f"processes {pids} to end", timeout=10)


def _processes_below(folder: Path) -> list[int]:
    """The processes that have this folder in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                command = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if str(folder).encode() in command and _runs(int(entry.name)):
                found.append(int(entry.name))
    return found


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_programs_end_when_their_parent_is_killed(tmp_path: Path, sign: signal.Signals) -> None:
    """With everything that they started, and with the folder that was to be removed."""
    with _python(_PARENT, str(tmp_path)) as parent:
        pids = [int(word) for word in _first_line(parent).split()]
        assert all(map(_runs, pids))
        parent.send_signal(sign)
        parent.wait(10)
        _wait_until_gone(pids)
    assert not (tmp_path / "state").exists()


def test_a_program_ends_when_its_keeper_is_killed(tmp_path: Path) -> None:
    """The kernel sees to that, and whoever waits for the program learns it."""
    with Programs() as programs:
        program = programs.start("sleep", ["sleep", "600"], log=tmp_path / "log")
        os.kill(programs.keeper_pid, signal.SIGKILL)
        assert program.wait(10) is not None
        _wait_until_gone([program.pid])
        with pytest.raises(ProgramFailed, match="the keeper of the sandbox's programs is gone"):
            programs.start("sleep", ["sleep", "600"], log=tmp_path / "log")


def test_programs_end_when_they_are_closed(tmp_path: Path) -> None:
    """Those that ignore a polite request, too."""
    with Programs() as programs:
        stubborn = programs.start("sh", ["sh", "-c", "trap '' TERM INT HUP; sleep 600"], log=tmp_path / "log")
        assert stubborn.returncode is None
        stubborn.check()
    _wait_until_gone([stubborn.pid])
    assert stubborn.returncode == -signal.SIGKILL


def test_one_program_can_be_killed_alone(tmp_path: Path) -> None:
    """It is gone when `kill` returns; the others run on."""
    with Programs() as programs:
        first, second = (programs.start("sleep", ["sleep", "600"], log=tmp_path / "log") for _ in range(2))
        first.kill()
        assert not _runs(first.pid)
        assert second.returncode is None


def test_a_program_that_ends_by_itself_is_told_with_its_last_words(tmp_path: Path) -> None:
    """Standard output and standard error may go to different files."""
    with Programs() as programs:
        argv = ["sh", "-c", "echo out; echo first >&2; echo last >&2; exit 3"]
        program = programs.start("sh", argv, log=tmp_path / "log", output=tmp_path / "out")
        assert program.wait(10) == 3
        with pytest.raises(ProgramFailed, match="sh ended by itself: last") as failed:
            program.check()
        assert str(tmp_path / "log") in str(failed.value)
    assert (tmp_path / "out").read_text() == "out\n"


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With the system's reason."""
    with (
        Programs() as programs,
        pytest.raises(ProgramFailed, match=r"nothing could not be started.*No such file"),
    ):
        programs.start("nothing", [tmp_path / "nothing"], log=tmp_path / "log")


def test_nothing_of_the_surrounding_shell_is_handed_on(tmp_path: Path) -> None:
    """But PATH and HOME, and what is given."""
    with Programs() as programs:
        env = programs.start("env", ["env"], log=tmp_path / "log", env={"GIVEN": "1"})
        env.wait(10)
    names = {line.partition("=")[0] for line in (tmp_path / "log").read_text().splitlines()}
    assert "GIVEN" in names
    assert names - {"PWD", "SHLVL", "_"} <= {"PATH", "HOME", "LANG", "LC_CTYPE", "GIVEN"}


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_nothing_of_a_sandbox_is_left_when_its_parent_is_killed(sign: signal.Signals) -> None:
    """No process, no folder, and its name can be taken again."""
    with _python(_SANDBOX, f"killed-{sign.name.lower()}-{os.getpid()}") as parent:
        folder = Path(_first_line(parent))
        assert len(_processes_below(folder)) >= 4
        parent.send_signal(sign)
        parent.wait(30)
        until(lambda: not _processes_below(folder), what="the sandbox's processes to end", timeout=10)
        until(lambda: not folder.exists(), what="the folder to go")
        until(lambda: not folder.with_suffix(".lock").exists(), what="the lock to go")


def test_a_sandbox_that_is_interrupted_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C in the middle of starting ends it within seconds."""
    name = f"interrupted-{os.getpid()}"
    script = _SANDBOX.replace(
        "name=sys.argv[1]", "name=sys.argv[1], progress=lambda line: print(line, flush=True)"
    )
    with _python(script, name) as parent:
        assert "starting" in _first_line(parent)
        parent.send_signal(signal.SIGINT)
        assert parent.wait(20) != 0
    assert _processes_below(Path(f"/{name}/")) == []


def test_two_sandboxes_run_side_by_side(sandbox: Sandbox) -> None:
    """With nothing in common; each name is taken once, and is ended by it."""
    name = f"second-{os.getpid()}"
    with _python(_SANDBOX, name) as parent:
        folder = Path(_first_line(parent))
        assert folder.parent == sandbox.folder.parent
        with pytest.raises(UsageError, match=f"a sandbox named {name} is running already"):
            Sandbox.start(name=name)
        end_sandbox(name)
        assert not folder.exists()
        until(lambda: not _processes_below(folder), what="the last process to go", timeout=5)
    with pytest.raises(UsageError, match=f"no sandbox named {name} is running"):
        end_sandbox(name)
    assert sandbox.api.ready()


def test_a_name_that_would_be_a_path_is_refused() -> None:
    """The folder of that name would be removed."""
    with pytest.raises(UsageError, match="cannot name a sandbox"):
        Sandbox.start(name="../home")
