"""Planning: what happens to each image of a workload, in every situation that has a name."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_backup.domain.backups import (
    ConditionType,
    ImageBackup,
    Phase,
    Rewrite,
    RewriteState,
    Spec,
    Status,
)
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Naming, Prefix, object_name
from gitops_backup.domain.planning import (
    Action,
    Management,
    Route,
    Target,
    WorkloadPlan,
    decide,
    plan,
)
from gitops_backup.domain.policy import Mode, Namespaces, Policy, Unmanaged, out_of_scope
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import Container, Rollout, Workload, WorkloadKey
from tests.domain.facts import Records, Snapshot
from tests.domain.objects import DIGEST, OTHER_DIGEST

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
KEY = WorkloadKey("Deployment", "shop", "web")

DIRECT = Policy(
    mode=Mode.DIRECT, naming=Naming.below("bak.example/m"), trusted=(Prefix.parse("other.example/backups"),)
)
GITOPS = replace(DIRECT, mode=Mode.GITOPS)
REPORT = replace(DIRECT, mode=Mode.REPORT)
PATCHING = replace(GITOPS, unmanaged=Unmanaged.PATCH)
EXCLUSIVE = replace(DIRECT, exclusive=True)

NGINX, QUAY = "nginx:1.25", "quay.io/a/b:1"
COPY_OF_NGINX, COPY_OF_QUAY = "bak.example/m/library_nginx:1.25", "bak.example/m/quay.io_a_b:1"
HASHED = "bak.example/m/quay.io_a_b__" + "0" * 32 + ":1"

GIT = Target(repository="git.example/shop", branch="main")
PINNED = Target(
    repository="git.example/shop", branch=None, blocked=Reason.PINNED_REVISION, message="it follows v1"
)
APP = Management("argocd/shop", self_heal=False, targets=(GIT,))


def workload(*images: str, **changes: Any) -> Workload:
    """A Deployment that is rolled out, with a container c0, c1, … for each image."""
    sound = Workload(
        key=KEY,
        uid="6a1f",
        containers=tuple(Container(f"c{n}", image, init=False, index=n) for n, image in enumerate(images)),
        rollout=Rollout.COMPLETE,
        available=True,
        scaled_to_zero=False,
        paused=False,
        deleting=False,
        owner=None,
        directive=None,
        tracking_id=None,
    )
    return replace(sound, **changes)


def record(source: str, status: Status, **changes: Any) -> ImageBackup:
    """The ImageBackup of a source, below DIRECT's prefix."""
    image = Reference.parse(source)
    return ImageBackup(
        namespace="image-backup",
        name=object_name(image),
        uid="9c",
        resource_version="17",
        generation=1,
        deleting=False,
        image=changes.get("image", image),
        spec=Spec(image=str(image)),
        status=status
        if status.backup is not None
        else status.model_copy(update={"backup": str(DIRECT.naming.backup(image))}),
    )


def verified(**changes: Any) -> Status:
    """The status of a copy that can be relied on."""
    status = Status().with_condition(
        ConditionType.VERIFIED, True, reason="Verified", message="", generation=1, now=NOW
    )
    return status.model_copy(update={"phase": Phase.DONE, "digest": DIGEST} | changes)


def failed(reason: str) -> Status:
    """The status of a copy that failed."""
    status = Status().with_condition(
        ConditionType.COPIED, False, reason=reason, message="so it was", generation=1, now=NOW
    )
    return status.model_copy(update={"phase": Phase.FAILED, "attempts": 1})


def rewritten(state: RewriteState, *, healthy: bool = True, minutes_ago: tuple[int, ...] = ()) -> Status:
    """The status of a copy that the workload was made to use."""
    reversals = tuple(NOW - timedelta(minutes=ago) for ago in minutes_ago)
    done = Rewrite(
        workload=str(KEY), container="c0", state=state, at=NOW, was_healthy=healthy, reversals=reversals
    )
    return verified(rewrites=(done,))


def snapshot(
    *records: ImageBackup,
    pulled: Mapping[tuple[str, str], set[str]] | None = None,
    app: Management | None = None,
    directives: Mapping[str, str] | None = None,
) -> Snapshot:
    """Facts about the one workload."""
    return Snapshot(
        backups=Records(records),
        namespaces=Namespaces(directives or {}),
        pulled={KEY: {place: frozenset(found) for place, found in (pulled or {}).items()}},
        managed={KEY: app} if app is not None else {},
    )


KEEP, COPY, ADOPT = (Action.KEEP, None), (Action.COPY, None), (Action.ADOPT, None)
REWRITE = (Action.REWRITE, None)
WAIT = (Action.WAIT, Reason.BACKUP_PENDING)


