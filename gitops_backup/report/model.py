"""The report: what every image in use is, where its copy is, and what the controller would do about it.

It is the plan of the controller itself, put into words. The JSON form is versioned: within a version, fields
are added and never change their meaning.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict

from gitops_backup.domain.backups import ImageBackup, Phase
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.planning import Action, Backups, Plan, Route, Use, WorkloadPlan
from gitops_backup.domain.policy import Policy
from gitops_backup.domain.reasons import EXPLANATIONS, Reason
from gitops_backup.domain.workloads import WorkloadKey

ContainerKey = tuple[str, WorkloadKey, str]
"""The Application of a workload, empty where it has none; the workload; the name of a container of it."""

ASSUMED = "Assumed"
"""The state of an image whose copy is taken to be there, with nobody asked."""

FORMAT: Literal["gitops-backup/report/v1"] = "gitops-backup/report/v1"


class Obstacle(NamedTuple):
    """Why a container's image cannot be written in Git; `difference` shows what would be rendered."""

    reason: Reason
    message: str
    difference: str = ""


class Standing(StrEnum):
    """How it stands with a container: what the report counts."""

    SETTLED = "settled"
    """Nothing is to be done, or no more than a copy."""
    DUE = "due"
    """It is to be rewritten now."""
    COMING = "coming"
    """It is to be rewritten once its image is copied."""
    WAITING = "waiting"
    """It is not rewritten yet, for a reason that passes by itself."""
    BLOCKED = "blocked"
    """It is not rewritten, for a reason that does not pass by itself."""
    LEFT_ALONE = "left alone"
    """It is out of scope."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")


class Place(_Part):
    """Where an image is written in Git."""

    repository: str
    """The repository's URL, normalised."""
    branch: str
    """The branch."""
    commit: str
    """The commit that was looked at."""
    path: str
    """The file."""
    line: int
    """The line, counted from 1, with the change made."""
    line_before: int
    """The line in that commit, or the one behind which the image's name is put in."""


class ContainerReport(_Part):
    """One container and its image."""

    name: str
    """The container's name."""
    init: bool
    """Whether it is an init container."""
    image: str
    """The image as the workload names it."""
    external: bool
    """Whether it comes from a registry that its owner does not control."""
    protected: bool
    """Whether it is a backup that is there, or has a verified one, or is trusted."""
    backup: str | None
    """The name of its backup, where there is one to be."""
    digest: str | None
    """The digest that the verified backup holds."""
    action: Action
    """What happens next to it."""
    then: Route | None
    """How the workload is made to use the backup, now or once it is copied; null where it is not."""
    reason: Reason | None
    """Why nothing happens, or not yet."""
    message: str
    """The same in a sentence."""
    remedy: str
    """What a person can do."""
    place: Place | None
    """Where it is written in Git, where that was looked up."""
    difference: str = ""
    """What would be rendered otherwise, as a diff, where that is the reason and diffs were asked for."""

    @property
    def standing(self) -> Standing:
        """How it stands with it."""
        if self.then is not None:
            return Standing.DUE if self.action == Action.REWRITE else Standing.COMING
        if self.reason is None:
            return Standing.SETTLED
        if self.reason in _OUT_OF_SCOPE:
            return Standing.LEFT_ALONE
        return Standing.WAITING if self.reason in _PASSING else Standing.BLOCKED


class WorkloadReport(_Part):
    """One workload and its containers."""

    kind: str
    """Deployment or DaemonSet."""
    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    application: str | None
    """The Argo CD Application that tracks it, as namespace/name."""
    containers: tuple[ContainerReport, ...]
    """Its containers, init containers first."""

    @property
    def key(self) -> WorkloadKey:
        """Which workload it is."""
        return WorkloadKey(self.kind, self.namespace, self.name)


class ImageReport(_Part):
    """One source image that is in use."""

    image: str
    """The source, in normal form."""
    backup: str
    """The name of its backup."""
    object: str
    """The name of its ImageBackup."""
    state: str
    """The phase of its ImageBackup; `Missing`; or `Assumed`, where nobody asked for it."""
    verified: bool
    """Whether the backup is there beyond doubt."""
    workloads: int
    """How many workloads name it, or its backup."""


class FileReport(_Part):
    """A file that would be changed, or a workload that would be patched."""

    repository: str | None
    """The repository's URL; null for a patch in the cluster."""
    branch: str | None
    """The branch."""
    commit: str | None
    """The commit that the change is on top of."""
    path: str
    """The file, or the workload."""
    diff: str
    """The change as a unified diff."""


