"""The temporary folder of a process: nothing of it stays, and nobody else's is touched."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from gitops_backup.process import run

_PROJECT = Path(__file__).parents[2]
_WORKS = """
import sys
from gitops_backup.registry.folder import temporary_folder
with temporary_folder() as folder:
    (folder / "copies").mkdir()
    (folder / "copies" / "src.json").write_text("secret")
    print(folder, oct(folder.stat().st_mode & 0o777), flush=True)
    sys.stdin.read()
"""

Start = Callable[[], tuple["subprocess.Popen[str]", Path]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a process that works in a folder of its own until its input ends."""
    with ExitStack() as stack:

        def started() -> tuple[subprocess.Popen[str], Path]:
            process = subprocess.Popen(
                [sys.executable, "-c", _WORKS],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                cwd=_PROJECT,
                env={**os.environ, "TMPDIR": str(tmp_path)},
            )
            stack.enter_context(process)
            assert process.stdout is not None
            folder, mode = process.stdout.readline().split()
            assert mode == "0o700"
            return process, Path(folder)

        yield started


def _end(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(20) == 0


def test_a_folder_goes_with_its_process(start: Start, tmp_path: Path) -> None:
    """When it ends by itself."""
    process, folder = start()
    assert (folder / "copies" / "src.json").exists()
    _end(process)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_by_the_next(start: Start, tmp_path: Path) -> None:
    """And what others work in, or made, is not: not even behind a link."""
    alive, in_use = start()
    killed, left = start()
    killed.send_signal(signal.SIGKILL)
    killed.wait(20)
    assert (left / "copies" / "src.json").exists()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "gitops-backup-copies-link").symlink_to(elsewhere)
    (tmp_path / "gitops-backup-copies-file").write_text("")
    (tmp_path / "gitops-backup-other").mkdir()
    process, _ = start()
    assert not left.exists()
    assert in_use.exists()
    _end(process)
    _end(alive)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "elsewhere",
        "gitops-backup-copies-file",
        "gitops-backup-copies-link",
        "gitops-backup-other",
    ]


def test_many_that_begin_at_once_do_not_take_each_others(tmp_path: Path) -> None:
    """Each has its own until it ends."""
    script = """
import concurrent.futures as f
from gitops_backup.registry.folder import temporary_folder
def work(_):
    with temporary_folder() as folder:
        (folder / "mine").write_text("")
        return (folder / "mine").exists()
with f.ProcessPoolExecutor(4) as pool:
    assert all(pool.map(work, range(200)))
"""
    done = run([sys.executable, "-c", script], timeout=60, cwd=_PROJECT, env={"TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_machine_without_a_temporary_folder_is_refused_in_one_line() -> None:
    """With what to do about it."""
    script = """
import tempfile
from gitops_backup.errors import UsageError
from gitops_backup.registry.folder import temporary_folder
tempfile.tempdir = "/nowhere"
try:
    with temporary_folder():
        pass
except UsageError as error:
    print(error)
"""
    done = run([sys.executable, "-c", script], timeout=60, cwd=_PROJECT)
    assert done.stdout.startswith(b"there is no folder for temporary files"), done.stderr
