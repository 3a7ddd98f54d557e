"""What a source deploys, as far as Git alone tells: its objects, and what is not known of it.

A source that is rendered is so as a whole, or not at all. A directory's files are read one by one, and what
is wrong with one of them says nothing about the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.directories import known_to_argo_cd, objects_of_directory
from gitops_backup.sources.inline.layers import UnusableParameters, read_layers
from gitops_backup.sources.kinds import SourceKind, kind_of_source
from gitops_backup.sources.layouts import layout_of
from gitops_backup.sources.mounts import Mounts
from gitops_backup.sources.places import places_of
from gitops_backup.sources.rendered import Rendered
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.shapes import described, render_source, site_of
from gitops_backup.sources.trees import Tree, not_followed


@dataclass(frozen=True, slots=True)
class Deployed:
    """The objects of a source in its order, and a sentence for each thing that is not known of it."""

    objects: tuple[Rendered, ...] = ()
    problems: tuple[str, ...] = ()


def deployed_by(
    application: Application,
    source: Source,
    *,
    tree: Tree,
    contents: Mapping[str, bytes],
    unread: Mapping[str, str],
    mounts: Mounts,
    renderer: Renderer,
) -> Deployed:
    """What Argo CD would deploy from a source.

    `contents` has the bytes of the files that `files_to_read` names, `unread` why others could not be read.
    """
    layout = layout_of(application, source, mounts)
    if layout is None:
        return Deployed(problems=(f"the path {one_line(source.path)} leads out of the repository",))
    folder = layout.folder
    try:
        layers = read_layers(application, source, folder, tree=tree, contents=contents)
    except UnusableParameters as error:
        return Deployed(problems=(error.message,))
    said = layers.source
    kind = kind_of_source(application, said, folder=folder, tree=tree)
    if kind == SourceKind.VALUES_ONLY and source.ref:
        return Deployed()
    problem = mounts.problem(places_of(application, source))
    if problem is not None:
        return Deployed(problems=(problem.message,))
    link = tree.link_towards(folder)
    if link is not None:
        return Deployed(problems=(not_followed(link),))
    if source.path and next(tree.under(folder, recurse=True), None) is None:
        return Deployed(problems=(f"there is no folder {one_line(source.path)}",))
    if kind == SourceKind.DIRECTORY:
        site = site_of(application, layers, layout, tree=tree, contents=contents, renderer=renderer)
        return Deployed(*objects_of_directory(site, known_to_argo_cd(application, said), unread))
    if kind not in {SourceKind.KUSTOMIZE, SourceKind.HELM, SourceKind.CHART_REPOSITORY}:
        return Deployed(problems=(f"the source is {described(kind, folder)}",))
    try:
        rendered = render_source(
            application, source, tree=tree, contents=contents, mounts=mounts, renderer=renderer
        )
        return Deployed(rendered)
    except GitopsBackupError as error:
        return Deployed(problems=(str(error),))
