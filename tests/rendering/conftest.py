"""Real renderers."""

from tests.rendering.programs import helm, helm_renderer, jsonnet, jsonnet_renderer, kustomize, renderer

__all__ = ["helm", "helm_renderer", "jsonnet", "jsonnet_renderer", "kustomize", "renderer"]
