"""ImageBackups: read whoever wrote them, written as they are read, and what they call for next."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from gitops_backup.domain.backups import (
    MOST_NAMED_USERS,
    Condition,
    ConditionType,
    DigestRecord,
    ImageBackup,
    Phase,
    Rewrite,
    RewriteState,
    Spec,
    Status,
    Users,
)
from gitops_backup.domain.demand import Demand, NextStep, Step, next_step, observed
from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import WorkloadKey
from tests.domain.generated import moments
from tests.domain.objects import DIGEST, OTHER_DIGEST

NOW = datetime(2024, 5, 1, 12, 0, tzinfo=UTC)
EXPIRY = timedelta(minutes=5)
WEB = WorkloadKey("Deployment", "shop", "web")
API = WorkloadKey("Deployment", "shop", "api")
NGINX = Reference.parse("nginx:1.25")
COPY_OF_NGINX = Reference.parse("bak.example/library_nginx:1.25")


def stored(status: Any = None, **spec: Any) -> dict[str, Any]:
    """An ImageBackup as the API server has it."""
    return {
        "apiVersion": "k8slab.io/v1alpha1",
        "kind": "ImageBackup",
        "metadata": {
            "name": "library-nginx-1-25",
            "namespace": "image-backup",
            "uid": "9c",
            "resourceVersion": "17",
            "generation": 2,
        },
        "spec": {"image": "nginx:1.25"} | spec,
        "status": status,
    }


def backup(status: Status | None = None) -> ImageBackup:
    """An ImageBackup of nginx with this status."""
    return ImageBackup(
        namespace="image-backup",
        name="library-nginx-1-25",
        uid="9c",
        resource_version="17",
        generation=2,
        deleting=False,
        image=NGINX,
        spec=Spec(image=str(NGINX)),
        status=status or Status(),
    )


def condition(kind: ConditionType, status: bool | None, reason: str = "Any") -> Status:
    """A status with one condition."""
    return Status().with_condition(kind, status, reason=reason, message="why", generation=1, now=NOW)


def verified(**more: Any) -> Status:
    """The status of a verified copy."""
    return condition(ConditionType.VERIFIED, True).model_copy(
        update={"phase": Phase.DONE, "digest": DIGEST} | more
    )


# -- reading ----------------------------------------------------------------------------------------------


def test_an_object_is_projected() -> None:
    """Its identity, its image in normal form, its spec and its status."""
    status = Status(phase=Phase.RUNNING)
    assert ImageBackup.project(stored({"phase": "RUNNING"})) == ImageBackup(
        namespace="image-backup",
        name="library-nginx-1-25",
        uid="9c",
        resource_version="17",
        generation=2,
        deleting=False,
        image=NGINX,
        spec=Spec(image="nginx:1.25"),
        status=status,
    )


@pytest.mark.parametrize("phase", ["PENDING", "RUNNING", "DONE", "FAILED"])
def test_objects_of_the_earlier_system_are_read(phase: str) -> None:
    """Phase in capitals, times and a duration; nothing else, and nothing verified."""
    earlier = {"phase": phase, "create_at": "2021-08-04T10:00:00Z", "duration": "1.2s"}
    read = ImageBackup.project(stored(earlier))
    assert read is not None
    assert read.status == Status(
        phase=Phase(phase), create_at=datetime(2021, 8, 4, 10, 0, tzinfo=UTC), duration="1.2s"
    )
    assert not read.verified


@pytest.mark.parametrize(
    "status",
    [None, {}, [], "", {"phase": "", "create_at": "", "completed_at": "", "duration": ""}, {"phase": None}],
)
def test_blank_statuses_of_the_earlier_system_are_read(status: Any) -> None:
    """An object that was only just made, or made by hand, is pending work and no error."""
    read = ImageBackup.project(stored(status))
    assert read is not None
    assert read.status.phase is None
    assert read.status.create_at is None


@pytest.mark.parametrize(
    "spec",
    [
        {"image": ""},
        {"image": "Nginx"},
        {"image": "-x"},
        {"image": "a" * 1025},
        {"image": None},
        {"image": 5},
        {"image": ["nginx"]},
        {"platforms": "linux/amd64"},
    ],
)
def test_an_object_without_an_image_is_nothing(spec: dict[str, Any]) -> None:
    """What somebody made by hand and names no image is left alone."""
    assert ImageBackup.project(stored(**spec)) is None


@pytest.mark.parametrize("spec", [None, {}, [], "nginx", 5])
def test_an_object_without_a_spec_is_nothing(spec: Any) -> None:
    """The same where the spec is no mapping."""
    assert ImageBackup.project(stored() | {"spec": spec}) is None


def test_an_object_with_the_fewest_fields_is_read() -> None:
    """A name and an image are enough."""
    read = ImageBackup.project({"metadata": {"name": "a"}, "spec": {"image": "a"}})
    assert read is not None
    assert (read.namespace, read.uid, read.resource_version, read.generation) == ("", "", "", 0)


def test_an_object_that_is_being_deleted_says_so() -> None:
    """Nothing is copied for it any more."""
    obj = stored()
    obj["metadata"]["deletionTimestamp"] = "2024-05-01T12:00:00Z"
    read = ImageBackup.project(obj)
    assert read is not None
    assert read.deleting


ODD = {
    "phase": "done",
    "backup": 5,
    "digest": ["sha256"],
    "manifests": "sha256",
    "size": "big",
    "digests": [{"digest": DIGEST}],
    "create_at": "yesterday",
    "completed_at": "0001-01-01T00:00:00+01:00",
    "duration": 1.2,
    "attempts": "often",
    "next_attempt": {},
    "conditions": [{"type": "Verified", "status": "Perhaps", "reason": "X"}],
    "users": 3,
    "rewrites": [{"workload": str(WEB), "container": "web", "state": "Lost", "at": "2024-05-01T12:00:00Z"}],
    "unused_since": "2024-05-01T25:00:00Z",
}


@pytest.mark.parametrize("field", ODD)
def test_one_part_that_cannot_be_read_spoils_no_other(field: str) -> None:
    """A part that somebody broke is absent; what is beside it stays, above all digest and rewrites."""
    whole = verified(
        backup=str(COPY_OF_NGINX),
        rewrites=(Rewrite(workload=str(WEB), container="web", state=RewriteState.HEALTHY, at=NOW),),
    )
    read = ImageBackup.project(stored(whole.as_json() | {field: ODD[field]}))
    assert read is not None
    kept = whole.model_dump(exclude={field})
    assert read.status.model_dump(exclude={field}) == kept
    assert getattr(read.status, field) == getattr(Status(), field)


def test_a_status_of_which_nothing_can_be_read_is_empty() -> None:
    """All parts can be wrong at the same time."""
    read = ImageBackup.project(stored(ODD))
    assert read is not None
    assert read.status == Status()


def test_unknown_fields_are_left_out() -> None:
    """A newer version's fields do no harm."""
    read = ImageBackup.project(stored({"phase": "DONE", "future": {"a": 1}}))
    assert read is not None
    assert read.status == Status(phase=Phase.DONE)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=120)
