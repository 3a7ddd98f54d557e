"""How commands end that are stopped, or whose output nobody reads."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitops_backup.sandbox.sandbox import Sandbox
from tests.cli.command import COMMAND, PROJECT, SECONDS
from tests.cli.conftest import Options
from tests.cli.shop import Shop
from tests.cli.test_api_server import write_kubeconfig

_LONGEST_STOP = 10.0
_INTERRUPTED_AT_AN_IMPORT = """
import os, signal, sys
from gitops_backup.__main__ import main

class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "gitops_backup.cli.main":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupt())
main()
"""


@contextmanager
def _running(
    *arguments: str | Path, ignoring: signal.Signals | None = None
) -> Iterator[subprocess.Popen[str]]:
    shell = ["sh", "-c", f'trap "" {ignoring.name[3:]}; exec "$@"', "sh"] if ignoring is not None else []
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "BACKUP_REPOSITORY": "docker.io/acme"}
    # what nohup has these tests ignore, commands would ignore, too
    surroundings = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        process = subprocess.Popen(
            [*shell, *COMMAND, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            cwd=PROJECT,
        )
    finally:
        signal.signal(signal.SIGHUP, surroundings)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def _silent_server() -> Iterator[tuple[int, threading.Event]]:
    """A server that takes connections and says nothing; the event is set when the first one has come."""
    reached, over = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            connection, _ = server.accept()
            with connection:
                reached.set()
                over.wait(SECONDS)

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1], reached
        over.set()
        thread.join()


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_the_controller_ends_well_when_it_is_told_to(options: Options, sign: signal.Signals) -> None:
    """It is what a kubelet, or a person, wants of it: the exit code is 0."""
    with _running(*options, "run", "--mode", "report") as process:
        assert process.stderr is not None
        assert any("everything was seen once" in line for line in process.stderr)
        process.send_signal(sign)
        assert process.wait(_LONGEST_STOP) == 0
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("arguments", "sign", "code"),
    [
        (["run", "--mode", "report"], signal.SIGTERM, 0),
        (["run", "--mode", "report"], signal.SIGINT, 0),
        (["run", "--mode", "report"], signal.SIGHUP, 0),
        (["report"], signal.SIGTERM, 143),
        (["report"], signal.SIGINT, 130),
        (["report"], signal.SIGHUP, 129),
    ],
)
def test_a_command_that_waits_for_the_api_server_can_be_stopped(
    tmp_path: Path, arguments: list[str], sign: signal.Signals, code: int
) -> None:
    """At once, and with no word but what a shell expects."""
    with _silent_server() as (port, reached):
        kubeconfig = write_kubeconfig(tmp_path / "config", f"http://127.0.0.1:{port}")
        with _running("--kubeconfig", kubeconfig, *arguments) as process:
            assert reached.wait(SECONDS)
            process.send_signal(sign)
            assert process.wait(_LONGEST_STOP) == code
            assert process.stdout is not None
            assert process.stderr is not None
            assert (process.stdout.read(), process.stderr.read().strip()) == ("", "")


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_a_report_that_is_stopped_leaves_no_git_behind(
    options: Options, sandbox: Sandbox, namespace: str, sign: signal.Signals
) -> None:
    """It has a process group of its own, and would wait for its server for ever."""
    with _silent_server() as (port, reached):
        url = f"http://127.0.0.1:{port}/{namespace}"
        shop = Shop(sandbox, namespace, url, "")
        sandbox.apply(shop.application("mute", url, "."), shop.tracked("web", "nginx:1.14.0", by="mute"))
        shop.wait("web")
        with _running(*options, "report", "-n", namespace) as process:
            assert reached.wait(SECONDS)
            process.send_signal(sign)
            assert process.wait(_LONGEST_STOP) == 128 + sign
            lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
            assert not any(url.encode() in line for line in lines)


def test_a_terminal_that_goes_away_is_of_no_concern_under_nohup(options: Options) -> None:
    """That is what it is for."""
    with _running(*options, "run", "--mode", "report", ignoring=signal.SIGHUP) as process:
        assert process.stderr is not None
        assert any("everything was seen once" in line for line in process.stderr)
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
        process.terminate()
        assert process.wait(_LONGEST_STOP) == 0


@pytest.mark.parametrize("arguments", [["name", "nginx"], ["report", "--exit-code"]])
def test_a_pipe_that_nobody_reads_ends_a_command_in_silence(options: Options, arguments: list[str]) -> None:
    """As with any program in a shell, and unlike a report that has something due."""
    read, write = os.pipe()
    os.close(read)
    with open(write, "wb") as closed:  # noqa: PTH123, there is no path
        done = subprocess.run(
            [*COMMAND, *map(str, options), *arguments],
            stdout=closed,
            stderr=subprocess.PIPE,
            timeout=SECONDS,
            check=False,
            cwd=PROJECT,
        )
    assert done.returncode == 141
    assert done.stderr in {b"", b"no Deployment or DaemonSet found\n"}


def _in_a_shell(options: Options, arguments: str) -> subprocess.CompletedProcess[bytes]:
    """What becomes of a command with these arguments and redirections."""
    script = f'exec "$@" {arguments}'
    return subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, *map(str, options)],
        capture_output=True,
        timeout=SECONDS,
        check=False,
        cwd=PROJECT,
    )


@pytest.mark.parametrize(
    ("arguments", "why", "code"),
    [
        ("name nginx >/dev/full", "No space left on device", 1),
        ("--help >/dev/full", "No space left on device", 1),
        ("report --exit-code >/dev/full", "No space left on device", 2),
        ("report -o json >/dev/full", "No space left on device", 2),
        ("report >&-", "Bad file descriptor", 2),
        ("name nginx <&- >&-", "Bad file descriptor", 1),
    ],
)
def test_output_that_cannot_be_written_is_an_error(
    options: Options, arguments: str, why: str, code: int
) -> None:
    """It is what the command was asked for."""
    done = _in_a_shell(options, arguments)
    said = done.stderr.decode().removeprefix("no Deployment or DaemonSet found\n")
    assert said == f"gitops-backup: standard output cannot be written: {why}\n"
    assert done.returncode == code


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
def test_news_that_cannot_be_written_are_lost(options: Options, stderr: str) -> None:
    """The command does what it was asked for all the same, and its exit code says what became of it."""
    done = _in_a_shell(options, f"report --namespace nobody-has-this {stderr}")
    assert (done.returncode, done.stdout[:16]) == (0, b"0 containers in ")
    assert _in_a_shell(options, f"report --nope {stderr}").returncode == 2


def test_the_controller_ends_when_nobody_reads_its_log(options: Options) -> None:
    """As `run 2>&1 | head -1` wants it, and as well as when it is told to."""
    with _running(*options, "run", "--mode", "report") as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.stderr.close()
        assert process.wait(SECONDS) == 0


def test_an_interrupt_before_the_command_begins_is_no_traceback() -> None:
    """Half a second goes by until everything is imported."""
    done = subprocess.run(
        [sys.executable, "-c", _INTERRUPTED_AT_AN_IMPORT, "name", "nginx"],
        capture_output=True,
        timeout=SECONDS,
        check=False,
        cwd=PROJECT,
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")
