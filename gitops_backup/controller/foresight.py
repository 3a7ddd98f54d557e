"""What the controller would write, once every copy that is due is there: for the dry run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gitops_backup.controller.drafting import Branch, Draft, DueChange, Part, draft
from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.messages import ImageChange
from gitops_backup.controller.targets import target_of
from gitops_backup.domain.planning import Action, Plan, Route, Target, Use, WorkloadPlan
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.edits import unified_diff

ContainerKey = tuple[WorkloadKey, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where in Git a container's image is written; `line` counts from 1."""

    target: Target
    branch: str
    commit: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Change:
    """What would become of a file, or, with no target, of a workload: as a unified diff."""

    target: Target | None
    branch: str | None
    path: str
    diff: str


@dataclass(frozen=True, slots=True)
class Future:
    """What would be written, where, and what stands in the way of it."""

    places: Mapping[ContainerKey, Place] = field(default_factory=dict)
    obstacles: Mapping[ContainerKey, tuple[Reason, str]] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()
    problems: tuple[str, ...] = ()


class Git(Protocol):
    """The clones."""

    def open(self, url: str, branch: str | None = None) -> Branch:
        """A branch of a repository; None is its default branch."""


def foresee(plan: Plan, inventory: Inventory, git: Git) -> Future:
    """What would be written for a plan, with every image copied that is to be copied."""
    places: dict[ContainerKey, Place] = {}
    obstacles: dict[ContainerKey, tuple[Reason, str]] = {}
    changes = [_patched(workload) for workload in plan.workloads if workload.route == Route.PATCH]
    problems: list[str] = []
    for target, parts in sorted(_by_target(plan, inventory).items(), key=lambda item: str(item[0])):
        try:
            branch = git.open(target.url, target.branch)
            drafted = draft(branch, branch.fetch().commit, parts)
        except GitopsBackupError as error:
            problems.append(f"{target}: {error}")
            continue
        changes += _changed(target, branch, drafted)
        for change, written in drafted.places.items():
            place = Place(target, branch.name, drafted.commit, written.path, written.line)
            places[change.workload, change.container] = place
        for left in drafted.left:
            obstacles[left.change.workload, left.change.container] = left.reason, left.message
        for change in drafted.done:
            message = f"{branch.name} names the backup already; the Application is not synced"
            obstacles[change.workload, change.container] = Reason.AWAITING_SYNC, message
    return Future(places, obstacles, tuple(change for change in changes if change.diff), tuple(problems))


def _coming(workload: WorkloadPlan) -> Iterable[Use]:
    return (
        use
        for use in workload.uses
        if use.external and use.action in {Action.COPY, Action.WAIT, Action.REWRITE}
    )


def _by_target(plan: Plan, inventory: Inventory) -> dict[Target, list[Part]]:
    due: dict[str, list[DueChange]] = {}
    for workload in plan.workloads:
        if workload.route == Route.COMMIT and workload.management is not None:
            name = workload.management.application
            due.setdefault(name, []).extend(_due(workload, name))
    found: dict[Target, list[Part]] = {}
    for application in inventory.applications():
        changes = due.get(f"{application.namespace}/{application.name}")
        targets = {target for s in application.sources if (target := target_of(s)).blocked is None}
        for target in targets if changes else ():
            here = tuple(s for s in application.sources if target_of(s) == target)
            elsewhere = len(here) < len(application.sources)
            found.setdefault(target, []).append(Part(application, here, tuple(changes or ()), elsewhere))
    return found


def _due(workload: WorkloadPlan, application: str) -> Iterable[DueChange]:
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


def _patched(workload: WorkloadPlan) -> Change:
    """The images of a workload before and after a patch, in the form of a diff."""
    before, after = _lines(workload.uses, ()), _lines(workload.uses, tuple(_coming(workload)))
    name = str(workload.workload.key)
    return Change(None, None, name, unified_diff(name, before, after) if before != after else "")


def _lines(uses: Sequence[Use], changed: Sequence[Use]) -> bytes:
    lines = []
    for use in uses:
        image = str(use.backup) if use in changed else use.container.image
        kind = "initContainer" if use.container.init else "container"
        lines.append(f"{kind} {use.container.name}: {image}\n")
    return "".join(lines).encode()


def _changed(target: Target, branch: Branch, drafted: Draft) -> list[Change]:
    return [
        Change(target, branch.name, path, unified_diff(path, drafted.before[path], drafted.files[path]))
        for path in sorted(drafted.files)
    ]
