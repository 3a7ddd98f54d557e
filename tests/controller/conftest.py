"""Real renderers for drafts."""

from tests.rendering.programs import helm, helm_renderer, kustomize, renderer

__all__ = ["helm", "helm_renderer", "kustomize", "renderer"]
