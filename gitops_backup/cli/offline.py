"""`report --from`: the dry run on a Git repository alone, with no cluster.

The repository is the commit at HEAD: what a work tree holds besides is not in Git yet. That commit stands for
every branch of it that an Application follows, so that a branch can be checked before it is merged.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from pathlib import Path

from gitops_backup.cli.downloading import AllowedGit, allowed, open_elsewhere
from gitops_backup.cli.fleet import with_listed
from gitops_backup.cli.forges import open_git_once
from gitops_backup.cli.wiring import open_backup_registry, open_renderer
from gitops_backup.controller import foresight
from gitops_backup.controller.generating import Family, generate
from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.offline import plan_offline
from gitops_backup.controller.offspring import offspring_of
from gitops_backup.controller.reading import Readable
from gitops_backup.domain.planning import Plan
from gitops_backup.domain.policy import Policy
from gitops_backup.errors import GitopsBackupError, UsageError, count, one_line
from gitops_backup.git.local import open_local
from gitops_backup.settings import Settings
from gitops_backup.sources.applications import (
    IN_CLUSTER_NAME,
    Application,
    PinnedRevision,
    normalised,
    writable_branch,
)
from gitops_backup.sources.descent import DEEPEST, Offspring, descend
from gitops_backup.sources.discovery import (
    EXTENSIONS,
    Discovery,
    discover,
    may_describe,
    told_apart,
)
from gitops_backup.sources.documents import LARGEST
from gitops_backup.sources.makers.sets import SetMaker
from gitops_backup.sources.objects import Object
from gitops_backup.sources.origin import local, urls_of

_MOST_READ_AT_ONCE = 500
_MOST_NAMED = 5
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://.*|(?:[^/@:]+@)?[^/@:]+:.+", re.DOTALL)


class OtherRepository(GitopsBackupError):
    """It is not the repository at hand."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A plan, what would be written for it, and what could not be looked at.

    `inventory` has the ImageBackups that the plan rests on.
    """

    plan: Plan
    inventory: Inventory
    future: foresight.Future
    problems: tuple[str, ...]


def foresee_offline(
    repository: str,
    settings: Settings,
    policy: Policy,
    *,
    applications: Sequence[Path],
    namespace: str | None,
    check_registry: bool,
    tell: Callable[[str], None],
) -> Foreseen:
    """The plan for the workloads of a repository, by path or URL, and what would be written.

    `applications` are files and folders with Applications, in place of those in the repository; `tell` gets
    what is left out. Raises a `GitopsBackupError` where there is nothing to plan for.
    """
    going_on = threading.Event()
    with ExitStack() as stack:
        opened, remotes = stack.enter_context(_opened(repository, settings, going_on))
        shown = normalised(repository) if _is_url(repository) else repository
        commit = opened.fetch().commit
        committed = {} if applications else _committed(opened, commit)
        if applications:
            found = _found(_handed_in(applications), policy).of_other_files()
        else:
            found = _found(committed, policy)
        _check(found, shown, applications)
        renderer = stack.enter_context(open_renderer(settings, going_on))
        urls = urls_of(found.applications, found.sets, remotes, handed_in=bool(applications))
        others = AllowedGit(allowed(settings), lambda: stack.enter_context(open_git_once(settings, going_on)))
        elsewhere = stack.enter_context(open_elsewhere(settings, others))
        evaluated = partial(
            generate,
            opened,
            commit,
            manifests=committed,
            clusters=with_listed(found.clusters, settings),
            is_here=partial(_is_here, urls),
            renderer=renderer,
        )

        project = partial(Application.project, argocd_namespace=found.home)
        found = descend(
            found,
            namespaces=policy.argocd_namespaces,
            generated=lambda sets: [
                project(each.application) for own in evaluated(sets) for each in own.evaluation.generated
            ],
            rendered=partial(
                _offspring,
                urls,
                partial(
                    offspring_of, opened, commit, home=found.home, elsewhere=elsewhere, renderer=renderer
                ),
            ),
        )
        for note in _notes(found, clusters_are_listed=settings.argocd_clusters is not None):
            tell(note)
        sets = evaluated(found.sets)
        generated, families = _named(found, sets, urls)
        here = local([*found.applications, *generated], urls)
        if here.others:
            tell(f"{count(here.others, 'Application')} without a source in {shown} left out")
        held = stack.enter_context(open_backup_registry(settings, policy)) if check_registry else None
        made = plan_offline(
            opened,
            commit,
            here.applications,
            policy=policy,
            renderer=renderer,
            held=held,
            here=here.places,
            elsewhere=elsewhere,
        )
        wanted = Plan(
            tuple(each for each in made.plan.workloads if namespace in {None, each.workload.key.namespace})
        )
        future = foresight.foresee(
            wanted,
            made.inventory,
            _OneRepository(opened, urls),
            renderer=renderer,
            elsewhere=elsewhere,
            now=datetime.now(UTC),
            families=families,
        )
    of_sets = (problem for each in sets for problem in each.evaluation.problems)
    problems = (*of_sets, *made.problems, *future.problems)
    return Foreseen(wanted, made.inventory, future, problems)


def _offspring(
    urls: Sequence[str], rendered: Callable[..., list[list[Offspring]]], applications: Sequence[Application]
) -> list[list[Offspring]]:
    """What each of the Applications renders that deploys from the repository."""
    each = [local([application], urls) for application in applications]
    here = frozenset(place for one in each for place in one.places)
    found = iter(rendered([application for one in each for application in one.applications], here=here))
    return [next(found) if one.applications else [] for one in each]


class _OneRepository:
    """A Git that has one repository, by these URLs."""

    def __init__(self, repository: Readable, urls: Sequence[str]) -> None:
        self._repository = repository
        self._urls = urls

    def open(self, url: str, branch: str | None = None) -> Readable:
        """The repository. Raises `OtherRepository`."""
        if normalised(url) not in self._urls:
            raise OtherRepository(f"{one_line(normalised(url))} is another repository, and is not changed")
        return self._repository


@contextmanager
def _opened(
    repository: str, settings: Settings, cancel: threading.Event
) -> Iterator[tuple[Readable, Sequence[str]]]:
    """The repository at a path or a URL, and the URLs that it is known by."""
    if _is_url(repository):
        with open_git_once(settings, cancel) as git:
            yield git.open(repository), (repository,)
        return
    path = Path(repository)
    if not path.is_dir():
        raise UsageError(f"{repository} is no folder here, and no URL of a repository")
    with open_local(path, timeout=settings.git_timeout) as opened:
        yield opened, opened.remotes()


def _is_url(repository: str) -> bool:
    return not os.path.lexists(repository) and _URL.fullmatch(repository) is not None


def _committed(repository: Readable, commit: str) -> dict[str, bytes]:
    """The files of a commit that may have Applications in them."""
    entries = repository.tree(commit).items()
    paths = iter([p for p, entry in entries if p.endswith(EXTENSIONS) and entry.mode.startswith("100")])
    found: dict[str, bytes] = {}
    while some := list(islice(paths, _MOST_READ_AT_ONCE)):
        contents = repository.read(commit, some).contents
        found |= {path: content for path, content in contents.items() if may_describe(content)}
    return found


def _handed_in(places: Sequence[Path]) -> dict[str, bytes]:
    """The files at these places on this machine that may have Applications in them."""
    found: dict[str, bytes] = {}
    for place in places:
        below = (p for p in place.rglob("*") if p.name.endswith(EXTENSIONS) and p.is_file())
        for path in sorted(below) if place.is_dir() else [place]:
            try:
                with path.open("rb") as file:
                    content = file.read(LARGEST + 1)
            except OSError as error:
                raise UsageError(f"{path} cannot be read: {error.strerror}") from error
            if may_describe(content):
                found[str(path)] = content
    return found


def _found(contents: Mapping[str, bytes], policy: Policy) -> Discovery:
    return discover(contents, namespaces=policy.argocd_namespaces)


def _is_here(urls: Sequence[str], url: str, revision: str) -> bool:
    """Whether a generator reads the commit that stands for every branch of the repository."""
    try:
        writable_branch(revision)
    except PinnedRevision:
        return False
    return normalised(url) in urls


def _named(
    found: Discovery, sets: Sequence[SetMaker], urls: Sequence[str]
) -> tuple[list[Application], list[Family]]:
    """The Applications that sets generate, each with a name of its own, and the sets with these names."""
    project = partial(Application.project, argocd_namespace=found.home)
    made = [(own, each) for own in sets for each in own.evaluation.generated]
    others = [("", application) for application in found.applications]
    apart = list(told_apart([*others, *((own.set.path, project(each.application)) for own, each in made)]))
    members: dict[int, dict[str, str]] = {}
    generated: list[Application] = []
    for (own, each), application in zip(made, apart[len(others) :], strict=True):
        if application is not None:
            generated.append(application)
            name = f"{application.namespace}/{application.name}"
            members.setdefault(id(own), {})[name] = each.name

    def localised(obj: Object) -> Application:
        application = project(obj)
        return next(iter(local([application], urls).applications), application)

    return generated, [Family(own, localised, members.get(id(own), {})) for own in sets]


def _check(found: Discovery, repository: str, applications: Sequence[Path]) -> None:
    if found.applications or found.sets:
        return
    where = ", ".join(map(str, applications)) or repository
    looked = "looked for documents of kind Application (argoproj.io) in files *.yaml, *.yml and *.json"
    notes = [looked, *_notes(found, clusters_are_listed=False)]
    raise UsageError(
        f"no Application found in {where}: {'; '.join(notes)}",
        hint="name files or folders that have them with --applications",
    )


def _notes(found: Discovery, *, clusters_are_listed: bool) -> Iterator[str]:
    asking = [str(each) for each in found.sets if each.asks_for_clusters]
    if asking and not found.clusters and not clusters_are_listed:
        only = f"so there is only {IN_CLUSTER_NAME} for {_listed(asking)}"
        yield f"no Secrets of clusters found, and none in argocd_clusters, {only}"
    if found.outside:
        yield f"{count(found.outside, 'Application')} in namespaces where Argo CD does not look left out"
    if found.unfollowed:
        yield f"what {_listed(found.unfollowed)} may render, {DEEPEST} Applications deep, left out"
    if found.unreadable:
        yield f"no Application can be read from {_listed(found.unreadable)}"


def _listed(texts: Sequence[str]) -> str:
    shown = ", ".join(map(one_line, texts[:_MOST_NAMED]))
    return shown if len(texts) <= _MOST_NAMED else f"{shown} and {len(texts) - _MOST_NAMED} more"
