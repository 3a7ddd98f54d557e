"""Real renderers for tests: found, or built once where there are none."""

import os
from pathlib import Path

import pytest

from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sandbox.binaries import Binaries
from gitops_backup.sandbox.cache import cache_folder


@pytest.fixture(scope="session")
def kustomize(pytestconfig: pytest.Config) -> Path:
    """A real kustomize."""
    return provided("kustomize", pytestconfig)


@pytest.fixture(scope="session")
def renderer(kustomize: Path, tmp_path_factory: pytest.TempPathFactory) -> LocalRenderer:
    """A renderer that runs the real programs."""
    return LocalRenderer(kustomize=kustomize, scratch=tmp_path_factory.mktemp("renderer"))


@pytest.fixture(scope="session")
def helm(pytestconfig: pytest.Config) -> Path:
    """A real Helm."""
    return provided("helm", pytestconfig)


@pytest.fixture(scope="session")
def helm_renderer(helm: Path, tmp_path_factory: pytest.TempPathFactory) -> LocalRenderer:
    """A renderer that runs the real Helm."""
    return LocalRenderer(helm=helm, scratch=tmp_path_factory.mktemp("renderer"))


@pytest.fixture(scope="session")
def jsonnet(pytestconfig: pytest.Config) -> Path:
    """A real jsonnet."""
    return provided("jsonnet", pytestconfig)


@pytest.fixture(scope="session")
def jsonnet_renderer(jsonnet: Path, tmp_path_factory: pytest.TempPathFactory) -> LocalRenderer:
    """A renderer that runs the real jsonnet."""
    return LocalRenderer(jsonnet=jsonnet, scratch=tmp_path_factory.mktemp("renderer"))


@pytest.fixture(scope="session")
def both_renderers(helm: Path, kustomize: Path, tmp_path_factory: pytest.TempPathFactory) -> LocalRenderer:
    """A renderer that runs both programs."""
    return LocalRenderer(helm=helm, kustomize=kustomize, scratch=tmp_path_factory.mktemp("renderer"))


def provided(name: str, config: pytest.Config) -> Path:
    """Where a program is; building it takes a minute or two, once, and whoever waits shall see why."""
    capture = config.pluginmanager.getplugin("capturemanager")

    def progress(line: str) -> None:
        with capture.global_and_fixture_disabled():
            print(line, flush=True)

    binaries = Binaries(cache=cache_folder(os.environ), environ=os.environ, progress=progress)
    return binaries.provide([name])[name]
