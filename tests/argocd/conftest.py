"""A sandbox of its own for these tests, with a real Argo CD, and rollouts that really happen."""

import os
from collections.abc import Iterator

import pytest

from gitops_backup.sandbox.binaries import Binaries
from gitops_backup.sandbox.cache import cache_folder
from gitops_backup.sandbox.controllers import Controllers
from gitops_backup.sandbox.packages import Packages
from gitops_backup.sandbox.realargocd import RealArgoCd
from gitops_backup.sandbox.sandbox import Sandbox
from tests.argocd.programs import PROGRAMS


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox without stand-ins, shared by these tests: use names of your own in it."""
    cache = cache_folder(os.environ)
    binaries = Binaries(cache=cache, environ=os.environ, progress=print).provide(PROGRAMS)
    packages = Packages(cache=cache, environ=os.environ, progress=print, may_install=os.geteuid() == 0)
    redis = packages.provide_redis()
    packages.provide_gpg()
    with (
        Sandbox.start(stand_ins=False, renderers=True) as running,
        Controllers(running, binaries=binaries, report=print),
        RealArgoCd(running, binaries={**binaries, **running.renderers}, redis=redis),
    ):
        yield running
