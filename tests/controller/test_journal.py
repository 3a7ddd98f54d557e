"""The journal: news about rewrites, until they are on record in their ImageBackup."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from gitops_backup.controller.journal import Journal
from gitops_backup.domain.backups import ImageBackup, Rewrite, RewriteState
from gitops_backup.domain.workloads import Rollout, Workload
from tests.controller.cluster import NOW, backup, workload

_BACKUP = backup("nginx:1.25")
_NAME = _BACKUP.name
_OURS = "bak.example/m/library_nginx:1.25"


def _rewrite(state: RewriteState = RewriteState.COMMITTED, **more: Any) -> Rewrite:
    return Rewrite(workload="Deployment/shop/web", container="c0", state=state, at=NOW, **more)


def _states(journal: Journal) -> list[RewriteState]:
    return [rewrite.state for rewrite in journal.pending(_NAME).values()]


@pytest.fixture
def journal() -> Journal:
    """A journal with nothing in it."""
    return Journal(lambda: NOW)


def _look(
    journal: Journal, seen: Workload, recorded: Rewrite | None = None, of: ImageBackup = _BACKUP
) -> None:
    image = seen.containers[0].image
    journal.look(of, seen, container="c0", names_backup=image == _OURS, recorded=recorded)


def test_what_is_noted_is_pending_and_part_of_the_backup(journal: Journal) -> None:
    """Until it is on record."""
    journal.note(_NAME, _rewrite())
    applied = journal.apply(_BACKUP)
    assert applied.status.rewrites == (_rewrite(),)
    journal.forget(_NAME, {_rewrite().key: _rewrite()})
    assert journal.pending(_NAME) == {}
    assert journal.apply(_BACKUP) is _BACKUP


def test_news_that_came_while_it_was_written_stays(journal: Journal) -> None:
    """What was written is older."""
    journal.note(_NAME, _rewrite())
    journal.note(_NAME, _rewrite(RewriteState.APPLIED))
    journal.forget(_NAME, {_rewrite().key: _rewrite()})
    assert _states(journal) == [RewriteState.APPLIED]


@pytest.mark.parametrize(
    ("before", "after"), [(None, []), (_rewrite(RewriteState.REVERTED), [RewriteState.REVERTED])]
)
def test_a_rewrite_that_was_not_made_is_withdrawn(
    journal: Journal, before: Rewrite | None, after: list[RewriteState]
) -> None:
    """What was known before holds again."""
    journal.note(_NAME, _rewrite())
    journal.withdraw(_NAME, _rewrite(), before=before)
    assert _states(journal) == after


def test_a_rewrite_that_was_seen_in_the_meantime_is_not_withdrawn(journal: Journal) -> None:
    """The patch went through after all, whatever its answer was."""
    journal.note(_NAME, _rewrite())
    _look(journal, workload("web", _OURS))
    journal.withdraw(_NAME, _rewrite(), before=None)
    assert _states(journal) == [RewriteState.HEALTHY]


@pytest.mark.parametrize(
    ("known", "image", "rollout", "then"),
    [
        (RewriteState.COMMITTED, _OURS, Rollout.PROGRESSING, RewriteState.APPLIED),
        (RewriteState.COMMITTED, _OURS, Rollout.COMPLETE, RewriteState.HEALTHY),
        (RewriteState.APPLIED, _OURS, Rollout.COMPLETE, RewriteState.HEALTHY),
        (RewriteState.APPLIED, "nginx:1.25", Rollout.COMPLETE, RewriteState.REVERTED),
        (RewriteState.HEALTHY, "nginx:1.25", Rollout.NOT_READY, RewriteState.REVERTED),
        (RewriteState.HEALTHY, _OURS, Rollout.NOT_READY, None),
        (RewriteState.COMMITTED, "nginx:1.25", Rollout.COMPLETE, None),
    ],
)
def test_a_look_at_a_workload_tells_what_became_of_a_rewrite(
    journal: Journal, known: RewriteState, image: str, rollout: Rollout, then: RewriteState | None
) -> None:
    """What is as it was is no news."""
    _look(journal, workload("web", image, rollout=rollout), recorded=_rewrite(known))
    assert _states(journal) == ([] if then is None else [then])


def test_a_reversal_is_urgent_and_counted_once() -> None:
    """However often the workload is looked at."""
    counted: list[int] = []
    journal = Journal(lambda: NOW, on_reversal=lambda: counted.append(1))
    for _ in range(3):
        _look(journal, workload("web", "nginx:1.25"), recorded=_rewrite(RewriteState.HEALTHY))
    assert counted == [1]
    assert journal.urgent(_NAME)
    (seen,) = journal.pending(_NAME).values()
    assert seen.reversals == (NOW,)


def test_what_nobody_rewrote_is_no_news(journal: Journal) -> None:
    """A workload may name a backup that somebody wrote there."""
    _look(journal, workload("web", _OURS))
    _look(journal, workload("web", "nginx:1.25", originals=(("c0", "nginx:1.25"),)))
    assert journal.pending(_NAME) == {}


def test_a_patch_that_was_not_put_on_record_is_told_by_the_workload_itself(journal: Journal) -> None:
    """The process ended right after it."""
    _look(journal, workload("web", _OURS, originals=(("c0", "nginx:1.25"),)))
    assert _states(journal) == [RewriteState.HEALTHY]


def test_a_record_that_is_full_takes_nothing_back_in(journal: Journal) -> None:
    """Or a rewrite that made room for others would come and go."""
    rewrites = [
        {
            "workload": f"Deployment/shop/{n}",
            "container": "c0",
            "state": "Healthy",
            "at": str(NOW - timedelta(n)),
        }
        for n in range(1000)
    ]
    full = backup("nginx:1.25", rewrites=rewrites)
    _look(journal, workload("web", _OURS, originals=(("c0", "nginx:1.25"),)), of=full)
    assert journal.pending(_NAME) == {}


def test_backups_have_news_of_their_own(journal: Journal) -> None:
    """What is noted for one is none of another's."""
    journal.note("other", _rewrite())
    assert journal.apply(_BACKUP) is _BACKUP
    assert not journal.urgent("other")


def test_what_is_gone_takes_its_news_along(journal: Journal) -> None:
    """A workload, an ImageBackup, or all that this replica saw while another one led."""
    web, other = workload("web").key, _rewrite().model_copy(update={"workload": "Deployment/shop/other"})
    ways: list[Callable[[], None]] = [
        lambda: journal.drop(_NAME),
        lambda: journal.drop_workload(web),
        journal.clear,
    ]
    for forget in ways:
        journal.note(_NAME, _rewrite())
        forget()
        assert _rewrite().key not in journal.pending(_NAME)
    journal.note(_NAME, other)
    journal.drop_workload(web)
    assert list(journal.pending(_NAME)) == [other.key]


def test_each_change_makes_a_version_of_its_own(journal: Journal) -> None:
    """So that what was merged before can be told from what has to be merged again."""
    applied = _rewrite(RewriteState.APPLIED)
    changes: list[Callable[[], None]] = [
        lambda: journal.note(_NAME, _rewrite()),
        lambda: journal.withdraw(_NAME, _rewrite(), before=applied),
        lambda: journal.forget(_NAME, {applied.key: applied}),
        lambda: journal.note(_NAME, _rewrite()),
        lambda: journal.drop_workload(workload("web").key),
        lambda: journal.note(_NAME, _rewrite()),
        journal.clear,
    ]
    versions = [journal.version(_NAME)]
    for change in changes:
        change()
        versions.append(journal.version(_NAME))
    assert len(set(versions)) == len(versions)
