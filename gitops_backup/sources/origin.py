"""Which Applications deploy from a repository at hand: those that name it as one of its remotes is named.

One repository has many URLs: a pipeline clones by HTTPS what Argo CD reads by SSH. So host and path are
compared, without regard to case, and nothing else of a URL.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.applications import (
    Application,
    PinnedRevision,
    Source,
    normalised,
    writable_branch,
)
from gitops_backup.sources.applicationsets.sets import ApplicationSet

_MOST_NAMED = 5


class UnknownOrigin(GitopsBackupError):
    """Nothing says which of the repositories that Applications name is the one at hand."""


@dataclass(frozen=True, slots=True)
class Local:
    """Applications with those of their sources that are in the repository at hand.

    All their sources name it by one URL, and follow its default branch where they follow a branch. `others`
    is how many Applications have no source in it; `problems` says what is not known of those that have.
    """

    applications: tuple[Application, ...]
    others: int
    problems: tuple[str, ...]


def urls_of(
    applications: Iterable[Application],
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
    if not here:
        raise _unknown(named, remotes)
    return here


def local(applications: Sequence[Application], here: Sequence[str]) -> Local:
    """The Applications that deploy from the repository with these URLs."""
    kept: list[Application] = []
    problems: list[str] = []
    for application in applications:
        sources = tuple(_localised(s, here[0]) for s in application.sources if _in_git(s) and _is(s, here))
        if sources:
            kept.append(replace(application, sources=sources))
            problems += _unlooked(application, here)
    return Local(tuple(kept), len(applications) - len(kept), tuple(problems))


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


def _unlooked(application: Application, here: Sequence[str]) -> Iterable[str]:
    for source in application.sources:
        if not (_in_git(source) and _is(source, here)):
            what = f"the chart {source.chart} of {source.repository}" if source.chart else source.repository
            who = f"{application.namespace}/{application.name}"
            yield f"{who}: its source {one_line(what)} is not in this repository, and is not looked at"


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