def blocked(reason: Reason) -> tuple[Action, Reason]:
    return Action.BLOCKED, reason


@dataclass(frozen=True)
class Situation:
    """A workload, the facts and the policy, and what shall happen to its containers."""

    workload: Workload
    expected: tuple[tuple[Action, Reason | None], ...]
    facts: Snapshot = field(default_factory=snapshot)
    policy: Policy = DIRECT
    route: Route | None = Route.PATCH


def out(reason: Reason, **changes: Any) -> Situation:
    """A workload that is none of our business, with a verified copy at hand."""
    facts = changes.pop("facts", snapshot(record(NGINX, verified()), app=APP))
    given_workload = workload(NGINX, COPY_OF_QUAY, "-x", **changes)
    return Situation(given_workload, (blocked(reason),) * 3, facts, GITOPS, route=None)


def held(reason: Reason, **changes: Any) -> Situation:
    """A workload whose copy is verified, and which is not rewritten yet all the same."""
    return Situation(workload(NGINX, **changes), (blocked(reason),), snapshot(record(NGINX, verified())))


def unseen(expected: tuple[Action, Reason | None], **changes: Any) -> Situation:
    """A workload whose image nobody has copied."""
    return Situation(workload(NGINX, **changes), (expected,))


SCOPE = {
    "a restricted namespace": out(
        Reason.RESTRICTED_NAMESPACE, key=WorkloadKey("DaemonSet", "kube-system", "proxy")
    ),
    "the namespace of the backups": out(
        Reason.RESTRICTED_NAMESPACE, key=WorkloadKey("Deployment", "image-backup", "controller")
    ),
    "an ignored workload": out(Reason.IGNORED, directive="ignore"),
    "an ignored namespace": out(
        Reason.IGNORED, facts=snapshot(record(NGINX, verified()), directives={"shop": "ignore"})
    ),
    "a workload that is being deleted": out(Reason.DELETING, deleting=True),
}

UNRECORDED = {
    "an external image that runs": unseen(COPY),
    "not ready": unseen(blocked(Reason.NOT_READY), available=False, rollout=Rollout.NOT_READY),
    "scaled to zero": unseen(
        blocked(Reason.SCALED_TO_ZERO), available=False, rollout=Rollout.NOT_READY, scaled_to_zero=True
    ),
    "available, but this image was never pulled": unseen(
        blocked(Reason.NOT_READY), rollout=Rollout.PROGRESSING
    ),
    "available, and this image was pulled": Situation(
        workload(NGINX, rollout=Rollout.PROGRESSING), (COPY,), snapshot(pulled={("c0", NGINX): {DIGEST}})
    ),
    "this image was pulled for another container": Situation(
        workload(NGINX, rollout=Rollout.PROGRESSING),
        (blocked(Reason.NOT_READY),),
        snapshot(pulled={("c1", NGINX): {DIGEST}}),
    ),
    "another image was pulled for this container": Situation(
        workload(NGINX, rollout=Rollout.FAILED),
        (blocked(Reason.NOT_READY),),
        snapshot(pulled={("c0", "nginx:1.24"): {DIGEST}}),
    ),
    "this image was pulled, but nothing is available": Situation(
        workload(NGINX, rollout=Rollout.NOT_READY, available=False),
        (blocked(Reason.NOT_READY),),
        snapshot(pulled={("c0", NGINX): {DIGEST}}),
    ),
    "a paused rollout is copied": unseen(COPY, paused=True),
    "a paused controller copies": Situation(
        workload(NGINX), (COPY,), snapshot(directives={"image-backup": "pause"})
    ),
    "an image in the short form of an invalid one": Situation(
        workload("Nginx", "", "-x", "nginx:1:2"), (blocked(Reason.INVALID_REFERENCE),) * 4
    ),
}

