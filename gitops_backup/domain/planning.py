"""The one place that decides what happens to each image of each workload.

`decide` looks at one workload, `plan` at all of them; the controller acts on what they say, and the dry run
prints it. Both read the same facts, whether these come from a live cluster or from a snapshot. What is
written in Git is a second look, at the tree itself: here, a rewrite by commit is due as far as the cluster
can tell.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Protocol

from gitops_backup.domain.backups import ImageBackup, Rewrite
from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.policy import REWRITE, Mode, Namespaces, Policy, Unmanaged, out_of_scope
from gitops_backup.domain.reasons import EXPLANATIONS, Reason
from gitops_backup.domain.rewrites import asked_of_people, hands_off
from gitops_backup.domain.unheeded import Unheeded
from gitops_backup.domain.workloads import Container, Rollout, Workload, WorkloadKey
from gitops_backup.errors import one_line


class Action(StrEnum):
    """What happens next to an image in use."""

    KEEP = "Keep"
    """Nothing: it comes from a registry that is trusted."""
    COPY = "Copy"
    """An ImageBackup is due."""
    ADOPT = "Adopt"
    """It names a backup that nobody has on record: an ImageBackup is due if the registry has it."""
    WAIT = "Wait"
    """Its copy, or that of another image of the workload, is under way."""
    REWRITE = "Rewrite"
    """The workload is to name the verified copy."""
    BLOCKED = "Blocked"
    """Nothing, for the reason that is given."""


class Route(StrEnum):
    """How a workload is rewritten."""

    PATCH = "Patch"
    COMMIT = "Commit"


@dataclass(frozen=True, slots=True)
class Target:
    """A place in Git that an Application deploys from.

    `repository` is the same for all spellings of a URL, `url` one that works; `branch` is None for the
    repository's default branch. `blocked` and `message` say why nothing can be written there.
    """

    repository: str
    branch: str | None
    url: str = field(compare=False, default="")
    blocked: Reason | None = field(compare=False, default=None)
    message: str = field(compare=False, default="")

    def __str__(self) -> str:
        return f"{self.repository} {self.branch or 'HEAD'}"


@dataclass(frozen=True, slots=True)
class Management:
    """What Argo CD has to say about a workload: the Application (namespace/name) and where it comes from.

    It leaves the `unheeded` images as they are.
    """

    application: str
    self_heal: bool
    targets: tuple[Target, ...]
    unheeded: tuple[Unheeded, ...] = ()

    def kept_by(self, workload: WorkloadKey, container: Container) -> str | None:
        """Why a container's image stays as it is, whatever Git says; None where it does not."""
        kept = next((each for each in self.unheeded if each.covers(workload, container)), None)
        if kept is None:
            return None
        place = kept.place or f"the Application {self.application}"
        return f"{kept.field} of {place} keeps this image as it is in the cluster"


class Backups(Protocol):
    """The ImageBackups that there are, by what they stand for."""

    def of_source(self, source: Reference) -> ImageBackup | None:
        """The ImageBackup whose object has this source's name, whatever source it records."""

    def of_backup(self, backup: Reference) -> ImageBackup | None:
        """The ImageBackup whose status names this backup."""

    def know_repository(self, backup: Reference) -> bool:
        """Whether any ImageBackup has a verified backup in this repository."""


class Facts(Protocol):
    """What a decision reads."""

    @property
    def backups(self) -> Backups:
        """The ImageBackups."""

    @property
    def namespaces(self) -> Namespaces:
        """The namespaces' annotations."""

    def workloads(self) -> Iterable[Workload]:
        """All workloads, sorted by key."""

    def running(self, workload: WorkloadKey) -> Mapping[tuple[str, str], frozenset[str]]:
        """The digests that the workload's pods run, by container and image as the pods' specs name it."""

    def management(self, workload: Workload) -> Management | None:
        """What Argo CD has to say about the workload; None where it does not track it."""


@dataclass(frozen=True, slots=True)
class Use:
    """A container's image, and what happens to it next.

    `source` is the external image, or the one that a backup name stands for; `backup` the name in the backup
    registry. `reason` and `message` are there for what waits or is blocked, and for a rewrite that is in the
    hands of people, in a pull request.
    """

    container: Container
    action: Action
    image: Reference | None = None
    source: Reference | None = None
    backup: Reference | None = None
    reason: Reason | None = None
    message: str = ""

    @property
    def external(self) -> bool:
        """Whether it comes from a registry that its owner does not control."""
        return self.image is not None and self.image == self.source


