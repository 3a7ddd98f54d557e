"""Which kind of source stands at a path (GetAppSourceType in Argo CD's reposerver/repository/repository.go).

What the source says of itself comes first; then a plugin that recognises the folder, which Argo CD alone can
tell; then the names in the folder. There, the last name that is one of a chart or a kustomization decides, so
that Kustomize wins where both stand in one folder.
"""

from enum import StrEnum

from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.trees import Tree


class SourceKind(StrEnum):
    """What a source is; the values are Argo CD's where it has one."""

    DIRECTORY = "Directory"
    KUSTOMIZE = "Kustomize"
    HELM = "Helm"
    PLUGIN = "Plugin"
    CHART_REPOSITORY = "ChartRepository"
    """A Helm chart from a chart repository or a registry, which is not in Git."""
    VALUES_ONLY = "ValuesOnly"
    """A repository without a path, which other sources may refer to, and which has no manifests itself."""
    CONTRADICTION = "Contradiction"
    """A source that says two different kinds of itself, which Argo CD refuses."""


def kind_of_source(application: Application, source: Source, *, folder: str, tree: Tree) -> SourceKind:
    """The kind of a source whose folder in the tree is `folder`, with what parameter files say merged in."""
    if source.chart or source.repo_url.startswith("oci://"):
        return SourceKind.CHART_REPOSITORY
    if not source.path:
        return SourceKind.VALUES_ONLY
    if len(source.blocks) > 1:
        return SourceKind.CONTRADICTION
    if source.blocks:
        return SourceKind(source.blocks[0].capitalize())
    if application.source_type(source) == SourceKind.PLUGIN:
        return SourceKind.PLUGIN
    return _by_names([entry.path.rpartition("/")[2] for entry in tree.under(folder, recurse=False)])


def _by_names(names: list[str]) -> SourceKind:
    kind = SourceKind.DIRECTORY
    for name in names:
        if name.endswith("Chart.yaml"):
            kind = SourceKind.HELM
        elif name in ("kustomization.yaml", "kustomization.yml", "Kustomization"):
            kind = SourceKind.KUSTOMIZE
    return kind
