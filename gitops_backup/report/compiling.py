"""From a plan to the report of it, with what Git has to say about where each image is written."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from gitops_backup.domain.backups import ImageBackup, Phase
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.planning import Action, Backups, Plan, Use, WorkloadPlan
from gitops_backup.domain.policy import Policy
from gitops_backup.domain.reasons import EXPLANATIONS, OUT_OF_SCOPE, Reason
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.report.model import (
    ASSUMED,
    AlongReport,
    ContainerReport,
    FileReport,
    ImageReport,
    Place,
    Report,
    Standing,
    Summary,
    WorkloadReport,
)

ContainerKey = tuple[str, WorkloadKey, str]
"""The Application of a workload, empty where it has none; the workload; the name of a container of it."""


class Obstacle(NamedTuple):
    """Why a container's image cannot be written in Git; `difference` shows what would be rendered."""

    reason: Reason
    message: str
    difference: str = ""


def report_of(
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
) -> Report:
    """The report of a plan; `places` and `obstacles` say what Git has to say about containers' images.

    Where the backups are `assumed`, nobody has looked whether they are there.
    """
    obstacles = {**_in_pull_requests(plan), **obstacles}
    plan = Plan(tuple(_obstructed(workload, obstacles) for workload in plan.workloads))
    workloads = tuple(
        _workload(w, backups, places=places, obstacles=obstacles, assumed=assumed) for w in plan.workloads
    )
    images = _images(plan, backups, policy, assumed=assumed)
    return Report(
        mode=policy.mode,
        backup_repository=str(policy.naming.prefix),
        summary=_summary(plan, workloads),
        images=images,
        workloads=workloads,
        files=tuple(files),
        along=tuple(along),
        problems=tuple(problems),
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
            if use.source is not None and use.reason not in OUT_OF_SCOPE:
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