RECORDED = {
    "just made": Situation(workload(NGINX), (WAIT,), snapshot(record(NGINX, Status()))),
    "pending": Situation(workload(NGINX), (WAIT,), snapshot(record(NGINX, Status(phase=Phase.PENDING)))),
    "running": Situation(workload(NGINX), (WAIT,), snapshot(record(NGINX, Status(phase=Phase.RUNNING)))),
    "its digest is fixed, and not copied yet": Situation(
        workload(NGINX), (WAIT,), snapshot(record(NGINX, Status(phase=Phase.RUNNING, digest=DIGEST)))
    ),
    "done by the earlier system": Situation(
        workload(NGINX), (WAIT,), snapshot(record(NGINX, Status(phase=Phase.DONE)))
    ),
    "failed": Situation(
        workload(NGINX), (blocked(Reason.RATE_LIMITED),), snapshot(record(NGINX, failed("RateLimited")))
    ),
    "failed for a reason of a later version": Situation(
        workload(NGINX), (blocked(Reason.BACKUP_PENDING),), snapshot(record(NGINX, failed("FullMoon")))
    ),
    "verified": Situation(workload(NGINX), (REWRITE,), snapshot(record(NGINX, verified()))),
    "verified, written in another way": Situation(
        workload("docker.io/library/nginx:1.25"), (REWRITE,), snapshot(record(NGINX, verified()))
    ),
    "verified, by digest": Situation(
        workload(f"nginx@{DIGEST}"), (REWRITE,), snapshot(record(f"nginx@{DIGEST}", verified()))
    ),
    "another tag is verified": Situation(
        workload("nginx:1.26"), (COPY,), snapshot(record(NGINX, verified()))
    ),
    "the condition is there, the digest is not": Situation(
        workload(NGINX), (WAIT,), snapshot(record(NGINX, verified(digest=None)))
    ),
    "verified, and it runs": Situation(
        workload(NGINX),
        (REWRITE,),
        snapshot(record(NGINX, verified()), pulled={("c0", NGINX): {DIGEST}}),
    ),
    "verified, and a manifest within it runs": Situation(
        workload(NGINX),
        (REWRITE,),
        snapshot(record(NGINX, verified(manifests=(OTHER_DIGEST,))), pulled={("c0", NGINX): {OTHER_DIGEST}}),
    ),
    "the tag moved": Situation(
        workload(NGINX),
        (blocked(Reason.TAG_MOVED),),
        snapshot(record(NGINX, verified()), pulled={("c0", NGINX): {OTHER_DIGEST}}),
    ),
    "nodes differ": Situation(
        workload(NGINX),
        (blocked(Reason.TAG_MOVED),),
        snapshot(record(NGINX, verified()), pulled={("c0", NGINX): {DIGEST, OTHER_DIGEST}}),
    ),
    "another image of this container ran": Situation(
        workload(NGINX),
        (REWRITE,),
        snapshot(record(NGINX, verified()), pulled={("c0", "nginx:1.24"): {OTHER_DIGEST}}),
    ),
    "the object stands for another image": Situation(
        workload(NGINX),
        (blocked(Reason.NAME_CONFLICT),),
        snapshot(record(NGINX, verified(), image=Reference.parse("quay.io/evil:1"))),
    ),
    "verified below an earlier prefix": Situation(
        workload(NGINX), (WAIT,), snapshot(record(NGINX, verified(backup="old.example/library_nginx:1.25")))
    ),
    "a paused controller": Situation(
        workload(NGINX),
        (blocked(Reason.CONTROLLER_PAUSED),),
        snapshot(record(NGINX, verified()), directives={"image-backup": "pause"}),
    ),
    "the namespace of the backups says something else": Situation(
        workload(NGINX),
        (REWRITE,),
        snapshot(record(NGINX, verified()), directives={"image-backup": "ignore"}),
    ),
    "another namespace says pause": Situation(
        workload(NGINX), (REWRITE,), snapshot(record(NGINX, verified()), directives={"shop": "pause"})
    ),
    "rolling out": held(Reason.ROLLING_OUT, rollout=Rollout.PROGRESSING),
    "a rollout that failed": held(Reason.ROLLING_OUT, rollout=Rollout.FAILED),
    "not ready any more": held(Reason.NOT_READY, rollout=Rollout.NOT_READY, available=False),
    "paused": held(Reason.ROLLOUT_PAUSED, paused=True),
    "scaled down to zero": held(
        Reason.SCALED_TO_ZERO, scaled_to_zero=True, rollout=Rollout.NOT_READY, available=False
    ),
}

