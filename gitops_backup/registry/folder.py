"""A temporary folder that lasts no longer than its process, however that ends.

Credentials lie in it while images are copied, and parts of images. A process that is killed cannot remove it,
so the next one does. Which folders are in use is known by a lock on each of them, which ends with its process
(flock(2)): a process id tells nothing in a container, where every controller has the same.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gitops_backup.errors import UsageError

_PREFIX = "gitops-backup-copies-"


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder that only we can read; those that were left behind are removed. Raises `UsageError`."""
    try:
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            _remove_if_left(folder)
        folder, lock = _make()
    except OSError as error:
        raise UsageError(
            f"there is no folder for temporary files: {error.strerror}",
            hint="name one that can be written to in TMPDIR",
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _make() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
        with suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists():
                return folder, lock
            # somebody who began at the same time took it for left behind
            os.close(lock)


def _remove_if_left(folder: Path) -> None:
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return  # somebody else's
    try:
        if os.fstat(lock).st_uid == os.geteuid():
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        return  # somebody works in it
    finally:
        os.close(lock)
