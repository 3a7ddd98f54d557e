"""The Applications of a branch that others are rendered from, of a chart or a kustomization: apps of apps.

What such a parent makes is in no file as it is, or is patched before it is in the cluster (see `declaring`),
so it is rendered, and what it says of images is found and edited as in an ApplicationSet. Nothing is rendered
before something is due that an Application sets itself.
"""

from collections.abc import Sequence
from functools import partial

from gitops_backup.controller.generating import Family
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.controller.parts import Part
from gitops_backup.controller.reading import Elsewhere, Readable, Reading, read_sources
from gitops_backup.sources.applications import Application, Declarer
from gitops_backup.sources.inline.comparison import differing
from gitops_backup.sources.kinds import SourceKind, kind_of_source
from gitops_backup.sources.layouts import layout_of
from gitops_backup.sources.makers.maker import Object
from gitops_backup.sources.makers.parents import Parent
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
        _family(declarer, reading, frozenset(reading.paths(number)), children[declarer], renderer)
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
    children: Sequence[Application],
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
    return Family(
        parent,
        partial(_projected, application.home),
        members={name: each.instance for name, each in live.items()},
        differing=lambda name, obj: _differing(live[name], _projected(application.home, obj)),
        parent=f"{application.namespace}/{application.name}",
    )


def _projected(home: str, obj: Object) -> Application:
    return Application.project(obj, argocd_namespace=home)


def _differing(live: Application, made: Application) -> str:
    """The first field in which an Application is another one than it is made; empty where there is none."""
    if [each.place for each in live.sources] != [each.place for each in made.sources]:
        return "spec.sources"
    fields = (differing(one, other) for one, other in zip(live.sources, made.sources, strict=True))
    return next(filter(None, fields), "")
