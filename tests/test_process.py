"""Processes: run to their end, or ended with all that they started."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_backup.process import ProcessCancelled, ProcessTimeout, ProgramMissing, environment, run

PYTHON = sys.executable
LONG = 60.0


@pytest.fixture
def cancel() -> Iterator[threading.Event]:
    """An event that is set after a moment."""
    event = threading.Event()
    timer = threading.Timer(0.5, event.set)
    timer.start()
    yield event
    timer.cancel()
    timer.join()


def pid_in(file: Path) -> int:
    """The process id that a program writes into a file."""
    deadline = time.monotonic() + LONG
    while not (file.exists() and file.read_text().endswith("\n")):
        assert time.monotonic() < deadline, f"nobody wrote {file}"
        time.sleep(0.02)
    return int(file.read_text())


def ended(pid: int) -> bool:
    """Whether a process has ended, within a while; a zombie has."""
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("code", [0, 1, 42, 255])
def test_an_exit_code_is_a_result(code: int) -> None:
    """What it means is the caller's business."""
    assert run([PYTHON, "-c", f"raise SystemExit({code})"], timeout=LONG).returncode == code


def test_a_signal_is_a_result() -> None:
    """A program that was killed by somebody else has a negative exit code."""
    done = run(["sh", "-c", "kill -KILL $$"], timeout=LONG)
    assert done.returncode == -signal.SIGKILL


def test_what_a_program_prints_is_kept_apart() -> None:
    """Bytes as they were printed, of both streams."""
    done = run(["sh", "-c", r"printf 'a\377\n'; printf 'b\000' >&2"], timeout=LONG)
    assert (done.stdout, done.stderr) == (b"a\xff\n", b"b\x00")


def test_arguments_reach_the_program_as_they_are() -> None:
    """No shell reads them."""
    hostile = ["$(id)", "a b", "*", ";", "", "-n", "é", "'\"\n"]
    done = run([PYTHON, "-c", "import sys; print(ascii(sys.argv[1:]))", *hostile], timeout=LONG)
    assert done.stdout.decode().strip() == ascii(hostile)


@pytest.mark.parametrize("cancellable", [False, True])
def test_large_inputs_and_outputs(*, cancellable: bool) -> None:
    """More than fits into any pipe, in both directions, of a program that takes its time."""
    data = os.urandom(1 << 20) * 8
    slow = (
        "import sys, time; data = sys.stdin.buffer.read(100_000); time.sleep(0.7); "
        "data += sys.stdin.buffer.read(); sys.stdout.buffer.write(data); sys.stdout.flush(); "
        "time.sleep(0.5); sys.stderr.buffer.write(data)"
    )
    done = run(
        [PYTHON, "-c", slow], timeout=LONG, input=data, cancel=threading.Event() if cancellable else None
    )
    assert done.stdout == data
    assert done.stderr == data


@pytest.mark.parametrize("cancellable", [False, True])
def test_input_that_nobody_reads_is_no_error(*, cancellable: bool) -> None:
    """A program may end before it has read everything."""
    event = threading.Event() if cancellable else None
    assert run(["true"], timeout=LONG, input=b"x" * (1 << 20), cancel=event).returncode == 0


@pytest.mark.parametrize("given_input", [None, b""])
def test_without_input_there_is_nothing_to_read(given_input: bytes | None) -> None:
    """A program that asks for a password gets an end of file, not the terminal."""
    assert run(["cat"], timeout=LONG, input=given_input).stdout == b""


def test_the_environment_is_clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the surrounding environment only PATH and HOME are handed on."""
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    monkeypatch.setenv("LD_PRELOAD_SENTINEL", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    done = run(["env"], timeout=LONG, env={"GIT_TERMINAL_PROMPT": "0"})
    found = dict(line.split("=", 1) for line in done.stdout.decode().splitlines())
    found.pop("_", None)
    assert found == {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
    }


def test_what_is_handed_on_wins() -> None:
    """A caller may want a home of its own for a program."""
    assert environment({"HOME": "/nowhere", "LANG": "C"})["HOME"] == "/nowhere"
    assert environment({"HOME": "/nowhere", "LANG": "C"})["LANG"] == "C"


def test_a_program_starts_where_it_is_told(tmp_path: Path) -> None:
    """The working folder."""
    assert run(["pwd", "-P"], timeout=LONG, cwd=tmp_path).stdout.decode().strip() == str(tmp_path.resolve())


def test_a_program_that_is_not_there_is_named() -> None:
    """With the advice to install it."""
    with pytest.raises(ProgramMissing, match=r"no-such-program is not on PATH \(install no-such-program\)"):
        run(["no-such-program", "--version"], timeout=LONG)


def test_a_file_that_cannot_be_run_is_no_program(tmp_path: Path) -> None:
    """The same as one that is not there."""
    file = tmp_path / "program"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o600)
    with pytest.raises(ProgramMissing, match="program"):
        run([str(file)], timeout=LONG)


def test_a_folder_that_is_not_there_is_not_blamed_on_the_program(tmp_path: Path) -> None:
    """A missing working folder is the caller's mistake."""
    with pytest.raises(FileNotFoundError, match="absent"):
        run(["true"], timeout=LONG, cwd=tmp_path / "absent")