@given(json_values | st.dictionaries(st.sampled_from([*ODD, "else"]), json_values, max_size=6))
def test_any_status_is_read(status: Any) -> None:
    """Whatever stands in an object, one can work with it and with its neighbours."""
    read = ImageBackup.project(stored(status))
    assert read is not None
    next_step(read, Demand(sources=(WEB,)), now=NOW, expiry=EXPIRY)
    next_step(read, Demand(), now=NOW, expiry=EXPIRY)


# -- writing ----------------------------------------------------------------------------------------------

short = st.text("abz-", max_size=5)
maybe_moments = st.none() | moments


def tuples(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(inner, max_size=3).map(tuple)


statuses = st.builds(
    Status,
    phase=st.none() | st.sampled_from(Phase),
    backup=st.none() | short,
    digest=st.none() | st.just(DIGEST),
    manifests=tuples(short),
    platforms=tuples(short),
    size=st.none() | st.integers(0, 2**60),
    digests=tuples(
        st.builds(DigestRecord, digest=short, tag=short, since=maybe_moments, workloads=tuples(short))
    ),
    create_at=maybe_moments,
    completed_at=maybe_moments,
    duration=st.none() | short,
    attempts=st.integers(0, 9),
    next_attempt=maybe_moments,
    conditions=tuples(
        st.builds(
            Condition,
            type=st.sampled_from(ConditionType),
            status=st.sampled_from(["True", "False", "Unknown"]),
            reason=short,
            lastTransitionTime=maybe_moments,
        )
    ),
    users=st.none() | st.builds(Users, count=st.integers(0, 9), first=tuples(short)),
    rewrites=tuples(
        st.builds(
            Rewrite,
            workload=short,
            container=short,
            state=st.sampled_from(RewriteState),
            at=moments,
            commit=st.none() | short,
            reversals=tuples(moments),
        )
    ),
    unused_since=maybe_moments,
)


@settings(max_examples=60)
@given(statuses)
def test_a_status_is_read_back_as_it_was_written(status: Status) -> None:
    """So that what did not change causes no write."""
    read = ImageBackup.project(stored(status.as_json()))
    assert read is not None
    assert read.status == status
    assert read.status.as_json() == status.as_json()


def test_a_status_is_written_as_kubernetes_has_it() -> None:
    """No absent fields, no empty lists; conditions with their usual names; times in UTC and whole seconds."""
    written = condition(ConditionType.COPIED, True, "Copied").as_json()
    assert written["conditions"] == [
        {
            "type": "Copied",
            "status": "True",
            "reason": "Copied",
            "message": "why",
            "observedGeneration": 1,
            "lastTransitionTime": "2024-05-01T12:00:00Z",
        }
    ]
    assert set(written) == {"attempts", "conditions"}


@pytest.mark.parametrize(
    ("given_time", "written"),
    [
        ("2024-05-01T12:00:00Z", "2024-05-01T12:00:00Z"),
        ("2024-05-01T12:00:00+00:00", "2024-05-01T12:00:00Z"),
        ("2024-05-01T14:00:00+02:00", "2024-05-01T12:00:00Z"),
        ("2024-05-01T12:00:00", "2024-05-01T12:00:00Z"),
        ("2024-05-01T12:00:00.999999Z", "2024-05-01T12:00:00Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        (datetime(2024, 5, 1, 12, 0, 0, 5, tzinfo=timezone(timedelta(hours=-1))), "2024-05-01T13:00:00Z"),
    ],
)
def test_times_are_utc_in_whole_seconds(given_time: Any, written: str) -> None:
    """Whoever wrote a time, it is one that can be compared with others."""
    status = Status.model_validate({"unused_since": given_time})
    assert status.as_json()["unused_since"] == written
    assert status.unused_since is not None
    assert status.unused_since.utcoffset() == timedelta(0)
    copied = Status().model_copy(update={"unused_since": status.unused_since})
    assert copied.as_json()["unused_since"] == written


# -- conditions -------------------------------------------------------------------------------------------


def test_a_condition_keeps_its_transition_time_while_its_status_stays() -> None:
    """Another reason, message or generation is no transition."""
    later = NOW + timedelta(hours=1)
    status = condition(ConditionType.COPIED, False, "RateLimited")
    same = status.with_condition(
        ConditionType.COPIED, False, reason="SourceNotFound", message="gone", generation=2, now=later
    )
    found = same.condition(ConditionType.COPIED)
    assert found is not None
    assert (found.reason, found.message, found.observed_generation) == ("SourceNotFound", "gone", 2)
    assert found.last_transition == NOW
    for value in (True, None):
        changed = same.with_condition(
            ConditionType.COPIED, value, reason="Copied", message="", generation=2, now=later
        )
        moved = changed.condition(ConditionType.COPIED)
        assert moved is not None
        assert moved.last_transition == later
        assert len(changed.conditions) == 1


def test_conditions_are_sorted_and_leave_each_other_alone() -> None:
    """One condition per type, in the order of their names, whichever was set first."""
    one, other = Status(), Status()
    for kind in ConditionType:
        one = one.with_condition(kind, True, reason="A", message="", generation=1, now=NOW)
    for kind in reversed(ConditionType):
        other = other.with_condition(kind, True, reason="A", message="", generation=1, now=NOW)
    assert one == other
    assert [c.type for c in one.conditions] == sorted(ConditionType)


@pytest.mark.parametrize(("value", "holds"), [(True, True), (False, False), (None, False)])
def test_a_condition_holds_when_it_is_true(value: bool | None, holds: bool) -> None:
    """Unknown is not true, and neither is absent."""
    assert condition(ConditionType.VERIFIED, value).holds(ConditionType.VERIFIED) is holds
    assert not Status().holds(ConditionType.VERIFIED)


# -- what a record says -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "is_verified", "is_settled"),
    [
        (Status(), False, False),
        (Status(phase=Phase.RUNNING), False, False),
        (Status(phase=Phase.DONE), False, False),
        (Status(phase=Phase.FAILED), False, True),
        (verified(), True, True),
        (verified(digest=None), False, False),
        (condition(ConditionType.COPIED, True), False, False),
        (condition(ConditionType.VERIFIED, None), False, False),
        (condition(ConditionType.VERIFIED, False), False, False),
    ],
)
def test_verified_and_settled(status: Status, is_verified: bool, is_settled: bool) -> None:
    """Only the condition together with a digest is proof; phase DONE of the earlier system is none."""
    assert backup(status).verified is is_verified
    assert backup(status).settled is is_settled


@pytest.mark.parametrize(
    ("digests", "covered"),
    [
        ([], True),
        ([DIGEST], True),
        ([OTHER_DIGEST], True),
        ([DIGEST, OTHER_DIGEST], True),
        ([DIGEST, "sha256:" + "0" * 64], False),
    ],
)
def test_a_backup_covers_its_digest_and_those_within(digests: list[str], covered: bool) -> None:
    """Nodes may report the index or the manifest of their platform."""
    assert backup(verified(manifests=(OTHER_DIGEST,))).covers(digests) is covered


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (Status(), Reason.BACKUP_PENDING, "the copy is not verified yet"),
        (condition(ConditionType.COPIED, False, "RateLimited"), Reason.RATE_LIMITED, "why"),
        (condition(ConditionType.VERIFIED, False, "DigestMismatch"), Reason.DIGEST_MISMATCH, "why"),
        (
            condition(ConditionType.COPIED, False, "Made up"),
            Reason.BACKUP_PENDING,
            "the copy is not verified yet",
        ),
        (
            condition(ConditionType.VERIFIED, False, "DigestMismatch").with_condition(
                ConditionType.COPIED, False, reason="QuotaExceeded", message="full", generation=1, now=NOW
            ),
            Reason.QUOTA_EXCEEDED,
            "full",
        ),
        (condition(ConditionType.VERIFIED, None, "X"), Reason.BACKUP_PENDING, "the copy is not verified yet"),
    ],
)
def test_a_failure_has_a_reason_and_a_sentence(status: Status, reason: Reason, message: str) -> None:
    """The copy's own reason comes first; one that nobody knows is no reason."""
    assert backup(status).failure() == (reason, message)


