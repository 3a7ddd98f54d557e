"""A real renderer for drafts."""

from tests.rendering.programs import kustomize, renderer

__all__ = ["kustomize", "renderer"]