@dataclass(frozen=True, slots=True)
class WorkloadPlan:
    """A workload's images, each with its next step, and how the workload would be rewritten.

    `route` is None where it cannot be rewritten, for the reason `blocked`.
    """

    workload: Workload
    uses: tuple[Use, ...]
    route: Route | None
    management: Management | None
    blocked: Reason | None = None
    message: str = ""

    def due(self, action: Action) -> tuple[Use, ...]:
        """The uses whose next step this is."""
        return tuple(use for use in self.uses if use.action == action)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done in a cluster: a plan for each workload, sorted by key."""

    workloads: tuple[WorkloadPlan, ...]

    def copies(self) -> tuple[Reference, ...]:
        """The sources whose ImageBackup is to be made, sorted, each once."""
        due = (use.source for w in self.workloads for use in w.due(Action.COPY))
        return tuple(sorted({source for source in due if source is not None}, key=str))


def plan(facts: Facts, policy: Policy) -> Plan:
    """What is to be done with every workload."""
    return Plan(tuple(decide(workload, facts, policy) for workload in facts.workloads()))


def decide(workload: Workload, facts: Facts, policy: Policy) -> WorkloadPlan:
    """What is to be done with one workload."""
    scope = out_of_scope(workload, facts.namespaces, policy)
    if scope is not None:
        blocked_uses = tuple(_blocked(container, scope, policy) for container in workload.containers)
        return WorkloadPlan(workload, blocked_uses, None, None, scope, EXPLANATIONS[scope].meaning)
    management = facts.management(workload)
    route, blocked, message = _route(workload, management, policy)
    running = facts.running(workload.key)
    judge = _Judge(workload, facts, policy, route, blocked, message, running, management)
    uses = tuple(judge.use(container) for container in workload.containers)
    if route == Route.PATCH:
        uses = _together(uses)
    return WorkloadPlan(workload, uses, route, management, blocked, message)


@dataclass(frozen=True, slots=True)
class _Judge:
    workload: Workload
    facts: Facts
    policy: Policy
    route: Route | None
    blocked: Reason | None
    message: str
    running: Mapping[tuple[str, str], frozenset[str]]
    management: Management | None

    def use(self, container: Container) -> Use:
        try:
            image = Reference.parse(container.image)
        except InvalidReference as error:
            return Use(container, Action.BLOCKED, reason=Reason.INVALID_REFERENCE, message=error.message)
        if self.policy.naming.is_backup(image):
            return self._backup(container, image)
        if self.policy.trusts(image):
            return Use(container, Action.KEEP, image=image)
        return self._external(container, image)

    def _backup(self, container: Container, image: Reference) -> Use:
        record = self.facts.backups.of_backup(image)
        if record is not None:
            return Use(container, Action.KEEP, image=image, source=record.image, backup=image)
        source = self.policy.naming.source(image)
        if source is None or self.policy.naming.is_backup(source) or self.policy.trusts(source):
            return Use(container, Action.KEEP, image=image, backup=image)
        ours = self.policy.exclusive or self.facts.backups.know_repository(image)
        return Use(container, Action.COPY if ours else Action.ADOPT, image=image, source=source, backup=image)

    def _external(self, container: Container, image: Reference) -> Use:
        record = self.facts.backups.of_source(image)
        use = Use(
            container, Action.BLOCKED, image=image, source=image, backup=self.policy.naming.backup(image)
        )
        if record is not None and record.image != image:
            stands_for = f"{object_name(image)} stands for {record.image} already"
            return replace(use, reason=Reason.NAME_CONFLICT, message=stands_for)
        digests = self.running.get((container.name, container.image), frozenset())
        if record is None:
            return self._unrecorded(use, seen=bool(digests))
        if not record.verified:
            reason, message = record.failure()
            action = Action.WAIT if not record.settled else Action.BLOCKED
            return replace(use, action=action, reason=reason, message=message)
        if record.status.backup != str(use.backup):
            elsewhere = f"its copy is {record.status.backup}, below another prefix"
            return replace(use, action=Action.WAIT, reason=Reason.BACKUP_PENDING, message=elsewhere)
        if not record.covers(digests):
            return replace(use, reason=Reason.TAG_MOVED, message=EXPLANATIONS[Reason.TAG_MOVED].meaning)
        return self._verified(use, record)

    def _unrecorded(self, use: Use, *, seen: bool) -> Use:
        # an available pod may still run an older template: the image itself must have been pulled once
        rolled_out = self.workload.rollout == Rollout.COMPLETE and self.workload.updated
        if self.workload.available and (seen or rolled_out):
            return replace(use, action=Action.COPY)
        reason = Reason.SCALED_TO_ZERO if self.workload.scaled_to_zero else Reason.NOT_READY
        return replace(use, reason=reason, message=EXPLANATIONS[reason].meaning)

    def _verified(self, use: Use, record: ImageBackup) -> Use:
        rewrite = record.rewrite(self.workload.key, use.container.name)
        asked = asked_of_people(rewrite) if self.route == Route.COMMIT else None
        reason = self._held_back(rewrite, proposed=asked is not None)
        kept = self.management.kept_by(self.workload.key, use.container) if self.management else None
        if kept is not None and self.route == Route.COMMIT:
            return replace(use, reason=Reason.OVERRIDDEN, message=kept)
        if reason is None:
            where = f" ({rewrite.pull_request})" if rewrite is not None and rewrite.pull_request else ""
            message = f"{EXPLANATIONS[asked].meaning}{where}" if asked is not None else ""
            return replace(use, action=Action.REWRITE, reason=asked, message=message)
        message = self.message if reason == self.blocked else EXPLANATIONS[reason].meaning
        return replace(use, reason=reason, message=message)

    def _held_back(self, rewrite: Rewrite | None, *, proposed: bool) -> Reason | None:
        if rewrite is not None:
            reason = hands_off(
                rewrite, in_git=self.route == Route.COMMIT, insisted=self.workload.directive == REWRITE
            )
            if reason is not None:
                return reason
        # what is proposed stays so while its workload is restarted or scaled
        return self.blocked or (None if proposed else _unripe(self.workload)) or self._paused()

    def _paused(self) -> Reason | None:
        return Reason.CONTROLLER_PAUSED if self.facts.namespaces.paused(self.policy) else None


def _unripe(workload: Workload) -> Reason | None:
    if workload.paused:
        return Reason.ROLLOUT_PAUSED
    if workload.scaled_to_zero:
        return Reason.SCALED_TO_ZERO
    if not workload.available:
        return Reason.NOT_READY
    return None if workload.rollout == Rollout.COMPLETE else Reason.ROLLING_OUT


def _route(
    workload: Workload, management: Management | None, policy: Policy
) -> tuple[Route | None, Reason | None, str]:
    if workload.owner is not None:
        return None, Reason.OWNED_BY_CONTROLLER, f"{workload.owner} made it and would undo a change"
    if policy.mode == Mode.DIRECT:
        if management is not None and management.self_heal:
            return None, Reason.SELF_HEAL, f"Argo CD's Application {management.application} heals it"
        return Route.PATCH, None, ""
    if management is None:
        if workload.installation_id is not None:
            who = f"the Argo CD with the installationID {one_line(workload.installation_id)}"
            return None, Reason.NOT_IN_GIT, f"{who} deploys it, by no Application that is known here"
        if policy.mode == Mode.REPORT or policy.unmanaged == Unmanaged.PATCH:
            return Route.PATCH, None, ""
        return None, Reason.NOT_IN_GIT, EXPLANATIONS[Reason.NOT_IN_GIT].meaning
    if any(target.blocked is None for target in management.targets):
        return Route.COMMIT, None, ""
    first = next(iter(management.targets), None)
    if first is None or first.blocked is None:
        return None, Reason.NOT_IN_GIT, f"Application {management.application} has no source in Git"
    return None, first.blocked, first.message


def _together(uses: tuple[Use, ...]) -> tuple[Use, ...]:
    """All containers go in one patch, when each image is settled."""
    if not any(use.action in {Action.COPY, Action.WAIT} and use.external for use in uses):
        return uses
    message = "waits for the other images of this workload"
    return tuple(
        replace(use, action=Action.WAIT, reason=Reason.BACKUP_PENDING, message=message)
        if use.action == Action.REWRITE
        else use
        for use in uses
    )


def _blocked(container: Container, reason: Reason, policy: Policy) -> Use:
    use = Use(container, Action.BLOCKED, reason=reason, message=EXPLANATIONS[reason].meaning)
    try:
        image = Reference.parse(container.image)
    except InvalidReference:
        return use
    if policy.naming.is_backup(image):
        return replace(use, image=image, backup=image)
    return replace(use, image=image, source=None if policy.trusts(image) else image)
