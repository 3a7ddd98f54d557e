"""The shapes that a source can have: each is edited by its own function, and what cannot be edited is named.

Which files a source is read from follows from what some of them say: `files_to_read` is asked again with the
contents of what it named, until it names nothing new.

A source that is spread over several places is edited on the commit at hand alone; `Mounts` says what else
there is. It has to be all there: what cannot be had is the reason why nothing is edited.

A source that is read by several Applications is edited once for each, one after the other, each time on what
the one before has made of it: then each edit is proven by itself, and they cannot overlap.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import NamedTuple

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.directories import (
    edit_directory,
    files_of_directory,
    known_to_argo_cd,
    render_programs,
)
from gitops_backup.sources.helm.charts import files_of_chart
from gitops_backup.sources.helm.dependencies import places_of_dependencies
from gitops_backup.sources.helm.editing import edit_chart, render_chart
from gitops_backup.sources.inline.comparison import differing
from gitops_backup.sources.inline.layers import Layers, UnusableParameters, files_of_layers, read_layers
from gitops_backup.sources.kinds import SourceKind, kind_of_source
from gitops_backup.sources.kustomize.editing import (
    edit_kustomization,
    files_of_kustomization,
    render_kustomization,
)
from gitops_backup.sources.layouts import Layout, layout_of
from gitops_backup.sources.mounts import Mounts, Unavailable, is_mounted
from gitops_backup.sources.places import Place, is_writable, owner_of, places_of
from gitops_backup.sources.rendered import Rendered
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.replacements import Refused, Replacement, ShapeResult
from gitops_backup.sources.sites import Site
from gitops_backup.sources.trees import Tree, not_followed


class ToRead(NamedTuple):
    """The files that a source is read from; where it is `rendered`, their contents may name more.

    Those `beside` are edited by themselves, and nothing is rendered from them. `places` are those that have
    to be opened before more can be said.
    """

    paths: frozenset[str] = frozenset()
    rendered: bool = False
    beside: frozenset[str] = frozenset()
    places: frozenset[Place] = frozenset()

    @property
    def together(self) -> frozenset[str]:
        """The files that it is rendered from."""
        return self.paths - self.beside if self.rendered else frozenset()


def files_to_read(
    application: Application, source: Source, tree: Tree, contents: Mapping[str, bytes], *, mounts: Mounts
) -> ToRead:
    """What `edit_source` looks into, as far as the contents that are known tell."""
    unknown = mounts.unknown(places_of(application, source))
    if unknown:
        return ToRead(places=unknown)
    layout = layout_of(application, source, mounts)
    if layout is None:
        return ToRead()
    saying = files_of_layers(application, source, layout.folder, tree)
    try:
        source = read_layers(application, source, layout.folder, tree=tree, contents=contents).source
    except UnusableParameters:
        return ToRead(saying, rendered=True)
    places = places_of(application, source)
    unknown = mounts.unknown(places)
    if unknown:  # a file with parameters names further ones
        return ToRead(saying, places=unknown)
    found = _files_to_read(application, source, tree, contents, mounts=mounts)
    return found._replace(paths=found.paths | saying)


def _files_to_read(
    application: Application, source: Source, tree: Tree, contents: Mapping[str, bytes], *, mounts: Mounts
) -> ToRead:
    layout = layout_of(application, source, mounts)
    if layout is None:
        return ToRead()
    if mounts.problem(places_of(application, source)) is not None:
        # what is edited here must not disturb it, which then cannot be shown
        paths = files_of_chart(layout, options=source.helm, tree=tree, contents=contents)
        return ToRead(paths, rendered=True)
    match kind_of_source(application, source, folder=layout.folder, tree=tree):
        case SourceKind.DIRECTORY:
            known = known_to_argo_cd(application, source)
            found = files_of_directory(layout, source.directory, known=known, tree=tree, contents=contents)
            return ToRead(found.paths, rendered=found.beside != found.paths, beside=found.beside)
        case SourceKind.KUSTOMIZE:
            paths = files_of_kustomization(
                layout.folder, options=source.kustomize, tree=tree, contents=contents
            )
            return ToRead(paths, rendered=True)
        case SourceKind.HELM | SourceKind.CHART_REPOSITORY:
            paths = files_of_chart(layout, options=source.helm, tree=tree, contents=contents)
            unknown = mounts.unknown(places_of_dependencies(layout, tree=tree, contents=contents))
            return ToRead(paths, rendered=True, places=unknown)
    return ToRead()


def edit_source(
    application: Application,
    source: Source,
    replacements: Sequence[Replacement],
    *,
    tree: Tree,
    contents: Mapping[str, bytes],
    mounts: Mounts,
    renderer: Renderer,
    copies: Mapping[Reference, str],
    shared: AbstractSet[str] = frozenset(),
) -> ShapeResult:
    """What is to change in one source of an Application for these replacements.

    `tree` has the paths of the commit that the edit is for, and of what is mounted. `contents` has the bytes
    of the files that `files_to_read` names; one that is not there is as one that cannot be read. `copies` has
    the reference of the verified copy of each image that may become its copy in passing; `shared` are the
    files that other Applications are read from, too.
    """
    layout = layout_of(application, source, mounts)
    if layout is None:
        message = f"the path {one_line(source.path)} leads out of the repository"
        return _refused(replacements, Reason.NOT_FOUND_IN_SOURCE, message)
    problem = mounts.problem(places_of(application, source))
    if problem is not None:
        return _refused(replacements, problem.reason, problem.message)
    here = _Here(application, tree, contents, mounts, renderer, copies, shared)
    try:
        layers = read_layers(application, source, layout.folder, tree=tree, contents=contents)
        field = differing(source, layers.application) if source.declared is not None else ""
        if not field:
            return _edited(replacements, layers, here)
        undeclared = replace(source, declared=None)
        live = read_layers(application, undeclared, layout.folder, tree=tree, contents=contents)
    except UnusableParameters as error:
        return _refused(replacements, Reason.INVALID_MANIFEST, error.message)
    result = _edited(replacements, live, here)
    overridden = [each.replacement for each in result.refused if each.reason == Reason.OVERRIDDEN]
    if not overridden:
        return result
    # what the live Application sets itself may be no more than what its file said before
    done = _edited(overridden, layers, here).done
    path, line = layers.line(()) or ("", 0)
    message = f"{field} of the live Application is not what {one_line(path)} says, from line {line} on"
    left = [each for each in result.refused if each.replacement not in done]
    refused = [replace(each, message=message) if each.reason == Reason.OVERRIDDEN else each for each in left]
    return replace(result, done=(*result.done, *done), refused=tuple(refused))


def render_source(
    application: Application,
    source: Source,
    *,
    tree: Tree,
    contents: Mapping[str, bytes],
    mounts: Mounts,
    renderer: Renderer,
    again: bool = False,
) -> tuple[Rendered, ...]:
    """What Argo CD would render of a source; nothing where that takes no renderer.

    With `again`, it is rendered even if that was done before. Raises a `GitopsBackupError` where that fails.
    """
    layout = layout_of(application, source, mounts)
    if layout is None:
        return ()
    layers = read_layers(application, source, layout.folder, tree=tree, contents=contents)
    source = layers.source
    problem = mounts.problem(places_of(application, source))
    if problem is not None:
        raise Unavailable(problem.reason, problem.message)
    layout = layout_of(application, source, mounts) or layout
    site = site_of(application, layers, layout, tree=tree, contents=contents, renderer=renderer)
    match kind_of_source(application, source, folder=layout.folder, tree=tree):
        case SourceKind.KUSTOMIZE:
            return render_kustomization(site, source.kustomize)
        case SourceKind.HELM | SourceKind.CHART_REPOSITORY:
            problem = mounts.problem(places_of_dependencies(layout, tree=tree, contents=contents))
            if problem is not None:
                raise Unavailable(problem.reason, problem.message)
            return render_chart(site, source.helm, again=again)
        case SourceKind.DIRECTORY:
            return render_programs(site, known_to_argo_cd(application, source), again=again)
    return ()


@dataclass(frozen=True, slots=True)
class _Here:
    """Where a source is edited."""

    application: Application
    tree: Tree
    contents: Mapping[str, bytes]
    mounts: Mounts
    renderer: Renderer
    copies: Mapping[Reference, str]
    shared: AbstractSet[str]


def _edited(replacements: Sequence[Replacement], layers: Layers, here: _Here) -> ShapeResult:
    application, source, tree, contents = here.application, layers.source, here.tree, here.contents
    layout = layout_of(application, source, here.mounts) or Layout("")
    problem = here.mounts.problem(places_of(application, source))
    if problem is not None:
        return _refused(replacements, problem.reason, problem.message)
    kind = kind_of_source(application, source, folder=layout.folder, tree=tree)
    if kind not in _WRITABLE:
        return _unsupported(source, kind, layout.folder, replacements)
    link = tree.link_towards(layout.folder)
    if link is not None:
        return _refused(replacements, Reason.UNSUPPORTED_SOURCE, not_followed(link))
    if is_mounted(layout.folder) and kind == SourceKind.DIRECTORY:
        message = f"{one_line(source.path)} is in another repository, or on another branch"
        return _refused(replacements, Reason.UNSUPPORTED_SOURCE, message)
    site = site_of(application, layers, layout, tree=tree, contents=contents, renderer=here.renderer)
    if kind == SourceKind.DIRECTORY:
        known = known_to_argo_cd(application, source)
        return edit_directory(replacements, site, known=known, copies=here.copies)
    if kind == SourceKind.KUSTOMIZE:
        return edit_kustomization(replacements, site, source.kustomize, copies=here.copies)
    problem = here.mounts.problem(places_of_dependencies(layout, tree=tree, contents=contents))
    if problem is not None:
        return _refused(replacements, problem.reason, problem.message)
    return edit_chart(replacements, site, source.helm, copies=here.copies, shared=here.shared)


def described(kind: SourceKind, folder: str) -> str:
    """What a source is that cannot be edited, in a few words."""
    return _NAMES[kind].format(path=one_line(folder) or "the repository's root")


def site_of(
    application: Application,
    layers: Layers,
    layout: Layout,
    *,
    tree: Tree,
    contents: Mapping[str, bytes],
    renderer: Renderer,
) -> Site:
    """Where a source is rendered, for what its layers make of it."""
    return Site(
        layout=layout,
        release=application.name,
        namespace=application.destination_namespace,
        tree=tree,
        contents=contents,
        renderer=renderer,
        layers=layers,
        last_resort=not is_writable(owner_of(application, layers.source)),
    )


def _unsupported(
    source: Source, kind: SourceKind, folder: str, replacements: Sequence[Replacement]
) -> ShapeResult:
    message = described(kind, folder)
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


_WRITABLE = frozenset(
    {SourceKind.DIRECTORY, SourceKind.KUSTOMIZE, SourceKind.HELM, SourceKind.CHART_REPOSITORY}
)
_NAMES = {
    SourceKind.PLUGIN: "rendered by a config management plugin from {path}",
    SourceKind.VALUES_ONLY: "a repository without a path, which has no manifests of its own",
    SourceKind.CONTRADICTION: "of two kinds at once, which Argo CD refuses",
}
