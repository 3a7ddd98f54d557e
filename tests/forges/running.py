"""A Gitea that is found, or built where it is missing, and started."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitops_backup.sandbox.binaries import Binaries
from gitops_backup.sandbox.cache import cache_folder
from gitops_backup.sandbox.gitea import Gitea
from gitops_backup.sandbox.programs import Programs


@contextmanager
def running_gitea(folder: Path) -> Iterator[Gitea]:
    """Gitea in a folder of its own; a build of some minutes is told on stderr."""
    binaries = Binaries(
        cache=cache_folder(os.environ),
        environ=os.environ,
        progress=lambda line: print(line, file=sys.__stderr__, flush=True),
    )
    program = binaries.provide(["gitea"])["gitea"]
    with Programs() as programs:
        server = Gitea(programs, program, folder / "gitea")
        try:
            yield server
        finally:
            server.end()
