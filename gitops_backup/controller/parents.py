"""The Applications of a branch that others are rendered from, of a chart or a kustomization: apps of apps.

What such a parent makes is in no file as it is, or is patched before it is in the cluster (see `declaring`),
so it is rendered, and what it says of images is found and edited as in an ApplicationSet. Nothing is rendered
before something is due that an Application sets itself.
"""

from collections.abc import Sequence
from dataclasses import replace

from gitops_backup.controller.generating import Family
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.controller.parts import Part
from gitops_backup.controller.reading import Elsewhere, Readable, Reading, read_sources
from gitops_backup.sources.applications import Application, Declarer, Source
from gitops_backup.sources.inline.comparison import differing_sources
from gitops_backup.sources.kinds import SourceKind, kind_of_source
from gitops_backup.sources.layouts import layout_of
from gitops_backup.sources.makers.parents import Parent
from gitops_backup.sources.objects import Object
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendering import Renderer


def parents_on(
    branch: Readable,
    commit: str,
    parts: Sequence[Part],
    *,
    elsewhere: Elsewhere | None,
    outcomes: Outcomes,
    renderer: Renderer,
) -> list[Family]:
    """The sources on the branch that some of these parts' Applications are rendered from.

    Raises what reading the branch raises.
    """
    children: dict[Declarer, list[Application]] = {}
    for part in parts:
        if part.undeclared and not part.application.generator:
            for declarer in part.declarers:
                children.setdefault(declarer, []).append(part.application)
    if not children:
        return []
    here = frozenset(place for part in parts for place in part.places_here)
    looking = [
        Part(each.application, (each.source,), (), here=here | {Place.of(each.source)}) for each in children
    ]
    reading = read_sources(branch, commit, looking, elsewhere=elsewhere, outcomes=outcomes)
    return [
        _family(
            declarer,
            reading,
            frozenset(reading.paths(number)),
            children=children[declarer],
            others=[part.application for part in parts],
            renderer=renderer,
        )
        for number, declarer in enumerate(children)
        if _is_rendered(declarer, reading)
    ]


def _is_rendered(declarer: Declarer, reading: Reading) -> bool:
    application, source = declarer
    layout = layout_of(application, source, reading.mounts)
    if layout is None:
        return False
    kind = kind_of_source(application, source, folder=layout.folder, tree=reading.tree)
    return kind in {SourceKind.HELM, SourceKind.CHART_REPOSITORY, SourceKind.KUSTOMIZE}


def _family(
    declarer: Declarer,
    reading: Reading,
    paths: frozenset[str],
    *,
    children: Sequence[Application],
    others: Sequence[Application],
    renderer: Renderer,
) -> Family:
    application, source = declarer
    reading.contents.load(paths)
    parent = Parent(
        application.specified(),
        source,
        application.home,
        reading.tree,
        {path: reading.contents[path] for path in paths if path in reading.contents},
        reading.mounts,
        renderer,
    )
    live = {f"{each.namespace}/{each.name}": each for each in children}
    known = {each.instance: each for each in (*others, *children)}

    def project(obj: Object) -> Application:
        made = Application.project(obj, argocd_namespace=application.home)
        return _as_known(made, known.get(made.instance))

    return Family(
        parent,
        project,
        members={name: each.instance for name, each in live.items()},
        differing=lambda name, obj: differing_sources(live[name].sources, project(obj).sources),
        parent=f"{application.namespace}/{application.name}",
    )


def _as_known(made: Application, known: Application | None) -> Application:
    """An Application with the places of its sources as they are called where it is known."""
    places = {each.place: each for each in known.sources} if known is not None else {}
    sources = [_called(each, places.get(each.place)) for each in made.sources]
    return replace(made, sources=tuple(sources))


def _called(source: Source, known: Source | None) -> Source:
    if known is None or any(source.specification.get(f) != known.specification.get(f) for f in _PLACE):
        return source
    return replace(
        source, repo_url=known.repo_url, target_revision=known.target_revision, released=known.released
    )


_PLACE = ("repoURL", "targetRevision", "chart")
