"""A Gitea that is found, or built where it is missing, and started."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gitops_backup.sandbox.binaries import Binaries
from gitops_backup.sandbox.cache import cache_folder
from gitops_backup.sandbox.gitea import Gitea
from gitops_backup.sandbox.packages import Packages
from gitops_backup.sandbox.programs import Programs


@contextmanager
def running_gitea(folder: Path) -> Iterator[Gitea]:
    """Gitea in a folder of its own; a build of some minutes is told on stderr."""
    cache, environ = cache_folder(os.environ), os.environ

    def tell(line: str) -> None:
        print(line, file=sys.__stderr__, flush=True)

    binaries = Binaries(cache=cache, environ=environ, progress=tell)
    if not binaries.at_hand(["gitea"]):
        root = os.geteuid() == 0
        Packages(cache=cache, environ=environ, progress=tell, may_install=root).provide_c_compiler()
    program = binaries.provide(["gitea"])["gitea"]
    with Programs() as programs:
        server = Gitea(programs, program, folder / "gitea")
        try:
            yield server
        finally:
            server.end()