def test_a_rewrite_is_found_by_workload_and_container() -> None:
    """Another container of the same workload is another rewrite."""
    rewrite = Rewrite(workload=str(WEB), container="web", state=RewriteState.APPLIED, at=NOW)
    record = backup(Status(rewrites=(rewrite,)))
    assert record.rewrite(WEB, "web") == rewrite
    assert record.rewrite(WEB, "sidecar") is None
    assert record.rewrite(API, "web") is None


# -- what the cluster shows -------------------------------------------------------------------------------


def rolled_out(status: Status) -> tuple[str, str]:
    found = status.condition(ConditionType.ROLLED_OUT)
    assert found is not None
    return found.status, found.reason


def rewritten(state: RewriteState, workload: WorkloadKey = WEB) -> Status:
    rewrite = Rewrite(workload=str(workload), container="web", state=state, at=NOW)
    return verified(backup=str(COPY_OF_NGINX), rewrites=(rewrite,))


@pytest.mark.parametrize(
    ("status", "demand", "expected"),
    [
        (Status(), Demand(sources=(WEB,)), ("False", "SourceInUse")),
        (verified(), Demand(sources=(WEB,), backups=(API,)), ("False", "SourceInUse")),
        (rewritten(RewriteState.APPLIED), Demand(backups=(WEB,)), ("False", "RollingOut")),
        (rewritten(RewriteState.HEALTHY), Demand(backups=(WEB,)), ("True", "BackupInUse")),
        (rewritten(RewriteState.APPLIED, API), Demand(backups=(WEB,)), ("True", "BackupInUse")),
        (verified(), Demand(), ("False", "Unused")),
    ],
)
def test_rolled_out_tells_whether_the_backup_replaced_the_source(
    status: Status, demand: Demand, expected: tuple[str, str]
) -> None:
    """It is true when nobody names the source and every rewritten container was rolled out."""
    assert rolled_out(observed(backup(status), demand, name=COPY_OF_NGINX, now=NOW)) == expected


