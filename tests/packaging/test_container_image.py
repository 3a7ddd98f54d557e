"""The container image, as far as it can be looked at without building it."""

from pathlib import Path

import pytest

from gitops_backup.sandbox.build import BUILDABLE

_DOCKERFILE = (Path(__file__).resolve().parents[2] / "Dockerfile").read_text()


@pytest.mark.parametrize("name", ["kustomize", "helm", "jsonnet"])
def test_it_renders_with_what_the_tests_render_with(name: str) -> None:
    """The same versions, built in the same way."""
    program = BUILDABLE[name]
    assert f" {program.package}@{program.version}\n" in _DOCKERFILE
    assert f"/out/{name} " in _DOCKERFILE
    for variable, value in program.stamps:
        assert f"-X {variable}={value}" in _DOCKERFILE
