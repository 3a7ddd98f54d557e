"""The folder that outlives a sandbox: programs that were found or made once, and locks.

It is the user's cache folder, or the one that `GITOPS_BACKUP_CACHE` names. A lock is held by an open file
(flock), so that it ends with the process that holds it, however that ends.
"""

import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import platformdirs

VARIABLE = "GITOPS_BACKUP_CACHE"


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where programs and sandboxes are kept; not created here."""
    named = environ.get(VARIABLE)
    return Path(named).absolute() if named else platformdirs.user_cache_path("gitops-backup")


@contextmanager
def locked(path: Path, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock that `path` stands for; `waiting` is called once when somebody else holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def hold(path: Path, *, text: str) -> int | None:
    """An open file descriptor that holds the lock `path`, with `text` in it; None when somebody holds it.

    Whoever holds it may remove the file: a lock on a file that is no longer there is taken again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        try:
            same = path.stat().st_ino == os.fstat(descriptor).st_ino
        except FileNotFoundError:
            same = False
        if same:
            os.ftruncate(descriptor, 0)
            os.write(descriptor, text.encode())
            return descriptor
        os.close(descriptor)


def holder(path: Path) -> str | None:
    """What the holder of the lock wrote into it; None when nobody holds it."""
    try:
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return file.read()
            return None
    except FileNotFoundError:
        return None
