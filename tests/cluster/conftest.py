"""A scripted server for what must go wrong, and the sandbox's API server for what must go right."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gitops_backup.cluster.connection import Connection, connect
from gitops_backup.sandbox.sandbox import Sandbox
from tests.cluster.scripted import ScriptedServer, connected, scripted_server


@pytest.fixture
def scripted() -> Iterator[ScriptedServer]:
    """A server that answers as the test tells it to."""
    with scripted_server() as server:
        yield server


@pytest.fixture
def scripted_connection(scripted: ScriptedServer, tmp_path: Path) -> Iterator[Connection]:
    """A connection to the scripted server."""
    with closing(connected(tmp_path, scripted)) as connection:
        yield connection


@pytest.fixture
def connection(sandbox: Sandbox) -> Iterator[Connection]:
    """An administrator's connection to a real API server."""
    with closing(connect(kubeconfig=sandbox.kubeconfig, context=None)) as connection:
        yield connection