def test_users_are_counted_and_the_first_are_named() -> None:
    """A record stays small however many workloads there are."""
    keys = tuple(WorkloadKey("Deployment", "shop", f"web-{n}") for n in range(9))
    status = observed(backup(), Demand(sources=keys), name=COPY_OF_NGINX, now=NOW)
    assert status.users == Users(count=9, first=tuple(str(key) for key in keys[:MOST_NAMED_USERS]))
    assert status.phase == Phase.PENDING
    assert status.backup == str(COPY_OF_NGINX)


def test_the_end_of_the_last_use_is_kept_until_there_is_a_new_one() -> None:
    """The time does not move while nobody uses the backup, and is gone when somebody does."""
    first = observed(backup(), Demand(), name=COPY_OF_NGINX, now=NOW)
    second = observed(backup(first), Demand(), name=COPY_OF_NGINX, now=NOW + timedelta(minutes=1))
    assert second == first
    assert first.unused_since == NOW
    used = observed(backup(second), Demand(backups=(WEB,)), name=COPY_OF_NGINX, now=NOW)
    assert used.unused_since is None


def test_rewrites_of_workloads_that_went_elsewhere_are_dropped() -> None:
    """A workload that names neither source nor backup needs no record."""
    status = rewritten(RewriteState.REVERTED)
    for demand, kept in (
        (Demand(sources=(WEB,)), 1),
        (Demand(backups=(WEB,)), 1),
        (Demand(sources=(API,)), 0),
    ):
        assert len(observed(backup(status), demand, name=COPY_OF_NGINX, now=NOW).rewrites) == kept


