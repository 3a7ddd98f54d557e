"""What became of a rewrite, as the workload shows it.

The record lies outside the workload, because a rollback brings back annotations together with the image. In
Git, a source that reappears is a person's word. Without Git, a pipeline applies the same manifest with every
release, so the workload is rewritten again, unless the rewritten rollout never became healthy. Whoever undoes
it three times within an hour is not fought.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from gitops_backup.domain.backups import MOST_REWRITES, Rewrite, RewriteState
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import Rollout

CONTESTED_AFTER = 3
CONTESTED_WITHIN = timedelta(hours=1)
_PROPOSED = {
    RewriteState.PROPOSED: Reason.AWAITING_MERGE,
    RewriteState.DECLINED: Reason.PULL_REQUEST_CLOSED,
}


def hands_off(rewrite: Rewrite, *, in_git: bool, insisted: bool) -> Reason | None:
    """Why a container that was rewritten before is not rewritten again; None when it may be.

    `in_git` says that the way there is a commit; `insisted` that the workload is annotated to be rewritten
    whatever happened.
    """
    times = rewrite.reversals[-CONTESTED_AFTER:]
    if len(times) == CONTESTED_AFTER and times[-1] - times[0] <= CONTESTED_WITHIN:
        return Reason.CONTESTED
    if rewrite.state != RewriteState.REVERTED or insisted:
        return None
    return Reason.ROLLED_BACK if in_git or not rewrite.was_healthy else None


def asked_of_people(rewrite: Rewrite | None) -> Reason | None:
    """Why a rewrite that is due is not made, where it was proposed: what people do about it counts."""
    return _PROPOSED.get(rewrite.state) if rewrite is not None else None


def observe(rewrite: Rewrite, *, names_backup: bool, rollout: Rollout, now: datetime) -> Rewrite:
    """The record after a look at the workload, which names either the backup or the source."""
    if names_backup:
        healthy = rollout == Rollout.COMPLETE
        state = (
            RewriteState.HEALTHY if healthy or rewrite.state == RewriteState.HEALTHY else RewriteState.APPLIED
        )
        return rewrite.model_copy(update={"state": state, "was_healthy": rewrite.was_healthy or healthy})
    if rewrite.state in {RewriteState.APPLIED, RewriteState.HEALTHY}:
        return reverted(rewrite, now=now)
    return rewrite


def reverted(rewrite: Rewrite, *, now: datetime) -> Rewrite:
    """The record of a rewrite that was undone just now."""
    reversals = (*rewrite.reversals, now)[-CONTESTED_AFTER:]
    return rewrite.model_copy(update={"state": RewriteState.REVERTED, "reversals": reversals})


def merged(recorded: Iterable[Rewrite], news: Mapping[tuple[str, str], Rewrite]) -> tuple[Rewrite, ...]:
    """The record with the news in it, sorted; where it would be too long, the oldest are left out."""
    by_key = {r.key: r for r in recorded} | dict(news)
    newest = sorted(by_key.values(), key=lambda r: (r.at, r.key))[-MOST_REWRITES:]
    return tuple(sorted(newest, key=lambda r: r.key))
