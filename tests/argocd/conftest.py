"""A sandbox of its own for these tests, with a real Argo CD, and rollouts that really happen."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_backup.sandbox.binaries import ASSETS, CONTROL_PLANE, Binaries
from gitops_backup.sandbox.cache import cache_folder
from gitops_backup.sandbox.controllers import Controllers
from gitops_backup.sandbox.packages import Packages
from gitops_backup.sandbox.realargocd import RealArgoCd
from gitops_backup.sandbox.sandbox import Sandbox
from tests.argocd.programs import PROGRAMS


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A running sandbox without stand-ins, shared by these tests: use names of your own in it."""
    cache = cache_folder(os.environ)
    environ = _with_a_current_etcd(cache, tmp_path_factory.mktemp("assets"))
    binaries = Binaries(cache=cache, environ=os.environ, progress=print).provide(PROGRAMS)
    packages = Packages(cache=cache, environ=os.environ, progress=print, may_install=os.geteuid() == 0)
    redis = packages.provide_redis()
    packages.provide_gpg()
    with (
        Sandbox.start(environ=environ, stand_ins=False, renderers=True) as running,
        Controllers(running, binaries=binaries, report=print),
        RealArgoCd(running, binaries={**binaries, **running.renderers}, redis=redis),
    ):
        yield running


@pytest.fixture(scope="module", autouse=True)
def alone(sandbox: Sandbox) -> Iterator[None]:
    """Takes what Argo CD has to look after away when a module's tests are done; what it deployed stays."""
    yield
    for plural in ("applicationsets", "applications"):
        root = "/apis/argoproj.io/v1alpha1"
        for namespace in {each["metadata"]["namespace"] for each in sandbox.api.items(f"{root}/{plural}")}:
            sandbox.api.delete(f"{root}/namespaces/{namespace}/{plural}")


def _with_a_current_etcd(cache: Path, folder: Path) -> dict[str, str]:
    """An environment that prefers an etcd of ours to the system's.

    Debian's, 3.4, cannot say how far a watch is (`RequestWatchProgress`): kwok sees pods half a minute late.
    """
    if ASSETS in os.environ:
        return dict(os.environ)
    ours = Binaries(cache=cache, environ={"PATH": ""}, progress=print).at_hand(CONTROL_PLANE)
    for name, path in ours.items():
        (folder / name).symlink_to(path)
    return {**os.environ, ASSETS: str(folder)}