ROUTES = {
    "a controller owns the workload": Situation(
        workload(NGINX, QUAY, owner="Shop/main"),
        (blocked(Reason.OWNED_BY_CONTROLLER), COPY),
        snapshot(record(NGINX, verified())),
        route=None,
    ),
    "Argo CD heals what is patched": Situation(
        workload(NGINX),
        (blocked(Reason.SELF_HEAL),),
        snapshot(record(NGINX, verified()), app=replace(APP, self_heal=True)),
        route=None,
    ),
    "Argo CD does not heal": Situation(
        workload(NGINX), (REWRITE,), snapshot(record(NGINX, verified()), app=APP)
    ),
    "in Git": Situation(
        workload(NGINX), (REWRITE,), snapshot(record(NGINX, verified()), app=APP), GITOPS, Route.COMMIT
    ),
    "in Git, which heals": Situation(
        workload(NGINX),
        (REWRITE,),
        snapshot(record(NGINX, verified()), app=replace(APP, self_heal=True)),
        GITOPS,
        Route.COMMIT,
    ),
    "not in Git": Situation(
        workload(NGINX, QUAY),
        (blocked(Reason.NOT_IN_GIT), COPY),
        snapshot(record(NGINX, verified())),
        GITOPS,
        route=None,
    ),
    "not in Git, to be patched": Situation(
        workload(NGINX), (REWRITE,), snapshot(record(NGINX, verified())), PATCHING
    ),
    "of another Argo CD, which is not to be patched": Situation(
        replace(workload(NGINX), installation_id="theirs"),
        (blocked(Reason.NOT_IN_GIT),),
        snapshot(record(NGINX, verified())),
        PATCHING,
        route=None,
    ),
    "in Git, though what is not shall be patched": Situation(
        workload(NGINX), (REWRITE,), snapshot(record(NGINX, verified()), app=APP), PATCHING, Route.COMMIT
    ),
    "an Application with nothing in Git": Situation(
        workload(NGINX),
        (blocked(Reason.NOT_IN_GIT),),
        snapshot(record(NGINX, verified()), app=replace(APP, targets=())),
        GITOPS,
        route=None,
    ),
    "a pinned revision": Situation(
        workload(NGINX),
        (blocked(Reason.PINNED_REVISION),),
        snapshot(record(NGINX, verified()), app=replace(APP, targets=(PINNED,))),
        GITOPS,
        route=None,
    ),
    "a pinned revision beside a branch": Situation(
        workload(NGINX),
        (REWRITE,),
        snapshot(record(NGINX, verified()), app=replace(APP, targets=(PINNED, GIT))),
        GITOPS,
        Route.COMMIT,
    ),
    "a report of what is not in Git": Situation(
        workload(NGINX), (REWRITE,), snapshot(record(NGINX, verified())), REPORT
    ),
    "a report of what is in Git": Situation(
        workload(NGINX), (REWRITE,), snapshot(record(NGINX, verified()), app=APP), REPORT, Route.COMMIT
    ),
}

REWRITES = {
    "a pipeline applied the original": Situation(
        workload(NGINX),
        (REWRITE,),
        snapshot(record(NGINX, rewritten(RewriteState.REVERTED, minutes_ago=(5,)))),
    ),
    "a rollout that never became healthy was undone": Situation(
        workload(NGINX),
        (blocked(Reason.ROLLED_BACK),),
        snapshot(record(NGINX, rewritten(RewriteState.REVERTED, healthy=False, minutes_ago=(5,)))),
    ),
    "a revert in Git": Situation(
        workload(NGINX),
        (blocked(Reason.ROLLED_BACK),),
        snapshot(record(NGINX, rewritten(RewriteState.REVERTED, minutes_ago=(5,))), app=APP),
        GITOPS,
        Route.COMMIT,
    ),
    "a revert in Git, annotated to be rewritten": Situation(
        workload(NGINX, directive="rewrite"),
        (REWRITE,),
        snapshot(record(NGINX, rewritten(RewriteState.REVERTED, minutes_ago=(5,))), app=APP),
        GITOPS,
        Route.COMMIT,
    ),
    "another directive means nothing": Situation(
        workload(NGINX, directive="please"),
        (blocked(Reason.ROLLED_BACK),),
        snapshot(record(NGINX, rewritten(RewriteState.REVERTED, minutes_ago=(5,))), app=APP),
        GITOPS,
        Route.COMMIT,
    ),
    "a tug-of-war": Situation(
        workload(NGINX),
        (blocked(Reason.CONTESTED),),
        snapshot(record(NGINX, rewritten(RewriteState.REVERTED, minutes_ago=(50, 20, 5)))),
    ),
    "a tug-of-war does not end by annotation": Situation(
        workload(NGINX, directive="rewrite"),
        (blocked(Reason.CONTESTED),),
        snapshot(record(NGINX, rewritten(RewriteState.REVERTED, minutes_ago=(50, 20, 5)))),
    ),
    "a rollback is told even where nothing could be written": Situation(
        workload(NGINX, owner="Shop/main"),
        (blocked(Reason.ROLLED_BACK),),
        snapshot(record(NGINX, rewritten(RewriteState.REVERTED, healthy=False, minutes_ago=(5,)))),
        route=None,
    ),
    "in a pull request that is open": Situation(
        workload(NGINX),
        ((Action.REWRITE, Reason.AWAITING_MERGE),),
        snapshot(record(NGINX, rewritten(RewriteState.PROPOSED)), app=APP),
        GITOPS,
        route=Route.COMMIT,
    ),
    "in a pull request that is open, and in the middle of a rollout": Situation(
        workload(NGINX, rollout=Rollout.PROGRESSING),
        ((Action.REWRITE, Reason.AWAITING_MERGE),),
        snapshot(record(NGINX, rewritten(RewriteState.PROPOSED)), app=APP),
        GITOPS,
        route=Route.COMMIT,
    ),
    "in a pull request that a person closed": Situation(
        workload(NGINX),
        ((Action.REWRITE, Reason.PULL_REQUEST_CLOSED),),
        snapshot(record(NGINX, rewritten(RewriteState.DECLINED)), app=APP),
        GITOPS,
        route=Route.COMMIT,
    ),
    "proposed once, and patched now": Situation(
        workload(NGINX),
        (REWRITE,),
        snapshot(record(NGINX, rewritten(RewriteState.PROPOSED))),
    ),
    "a commit that is not synced": Situation(
        workload(NGINX),
        (REWRITE,),
        snapshot(record(NGINX, rewritten(RewriteState.COMMITTED, healthy=False)), app=APP),
        GITOPS,
        Route.COMMIT,
    ),
    "another container was rolled back": Situation(
        workload("nginx:1.24", NGINX),
        (COPY, WAIT),
        snapshot(record(NGINX, rewritten(RewriteState.REVERTED, healthy=False, minutes_ago=(5,)))),
    ),
}

