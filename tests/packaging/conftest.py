"""The manifests as a real kustomize builds them."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup.process import run
from gitops_backup.sandbox.binaries import Binaries
from gitops_backup.sandbox.cache import cache_folder

Build = Callable[[Path], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def build(pytestconfig: pytest.Config) -> Build:
    """Builds a kustomization into its objects; fails with kustomize's own words."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")

    def progress(line: str) -> None:
        # building kustomize takes a minute or two, once: whoever waits shall see why
        with capture.global_and_fixture_disabled():
            print(line, flush=True)

    binaries = Binaries(cache=cache_folder(os.environ), environ=os.environ, progress=progress)
    kustomize = binaries.provide(["kustomize"])["kustomize"]

    def objects(folder: Path) -> list[dict[str, Any]]:
        done = run([str(kustomize), "build", str(folder)], timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return [each for each in yaml.safe_load_all(done.stdout) if each]

    return objects
