"""The ApplicationSets of a branch that others deploy from it, and that generate Applications which are due.

A set is found as an Application is that another one deploys (see `declaring`): in the files of its parents.
It is evaluated as the commit has it. Which clusters there are cannot be seen, as they are in Secrets beside
their credentials: they are those that somebody lists. So for a set that asks for them, what is evaluated has
to be what Argo CD has generated, or nothing of it is edited.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

from gitops_backup.controller.generating import Family, generate
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.controller.parts import Part
from gitops_backup.controller.reading import Elsewhere, Readable, read_sources
from gitops_backup.sources.applications import Application, normalised
from gitops_backup.sources.applicationsets.agreement import disagreement
from gitops_backup.sources.applicationsets.clusters import Cluster
from gitops_backup.sources.applicationsets.sets import GROUP, ApplicationSet, read_sets
from gitops_backup.sources.documents import InvalidManifest
from gitops_backup.sources.makers.sets import SetMaker
from gitops_backup.sources.mounts import is_mounted
from gitops_backup.sources.objects import Object
from gitops_backup.sources.places import Place, PlaceKind
from gitops_backup.sources.rendering import Renderer

_DEFAULT = ("", "HEAD")


@dataclass(frozen=True, slots=True)
class Fleet:
    """The clusters that Argo CD is said to know, None where nobody says; and Applications that sets have
    generated, as they are in the cluster."""

    clusters: tuple[Cluster, ...] | None = None
    generated: tuple[Application, ...] = ()

    @classmethod
    def around(
        cls,
        parts: Iterable[Part],
        *,
        clusters: Sequence[Cluster] | None,
        applications: Callable[[], Iterable[Application]],
    ) -> Self:
        """The clusters, and those of all Applications that come from the sets that any of the parts' do."""
        sets = {_set_of(part.application) for part in parts if part.application.generator}
        if clusters is None or not sets:
            return cls()
        generated = (each.specified() for each in applications() if _set_of(each) in sets)
        return cls(tuple(clusters), tuple(generated))


def families_on(
    branch: Readable,
    commit: str,
    parts: Sequence[Part],
    *,
    elsewhere: Elsewhere | None,
    outcomes: Outcomes,
    renderer: Renderer,
    fleet: Fleet,
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
    wanted = {_set_of(part.application) for part in generated}
    names = [(each.namespace, each.name) for each in sets]
    # which of several is deployed is not known
    once = [each for each, name in zip(sets, names, strict=True) if name in wanted and names.count(name) == 1]
    found = generate(
        branch,
        commit,
        once,
        manifests=manifests,
        clusters=fleet.clusters,
        is_here=partial(_is_here, here),
        renderer=renderer,
    )
    return [_family(each, generated, fleet) for each in found]


def _set_of(application: Application) -> tuple[str, str]:
    """The namespace and the name of the set that generates an Application; no name where there is none."""
    return application.namespace, application.generator


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


def _family(maker: SetMaker, generated: Sequence[Part], fleet: Fleet) -> Family:
    """The set with those of its Applications that are in the cluster as it has them."""
    name = maker.set.namespace, maker.set.name
    lives = [part.application for part in generated if _set_of(part.application) == name]
    project = partial(_projected, lives[0].home)
    made = {each.name: project(each.application) for each in maker.evaluation.generated}
    members = {
        f"{live.namespace}/{live.name}": live.name
        for live in lives
        if live.name in made and _places(live) == _places(made[live.name])
    }
    differs = ""
    if fleet.clusters is not None and maker.set.asks_for_clusters and not maker.evaluation.problems:
        differs = disagreement(made.values(), (each for each in fleet.generated if _set_of(each) == name))
    return Family(maker, project, members, disagreement=differs)


def _projected(home: str, obj: Object) -> Application:
    return Application.project(obj, argocd_namespace=home)


def _places(application: Application) -> list[tuple[Place, str]]:
    return [(Place.of(source), source.path) for source in application.sources]
