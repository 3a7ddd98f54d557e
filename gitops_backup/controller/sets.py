"""The ApplicationSets of a branch that others deploy from it, and that generate Applications which are due.

A set is found as an Application is that another one deploys (see `declaring`): in the files of its parents.
It is evaluated as the commit has it. Which clusters there are is not known here, so that one that asks for
them is not edited.
"""

from collections.abc import Sequence
from functools import partial

from gitops_backup.controller.generating import Family, generate
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.controller.parts import Part
from gitops_backup.controller.reading import Elsewhere, Readable, read_sources
from gitops_backup.sources.applications import Application, normalised
from gitops_backup.sources.applicationsets.sets import GROUP, ApplicationSet, read_sets
from gitops_backup.sources.documents import InvalidManifest
from gitops_backup.sources.makers.maker import Object
from gitops_backup.sources.makers.sets import SetMaker
from gitops_backup.sources.mounts import is_mounted
from gitops_backup.sources.places import Place, PlaceKind
from gitops_backup.sources.rendering import Renderer

_DEFAULT = ("", "HEAD")


def families_on(
    branch: Readable,
    commit: str,
    parts: Sequence[Part],
    *,
    elsewhere: Elsewhere | None,
    outcomes: Outcomes,
    renderer: Renderer,
) -> list[Family]:
    """The sets that generate the Applications of these parts, where one manifest of each is on the branch.

    Raises what reading the branch raises.
    """
    generated = [part for part in parts if part.application.generator and part.declarers]
    if not generated:
        return []
    sets: list[ApplicationSet] = []
    manifests: dict[str, bytes] = {}
    declarers = list(dict.fromkeys(each for part in generated for each in part.declarers))
    here = frozenset(place for part in parts for place in part.places_here)
    looking = [
        Part(each.application, (each.source,), (), here=here | {Place.of(each.source)}) for each in declarers
    ]
    reading = read_sources(branch, commit, looking, elsewhere=elsewhere, outcomes=outcomes)
    for number, declarer in enumerate(declarers):
        paths = frozenset(path for path in reading.paths(number) if not is_mounted(path))
        reading.contents.load(paths)
        for path in sorted(paths - manifests.keys()):
            content = reading.contents.get(path)
            if content is not None and GROUP.encode() in content:
                manifests[path] = content
                sets += _sets_in(path, content, declarer.application.destination_namespace)
    wanted = {(part.application.namespace, part.application.generator) for part in generated}
    names = [(each.namespace, each.name) for each in sets]
    # which of several is deployed is not known
    once = [each for each, name in zip(sets, names, strict=True) if name in wanted and names.count(name) == 1]
    found = generate(
        branch,
        commit,
        once,
        manifests=manifests,
        clusters=None,
        is_here=partial(_is_here, here),
        renderer=renderer,
    )
    return [_family(each, generated) for each in found]


def _sets_in(path: str, content: bytes, namespace: str) -> Sequence[ApplicationSet]:
    try:
        return read_sets(path, content, namespace=namespace)
    except InvalidManifest:
        return ()


def _is_here(here: frozenset[Place], url: str, revision: str) -> bool:
    """Whether a repository and a revision of it are one of the places that the commit stands for."""
    return any(
        place.kind == PlaceKind.COMMIT
        and place.repository == normalised(url)
        and (place.revision == revision or {place.revision, revision} <= set(_DEFAULT))
        for place in here
    )


def _family(maker: SetMaker, generated: Sequence[Part]) -> Family:
    """The set with those of its Applications that are in the cluster as it has them."""
    made = {each.name: each.application for each in maker.evaluation.generated}
    members: dict[str, str] = {}
    home = ""
    for part in generated:
        live = part.application
        its_set = live.namespace, live.generator
        if its_set != (maker.set.namespace, maker.set.name) or live.name not in made:
            continue
        home = live.home
        if _places(live) == _places(_projected(home, made[live.name])):
            members[f"{live.namespace}/{live.name}"] = live.name
    return Family(maker, partial(_projected, home), members)


def _projected(home: str, obj: Object) -> Application:
    return Application.project(obj, argocd_namespace=home)


def _places(application: Application) -> list[tuple[Place, str]]:
    return [(Place.of(source), source.path) for source in application.sources]
