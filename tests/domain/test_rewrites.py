"""Rewrites: what became of them, who undid them, and when hands are kept off."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_backup.domain.backups import MOST_REWRITES, Rewrite, RewriteState
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.rewrites import (
    CONTESTED_AFTER,
    CONTESTED_WITHIN,
    hands_off,
    merged,
    observe,
    reverted,
)
from gitops_backup.domain.workloads import Rollout
from tests.domain.generated import moments

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
COMMITTED, APPLIED = RewriteState.COMMITTED, RewriteState.APPLIED
HEALTHY, REVERTED = RewriteState.HEALTHY, RewriteState.REVERTED


def rewrite(
    state: RewriteState, *, was_healthy: bool = False, reversals: tuple[int, ...] = (), container: str = "web"
) -> Rewrite:
    """A rewrite with reversals so many minutes ago."""
    return Rewrite(
        workload="Deployment/shop/web",
        container=container,
        state=state,
        at=NOW,
        was_healthy=was_healthy,
        reversals=tuple(NOW - timedelta(minutes=ago) for ago in reversals),
    )


OBSERVED: list[tuple[RewriteState, bool, bool, Rollout, RewriteState, bool]] = [
    # before, was healthy, names the backup, rollout; after, was healthy
    (COMMITTED, False, False, Rollout.COMPLETE, COMMITTED, False),
    (COMMITTED, False, True, Rollout.PROGRESSING, APPLIED, False),
    (COMMITTED, False, True, Rollout.COMPLETE, HEALTHY, True),
    (APPLIED, False, True, Rollout.NOT_READY, APPLIED, False),
    (APPLIED, False, True, Rollout.FAILED, APPLIED, False),
    (APPLIED, False, True, Rollout.COMPLETE, HEALTHY, True),
    (APPLIED, False, False, Rollout.COMPLETE, REVERTED, False),
    (APPLIED, True, False, Rollout.NOT_READY, REVERTED, True),
    (HEALTHY, True, True, Rollout.FAILED, HEALTHY, True),
    (HEALTHY, True, False, Rollout.PROGRESSING, REVERTED, True),
    (REVERTED, False, False, Rollout.COMPLETE, REVERTED, False),
    (REVERTED, True, True, Rollout.PROGRESSING, APPLIED, True),
    (REVERTED, False, True, Rollout.COMPLETE, HEALTHY, True),
]


@pytest.mark.parametrize(("before", "healthy", "names_backup", "rollout", "after", "healthy_after"), OBSERVED)
def test_a_look_at_the_workload(
    *,
    before: RewriteState,
    healthy: bool,
    names_backup: bool,
    rollout: Rollout,
    after: RewriteState,
    healthy_after: bool,
) -> None:
    """What is on record follows what the workload names, and how far its rollout is."""
    seen = observe(rewrite(before, was_healthy=healthy), names_backup=names_backup, rollout=rollout, now=NOW)
    assert (seen.state, seen.was_healthy) == (after, healthy_after)
    assert len(seen.reversals) == int(after == REVERTED and before != REVERTED)


@settings(max_examples=150)
@given(st.sampled_from(RewriteState), st.booleans(), st.booleans(), st.sampled_from(Rollout))
def test_a_second_look_sees_the_same(
    state: RewriteState, healthy: bool, names_backup: bool, rollout: Rollout
) -> None:
    """Looking again, later, at what has not changed leaves the record as it is."""
    once = observe(rewrite(state, was_healthy=healthy), names_backup=names_backup, rollout=rollout, now=NOW)
    later = NOW + timedelta(hours=1)
    assert observe(once, names_backup=names_backup, rollout=rollout, now=later) == once


HANDS_OFF: dict[str, tuple[Rewrite, bool, bool, Reason | None]] = {
    "committed, and not synced": (rewrite(COMMITTED), True, False, None),
    "applied": (rewrite(APPLIED), False, False, None),
    "healthy": (rewrite(HEALTHY, was_healthy=True), True, False, None),
    "reverted in Git": (rewrite(REVERTED, was_healthy=True, reversals=(1,)), True, False, Reason.ROLLED_BACK),
    "reverted in Git, never healthy": (rewrite(REVERTED, reversals=(1,)), True, False, Reason.ROLLED_BACK),
    "reverted in Git, and annotated to insist": (rewrite(REVERTED, reversals=(1,)), True, True, None),
    "undone by a pipeline": (rewrite(REVERTED, was_healthy=True, reversals=(1,)), False, False, None),
    "undone after a rollout that failed": (
        rewrite(REVERTED, reversals=(1,)),
        False,
        False,
        Reason.ROLLED_BACK,
    ),
    "undone after a failure, and annotated to insist": (rewrite(REVERTED, reversals=(1,)), False, True, None),
    "undone twice": (rewrite(REVERTED, was_healthy=True, reversals=(9, 1)), False, False, None),
    "undone three times within an hour": (
        rewrite(REVERTED, was_healthy=True, reversals=(60, 9, 0)),
        False,
        False,
        Reason.CONTESTED,
    ),
    "undone three times within two hours": (
        rewrite(REVERTED, was_healthy=True, reversals=(120, 9, 0)),
        False,
        False,
        None,
    ),
    "contested long ago": (
        rewrite(REVERTED, was_healthy=True, reversals=(5000, 4990, 4980)),
        False,
        False,
        Reason.CONTESTED,
    ),
    "contested in Git": (rewrite(REVERTED, reversals=(3, 2, 1)), True, False, Reason.CONTESTED),
    "contested, and annotated to insist": (
        rewrite(REVERTED, reversals=(3, 2, 1)),
        False,
        True,
        Reason.CONTESTED,
    ),
    "contested, and applied by somebody": (
        rewrite(APPLIED, was_healthy=True, reversals=(3, 2, 1)),
        False,
        False,
        Reason.CONTESTED,
    ),
    "many reversals in the past": (
        rewrite(REVERTED, was_healthy=True, reversals=(5002, 5001, 5000, 90, 0)),
        False,
        False,
        None,
    ),
}


@pytest.mark.parametrize(("record", "in_git", "insisted", "reason"), HANDS_OFF.values(), ids=HANDS_OFF)
def test_hands_off(*, record: Rewrite, in_git: bool, insisted: bool, reason: Reason | None) -> None:
    """A revert in Git is a person's word; a pipeline is answered; a tug-of-war is not fought."""
    assert hands_off(record, in_git=in_git, insisted=insisted) is reason


