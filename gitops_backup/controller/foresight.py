"""What the controller would write, once every copy that is due is there: for the dry run."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from gitops_backup.controller.along import Along
from gitops_backup.controller.drafting import Draft, draft
from gitops_backup.controller.generating import Family
from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.messages import ImageChange
from gitops_backup.controller.parts import DueChange, Part, Share
from gitops_backup.controller.reading import Elsewhere, Readable
from gitops_backup.controller.sets import Fleet
from gitops_backup.controller.targets import branch_of, signature_missing, target_of
from gitops_backup.controller.waiting import awaited, release_awaited, why_not_synced
from gitops_backup.domain.planning import Action, Plan, Route, Target, Use, WorkloadPlan
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.errors import GitopsBackupError, Unwritable
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.applicationsets.clusters import Cluster
from gitops_backup.sources.edits import lines_before, unified_diff
from gitops_backup.sources.places import has_manifests
from gitops_backup.sources.rendering import Renderer

ContainerKey = tuple[str, WorkloadKey, str]
"""An Application, a workload that it deploys, and the name of a container of it.

Several Applications may deploy what has the same name, each to a cluster of its own.
"""


class Obstacle(NamedTuple):
    """Why a container's image is written nowhere; `difference` shows what else would be rendered."""

    reason: Reason
    message: str
    difference: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in Git a container's image is written afterwards; lines count from 1.

    `line_before` is where that is in the commit, or the line behind which it is put in; `new` is whether the
    commit does not have the file.
    """

    target: Target
    branch: str
    commit: str
    path: str
    line: int
    line_before: int
    new: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """What would become of a file, or, with no target, of a workload: as a unified diff."""

    target: Target | None
    branch: str | None
    commit: str | None
    path: str
    diff: str


@dataclass(frozen=True, slots=True)
class Future:
    """What would be written, where, and what stands in the way of it; changes are sorted, Git's first.

    `along` is what changes together with what is asked for.
    """

    places: Mapping[ContainerKey, Place] = field(default_factory=dict)
    obstacles: Mapping[ContainerKey, Obstacle] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    along: tuple[Along, ...] = ()
    problems: tuple[str, ...] = ()


class Git(Protocol):
    """The clones."""

    def open(self, url: str, branch: str | None = None) -> Readable:
        """A branch of a repository; None is its default branch."""


def foresee(
    plan: Plan,
    inventory: Inventory,
    git: Git,
    *,
    renderer: Renderer,
    now: datetime,
    elsewhere: Elsewhere | None = None,
    signing_keys: Collection[str] = (),
    families: Sequence[Family] = (),
    clusters: Sequence[Cluster] | None = None,
) -> Future:
    """What would be written for a plan, with every image copied that is to be copied.

    `elsewhere` has what Applications are rendered from besides the branches that they are edited on;
    `signing_keys` are the ids of the OpenPGP key that commits would be signed with. `families` are the sets
    that generate Applications, as the commit has them that all is planned on; `clusters` are those that Argo
    CD is said to know, for sets that are in the cluster.
    """
    due, kept = _due_by_application(plan), _kept(plan)
    looks = _Looks(
        inventory,
        git,
        renderer,
        elsewhere=elsewhere,
        now=now,
        signing_keys=signing_keys,
        families=families,
        clusters=clusters,
    )
    applications = list(inventory.applications())
    for application in applications:
        changes = due.get(f"{application.namespace}/{application.name}")
        if changes:
            looks.prepare(application, tuple(each for each in changes if each not in kept))
    for application in applications:
        looks.take_along(application)
    looks.draft()
    looks.leave(kept)
    patches = (_patched(workload) for workload in plan.workloads if workload.route == Route.PATCH)
    return Future(
        places=looks.places,
        obstacles=looks.obstacles(),
        changes=(*looks.changes, *(patch for patch in patches if patch.diff)),
        along=tuple(looks.along),
        problems=tuple(looks.problems),
    )


class _Looks:
    """Looks at branches: one for each, however many Applications deploy from it and however they name it."""

    def __init__(
        self,
        inventory: Inventory,
        git: Git,
        renderer: Renderer,
        *,
        elsewhere: Elsewhere | None,
        now: datetime,
        signing_keys: Collection[str],
        families: Sequence[Family],
        clusters: Sequence[Cluster] | None,
    ) -> None:
        self.places: dict[ContainerKey, Place] = {}
        self.changes: list[Change] = []
        self.along: list[Along] = []
        self.problems: list[str] = []
        self._inventory = inventory
        self._now = now
        self._signing_keys = signing_keys
        self._families = families
        self._clusters = clusters
        self._git = git
        self._renderer = renderer
        self._elsewhere = elsewhere
        self._named: dict[Target, Target | str] = {}
        self._branches: dict[Target, Readable] = {}
        self._parts: dict[Target, list[Part]] = {}
        self._readers: dict[Target, list[Part]] = {}
        self._said: dict[ContainerKey, list[Obstacle]] = {}

    def prepare(self, application: Application, due: tuple[DueChange, ...]) -> None:
        """Take note of what is due for an Application, on each branch that it deploys from."""
        targets: dict[Target, None] = {}
        own = (target_of(application, source) for source in filter(has_manifests, application.sources))
        for target in (*own, *(branch_of(each.source) for each in application.declarers)):
            branch = self._open(target) if target.blocked is None else target.message
            if isinstance(branch, Target):
                targets[branch] = None
            else:
                self._say(due, target.blocked or Reason.REPOSITORY_UNAVAILABLE, branch)
        for target in targets:
            part = self._share(application, target).part(application, due)
            self._parts.setdefault(target, []).append(part)

    def take_along(self, application: Application) -> None:
        """Take note of those of its sources for which nothing is due, on branches where something is."""
        repositories = {target.repository for target in self._parts}
        targets: dict[Target, None] = {}
        for source in (*application.sources, *(each.source for each in application.declarers)):
            target = branch_of(source)
            if target.blocked is None and target.repository in repositories:
                branch = self._open(target)
                if isinstance(branch, Target) and branch in self._parts:
                    targets[branch] = None
        for target in targets:
            has_part = any(part.application is application for part in self._parts[target])
            reader = self._share(application, target).reader(application, with_edited=not has_part)
            if reader is not None:
                self._readers.setdefault(target, []).append(reader)

    def leave(self, kept: Mapping[DueChange, str]) -> None:
        """Take note of what Argo CD keeps as it is, and why."""
        for due, why in kept.items():
            self._say((due,), Reason.OVERRIDDEN, why)

    def draft(self) -> None:
        """Draft all that is due on each branch."""
        for target, parts in sorted(self._parts.items(), key=lambda item: str(item[0])):
            branch = self._branches[target]
            readers = self._readers.get(target, ())
            project_of = self._inventory.project_of
            missing = signature_missing((*parts, *readers), project_of, self._signing_keys)
            if missing is not None:
                for part in parts:
                    self._say(part.due, Reason.SIGNATURE_REQUIRED, missing)
                continue
            fleet = Fleet.around(
                (*parts, *readers), clusters=self._clusters, applications=self._inventory.applications
            )
            try:
                commit = branch.fetch().commit
                drafted = draft(
                    branch,
                    commit,
                    parts,
                    renderer=self._renderer,
                    readers=readers,
                    elsewhere=self._elsewhere,
                    families=self._families,
                    fleet=fleet,
                )
            except GitopsBackupError as error:
                problem = self._problem(target, error)
                pinned = isinstance(error, Unwritable)
                for part in parts:
                    reason = Reason.PINNED_REVISION if pinned else Reason.REPOSITORY_UNAVAILABLE
                    self._say(part.due, reason, problem)
            else:
                self._keep(target, branch, drafted)
                self._explain_waiting(branch.name, parts, drafted)

    def obstacles(self) -> dict[ContainerKey, Obstacle]:
        """What is in the way of each container that is written nowhere: the most telling of what was said."""
        due = {_key(each.change): None for parts in self._parts.values() for p in parts for each in p.due}
        unplaced = [key for key in (due | self._said) if key not in self.places]
        return {key: min(self._said.get(key, [_NOWHERE]), key=_vagueness) for key in unplaced}

    def _share(self, application: Application, target: Target) -> Share:
        def is_here(source: Source) -> bool:
            own = branch_of(source)
            same = own.blocked is None and own.repository == target.repository
            return same and self._open(own) == target

        return Share.of(application, is_here)

    def _open(self, target: Target) -> Target | str:
        """The target with its branch by name, or why there is none."""
        if target not in self._named:
            try:
                branch = self._git.open(target.url, target.branch)
            except GitopsBackupError as error:
                self._named[target] = self._problem(target, error)
            else:
                named = Target(target.repository, branch.name, target.url)
                self._branches.setdefault(named, branch)
                self._named[target] = named
        return self._named[target]

    def _problem(self, target: Target, error: GitopsBackupError) -> str:
        problem = str(error) if target.repository in str(error) else f"{target}: {error}"
        self.problems.append(problem)
        return problem

    def _keep(self, target: Target, branch: Readable, drafted: Draft) -> None:
        self.along += drafted.along
        for path in sorted(drafted.files):
            diff = unified_diff(path, drafted.before.get(path), drafted.files[path])
            self.changes.append(Change(target, branch.name, drafted.commit, path, diff))
        before = {
            path: lines_before(drafted.before.get(path, b""), content)
            for path, content in drafted.files.items()
        }
        for change, written in drafted.places.items():
            self.places[_key(change)] = Place(
                target,
                branch.name,
                drafted.commit,
                path=written.path,
                line=written.line,
                line_before=before[written.path](written.line),
                new=written.path not in drafted.before,
            )
        for left in drafted.left:
            obstacle = Obstacle(left.reason, left.message, left.difference)
            self._said.setdefault(_key(left.change), []).append(obstacle)

    def _explain_waiting(self, branch: str, parts: Iterable[Part], drafted: Draft) -> None:
        done = set(drafted.done)
        for part in parts:
            for due in part.due:
                if due.change in done:
                    message = f"{branch} names the backup already; {self._why_not_synced(part, due)}"
                    self._say([due], awaited(Reason.AWAITING_SYNC, part), message)

    def _why_not_synced(self, part: Part, due: DueChange) -> str:
        release = release_awaited(part)
        if release is not None:
            return release
        application = part.application
        why = why_not_synced(
            application,
            self._inventory.project_of(application),
            hidden=self._inventory.hidden(application, due.change.workload, due.change.container),
            now=self._now,
        )
        return f"the Application {why}"

    def _say(self, due: Iterable[DueChange], reason: Reason, message: str) -> None:
        for each in due:
            self._said.setdefault(_key(each.change), []).append(Obstacle(reason, message))


_NOWHERE = Obstacle(Reason.NOT_FOUND_IN_SOURCE, "none of the Application's sources describes it")
# with several sources, what is wrong with one of them need not be why a workload is found in none
_VAGUE = (
    Reason.REPOSITORY_UNAVAILABLE,
    Reason.PINNED_REVISION,
    Reason.DOWNLOAD_NOT_ALLOWED,
    Reason.DOWNLOAD_FAILED,
    Reason.CHART_NOT_FOUND,
    Reason.UNSUPPORTED_SOURCE,
    Reason.RENDER_FAILED,
    Reason.NOT_FOUND_IN_SOURCE,
)


def _vagueness(obstacle: Obstacle) -> int:
    return _VAGUE.index(obstacle.reason) + 1 if obstacle.reason in _VAGUE else 0


def _key(change: ImageChange) -> ContainerKey:
    return change.application, change.workload, change.container


def _due_by_application(plan: Plan) -> dict[str, list[DueChange]]:
    due: dict[str, list[DueChange]] = {}
    for workload in plan.workloads:
        if workload.route == Route.COMMIT and workload.management is not None:
            name = workload.management.application
            due.setdefault(name, []).extend(_due(workload, name))
    return due


def _kept(plan: Plan) -> dict[DueChange, str]:
    """What stays as it is in the cluster, whatever Git says, and why."""
    found: dict[DueChange, str] = {}
    for workload in plan.workloads:
        if workload.route == Route.COMMIT and workload.management is not None:
            key, management = workload.workload.key, workload.management
            containers = {use.container.name: use.container for use in workload.uses}
            for due in _due(workload, management.application):
                why = management.kept_by(key, containers[due.change.container])
                if why is not None:
                    found[due] = why
    return found


def _due(workload: WorkloadPlan, application: str) -> Iterator[DueChange]:
    for use in _coming(workload):
        if use.source is not None and use.backup is not None:
            change = ImageChange(
                application=application,
                workload=workload.workload.key,
                container=use.container.name,
                source=use.source,
                backup=use.backup,
                digest="",
            )
            yield DueChange(change, use.container.init)


def _coming(workload: WorkloadPlan) -> Iterator[Use]:
    return (
        use
        for use in workload.uses
        if use.external and use.action in {Action.COPY, Action.WAIT, Action.REWRITE}
    )


def _patched(workload: WorkloadPlan) -> Change:
    """The images of a workload before and after a patch, in the form of a diff."""
    before, after = _lines(workload.uses, ()), _lines(workload.uses, tuple(_coming(workload)))
    name = str(workload.workload.key)
    return Change(None, None, None, name, unified_diff(name, before, after))


def _lines(uses: Sequence[Use], changed: Sequence[Use]) -> bytes:
    lines = []
    for use in uses:
        image = str(use.backup) if use in changed else use.container.image
        kind = "initContainer" if use.container.init else "container"
        lines.append(f"{kind} {use.container.name}: {image}\n")
    return "".join(lines).encode()
