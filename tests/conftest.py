"""What tests of several folders share: one sandbox of real servers for the whole run, and fresh places in it.

A test that needs a server fails where there is none; it is not skipped. Generated cases are the same in every
run, so that no change is blamed for what another one broke; `make fuzz` is what tries cases that are new.
"""

import os
import secrets
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from gitops_backup.sandbox.cache import cache_folder
from gitops_backup.sandbox.gitea import Gitea
from gitops_backup.sandbox.packages import Packages
from gitops_backup.sandbox.registry import Registry
from gitops_backup.sandbox.sandbox import Sandbox
from tests.forges.running import running_gitea

# a shell lets what it starts in the background ignore Ctrl-C, and so would everything that is started here
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("steady", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("fuzz", deadline=None, print_blob=True)
settings.load_profile("steady")  # unless pytest is told `--hypothesis-profile`


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox with its stand-ins, shared by all tests: use names of your own in it."""
    with Sandbox.start(renderers=True) as running:
        yield running


@pytest.fixture(scope="session")
def gitea(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gitea]:
    """A running Gitea, shared by all tests: use repositories of your own in it."""
    with running_gitea(tmp_path_factory.mktemp("forge")) as running:
        yield running


@pytest.fixture
def clean_sandbox(sandbox: Sandbox) -> Sandbox:
    """The shared sandbox with no workload, Application, ImageBackup or Lease in it."""
    sandbox.reset()
    return sandbox


@pytest.fixture
def namespace(sandbox: Sandbox) -> Iterator[str]:
    """A namespace of its own, whose workloads are deleted afterwards."""
    name = sandbox.namespace(f"test-{secrets.token_hex(4)}")
    yield name
    for plural in ("deployments", "daemonsets"):
        sandbox.api.delete(f"/apis/apps/v1/namespaces/{name}/{plural}")


@pytest.fixture
def repository(sandbox: Sandbox) -> str:
    """The name of an empty repository of its own on the sandbox's Git host."""
    name = f"test-{secrets.token_hex(4)}"
    sandbox.git.create(name)
    return name


@pytest.fixture
def registry(sandbox: Sandbox) -> Iterator[Registry]:
    """An empty registry of its own, open to everybody."""
    with sandbox.registry("test") as running:
        yield running


@pytest.fixture(scope="session")
def gpg() -> None:
    """gpg on this machine, installed where that can be done."""
    environ = dict(os.environ)
    cache = cache_folder(environ)
    Packages(cache=cache, environ=environ, progress=print, may_install=os.geteuid() == 0).provide_gpg()
