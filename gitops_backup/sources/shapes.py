"""The shapes that a source can have: each is edited by its own function, and what cannot be edited is named.

A source that is read by several Applications is edited once for each, one after the other, each time on what
the one before has made of it: then each edit is proven by itself, and they cannot overlap.
"""

from collections.abc import Mapping, Sequence

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.directory import list_files
from gitops_backup.sources.kinds import SourceKind, kind_of_source
from gitops_backup.sources.plain import edit_directory
from gitops_backup.sources.replacements import Refused, Replacement, ShapeResult
from gitops_backup.sources.trees import Tree, folder_of


def files_to_read(application: Application, source: Source, tree: Tree) -> tuple[str, ...]:
    """The paths of the files that `edit_source` looks into."""
    folder = folder_of(source.path)
    if (
        folder is None
        or kind_of_source(application, source, folder=folder, tree=tree) != SourceKind.DIRECTORY
    ):
        return ()
    return list_files(tree, folder, source.directory).manifests


def edit_source(
    application: Application,
    source: Source,
    replacements: Sequence[Replacement],
    *,
    tree: Tree,
    contents: Mapping[str, bytes],
) -> ShapeResult:
    """What is to change in one source of an Application for these replacements.

    `tree` has the paths of the commit that the edit is for; those outside of the source may be missing.
    `contents` has the bytes of the files that `files_to_read` names; one that is not there is as one that
    cannot be read.
    """
    folder = folder_of(source.path)
    if folder is None:
        message = f"the path {one_line(source.path)} leads out of the repository"
        return _refused(replacements, Reason.NOT_FOUND_IN_SOURCE, message)
    kind = kind_of_source(application, source, folder=folder, tree=tree)
    if kind != SourceKind.DIRECTORY:
        return _unsupported(source, kind, folder, replacements)
    link = tree.link_towards(folder)
    if link is not None:
        message = f"{one_line(link)} is a symbolic link, which is not followed"
        return _refused(replacements, Reason.UNSUPPORTED_SOURCE, message)
    return edit_directory(
        replacements,
        folder=folder,
        options=source.directory,
        namespace=application.destination_namespace,
        tree=tree,
        contents=contents,
    )


def _unsupported(
    source: Source, kind: SourceKind, folder: str, replacements: Sequence[Replacement]
) -> ShapeResult:
    message = _NAMES[kind].format(
        path=one_line(folder) or "the repository's root", chart=one_line(source.chart)
    )
    refused = []
    for replacement in replacements:
        override = source.overriding(replacement.old)
        if override is None:
            refused.append(Refused(replacement, Reason.UNSUPPORTED_SOURCE, f"the source is {message}"))
        else:
            sets = f"{override.field} of the live Application sets {one_line(override.value)}"
            refused.append(Refused(replacement, Reason.OVERRIDDEN, sets))
    return ShapeResult(refused=tuple(refused))


def _refused(replacements: Sequence[Replacement], reason: Reason, message: str) -> ShapeResult:
    return ShapeResult(refused=tuple(Refused(replacement, reason, message) for replacement in replacements))


_NAMES = {
    SourceKind.KUSTOMIZE: "a kustomization in {path}",
    SourceKind.HELM: "a Helm chart in {path}",
    SourceKind.PLUGIN: "rendered by a config management plugin from {path}",
    SourceKind.CHART_REPOSITORY: "the chart {chart} from a chart repository, which is not in Git",
    SourceKind.OCI_ARTIFACT: "an OCI artifact, which is not in Git",
    SourceKind.VALUES_ONLY: "a repository without a path, which has no manifests of its own",
    SourceKind.HYDRATED: "rendered by a source hydrator from {path}",
    SourceKind.PARAMETER_FILE: "a folder, {path}, with parameters of its own in .argocd-source.yaml",
    SourceKind.CONTRADICTION: "of two kinds at once, which Argo CD refuses",
}