BACKUPS = {
    "a backup on record": Situation(
        workload(COPY_OF_NGINX), (KEEP,), snapshot(record(NGINX, verified(backup=COPY_OF_NGINX)))
    ),
    "a backup that nobody has on record": Situation(workload(COPY_OF_NGINX), (ADOPT,)),
    "a tag was bumped": Situation(
        workload("bak.example/m/library_nginx:1.26"),
        (COPY,),
        snapshot(record(NGINX, verified())),
    ),
    "a tag was bumped, and nothing is ready": Situation(
        workload("bak.example/m/library_nginx:1.26", available=False, rollout=Rollout.PROGRESSING),
        (COPY,),
        snapshot(record(NGINX, verified())),
    ),
    "a prefix of our own": Situation(workload(COPY_OF_NGINX), (COPY,), policy=EXCLUSIVE),
    "somebody's own image below the prefix": Situation(
        workload("bak.example/m/my_app:2"), (ADOPT,), snapshot(record(NGINX, verified()))
    ),
    "a hashed name": Situation(workload(HASHED), (KEEP,), policy=EXCLUSIVE),
    "a name that no source has": Situation(workload("bak.example/m/app:2"), (KEEP,), policy=EXCLUSIVE),
    "a trusted prefix": Situation(workload("other.example/backups/library_nginx:1"), (KEEP,)),
    "beside a trusted prefix": Situation(workload("other.example/backups2/a:1"), (COPY,)),
    "beside the backup prefix": Situation(workload("bak.example/mm/library_nginx:1"), (COPY,)),
    "backups of a workload that a controller owns": Situation(
        workload("bak.example/m/library_nginx:1.26", owner="Shop/main"),
        (COPY,),
        policy=EXCLUSIVE,
        route=None,
    ),
}

TOGETHER = {
    "all verified": Situation(
        workload(NGINX, QUAY),
        (REWRITE, REWRITE),
        snapshot(record(NGINX, verified()), record(QUAY, verified())),
    ),
    "one is not even on record": Situation(
        workload(NGINX, QUAY), (WAIT, COPY), snapshot(record(NGINX, verified()))
    ),
    "one is on its way": Situation(
        workload(NGINX, QUAY), (WAIT, WAIT), snapshot(record(NGINX, verified()), record(QUAY, Status()))
    ),
    "one failed": Situation(
        workload(NGINX, QUAY),
        (REWRITE, blocked(Reason.SOURCE_NOT_FOUND)),
        snapshot(record(NGINX, verified()), record(QUAY, failed("SourceNotFound"))),
    ),
    "one moved": Situation(
        workload(NGINX, QUAY),
        (REWRITE, blocked(Reason.TAG_MOVED)),
        snapshot(record(NGINX, verified()), record(QUAY, verified()), pulled={("c1", QUAY): {OTHER_DIGEST}}),
    ),
    "one is no reference": Situation(
        workload(NGINX, "-x"),
        (REWRITE, blocked(Reason.INVALID_REFERENCE)),
        snapshot(record(NGINX, verified())),
    ),
    "one is a backup already": Situation(
        workload(NGINX, COPY_OF_QUAY),
        (REWRITE, KEEP),
        snapshot(record(NGINX, verified()), record(QUAY, verified())),
    ),
    "one is a backup that is missing": Situation(
        workload(NGINX, COPY_OF_QUAY), (REWRITE, COPY), snapshot(record(NGINX, verified())), EXCLUSIVE
    ),
    "a commit takes what is verified": Situation(
        workload(NGINX, QUAY, "fluentd"),
        (REWRITE, WAIT, COPY),
        snapshot(record(NGINX, verified()), record(QUAY, Status()), app=APP),
        GITOPS,
        Route.COMMIT,
    ),
    "init containers are containers": Situation(
        workload(
            containers=(
                Container("init", QUAY, init=True, index=0),
                Container("c0", NGINX, init=False, index=0),
            )
        ),
        (COPY, WAIT),
        snapshot(record(NGINX, verified())),
    ),
    "no containers": Situation(workload(), ()),
}

