"""Who asks for an ImageBackup, and the next step that this calls for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from gitops_backup.domain.backups import (
    MOST_NAMED_USERS,
    ConditionType,
    ImageBackup,
    Phase,
    RewriteState,
    Status,
    Users,
)
from gitops_backup.domain.images import Reference
from gitops_backup.domain.workloads import WorkloadKey


@dataclass(frozen=True, slots=True)
class Demand:
    """Who asks for an ImageBackup, as the cluster is now.

    `sources` are the workloads in scope that name the source, `backups` those anywhere that name its backup,
    `ignored` those out of scope that name the source; `running` are the digests that pods run of the source,
    with the workloads that run them.
    """

    sources: tuple[WorkloadKey, ...] = ()
    backups: tuple[WorkloadKey, ...] = ()
    ignored: tuple[WorkloadKey, ...] = ()
    running: Mapping[str, tuple[WorkloadKey, ...]] = field(default_factory=dict)

    @property
    def used(self) -> bool:
        """Whether anybody needs the record."""
        return bool(self.sources or self.backups)


def observed(backup: ImageBackup, demand: Demand, *, name: Reference, now: datetime) -> Status:
    """The status with what the cluster shows now: users, digests, rewrites, and since when it is unused.

    `name` is the backup's name: where the status has another, below an earlier prefix, all that it says of
    the copy is void. Rewrites of workloads that name neither the source nor the backup any more are dropped.
    """
    moved = backup.status.backup not in {None, str(name)}
    status = Status(rewrites=backup.status.rewrites) if moved else backup.status
    namers = {str(key) for key in (*demand.sources, *demand.backups, *demand.ignored)}
    seen = status.model_copy(
        update={
            "phase": status.phase or Phase.PENDING,
            "backup": str(name),
            "users": Users(
                count=len(demand.sources), first=tuple(str(k) for k in demand.sources[:MOST_NAMED_USERS])
            ),
            "unused_since": None if demand.used else status.unused_since or now,
            "rewrites": tuple(r for r in status.rewrites if r.workload in namers),
        }
    )
    rolled_out, reason, message = _rolled_out(seen, demand)
    seen = seen.with_condition(
        ConditionType.ROLLED_OUT,
        rolled_out,
        reason=reason,
        message=message,
        generation=backup.generation,
        now=now,
    )
    return _with_tag_moved(seen, demand, generation=backup.generation, now=now)


def _with_tag_moved(status: Status, demand: Demand, *, generation: int, now: datetime) -> Status:
    """The status with the condition TagMoved, where there is, or was, something to say."""
    others = sorted(set(demand.running) - {status.digest, *status.manifests}) if status.digest else []
    if not others and status.condition(ConditionType.TAG_MOVED) is None:
        return status
    return status.with_condition(
        ConditionType.TAG_MOVED,
        bool(others),
        reason="OtherDigestRuns" if others else "SameDigest",
        message=f"{', '.join(others)} runs as well" if others else "what runs is what the backup holds",
        generation=generation,
        now=now,
    )


def _rolled_out(status: Status, demand: Demand) -> tuple[bool, str, str]:
    if demand.sources:
        return False, "SourceInUse", f"workloads that still name the source: {len(demand.sources)}"
    unhealthy = sum(r.state != RewriteState.HEALTHY for r in status.rewrites)
    if unhealthy:
        return False, "RollingOut", f"rewritten containers that are not rolled out yet: {unhealthy}"
    if not demand.backups:
        return False, "Unused", "no workload names the source or the backup"
    return True, "BackupInUse", f"workloads that name the backup: {len(demand.backups)}"


class Step(StrEnum):
    """What an ImageBackup calls for."""

    COPY = "Copy"
    KEEP = "Keep"
    EXPIRE = "Expire"


@dataclass(frozen=True, slots=True)
class NextStep:
    """The next step, and in how many seconds to look again if nothing happens before."""

    step: Step
    after: float | None = None


def next_step(backup: ImageBackup, demand: Demand, *, now: datetime, expiry: timedelta) -> NextStep:
    """What to do with the ImageBackup now."""
    status = backup.status
    if not demand.used and status.unused_since is not None:
        left = (expiry - (now - status.unused_since)).total_seconds()
        return NextStep(Step.EXPIRE) if left <= 0 else NextStep(Step.KEEP, left)
    if not demand.used:
        return NextStep(Step.KEEP, expiry.total_seconds())
    if not backup.verified or not all(_kept(backup, digest) for digest in demand.running):
        if status.phase == Phase.FAILED and backup.outdated:
            return NextStep(Step.COPY)
        if status.phase == Phase.FAILED and status.next_attempt is None:
            return NextStep(Step.KEEP)
        left = (status.next_attempt - now).total_seconds() if status.next_attempt else 0.0
        return NextStep(Step.COPY) if left <= 0 else NextStep(Step.KEEP, left)
    return NextStep(Step.KEEP)


def _kept(backup: ImageBackup, digest: str) -> bool:
    return backup.covers([digest]) or any(r.digest == digest and r.verified for r in backup.status.digests)
