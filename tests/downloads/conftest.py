"""Servers of charts on loopback: one that does what it is told, and a real registry."""

from collections.abc import Iterator

import pytest

from tests.registry.conftest import programs, registry_program, repository, upstream
from tests.registry.faulty import FaultyServer

__all__ = ["programs", "registry_program", "repository", "upstream"]


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    """A server that has nothing until it is told."""
    with FaultyServer() as running:
        yield running
