"""Real renderers."""

from tests.rendering.programs import helm, kustomize

__all__ = ["helm", "kustomize"]