SITUATIONS = {
    f"{group}: {name}": situation
    for group, situations in {
        "out of scope": SCOPE,
        "unrecorded": UNRECORDED,
        "recorded": RECORDED,
        "route": ROUTES,
        "rewritten before": REWRITES,
        "backup": BACKUPS,
        "together": TOGETHER,
    }.items()
    for name, situation in situations.items()
}


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
def test_situation(situation: Situation) -> None:
    """Each container has its next step, and each that waits or is blocked a reason and a sentence."""
    decided = decide(situation.workload, situation.facts, situation.policy)
    assert tuple((use.action, use.reason) for use in decided.uses) == situation.expected
    assert decided.route == situation.route
    is_coherent(decided)


@pytest.mark.parametrize("situation", SCOPE.values(), ids=SCOPE)
def test_out_of_scope_is_told_once(situation: Situation) -> None:
    """The workload, and each of its containers, give the same reason, and nothing else is looked up."""
    decided = decide(situation.workload, situation.facts, situation.policy)
    external, copy, invalid = decided.uses
    assert {use.message for use in decided.uses} == {decided.message}
    assert (decided.blocked, decided.management) == (external.reason, None)
    assert external.external
    assert external.source == Reference.parse(NGINX)
    assert not copy.external
    assert copy.backup == Reference.parse(COPY_OF_QUAY)
    assert invalid.image is None


def test_a_trusted_image_out_of_scope_is_not_external() -> None:
    """What lies in somebody's backup registry is counted as that wherever it is used."""
    ignored = workload("other.example/backups/a:1", directive="ignore")
    (use,) = decide(ignored, snapshot(), DIRECT).uses
    assert not use.external
    assert use.image == Reference.parse("other.example/backups/a:1")


def test_a_rewrite_names_all_that_is_needed() -> None:
    """The image as it is, in normal form, and the name of the verified copy."""
    (use,) = decide(workload(NGINX), snapshot(record(NGINX, verified())), DIRECT).uses
    assert use.container.image == NGINX
    assert use.source == use.image == Reference.parse(NGINX)
    assert use.backup == Reference.parse(COPY_OF_NGINX)
    assert use.external


def test_a_backup_names_the_source_that_it_stands_for() -> None:
    """From the record, or from the name itself."""
    on_record = snapshot(record(NGINX, verified()))
    for image, source in ((COPY_OF_NGINX, NGINX), ("bak.example/m/library_nginx:1.26", "nginx:1.26")):
        (use,) = decide(workload(image), on_record, DIRECT).uses
        assert use.source == Reference.parse(source)
        assert use.backup == use.image == Reference.parse(image)
        assert not use.external


def test_messages_name_what_is_in_the_way() -> None:
    """The owner, the Application, the revision, the object: whoever reads it knows where to look."""
    verified_copy = record(NGINX, verified())
    stranger = record(NGINX, verified(), image=Reference.parse("quay.io/evil:1"))
    healing, pinned = replace(APP, self_heal=True), replace(APP, targets=(PINNED,))
    for situation, words in (
        (Situation(workload(NGINX, owner="Shop/main"), (), snapshot(verified_copy)), "Shop/main"),
        (Situation(workload(NGINX), (), snapshot(verified_copy, app=healing)), "argocd/shop"),
        (Situation(workload(NGINX), (), snapshot(verified_copy, app=pinned), GITOPS), "it follows v1"),
        (Situation(workload(NGINX), (), snapshot(stranger)), "quay.io/evil:1"),
        (Situation(workload("Nginx"), ()), "'Nginx'"),
        (Situation(workload(NGINX), (), snapshot(record(NGINX, failed("QuotaExceeded")))), "so it was"),
    ):
        (use,) = decide(situation.workload, situation.facts, situation.policy).uses
        assert words in use.message


def test_a_plan_names_each_copy_once() -> None:
    """Fifty workloads that share an image ask for one ImageBackup."""
    many = tuple(
        workload(NGINX, "docker.io/library/nginx:1.25", QUAY, key=KEY._replace(name=f"web-{n}"))
        for n in range(50)
    )
    made = plan(Snapshot(known=many), DIRECT)
    assert made.copies() == (Reference.parse(NGINX), Reference.parse(QUAY))
    assert [w.workload.key for w in made.workloads] == sorted(w.key for w in many)


