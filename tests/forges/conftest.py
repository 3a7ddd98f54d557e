"""A real Gitea for the whole run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_backup.sandbox.gitea import Gitea
from tests.forges.running import running_gitea


@pytest.fixture(scope="session")
def gitea(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gitea]:
    """A running Gitea, shared by all tests: use repositories of your own in it."""
    folder: Path = tmp_path_factory.mktemp("gitea")
    with running_gitea(folder) as running:
        yield running
