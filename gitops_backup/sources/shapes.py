"""The shapes that a source can have: each is edited by its own function, and what cannot be edited is named.

Which files a source is read from follows from what some of them say: `files_to_read` is asked again with the
contents of what it named, until it names nothing new.

A source that is read by several Applications is edited once for each, one after the other, each time on what
the one before has made of it: then each edit is proven by itself, and they cannot overlap.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.directory import list_files
from gitops_backup.sources.helm.charts import files_of_chart
from gitops_backup.sources.helm.editing import edit_chart, render_chart
from gitops_backup.sources.kinds import SourceKind, kind_of_source
from gitops_backup.sources.kustomize.editing import (
    edit_kustomization,
    files_of_kustomization,
    render_kustomization,
)
from gitops_backup.sources.plain import edit_directory
from gitops_backup.sources.rendered import Rendered
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.replacements import Refused, Replacement, ShapeResult
from gitops_backup.sources.sites import Site
from gitops_backup.sources.trees import Tree, folder_of, not_followed


class ToRead(NamedTuple):
    """The files that a source is read from; where it is `rendered`, their contents may name more."""

    paths: frozenset[str]
    rendered: bool


def files_to_read(
    application: Application, source: Source, tree: Tree, contents: Mapping[str, bytes]
) -> ToRead:
    """What `edit_source` looks into, as far as the contents that are known tell."""
    folder = folder_of(source.path)
    kind = kind_of_source(application, source, folder=folder, tree=tree) if folder is not None else None
    match kind:
        case SourceKind.DIRECTORY if folder is not None:
            return ToRead(frozenset(list_files(tree, folder, source.directory).manifests), rendered=False)
        case SourceKind.KUSTOMIZE if folder is not None:
            paths = files_of_kustomization(folder, options=source.kustomize, tree=tree, contents=contents)
            return ToRead(paths, rendered=True)
        case SourceKind.HELM if folder is not None:
            refs = _refs(application, source)
            paths = files_of_chart(folder, options=source.helm, tree=tree, contents=contents, refs=refs)
            return ToRead(paths, rendered=True)
    return ToRead(frozenset(), rendered=False)


def edit_source(
    application: Application,
    source: Source,
    replacements: Sequence[Replacement],
    *,
    tree: Tree,
    contents: Mapping[str, bytes],
    renderer: Renderer,
    copies: Mapping[Reference, str],
    shared: AbstractSet[str] = frozenset(),
) -> ShapeResult:
    """What is to change in one source of an Application for these replacements.

    `tree` has the paths of the commit that the edit is for. `contents` has the bytes of the files that
    `files_to_read` names; one that is not there is as one that cannot be read. `copies` has the reference of
    the verified copy of each image that may become its copy in passing; `shared` are the files that other
    Applications are read from, too.
    """
    folder = folder_of(source.path)
    if folder is None:
        message = f"the path {one_line(source.path)} leads out of the repository"
        return _refused(replacements, Reason.NOT_FOUND_IN_SOURCE, message)
    kind = kind_of_source(application, source, folder=folder, tree=tree)
    if kind not in _WRITABLE:
        return _unsupported(source, kind, folder, replacements)
    link = tree.link_towards(folder)
    if link is not None:
        message = not_followed(link)
        return _refused(replacements, Reason.UNSUPPORTED_SOURCE, message)
    if kind == SourceKind.DIRECTORY:
        return edit_directory(
            replacements,
            folder=folder,
            options=source.directory,
            namespace=application.destination_namespace,
            tree=tree,
            contents=contents,
        )
    site = _site(application, source, folder, tree=tree, contents=contents, renderer=renderer)
    if kind == SourceKind.KUSTOMIZE:
        return edit_kustomization(replacements, site, source.kustomize, copies=copies)
    return edit_chart(replacements, site, source.helm, copies=copies, shared=shared)


def render_source(
    application: Application,
    source: Source,
    *,
    tree: Tree,
    contents: Mapping[str, bytes],
    renderer: Renderer,
    again: bool = False,
) -> tuple[Rendered, ...]:
    """What Argo CD would render of a source; nothing where that takes no renderer.

    With `again`, it is rendered even if that was done before. Raises a `GitopsBackupError` where that fails.
    """
    folder = folder_of(source.path)
    if folder is None:
        return ()
    site = _site(application, source, folder, tree=tree, contents=contents, renderer=renderer)
    match kind_of_source(application, source, folder=folder, tree=tree):
        case SourceKind.KUSTOMIZE:
            return render_kustomization(site, source.kustomize)
        case SourceKind.HELM:
            return render_chart(site, source.helm, again=again)
    return ()


def described(source: Source, kind: SourceKind, folder: str) -> str:
    """What a source is that cannot be edited, in a few words."""
    return _NAMES[kind].format(path=one_line(folder) or "the repository's root", chart=one_line(source.chart))


def _site(
    application: Application,
    source: Source,
    folder: str,
    *,
    tree: Tree,
    contents: Mapping[str, bytes],
    renderer: Renderer,
) -> Site:
    return Site(
        folder=folder,
        release=application.name,
        namespace=application.destination_namespace,
        tree=tree,
        contents=contents,
        renderer=renderer,
        refs=_refs(application, source),
    )


def _refs(application: Application, source: Source) -> frozenset[str]:
    """The names of those sources of the Application that are on the same commit as this one."""
    here = source.repository, source.target_revision
    same = (each for each in application.sources if (each.repository, each.target_revision) == here)
    return frozenset(each.ref for each in same if each.ref)


def _unsupported(
    source: Source, kind: SourceKind, folder: str, replacements: Sequence[Replacement]
) -> ShapeResult:
    message = described(source, kind, folder)
    refused = []
    for replacement in replacements:
        override = source.overriding(replacement.old)
        if override is None:
            refused.append(Refused(replacement, Reason.UNSUPPORTED_SOURCE, f"the source is {message}"))
        else:
            sets = f"{override.place} of the live Application sets {one_line(override.value)}"
            refused.append(Refused(replacement, Reason.OVERRIDDEN, sets))
    return ShapeResult(refused=tuple(refused))


def _refused(replacements: Sequence[Replacement], reason: Reason, message: str) -> ShapeResult:
    return ShapeResult(refused=tuple(Refused(replacement, reason, message) for replacement in replacements))


_WRITABLE = frozenset({SourceKind.DIRECTORY, SourceKind.KUSTOMIZE, SourceKind.HELM})
_NAMES = {
    SourceKind.PLUGIN: "rendered by a config management plugin from {path}",
    SourceKind.CHART_REPOSITORY: "the chart {chart} from a chart repository, which is not in Git",
    SourceKind.OCI_ARTIFACT: "an OCI artifact, which is not in Git",
    SourceKind.VALUES_ONLY: "a repository without a path, which has no manifests of its own",
    SourceKind.HYDRATED: "rendered by a source hydrator from {path}",
    SourceKind.PARAMETER_FILE: "a folder, {path}, with parameters of its own in .argocd-source.yaml",
    SourceKind.CONTRADICTION: "of two kinds at once, which Argo CD refuses",
}
