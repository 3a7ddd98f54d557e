"""Which Applications and sets the Applications of a commit render, without a cluster that knows it.

Of what is not rendered, such as a folder of manifests, the files tell (see `discovery`). What cannot be
rendered has none; why not is told where it is planned for.
"""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from gitops_backup.controller.parts import Part
from gitops_backup.controller.reading import RENDERED_AT_A_TIME, Elsewhere, Readable, Reading, read_sources
from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.applicationsets.sets import ApplicationSet, read_sets
from gitops_backup.sources.content import decoded
from gitops_backup.sources.descent import Offspring
from gitops_backup.sources.inline.manifests import GROUP
from gitops_backup.sources.kinds import SourceKind, kind_of_source
from gitops_backup.sources.layouts import layout_of
from gitops_backup.sources.mounts import is_mounted
from gitops_backup.sources.names import is_name
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendered import Rendered
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.shapes import render_source


def offspring_of(
    repository: Readable,
    commit: str,
    applications: Sequence[Application],
    *,
    home: str,
    here: frozenset[Place],
    elsewhere: Elsewhere | None,
    renderer: Renderer,
) -> list[list[Offspring]]:
    """The offspring of each of the Applications; `here` are the places that the commit stands for.

    `home` is the namespace of Argo CD. Raises what reading the repository raises.
    """
    # the file that an Application is in is none of those that it renders
    bare = [[replace(source, declared=None) for source in each.sources] for each in applications]
    parts = [
        Part(replace(each, sources=tuple(sources)), tuple(sources), (), here=here)
        for each, sources in zip(applications, bare, strict=True)
    ]
    reading = read_sources(repository, commit, parts, elsewhere=elsewhere)

    def of(number: int) -> list[Offspring]:
        return list(_offspring(reading, number, parts[number].application, home=home, renderer=renderer))

    with ThreadPoolExecutor(RENDERED_AT_A_TIME) as pool:
        return list(pool.map(of, range(len(parts))))


def _offspring(
    reading: Reading, number: int, application: Application, *, home: str, renderer: Renderer
) -> Iterator[Offspring]:
    for source in application.sources:
        read = reading.of(number, source)
        if not read.rendered or not _may_render(reading, read.paths, source):
            continue
        try:
            rendered = render_source(
                application,
                source,
                tree=reading.tree,
                contents=reading.contents,
                mounts=reading.mounts,
                renderer=renderer,
            )
            objects = [each for each in rendered if each.identity.group == GROUP]
            applications = tuple(_application(each, home) for each in objects if _is(each, "Application"))
            sets = tuple(own for each in objects for own in _sets(each, source))
        except GitopsBackupError:
            continue
        if applications or sets:
            yield Offspring(source, applications, sets, _made_of(reading, read.paths, application, source))


def _made_of(
    reading: Reading, paths: frozenset[str], application: Application, source: Source
) -> frozenset[str]:
    """The files whose objects are rendered: of a chart the templates, whatever else lies in its folder."""
    layout = layout_of(application, source, reading.mounts)
    here = frozenset(path for path in paths if not is_mounted(path))
    if layout is None:
        return here
    kind = kind_of_source(application, source, folder=layout.folder, tree=reading.tree)
    if kind == SourceKind.KUSTOMIZE:
        return here
    return frozenset(path for path in here if "templates" in path.split("/")[:-1])


def _may_render(reading: Reading, paths: frozenset[str], source: Source) -> bool:
    """Whether the group's name is in what is rendered, or may be in an archive."""
    if GROUP in source.said or any(path.endswith(".tgz") for path in paths):
        return True
    found = (reading.contents.get(path) for path in paths)
    return any(content is not None and GROUP.encode() in content for content in found)


def _is(rendered: Rendered, kind: str) -> bool:
    identity = rendered.identity
    named = identity.kind == kind and is_name(identity.name) and is_name(identity.namespace)
    return named and isinstance(rendered.content.get("spec"), dict)


def _application(rendered: Rendered, home: str) -> Application:
    return Application.project(_with_namespace(rendered), argocd_namespace=home)


def _sets(rendered: Rendered, source: Source) -> Sequence[ApplicationSet]:
    if not _is(rendered, "ApplicationSet"):
        return ()
    written = json.dumps(_with_namespace(rendered)).encode()
    # what it is called by, where there are several: it is in no file as it is
    return read_sets(source.path or source.chart, written, namespace=rendered.identity.namespace)


def _with_namespace(rendered: Rendered) -> dict[str, object]:
    obj: dict[str, object] = decoded(rendered.content)
    metadata = obj.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    return {**obj, "metadata": {**named, "namespace": rendered.identity.namespace}}
