"""Real renderers."""

from tests.rendering.programs import helm, jsonnet, kustomize

__all__ = ["helm", "jsonnet", "kustomize"]
