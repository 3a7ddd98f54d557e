"""Apps of apps in a repository: what Applications render that are Applications and sets, and these in turn.

What is rendered takes the place of the files that it is rendered from: the manifest that a kustomization
patches is none that is deployed. Where it comes out as it is written, it is the file that counts. An
Application is looked at once, so that one that deploys itself ends; a chain that has no end is cut.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from gitops_backup.sources.applications import Application, Declarer, Source
from gitops_backup.sources.applicationsets.sets import ApplicationSet
from gitops_backup.sources.discovery import Discovery, told_apart
from gitops_backup.sources.inline.comparison import differing_sources

DEEPEST = 8
"""How many Applications deploy each other."""


@dataclass(frozen=True, slots=True)
class Offspring:
    """What a source of an Application renders of these two kinds, and the files whose objects it renders."""

    source: Source
    applications: tuple[Application, ...]
    sets: tuple[ApplicationSet, ...]
    files: frozenset[str]


def descend(
    found: Discovery,
    *,
    namespaces: frozenset[str],
    generated: Callable[[Sequence[ApplicationSet]], Iterable[Application]],
    rendered: Callable[[Sequence[Application]], Iterable[Sequence[Offspring]]],
) -> Discovery:
    """What was found in files, with what is rendered of it.

    `namespaces` are those in which Argo CD looks for Applications, `generated` has what sets generate, and
    `rendered` the offspring of each Application. Those that are rendered have their parents for declarers.
    """
    known: dict[Application, Sequence[Offspring]] = {}
    sets: list[ApplicationSet] = []
    level = [*found.applications]
    new_sets: Sequence[ApplicationSet] = found.sets
    for _ in range(DEEPEST):
        sets += new_sets
        level += (_bare(each) for each in generated(new_sets))
        fresh = [each for each in dict.fromkeys(level) if each not in known]
        if not fresh:
            break
        known |= dict(zip(fresh, rendered(fresh), strict=True))
        came = [own for each in fresh for own in known[each]]
        level = [each for own in came for each in own.applications if each.namespace in namespaces]
        new_sets = [each for own in came for each in own.sets if each not in sets]
    unfollowed = tuple(each.name for each in dict.fromkeys(level) if each not in known)
    result = _Descent(found, known, namespaces).result() if any(known.values()) else found
    return replace(result, unfollowed=unfollowed)


class _Descent:
    def __init__(
        self,
        found: Discovery,
        known: Mapping[Application, Sequence[Offspring]],
        namespaces: frozenset[str],
    ) -> None:
        self._found = found
        self._namespaces = namespaces
        self._known = known
        self._readers: dict[str, set[Application]] = {}
        for parent, offspring in known.items():
            for path in (path for own in offspring for path in own.files):
                self._readers.setdefault(path, set()).add(parent)

    def result(self) -> Discovery:
        children = self._children()
        kept = [each for each in self._found.applications if self._is_deployed(each, children)]
        alive = self._alive(kept, children)
        made = {
            child: tuple(each for each in parents if each.application in alive)
            for child, parents in children.items()
            if child in alive and not any(_is_as(child, each) for each in kept)
        }
        found = [("", each) for each in kept]
        for child, parents in made.items():
            if child.namespace in self._namespaces:
                found += _apart(child, parents)
        sets = self._sets(alive)
        inside = [each for each in sets if each.namespace in self._namespaces]
        return replace(
            self._found,
            applications=tuple(each for each in told_apart(found) if each is not None),
            sets=tuple(inside),
            outside=self._found.outside
            + sum(child.namespace not in self._namespaces for child in made)
            + len(sets)
            - len(inside),
            unreadable=tuple(each for each in self._found.unreadable if not self._is_rendered(each)),
        )

    def _alive(
        self, kept: Iterable[Application], children: Mapping[Application, Sequence[Declarer]]
    ) -> set[Application]:
        """Those that somebody deploys, or that are in files that nobody renders."""
        alive = {*kept, *(self._known.keys() - children.keys() - {*self._found.applications})}
        left = dict(children)
        while came := [c for c, parents in left.items() if any(p.application in alive for p in parents)]:
            alive |= {*came}
            left = {child: parents for child, parents in left.items() if child not in alive}
        return alive

    def _children(self) -> dict[Application, tuple[Declarer, ...]]:
        """All that are rendered, with the parents of each."""
        found: dict[Application, tuple[Declarer, ...]] = {}
        for parent, offspring in self._known.items():
            for own in offspring:
                for child in own.applications:
                    found[child] = (*found.get(child, ()), Declarer(parent, own.source))
        return found

    def _is_deployed(self, application: Application, children: Iterable[Application]) -> bool:
        """Whether an Application in a file is deployed as it is written, where others render the file."""
        paths = {source.declared.path for source in application.sources if source.declared is not None}
        readers = {reader for path in paths for reader in self._readers.get(path, ())}
        return not readers - {application, _bare(application)} or any(
            _is_as(each, application) for each in children
        )

    def _sets(self, alive: set[Application]) -> Sequence[ApplicationSet]:
        rendered = [
            each
            for parent, offspring in self._known.items()
            for own in offspring
            for each in own.sets
            if parent in alive
        ]
        kept = [
            each
            for each in self._found.sets
            if each.path not in self._readers or any(_is_same(each, other) for other in rendered)
        ]
        for each in rendered:
            if not any(_is_same(each, other) for other in kept):
                kept.append(each)
        return kept

    def _is_rendered(self, unreadable: str) -> bool:
        return any(unreadable.startswith(f"{path}, line ") for path in self._readers)


def _apart(child: Application, parents: Sequence[Declarer]) -> Iterator[tuple[str, Application]]:
    """An Application by its parent: once, or for each where it says what has to be written in each."""
    if not any(source.has_parameters for source in child.sources):
        yield _name(parents[0]), replace(child, declarers=tuple(parents))
        return
    for parent in parents:
        yield _name(parent), replace(child, declarers=(parent,))


def _name(parent: Declarer) -> str:
    return f"{parent.application.namespace}/{parent.application.name}"


def _bare(application: Application) -> Application:
    """An Application without where it is written."""
    sources = tuple(replace(source, declared=None) for source in application.sources)
    return replace(application, sources=sources, declarers=())


def _is_as(one: Application, other: Application) -> bool:
    """Whether two are of one name, and say the same, as far as that decides what is deployed, and where."""
    return _where(one) == _where(other) and not differing_sources(one.sources, other.sources)


def _where(each: Application) -> tuple[str, ...]:
    return each.instance, each.destination_server, each.destination_cluster, each.destination_namespace


def _is_same(one: ApplicationSet, other: ApplicationSet) -> bool:
    return (one.namespace, one.name, one.spec) == (other.namespace, other.name, other.spec)