def test_what_was_copied_below_another_prefix_is_not_a_copy_below_this_one() -> None:
    """After the backup prefix was changed nothing is verified; what people undid is not forgotten."""
    demand, name = Demand(sources=(WEB,)), Reference.parse("new.example/library_nginx:1.25")
    status = rewritten(RewriteState.REVERTED).model_copy(update={"manifests": (OTHER_DIGEST,), "attempts": 3})
    seen = observed(backup(status), demand, name=name, now=NOW)
    assert not backup(seen).verified
    assert (seen.digest, seen.manifests, seen.attempts, seen.phase) == (None, (), 0, Phase.PENDING)
    assert seen.backup == str(name)
    assert seen.rewrites == status.rewrites
    assert next_step(backup(seen), demand, now=NOW, expiry=EXPIRY) == NextStep(Step.COPY)


@settings(max_examples=60)
@given(statuses, st.sampled_from([Demand(), Demand(sources=(WEB,)), Demand(backups=(API,))]))
def test_looking_twice_changes_nothing(status: Status, demand: Demand) -> None:
    """What is as it was seen causes no write, however much time has passed."""
    once = observed(backup(status), demand, name=COPY_OF_NGINX, now=NOW)
    read = ImageBackup.project(stored(once.as_json()))
    assert read is not None
    later = NOW + timedelta(days=1)
    assert observed(read, demand, name=COPY_OF_NGINX, now=later) == read.status


# -- what to do next --------------------------------------------------------------------------------------

SOON, PAST = NOW + timedelta(seconds=30), NOW - timedelta(seconds=30)
USED = Demand(sources=(WEB,))
NAMED = Demand(backups=(WEB,))
RUNNING_BOTH = Demand(sources=(WEB,), running={DIGEST: (WEB,), OTHER_DIGEST: (API,)})
ANCHORED = DigestRecord(digest=OTHER_DIGEST, tag="digest.sha256.cd", verified=True)

