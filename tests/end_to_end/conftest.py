"""A clean scene for every test, and the check of what must hold at its end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_backup.sandbox.sandbox import Sandbox
from tests.end_to_end.scene import Scene


@pytest.fixture
def scene(sandbox: Sandbox, tmp_path: Path) -> Iterator[Scene]:
    """A sandbox with nothing in it, and an empty backup registry."""
    sandbox.reset()
    sandbox.backup.interrupt()
    sandbox.backup.resume()
    sandbox.backup.forget_requests()
    made = Scene(sandbox, tmp_path)
    yield made
    made.check()
