"""A Git server, bare repositories, and stores of clones that are closed after each test."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Protocol

import pytest

from gitops_backup.git.commits import Identity
from gitops_backup.git.credentials import GitCredentials
from gitops_backup.git.store import GitStore
from gitops_backup.sandbox.githost import GitHost
from tests.git.bare import BareRepository


class OpenStore(Protocol):
    """Opens a store; what is not given is as for a repository on this machine."""

    def __call__(self, folder: str = "cache", **arguments: Any) -> GitStore: ...


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHost]:
    """A server whose pushes want a password."""
    with closing(GitHost(tmp_path / "host")) as host:
        yield host


@pytest.fixture
def login(host: GitHost) -> GitCredentials:
    """The credentials of that server's user."""
    data = {"username": host.username.encode(), "password": host.password.encode()}
    return GitCredentials.of(host.url("x").rpartition("/")[0], data)


@pytest.fixture
def bare(tmp_path: Path) -> BareRepository:
    """An empty bare repository on this machine."""
    return BareRepository(tmp_path / "bare.git")


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenStore]:
    with ExitStack() as stack:

        def opened(folder: str = "cache", **arguments: Any) -> GitStore:
            identity = Identity("Backup Bot", "bot@example.org")
            store = GitStore(tmp_path / folder, **{"identity": identity, "allow_file": True, **arguments})
            return stack.enter_context(store)

        yield opened
