"""Real renderers for drafts."""

from tests.rendering.programs import (
    both_renderers,
    helm,
    helm_renderer,
    jsonnet,
    jsonnet_renderer,
    kustomize,
    renderer,
)

__all__ = ["both_renderers", "helm", "helm_renderer", "jsonnet", "jsonnet_renderer", "kustomize", "renderer"]
