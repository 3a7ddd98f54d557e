"""Options that make the command work on the sandbox, and real renderers."""

from pathlib import Path

import pytest

from gitops_backup.sandbox.sandbox import Sandbox
from tests.rendering.programs import helm, jsonnet, kustomize

__all__ = ["Options", "helm", "jsonnet", "kustomize", "options"]

Options = tuple[str | Path, ...]


@pytest.fixture(scope="session")
def options(sandbox: Sandbox) -> Options:
    """The options for the sandbox, with an administrator's rights; there is a namespace for ImageBackups."""
    sandbox.namespace("image-backup")
    return ("--kubeconfig", sandbox.kubeconfig, "--config", sandbox.settings_file)
