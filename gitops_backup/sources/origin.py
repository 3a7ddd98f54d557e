"""Which Applications deploy from a repository at hand: those that name it as one of its remotes is named.

One repository has many URLs: a pipeline clones by HTTPS what Argo CD reads by SSH. So host and path are
compared, without regard to case, and nothing else of a URL.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.applications import (
    Application,
    Declarer,
    PinnedRevision,
    Source,
    normalised,
    writable_branch,
)
from gitops_backup.sources.applicationsets.sets import ApplicationSet
from gitops_backup.sources.places import Place, has_manifests, owner_of, says_something

_MOST_NAMED = 5


class UnknownOrigin(GitopsBackupError):
    """Nothing says which of the repositories that Applications name is the one at hand."""


@dataclass(frozen=True, slots=True)
class Local:
    """Applications that deploy from the repository at hand.

    All their sources in it name it by one URL, and follow its default branch where they follow a branch;
    `places` are theirs. `others` is how many Applications have no source in it.
    """

    applications: tuple[Application, ...]
    places: frozenset[Place]
    others: int


def urls_of(
    applications: Sequence[Application],
    sets: Iterable[ApplicationSet],
    remotes: Sequence[str],
    *,
    handed_in: bool,
) -> tuple[str, ...]:
    """By which URLs, normalised, Applications and sets name the repository with these remotes.

    Where it has none, or they are `handed_in` for it, it is the one repository that they name. Raises
    `UnknownOrigin`.
    """
    sources = (source for each in applications for source in each.sources)
    by_applications = {source.repository for source in sources if _in_git(source)}
    named = sorted(by_applications | {normalised(url) for each in sets for url in each.repositories})
    places = {_place(url) for url in remotes}
    here = tuple(url for url in named if _place(url) in places)
    if not here and len(named) == 1 and (handed_in or not remotes):
        here = tuple(named)
    if not here and remotes and any(map(_is_said_here, applications)):
        here = (normalised(remotes[0]),)
    if not here:
        raise _unknown(named, remotes)
    return here


def local(applications: Sequence[Application], here: Sequence[str]) -> Local:
    """The Applications that deploy from the repository with these URLs, and those that it says values of."""
    kept: list[tuple[Application, Application]] = []
    places: set[Place] = set()
    for application in applications:
        found = {s.index: _localised(s, here[0]) for s in application.sources if _in_git(s) and _is(s, here)}
        if found or application.declarers or _is_said_here(application):
            sources = tuple(found.get(source.index, source) for source in application.sources)
            itself = (Declarer(application, _root(here[0])),)
            declarers = itself if _is_said_here_alone(application, found.keys()) else ()
            kept.append((application, replace(application, sources=sources, declarers=declarers)))
            places |= set(map(Place.of, found.values()))
    known = {_as_such(original): made for original, made in kept}
    with_parents = (_with_parents(made, original.declarers, known) for original, made in kept)
    return Local(tuple(with_parents), frozenset(places), len(applications) - len(kept))


def _with_parents(
    application: Application, parents: Iterable[Declarer], known: Mapping[Application, Application]
) -> Application:
    """The Application with its parents as they deploy from the repository, by their names here."""
    found = [
        Declarer(replace(parent, declarers=()), parent.sources[source.index])
        for each, source in parents
        if (parent := known.get(_as_such(each))) is not None
    ]
    return replace(application, declarers=(*application.declarers, *dict.fromkeys(found)))


def _as_such(application: Application) -> Application:
    """An Application without where it is written, and without the name that tells it from others."""
    sources = tuple(replace(source, declared=None) for source in application.sources)
    return replace(application, sources=sources, declarers=(), namespace="")


def _is_said_here(application: Application) -> bool:
    """Whether the repository has what an Application that deploys from elsewhere says itself."""
    # what has no URL is a patch of an Application
    said = (source for source in application.sources if source.declared is not None and source.repo_url)
    return any(says_something(application, source) for source in said)


def _is_said_here_alone(application: Application, found: AbstractSet[int]) -> bool:
    """Whether the Application's own file is the one place in the repository for some of its sources.

    `found` are the numbers of those at whose places the repository is.
    """
    owners = (owner_of(application, source) for source in application.sources if has_manifests(source))
    elsewhere = any(owner.index not in found for owner in owners)
    return elsewhere and not application.declarers and _is_said_here(application)


def _root(url: str) -> Source:
    """The repository at hand, as a source."""
    return Source.project({"repoURL": url, "path": "."}, place="spec.source")


def _in_git(source: Source) -> bool:
    return bool(source.repo_url) and not source.chart and not source.repo_url.startswith("oci://")


def _is(source: Source, here: Sequence[str]) -> bool:
    return source.repository in here


def _localised(source: Source, url: str) -> Source:
    try:
        writable_branch(source.target_revision)
    except PinnedRevision:
        return replace(source, repo_url=url)
    return replace(source, repo_url=url, target_revision="")


def _place(url: str) -> tuple[str, str]:
    plain = normalised(url)
    try:
        parts = urlsplit(plain)
        return parts.hostname or "", parts.path.strip("/").lower()
    except ValueError:
        return "", plain


def _unknown(named: Sequence[str], remotes: Sequence[str]) -> UnknownOrigin:
    they = ", ".join(map(one_line, named[:_MOST_NAMED])) or "no Git repository"
    if len(named) > _MOST_NAMED:
        they += f" and {len(named) - _MOST_NAMED} more"
    if not remotes:
        return UnknownOrigin(
            f"the Applications deploy from {they}, and the repository has no remote that says which it is",
            hint="git remote add origin URL",
        )
    it = ", ".join(one_line(normalised(url)) for url in remotes[:_MOST_NAMED])
    return UnknownOrigin(
        f"no Application deploys from the repository, whose remote is {it}; they deploy from {they}",
        hint="hand in Applications that deploy from it alone with --applications",
    )