NEXT_STEPS: dict[str, tuple[Status, Demand, NextStep]] = {
    "just made": (Status(), USED, NextStep(Step.COPY)),
    "pending": (Status(phase=Phase.PENDING), USED, NextStep(Step.COPY)),
    "the copy was interrupted": (Status(phase=Phase.RUNNING, digest=DIGEST), USED, NextStep(Step.COPY)),
    "done for the earlier system, never verified": (Status(phase=Phase.DONE), USED, NextStep(Step.COPY)),
    "only the backup is in use": (Status(), NAMED, NextStep(Step.COPY)),
    "failed, to be tried later": (
        Status(phase=Phase.FAILED, next_attempt=SOON),
        USED,
        NextStep(Step.KEEP, 30),
    ),
    "failed, due again": (Status(phase=Phase.FAILED, next_attempt=PAST), USED, NextStep(Step.COPY)),
    "failed, due now": (Status(phase=Phase.FAILED, next_attempt=NOW), USED, NextStep(Step.COPY)),
    "failed for good": (Status(phase=Phase.FAILED), USED, NextStep(Step.KEEP)),
    "failed, to be tried later, and the spec changed": (
        condition(ConditionType.COPIED, False).model_copy(
            update={"phase": Phase.FAILED, "next_attempt": SOON}
        ),
        USED,
        NextStep(Step.COPY),
    ),
    "failed for good, and the spec changed": (
        condition(ConditionType.COPIED, False).model_copy(update={"phase": Phase.FAILED}),
        USED,
        NextStep(Step.COPY),
    ),
    "verified": (verified(), USED, NextStep(Step.KEEP)),
    "verified, and what runs is known": (
        verified(manifests=(OTHER_DIGEST,)),
        RUNNING_BOTH,
        NextStep(Step.KEEP),
    ),
    "verified, and another digest runs": (verified(), RUNNING_BOTH, NextStep(Step.COPY)),
    "the other digest could not be had": (
        verified(next_attempt=SOON),
        RUNNING_BOTH,
        NextStep(Step.KEEP, 30),
    ),
    "the other digest is anchored": (verified(digests=(ANCHORED,)), RUNNING_BOTH, NextStep(Step.KEEP)),
    "the other digest is recorded, but not verified": (
        verified(digests=(ANCHORED.model_copy(update={"verified": False}),)),
        RUNNING_BOTH,
        NextStep(Step.COPY),
    ),
    "verification was lost": (
        condition(ConditionType.VERIFIED, False).model_copy(
            update={"phase": Phase.PENDING, "digest": DIGEST}
        ),
        USED,
        NextStep(Step.COPY),
    ),
    "unused, not yet noted": (verified(), Demand(), NextStep(Step.KEEP, 300)),
    "unused for a while": (
        verified(unused_since=NOW - timedelta(seconds=100)),
        Demand(),
        NextStep(Step.KEEP, 200),
    ),
    "unused for long enough": (verified(unused_since=NOW - EXPIRY), Demand(), NextStep(Step.EXPIRE)),
    "unused and failed": (
        Status(phase=Phase.FAILED, unused_since=NOW - EXPIRY),
        Demand(),
        NextStep(Step.EXPIRE),
    ),
    "unused since the end of time": (
        verified(unused_since=datetime(9999, 12, 31, tzinfo=UTC)),
        Demand(),
        NextStep(Step.KEEP, (datetime(9999, 12, 31, tzinfo=UTC) - NOW + EXPIRY).total_seconds()),
    ),
    "in use again before it was noted": (verified(unused_since=NOW - EXPIRY), USED, NextStep(Step.KEEP)),
}


@pytest.mark.parametrize(("status", "demand", "step"), NEXT_STEPS.values(), ids=NEXT_STEPS)
def test_next_step(status: Status, demand: Demand, step: NextStep) -> None:
    """What a record calls for follows from it, from who uses it, and from the time."""
    assert next_step(backup(status), demand, now=NOW, expiry=EXPIRY) == step


def test_the_schema_documents_every_field() -> None:
    """The resource's schema is made from these types, and `kubectl explain` shows what stands there."""
    for model in (Spec, Status, Condition, DigestRecord, Rewrite, Users):
        assert issubclass(model, BaseModel)
        assert all(field.description for field in model.model_fields.values())
