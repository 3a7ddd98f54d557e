"""How commands end that are stopped, or whose output nobody reads."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.command import COMMAND, PROJECT, SECONDS
from tests.cli.conftest import Options
from tests.cli.test_api_server import write_kubeconfig

_LONGEST_STOP = 10.0


@contextmanager
def _running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "BACKUP_REPOSITORY": "docker.io/acme"}
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=PROJECT,
    )
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


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
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
        (["report"], signal.SIGTERM, -signal.SIGTERM),
        (["report"], signal.SIGINT, 130),
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