class AlongReport(_Part):
    """A place that changes because the same text feeds it, though nobody asked for that."""

    application: str
    """The Application, as namespace/name."""
    kind: str
    """The object's kind."""
    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    place: str
    """Its container, or the place in it."""
    image: str
    """What stands there."""
    becomes: str
    """What would stand there."""


class Summary(_Part):
    """The report in numbers."""

    workloads: int
    """Workloads looked at."""
    containers: int
    """Their containers."""
    scope: int
    """Containers in scope: all but those that are left alone."""
    external: int
    """Containers in scope whose image comes from a registry that its owner does not control."""
    protected: int
    """Containers in scope whose image is a backup, trusted, or has a verified backup."""
    using: int
    """Those of the protected that name such an image already."""
    copies: int
    """Images to be copied."""
    rewrites: int
    """Containers to be rewritten now."""
    coming: int
    """Containers to be rewritten once their images are copied."""
    waiting: int
    """Containers that are not rewritten yet, for a reason that passes by itself."""
    blocked: int
    """Containers that are not rewritten, copied or not, for a reason that does not pass by itself."""
    coverage: float
    """`protected` as a share of `scope`: whose images would outlive every foreign registry, from 0 to 1."""


class Report(_Part):
    """The whole report."""

    format: Literal["gitops-backup/report/v1"] = FORMAT
    """The version of this format."""
    mode: str
    """The mode that was planned for."""
    backup_repository: str
    """The prefix of all backups."""
    summary: Summary
    """The report in numbers."""
    images: tuple[ImageReport, ...]
    """Each source image in use."""
    workloads: tuple[WorkloadReport, ...]
    """Each workload."""
    files: tuple[FileReport, ...] = ()
    """What would be changed, where diffs were asked for."""
    along: tuple[AlongReport, ...] = ()
    """What would change together with that, such as a StatefulSet that is fed by the same value."""
    problems: tuple[str, ...] = ()
    """What could not be looked at: repositories, files."""

    @property
    def clean(self) -> bool:
        """Whether nothing is due, and nothing waits or is blocked."""
        found = self.summary
        due = found.copies or found.rewrites or found.coming or found.waiting or found.blocked
        return not (due or self.problems)

    @classmethod
    def of(
        cls,
        plan: Plan,
        *,
        policy: Policy,
        backups: Backups,
        places: Mapping[ContainerKey, Place],
        obstacles: Mapping[ContainerKey, Obstacle],
        files: Iterable[FileReport] = (),
        along: Iterable[AlongReport] = (),
        problems: Iterable[str] = (),
        assumed: bool = False,
    ) -> Self:
        """The report of a plan; `places` and `obstacles` say what Git has to say about containers' images.

        Where the backups are `assumed`, nobody has looked whether they are there.
        """
        obstacles = {**_in_pull_requests(plan), **obstacles}
        plan = Plan(tuple(_obstructed(workload, obstacles) for workload in plan.workloads))
        workloads = tuple(
            _workload(w, backups, places=places, obstacles=obstacles, assumed=assumed) for w in plan.workloads
        )
        images = _images(plan, backups, policy, assumed=assumed)
        return cls(
            mode=policy.mode,
            backup_repository=str(policy.naming.prefix),
            summary=_summary(plan, workloads),
            images=images,
            workloads=workloads,
            files=tuple(files),
            along=tuple(along),
            problems=tuple(problems),
        )


_OUT_OF_SCOPE = frozenset({Reason.RESTRICTED_NAMESPACE, Reason.IGNORED, Reason.DELETING})
_PASSING = frozenset(
    {
        Reason.BACKUP_PENDING,
        Reason.NOT_READY,
        Reason.ROLLING_OUT,
        Reason.AWAITING_SYNC,
        Reason.AWAITING_RELEASE,
        Reason.AWAITING_MERGE,
        Reason.RATE_LIMITED,
        Reason.SOURCE_UNAVAILABLE,
        Reason.DESTINATION_UNAVAILABLE,
    }
)


_NOT_COPIED = (Reason.BACKUP_PENDING, EXPLANATIONS[Reason.BACKUP_PENDING].meaning)


def _in_pull_requests(plan: Plan) -> dict[ContainerKey, Obstacle]:
    """The rewrites that are in the hands of people."""
    return {
        _key(workload, use): Obstacle(use.reason, use.message)
        for workload in plan.workloads
        for use in workload.due(Action.REWRITE)
        if use.reason is not None
    }


def _obstructed(plan: WorkloadPlan, obstacles: Mapping[ContainerKey, Obstacle]) -> WorkloadPlan:
    """The plan of a workload with what Git has to say: a rewrite that cannot be made is blocked."""
    return replace(
        plan,
        uses=tuple(_held_up(use, obstacles.get(_key(plan, use))) for use in plan.uses),
    )