def test_a_pipeline_is_answered_until_the_third_reversal() -> None:
    """The whole story: rewritten, healthy, undone; again; and then no more."""
    record, now, answered = rewrite(APPLIED), NOW, 0
    while hands_off(record, in_git=False, insisted=False) is None:
        answered += 1
        record = record.model_copy(update={"state": APPLIED})
        record = observe(record, names_backup=True, rollout=Rollout.COMPLETE, now=now)
        now += timedelta(minutes=10)
        record = observe(record, names_backup=False, rollout=Rollout.COMPLETE, now=now)
    assert answered == CONTESTED_AFTER
    assert hands_off(record, in_git=False, insisted=False) == Reason.CONTESTED


def test_a_release_a_day_is_no_contest() -> None:
    """Reversals that lie far apart are answered for ever."""
    record = rewrite(HEALTHY, was_healthy=True)
    for day in range(10):
        record = reverted(record, now=NOW + timedelta(days=day))
        assert hands_off(record, in_git=False, insisted=False) is None
    assert len(record.reversals) == CONTESTED_AFTER
    assert record.reversals[-1] - record.reversals[0] > CONTESTED_WITHIN


def test_news_replace_what_is_recorded() -> None:
    """The newer word about a container counts; the others stay; all are sorted."""
    recorded = [rewrite(APPLIED, container="b"), rewrite(APPLIED, container="a")]
    news = {r.key: r for r in (rewrite(HEALTHY, container="b"), rewrite(COMMITTED, container="c"))}
    assert [(r.container, r.state) for r in merged(recorded, news)] == [
        ("a", APPLIED),
        ("b", HEALTHY),
        ("c", COMMITTED),
    ]


def test_the_record_is_bounded() -> None:
    """Where there are too many rewrites, the oldest go, whatever their names."""
    many = [
        rewrite(HEALTHY, container=f"c{number:04}").model_copy(update={"at": NOW - timedelta(seconds=number)})
        for number in range(MOST_REWRITES + 5)
    ]
    kept = merged(reversed(many), {})
    assert len(kept) == MOST_REWRITES
    assert kept == tuple(many[:MOST_REWRITES])


@settings(max_examples=100)
@given(st.lists(st.tuples(st.text("ab", max_size=2), moments), max_size=8), st.randoms())
def test_the_record_does_not_depend_on_the_order_of_the_news(
    entries: list[tuple[str, datetime]], random: Random
) -> None:
    """What is written is the same, whichever came first."""
    rewrites = {name: rewrite(HEALTHY, container=name).model_copy(update={"at": at}) for name, at in entries}
    shuffled = list(rewrites.values())
    random.shuffle(shuffled)
    half = len(shuffled) // 2
    one = merged(rewrites.values(), {})
    assert merged(shuffled[:half], {r.key: r for r in shuffled[half:]}) == one
    assert merged(one, {}) == one