def test_a_place_in_git_is_told_by_its_repository_and_branch() -> None:
    """However its URL is spelled, and whether or not it can be written."""
    assert replace(GIT, url="https://git.example/shop.git", blocked=Reason.PINNED_REVISION) == GIT
    assert str(GIT) == "git.example/shop main"
    assert str(PINNED) == "git.example/shop HEAD"


# -- generated --------------------------------------------------------------------------------------------

EXTERNALS = [NGINX, QUAY, f"fluentd@{DIGEST}"]
IMAGES = [
    *EXTERNALS,
    "docker.io/library/nginx:1.25",
    COPY_OF_NGINX,
    COPY_OF_QUAY,
    "bak.example/m/library_nginx:2",
    "bak.example/m/app",
    HASHED,
    "other.example/backups/a",
    "-x",
    "",
    "Nginx\n",
]
DIGESTS = [DIGEST, OTHER_DIGEST, "sha256:" + "0" * 64]
KEYS = [
    WorkloadKey(kind, namespace, "a")
    for namespace in ("kube-system", "shop", "tools")
    for kind in ("DaemonSet", "Deployment")
]

policies = st.builds(
    replace,
    st.just(DIRECT),
    mode=st.sampled_from(Mode),
    exclusive=st.booleans(),
    unmanaged=st.sampled_from(Unmanaged),
)
odd_changes = st.fixed_dictionaries(
    {},
    optional={
        "rollout": st.sampled_from(Rollout),
        "available": st.booleans(),
        "scaled_to_zero": st.booleans(),
        "paused": st.booleans(),
        "deleting": st.booleans(),
        "owner": st.just("Shop/main"),
        "directive": st.sampled_from(["ignore", "rewrite", "?"]),
    },
)


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    """A workload of up to three containers; two of three are sound and name what has a record."""
    sound = draw(st.sampled_from([True, True, False]))
    images = draw(st.lists(st.sampled_from(EXTERNALS if sound else IMAGES), max_size=3))
    changes = {} if sound else draw(odd_changes)
    return workload(*images, key=draw(st.sampled_from(KEYS[2:] if sound else KEYS)), **changes)


STATUSES = [
    Status(),
    *(Status(phase=phase, digest=DIGEST) for phase in Phase),
    failed("RateLimited"),
    failed("FullMoon"),
    *[verified(), verified(), verified(manifests=(OTHER_DIGEST,))] * 2,
    verified(digest=None),
    verified(backup="old.example/library_nginx:1.25"),
]
REWRITES_OF_ALL = [
    tuple(
        Rewrite(
            workload=str(key),
            container=container,
            state=state,
            at=NOW,
            was_healthy=healthy,
            reversals=reversals,
        )
        for key in KEYS
        for container in containers
    )
    for containers in (["c0"], ["c1", "c2"])
    for state in RewriteState
    for healthy in (False, True)
    for reversals in ((), (NOW,) * 3)
]


@st.composite
def records(draw: st.DrawFn) -> ImageBackup:
    """An ImageBackup of one of the external images, in any state, now and then odd."""
    source, status = draw(st.sampled_from(EXTERNALS)), draw(st.sampled_from(STATUSES))
    done = draw(st.sampled_from([()] * 20 + REWRITES_OF_ALL))
    image = draw(st.sampled_from([*[source] * 5, "quay.io/evil:1"]))
    return record(source, status.model_copy(update={"rewrites": done}), image=Reference.parse(image))


managements = st.builds(
    Management,
    application=st.just("argocd/shop"),
    self_heal=st.booleans(),
    targets=st.lists(st.sampled_from([GIT, PINNED]), max_size=2).map(tuple),
)
namespaces = st.sampled_from(
    [
        *[Namespaces()] * 5,
        Namespaces({"shop": "ignore", "tools": "?"}),
        Namespaces({"image-backup": "pause", "tools": "ignore"}),
    ]
)
pulled_digests = st.sampled_from([(), (), (DIGEST,), (OTHER_DIGEST,), tuple(DIGESTS)]).map(frozenset)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """A cluster of a few workloads, whose pods may run what is on record, or something else."""
    known = draw(st.lists(workloads(), min_size=1, max_size=4, unique_by=lambda w: w.key))
    return Snapshot(
        known=tuple(known),
        backups=Records(tuple(draw(st.lists(records(), max_size=5, unique_by=lambda r: r.name)))),
        namespaces=draw(namespaces),
        pulled={w.key: {(c.name, c.image): draw(pulled_digests) for c in w.containers} for w in known},
        managed=draw(st.dictionaries(st.sampled_from([w.key for w in known]), managements)),
    )