def _key(plan: WorkloadPlan, use: Use) -> ContainerKey:
    application = plan.management.application if plan.management is not None else ""
    return application, plan.workload.key, use.container.name


def _held_up(use: Use, obstacle: Obstacle | None) -> Use:
    if obstacle is None:
        return use
    action = Action.BLOCKED if use.action == Action.REWRITE else use.action
    return replace(use, action=action, reason=obstacle.reason, message=obstacle.message)


def _workload(
    plan: WorkloadPlan,
    backups: Backups,
    *,
    places: Mapping[ContainerKey, Place],
    obstacles: Mapping[ContainerKey, Obstacle],
    assumed: bool,
) -> WorkloadReport:
    key = plan.workload.key
    return WorkloadReport(
        kind=key.kind,
        namespace=key.namespace,
        name=key.name,
        application=plan.management.application if plan.management is not None else None,
        containers=tuple(
            _container(
                use,
                plan,
                backups,
                place=places.get(_key(plan, use)),
                obstacle=obstacles.get(_key(plan, use)),
                assumed=assumed,
            )
            for use in plan.uses
        ),
    )


def _container(
    use: Use,
    plan: WorkloadPlan,
    backups: Backups,
    *,
    place: Place | None,
    obstacle: Obstacle | None,
    assumed: bool,
) -> ContainerReport:
    record = _record(use, backups)
    verified = record is not None and record.verified
    # what is only assumed of an image that is not even named yet protects nobody
    kept = verified and not (assumed and use.external)
    coming = use.external and use.action in {Action.COPY, Action.WAIT, Action.REWRITE}
    reason, message = use.reason, use.message
    if coming and obstacle is None and plan.route is None:
        reason, message = plan.blocked, plan.message
    elif reason is None and use.action == Action.KEEP and use.source is not None and not verified:
        reason, message = record.failure() if record is not None else _NOT_COPIED
    return ContainerReport(
        name=use.container.name,
        init=use.container.init,
        image=use.container.image,
        external=use.external,
        protected=kept or (use.action == Action.KEEP and use.source is None),
        backup=str(use.backup) if use.backup is not None else None,
        digest=record.status.digest if record is not None and verified and not assumed else None,
        action=use.action,
        then=plan.route if coming and obstacle is None else None,
        reason=reason,
        message=message,
        remedy=EXPLANATIONS[reason].remedy if reason is not None else "",
        place=place,
        difference=obstacle.difference if obstacle is not None else "",
    )


def _record(use: Use, backups: Backups) -> ImageBackup | None:
    """The ImageBackup of the use's very source, under the name that is planned for."""
    record = backups.of_source(use.source) if use.source is not None else None
    if record is None or record.image != use.source or record.status.backup not in {None, str(use.backup)}:
        return None
    return record


def _images(plan: Plan, backups: Backups, policy: Policy, *, assumed: bool) -> tuple[ImageReport, ...]:
    users: dict[Reference, set[tuple[str, WorkloadKey]]] = {}
    for workload in plan.workloads:
        for use in workload.uses:
            if use.source is not None and use.reason not in _OUT_OF_SCOPE:
                users.setdefault(use.source, set()).add(_key(workload, use)[:2])
    return tuple(
        _image(source, len(users[source]), backups, policy, assumed=assumed) for source in sorted(users)
    )


def _image(
    source: Reference, workloads: int, backups: Backups, policy: Policy, *, assumed: bool
) -> ImageReport:
    record = backups.of_source(source)
    if record is not None and record.image != source:
        record = None
    state = (record.status.phase or Phase.PENDING) if record is not None else "Missing"
    return ImageReport(
        image=str(source),
        backup=str(policy.naming.backup(source)),
        object=object_name(source),
        state=ASSUMED if assumed and record is not None else state,
        verified=record is not None and record.verified and not assumed,
        workloads=workloads,
    )


def _summary(plan: Plan, workloads: Sequence[WorkloadReport]) -> Summary:
    containers = [container for workload in workloads for container in workload.containers]
    scope = [container for container in containers if container.standing != Standing.LEFT_ALONE]
    protected = sum(container.protected for container in scope)
    standing = Counter(container.standing for container in scope)
    return Summary(
        workloads=len(workloads),
        containers=len(containers),
        scope=len(scope),
        external=sum(container.external for container in scope),
        protected=protected,
        using=sum(container.protected and not container.external for container in scope),
        copies=len(plan.copies()),
        rewrites=standing[Standing.DUE],
        coming=standing[Standing.COMING],
        waiting=standing[Standing.WAITING],
        blocked=standing[Standing.BLOCKED],
        # never rounded up to a whole that it is not
        coverage=math.floor(10_000 * protected / len(scope)) / 10_000 if scope else 1.0,
    )