@pytest.mark.parametrize("cancellable", [False, True])
def test_a_program_that_takes_too_long_is_ended(tmp_path: Path, *, cancellable: bool) -> None:
    """Together with its children and theirs."""
    script = f"""
        echo $$ > {tmp_path}/child
        sh -c 'echo $$ > {tmp_path}/grandchild; sleep 600; true' &
        wait
    """
    with pytest.raises(ProcessTimeout, match="sh did not end within 1 s"):
        run(["sh", "-c", script], timeout=1, cancel=threading.Event() if cancellable else None)
    assert ended(pid_in(tmp_path / "child"))
    assert ended(pid_in(tmp_path / "grandchild"))


def test_a_program_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    """SIGTERM first, and SIGKILL when that was ignored."""
    script = f"trap '' TERM; echo $$ > {tmp_path}/child; while :; do sleep 600; done"
    with pytest.raises(ProcessTimeout):
        run(["sh", "-c", script], timeout=1)
    assert ended(pid_in(tmp_path / "child"))


def test_a_grandchild_that_does_not_listen_is_killed_though_its_parent_went(tmp_path: Path) -> None:
    """Even one that shares no pipe with the program, which nobody would notice."""
    deaf = f'trap "" TERM; echo $$ > {tmp_path}/grandchild; while :; do sleep 600; done'
    script = f"sh -c '{deaf}' >/dev/null 2>&1 </dev/null & sleep 600"
    with pytest.raises(ProcessTimeout):
        run(["sh", "-c", script], timeout=1)
    assert ended(pid_in(tmp_path / "grandchild"))


def test_a_process_that_left_the_group_does_not_hold_the_caller(tmp_path: Path) -> None:
    """It cannot be ended, but it may keep the pipes open for as long as it likes."""
    script = f"setsid sh -c 'echo $$ > {tmp_path}/escaped; sleep 600' & sleep 600"
    try:
        with pytest.raises(ProcessTimeout):
            run(["sh", "-c", script], timeout=1)
        assert Path(f"/proc/{pid_in(tmp_path / 'escaped')}").exists()
    finally:
        os.killpg(pid_in(tmp_path / "escaped"), signal.SIGKILL)


def test_a_program_may_clean_up_when_it_is_ended(tmp_path: Path) -> None:
    """SIGTERM leaves it a moment, in which what it prints does not block it."""
    script = f"""
        trap 'head -c 1000000 /dev/zero; echo 1 > {tmp_path}/clean; exit 0' TERM
        sleep 600 & wait
    """
    with pytest.raises(ProcessTimeout):
        run(["sh", "-c", script], timeout=1)
    assert pid_in(tmp_path / "clean") == 1


def test_a_program_is_ended_when_its_caller_stops(tmp_path: Path, cancel: threading.Event) -> None:
    """Long before its time limit, with all that it started."""
    script = f"sh -c 'echo $$ > {tmp_path}/grandchild; sleep 600; true' & wait"
    with pytest.raises(ProcessCancelled, match="sh was stopped"):
        run(["sh", "-c", script], timeout=600, cancel=cancel)
    assert ended(pid_in(tmp_path / "grandchild"))


def test_large_input_does_not_keep_a_caller_from_stopping(cancel: threading.Event) -> None:
    """A program that reads nothing is ended as well."""
    with pytest.raises(ProcessCancelled):
        run(["sleep", "600"], timeout=600, input=b"x" * (1 << 22), cancel=cancel)


def test_endless_output_does_not_keep_a_caller_from_stopping(cancel: threading.Event) -> None:
    """A program that never falls silent is ended as well."""
    with pytest.raises(ProcessCancelled):
        run(
            [PYTHON, "-c", "import time\nwhile True: print('y' * 99); time.sleep(0.001)"],
            timeout=600,
            cancel=cancel,
        )


def test_an_event_that_is_never_set_changes_nothing() -> None:
    """A short program ends by itself."""
    assert run(["echo", "a"], timeout=LONG, cancel=threading.Event()).stdout == b"a\n"


def test_an_interrupted_caller_leaves_nothing_behind(tmp_path: Path) -> None:
    """Ctrl-C does not reach the program, which has a group of its own: it is ended all the same."""
    script = tmp_path / "caller.py"
    child = f"echo $$ > {tmp_path}/child; sleep 600; true"
    script.write_text(
        "import signal\n"
        "from gitops_backup.process import run\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"run(['sh', '-c', {child!r}], timeout=600)\n"
    )
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with subprocess.Popen([PYTHON, script], env=environ, stderr=subprocess.PIPE) as caller:
        child_pid = pid_in(tmp_path / "child")
        caller.send_signal(signal.SIGINT)
        _, printed = caller.communicate(timeout=LONG)
    assert b"KeyboardInterrupt" in printed
    assert ended(child_pid)


def test_a_program_in_the_background_gives_way_to_others() -> None:
    """With all that it starts."""
    script = "sleep 0.2; nice; sh -c nice"
    usual = [run(["nice"], timeout=10).stdout] * 2
    there = run(["sh", "-c", script], timeout=10, background=True).stdout.splitlines(keepends=True)
    assert [int(niceness) for niceness in there] == [max(int(each), 10) for each in usual]