@settings(max_examples=80)
@given(snapshots(), policies)
def test_every_decision_is_coherent(facts: Snapshot, policy: Policy) -> None:
    """Whatever the cluster looks like, each container has one next step that can be explained."""
    made = plan(facts, policy)
    assert [w.workload for w in made.workloads] == list(facts.workloads())
    for decided in made.workloads:
        is_coherent(decided)
    assert list(made.copies()) == sorted(set(made.copies()))


@settings(max_examples=120)
@given(snapshots(), policies)
def test_nothing_unverified_is_ever_asked_for(facts: Snapshot, policy: Policy) -> None:
    """A rewrite is decided only to a verified copy of what is named, below the prefix, of what runs."""
    for decided in plan(facts, policy).workloads:
        subject = decided.workload
        for use in decided.due(Action.REWRITE):
            image = Reference.parse(use.container.image)
            copy = facts.backups.of_source(image)
            assert copy is not None
            assert copy.verified
            assert copy.image == image == use.source
            assert use.backup is not None
            assert use.backup == policy.naming.backup(image)
            assert copy.status.backup == str(use.backup)
            pulled = facts.running(subject.key).get((use.container.name, use.container.image), frozenset())
            assert pulled <= {copy.status.digest, *copy.status.manifests}
            assert decided.route is not None
            assert decided.blocked is None
            assert subject.available
            assert subject.rollout == Rollout.COMPLETE
            assert subject.owner is None
            assert not any((subject.paused, subject.scaled_to_zero, subject.deleting))
            assert not facts.namespaces.paused(policy)


@settings(max_examples=50)
@given(snapshots(), policies)
def test_out_of_scope_is_left_alone(facts: Snapshot, policy: Policy) -> None:
    """A workload that is none of our business has nothing but blocked images, and no way to be rewritten."""
    for decided in plan(facts, policy).workloads:
        reason = out_of_scope(decided.workload, facts.namespaces, policy)
        if reason is not None:
            assert all((use.action, use.reason) == blocked(reason) for use in decided.uses)
            assert (decided.route, decided.blocked) == (None, reason)


@settings(max_examples=60)
@given(snapshots(), policies)
def test_a_patch_waits_for_all_images(facts: Snapshot, policy: Policy) -> None:
    """Where a workload is patched, no image is rewritten while another is in its first attempt."""
    for decided in plan(facts, policy).workloads:
        under_way = [u for u in (*decided.due(Action.COPY), *decided.due(Action.WAIT)) if u.external]
        if decided.route == Route.PATCH and under_way:
            assert not decided.due(Action.REWRITE)


@settings(max_examples=80)
@given(snapshots(), policies)
def test_a_plan_that_was_carried_out_leaves_nothing_to_rewrite(facts: Snapshot, policy: Policy) -> None:
    """Whoever acts on a plan and asks again is told to do nothing: there is no write loop."""
    first = plan(facts, policy)
    again = plan(replace(facts, known=tuple(carried_out(decided) for decided in first.workloads)), policy)
    assert not [use for decided in again.workloads for use in decided.due(Action.REWRITE)]
    assert set(again.copies()) <= set(first.copies())


@settings(max_examples=40)
@given(snapshots(), policies, st.randoms())
def test_a_plan_does_not_depend_on_the_order_of_what_is_known(
    facts: Snapshot, policy: Policy, random: Random
) -> None:
    """The same cluster gives the same plan."""
    known, found = list(facts.known), list(facts.backups.all)
    random.shuffle(known)
    random.shuffle(found)
    shuffled = replace(facts, known=tuple(known), backups=Records(tuple(found)))
    assert plan(shuffled, policy) == plan(facts, policy)


def carried_out(decided: WorkloadPlan) -> Workload:
    """The workload after its rewrites were made."""
    new = {use.container: str(use.backup) for use in decided.due(Action.REWRITE)}
    containers = (replace(c, image=new.get(c, c.image)) for c in decided.workload.containers)
    return replace(decided.workload, containers=tuple(containers))


def is_coherent(decided: WorkloadPlan) -> None:
    """A plan for a workload that can be shown to people."""
    assert tuple(use.container for use in decided.uses) == decided.workload.containers
    assert (decided.route is None) == (decided.blocked is not None)
    for use in decided.uses:
        explained = use.reason is not None and use.message != "" and use.message.isprintable()
        if use.action == Action.REWRITE:
            assert use.reason in {None, Reason.AWAITING_MERGE, Reason.PULL_REQUEST_CLOSED}
            assert explained == (use.reason is not None)
        else:
            assert explained == (use.action in {Action.WAIT, Action.BLOCKED})
        assert (use.source is not None) or use.action not in {Action.COPY, Action.ADOPT, Action.REWRITE}
        assert use.image is not None or use.action == Action.BLOCKED
