"""The reconciler of ImageBackups: copy, verify, keep the record, expire.

What a backup's tag shall hold is written to the object before anything is pushed, guarded by the version of
the object that the decision was made from: of several workers, replicas, or a leader that was paused, one
wins, and the others look again.
"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

import structlog

from gitops_backup.controller.inventory import Concerned
from gitops_backup.controller.reconciler import Reconciler
from gitops_backup.controller.worker import DONE, After, Done, Outcome
from gitops_backup.domain.backups import (
    MOST_DIGESTS,
    MOST_NAMED_USERS,
    ConditionType,
    DigestRecord,
    ImageBackup,
    Phase,
    Status,
)
from gitops_backup.domain.demand import Demand, Step, next_step, observed
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.retries import retry_in
from gitops_backup.registry.failures import CopyFailed, Side

_QUIET_SECONDS = 15.0
_COMPARE_AGAIN = timedelta(hours=1)
_ASK_AGAIN = timedelta(minutes=5)
_IN_LINE = Done()
_REFUSED = (Reason.SOURCE_AUTH_FAILED, Reason.DESTINATION_AUTH_FAILED)
_PERHAPS_THERE = frozenset({Reason.NAME_CONFLICT, Reason.SOURCE_NOT_FOUND})


class Resolution(Protocol):
    """Which digest an image stands for, and the running digests that are part of it."""

    @property
    def digest(self) -> str:
        """The digest to copy."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The running digests that are part of it: of one platform, or of a configuration."""


class Copied(Protocol):
    """What a copy in the backup registry holds."""

    @property
    def manifests(self) -> tuple[str, ...]:
        """The digests within it."""

    @property
    def platforms(self) -> tuple[str, ...]:
        """Its platforms."""

    @property
    def size(self) -> int | None:
        """Its size in bytes."""

    @property
    def copied(self) -> bool:
        """Whether anything had to be copied."""


class Registries(Protocol):
    """The source registries and the backup registry. All methods raise `CopyFailed`.

    With `public`, a source is asked for without credentials.
    """

    def resolve(self, source: Reference, running: Collection[str], *, public: bool) -> Resolution:
        """Which digest to copy for a source, given the digests that run of it."""

    def held(self, backup: Reference) -> str | None:
        """The digest that the backup registry has under this name; None where it has none."""

    def offers(self, source: Reference, *, public: bool) -> bool:
        """Whether the source registry has this digest."""

    def parts(self, backup: Reference, digests: Collection[str]) -> Collection[str]:
        """Those of these digests that are parts of what the backup registry has under this name."""

    def take_place(self, who: str, source: Reference, backup: Reference) -> bool:
        """Whether there is a place for a copy now; where not, `who` is made due as soon as there is one."""

    def give_place_back(self, who: str) -> None:
        """The copy has ended, or is not wanted any more."""

    def present(self, source: Reference, backup: Reference, *, platforms: Collection[str]) -> Copied | None:
        """The verified copy of a source, by digest, that the backup registry has already; None for none."""

    def transfer(
        self, source: Reference, backup: Reference, *, platforms: Collection[str], public: bool
    ) -> Copied:
        """Copy a source, by digest, to a tag in the backup registry, and verify the copy."""


class BackupWriter(Protocol):
    """Writes ImageBackups. All methods raise `Conflict` when the object is no longer as it was seen."""

    def create_backup(self, name: str, image: Reference) -> None:
        """Make an ImageBackup; that it is there already is fine."""

    def write_status(self, backup: ImageBackup, status: Status) -> ImageBackup:
        """Replace the status; what the object is afterwards."""

    def delete(self, backup: ImageBackup) -> None:
        """Delete the object; that it is gone already is fine."""


@dataclass(kw_only=True)
class BackupReconciler(Reconciler):
    """Takes the name of an ImageBackup, and does its next step.

    `wake` gets whom a write of an ImageBackup concerns: the watch brings no news of it any more.
    """

    registries: Registries
    writer: BackupWriter
    wake: Callable[[Concerned], None]
    expiry: timedelta

    def __post_init__(self) -> None:
        """Begin with nothing seen and nothing written."""
        self._log = structlog.get_logger(reconciler="backup")
        self._lock = threading.Lock()
        self._suspects: set[str] = set()
        self._written: dict[str, float] = {}
        self._credentials = 0
        self._tried_with: dict[str, int] = {}

    def suspect(self, name: str) -> None:
        """Somebody found that the backup registry does not have what the record says: compare again."""
        with self._lock:
            self._suspects.add(name)

    def credentials_changed(self) -> None:
        """The registries are shown others from now on: whoever was refused need not wait any longer."""
        with self._lock:
            self._credentials += 1
        backups = (self.inventory.recorded(name) for name in self.inventory.backup_names())
        self.wake(Concerned(backups=frozenset(b.name for b in backups if b is not None and _refused(b))))

    def reconcile(self, name: str) -> Outcome:
        """Do the next step of the ImageBackup of this name."""
        outcome: Outcome = DONE
        try:
            outcome = self._advance(name)
        finally:
            if outcome is not _IN_LINE:
                self.registries.give_place_back(name)
        return outcome

    def record(self, name: str) -> None:
        """Write the journal's news about an ImageBackup to its status, now. Raises `Conflict`."""
        recorded, backup = self.inventory.recorded(name), self.inventory.backup(name)
        if recorded is None or backup is None:
            return
        if backup.status == recorded.status:
            self.journal.forget(name, {r.key: r for r in recorded.status.rewrites})
        else:
            self._write(backup, backup.status)

    def _advance(self, name: str) -> Outcome:
        recorded, backup = self.inventory.recorded(name), self.inventory.backup(name)
        if recorded is None or backup is None or backup.deleting:
            self._written.pop(name, None)
            self._tried_with.pop(name, None)
            return DONE
        if not backup.well_named:
            self._rename(recorded)
            return DONE
        demand = self.inventory.demand(backup)
        name_of_backup = self.policy.naming.backup(backup.image)
        backup = replace(backup, status=observed(backup, demand, name=name_of_backup, now=self.now()))
        if self._is_suspect(name) and self._lost(backup):
            return After(0)
        if _refused(backup) and self._tried_with.get(name) != self._credentials:
            # by other credentials, or by another process, which may have had others
            backup = replace(backup, status=backup.status.model_copy(update={"next_attempt": self.now()}))
        step = next_step(backup, demand, now=self.now(), expiry=self.expiry)
        if step.step == Step.EXPIRE:
            self.writer.delete(recorded)
            return DONE
        if step.step == Step.COPY:
            if self.registries.take_place(name, backup.image, name_of_backup):
                return self._copy(backup, demand)
            self._keep(recorded, backup, None)
            return _IN_LINE
        return self._keep(recorded, backup, step.after)

    def _rename(self, recorded: ImageBackup) -> None:
        """An object of the earlier system makes way for the one that stands for its image."""
        self.writer.create_backup(object_name(recorded.image), recorded.image)
        self.writer.delete(recorded)

    def _keep(self, recorded: ImageBackup, backup: ImageBackup, after: float | None) -> Outcome:
        if backup.status != recorded.status:
            rest = self._written.get(backup.name, float("-inf")) + _QUIET_SECONDS - self.clock()
            if rest > 0 and not self.journal.urgent(backup.name):
                return After(rest)
            self._write(backup, backup.status)
        return DONE if after is None else After(after)

    def _copy(self, backup: ImageBackup, demand: Demand) -> Outcome:
        self._tried_with[backup.name] = self._credentials
        began, claimed = self.clock(), backup
        adoptable = backup.image.digest is None and backup.status.completed_at is None
        if adoptable and backup.status.digest is None and not self._is_ours_to_fill(backup, demand):
            nothing = CopyFailed(
                Reason.SOURCE_NOT_FOUND,
                f"the backup registry has no {backup.status.backup}, and nothing shows that it was made here",
                side=Side.DESTINATION,
                registry=self.policy.naming.prefix.registry,
            )
            return self._adopt(backup, demand, nothing)
        try:
            claimed = self._resolved(backup, demand)
            copied = self._present(claimed)
            if copied is None and not claimed.verified:
                claimed = self._claim(claimed)
            status = self._copied(claimed, demand, began, copied)
        except CopyFailed as failure:
            if adoptable:
                return self._adopt(claimed, demand, failure)
            return self._failed(claimed, demand, failure)
        self._write(claimed, status)
        return After(0)

    def _is_ours_to_fill(self, backup: ImageBackup, demand: Demand) -> bool:
        """Whether an image may be pushed to the backup's name.

        Somebody's own image under the same prefix has a name that stands for a stranger's; where workloads
        name the backup alone, there has to be another verified copy in its repository.
        """
        name = self.policy.naming.backup(backup.image)
        return bool(demand.sources) or self.policy.exclusive or self.inventory.know_repository(name)

    def _is_public(self, backup: ImageBackup, demand: Demand) -> bool:
        """Whether the source is asked for anonymously: nobody has shown to be allowed to pull it."""
        return not demand.running and backup.status.completed_at is None

    def _resolved(self, backup: ImageBackup, demand: Demand) -> ImageBackup:
        """The ImageBackup with the digest that its tag shall hold, which is not written yet."""
        if backup.verified:
            return backup  # only further digests are wanted
        status = backup.status
        digest, parts = status.digest or backup.image.digest, status.manifests
        if digest is None:
            public = self._is_public(backup, demand)
            resolution = self.registries.resolve(backup.image, tuple(demand.running), public=public)
            digest, parts = resolution.digest, resolution.parts
        resolved = {"digest": digest, "manifests": parts, "create_at": status.create_at or self.now()}
        return replace(backup, status=status.model_copy(update=resolved))

    def _present(self, backup: ImageBackup) -> Copied | None:
        """What the backup registry has already: then nothing is pushed, and nothing has to be claimed."""
        digest = backup.status.digest
        if backup.verified or digest is None:
            return None
        place = self.policy.naming.place(backup.image, digest)
        return self.registries.present(backup.image.at(digest), place, platforms=backup.spec.platforms)

    def _claim(self, backup: ImageBackup) -> ImageBackup:
        """The ImageBackup with its digest on record, which nobody else changes from now on."""
        status = backup.status
        running = {
            "phase": Phase.RUNNING,
            "attempts": (0 if backup.outdated else status.attempts) + 1,
            "next_attempt": None,
        }
        return self._write(backup, status.model_copy(update=running))

    def _copied(self, backup: ImageBackup, demand: Demand, began: float, present: Copied | None) -> Status:
        status, digest = backup.status, backup.status.digest
        if not backup.verified and digest is not None:
            copied = present or self.registries.transfer(
                backup.image.at(digest),
                self.policy.naming.place(backup.image, digest),
                platforms=backup.spec.platforms,
                public=self._is_public(backup, demand),
            )
            took = self.clock() - began
            self.metrics.copies.labels("Copied" if copied.copied else "Present").inc()
            self.metrics.copy_seconds.observe(took)
            note = f"{backup.image} is backed up as {status.backup} ({digest[:19]}…) in {took:.1f} s"
            self.announcer.backup(backup, reason="Copied", note=note)
            status = self._verified(backup, copied, took)
        return self._with_running(backup, status, demand)

    def _verified(self, backup: ImageBackup, copied: Copied, took: float) -> Status:
        now = self.now()
        status = backup.status.model_copy(
            update={
                "phase": Phase.DONE,
                "manifests": tuple(sorted({*backup.status.manifests, *copied.manifests})),
                "platforms": copied.platforms,
                "size": copied.size,
                "completed_at": now,
                "duration": f"{took:.1f}s",
                "attempts": 0,
                "next_attempt": None,
            }
        )
        message = f"{backup.status.backup} holds {backup.status.digest}"
        return self._judged(backup, status, copied=True, verified=True, reason="Verified", message=message)

    def _with_running(self, backup: ImageBackup, status: Status, demand: Demand) -> Status:
        """The status with each further digest that runs held by its anchor, as far as that can be done."""
        now, naming = self.now(), self.policy.naming
        try:
            status = self._with_parts(backup, status, demand)
        except CopyFailed as failure:
            self.announcer.backup(backup, reason=failure.reason, note=failure.message, warning=True)
            return status.model_copy(update={"next_attempt": now + _ASK_AGAIN})
        records = {record.digest: record for record in status.digests}
        missing: list[str] = []
        for digest, workloads in demand.running.items():
            place = naming.place(backup.image, digest)
            verified = digest == status.digest or digest in status.manifests
            if not verified:
                place = naming.anchor(backup.image, digest)
                known = records.get(digest)
                verified = (known is not None and known.verified) or self._anchored(backup, digest, place)
                missing += [] if verified else [digest]
            old = records.get(digest)
            records[digest] = DigestRecord(
                digest=digest,
                tag=place.tag or "",
                verified=verified,
                since=old.since if old is not None else now,
                workloads=tuple(str(key) for key in workloads[:MOST_NAMED_USERS]),
            )
        by_use = sorted(
            records.values(), key=lambda r: (r.digest in demand.running, r.since or now, r.digest)
        )
        status = status.model_copy(
            update={
                "digests": tuple(by_use[-MOST_DIGESTS:]),
                "next_attempt": now + _COMPARE_AGAIN if missing else None,
            }
        )
        # what turned out to be a part does not show that the tag has moved
        return observed(replace(backup, status=status), demand, name=naming.backup(backup.image), now=now)

    def _with_parts(self, backup: ImageBackup, status: Status, demand: Demand) -> Status:
        """The status with those digests on record that run, and turn out to be parts of the copy.

        A node may report a manifest within an index, or, for images that were loaded by hand, a
        configuration, also of an image that is written by its digest.
        """
        held = {record.digest for record in status.digests if record.verified}
        unknown = demand.running.keys() - {status.digest, *status.manifests, *held}
        if status.digest is None or not unknown:
            return status
        place = self.policy.naming.place(backup.image, status.digest)
        parts = self.registries.parts(place, unknown)
        return status.model_copy(update={"manifests": tuple(sorted({*status.manifests, *parts}))})

    def _anchored(self, backup: ImageBackup, digest: str, place: Reference) -> bool:
        source = backup.image.at(digest)
        try:
            if self.registries.present(source, place, platforms=()) is None:
                self.registries.transfer(source, place, platforms=(), public=False)
        except CopyFailed as failure:
            self.announcer.backup(backup, reason=failure.reason, note=failure.message, warning=True)
            return False
        return True

    def _adopt(self, backup: ImageBackup, demand: Demand, failure: CopyFailed) -> Outcome:
        """A first copy failed, perhaps because the backup registry has the tag from an earlier time.

        What it has is taken for the source's own where the source offers that digest. Where workloads use it
        already and the source cannot be asked, it is on record, and compared later.
        """
        try:
            held = self.registries.held(self.policy.naming.backup(backup.image))
            offered = (
                held is not None
                and held != backup.status.digest
                and self.registries.offers(backup.image.at(held), public=self._is_public(backup, demand))
            )
        except CopyFailed as another:
            return self._failed(backup, demand, another)
        if held is None or held == backup.status.digest:
            return self._failed(backup, demand, failure)
        if offered and failure.reason in _PERHAPS_THERE:
            self._write(backup, backup.status.model_copy(update={"digest": held, "attempts": 0}))
            return After(0)
        if demand.sources:
            return self._failed(backup, demand, failure)
        now = self.now()
        status = backup.status.model_copy(
            update={
                "phase": Phase.DONE,
                "digest": None,
                "create_at": backup.status.create_at or now,
                "next_attempt": now + _COMPARE_AGAIN,
            }
        )
        message = f"{backup.status.backup} holds {held}, which was not compared: {failure.message}"
        status = self._judged(
            backup, status, copied=True, verified=None, reason=failure.reason, message=message
        )
        self._write(backup, status)
        return After(_COMPARE_AGAIN.total_seconds())

    def _failed(self, backup: ImageBackup, demand: Demand, failure: CopyFailed) -> Outcome:
        now, status = self.now(), backup.status
        self.metrics.copies.labels(failure.reason).inc()
        attempts = status.attempts if status.phase == Phase.RUNNING else status.attempts + 1
        lost = failure.reason == Reason.SOURCE_NOT_FOUND and status.completed_at is None
        wait = retry_in(
            failure.reason,
            attempts=attempts,
            repeated=backup.failed_for(failure.reason),
            retry_after=failure.retry_after,
            jitter=self.random(),
        )
        status = status.model_copy(
            update={
                "phase": Phase.FAILED,
                "create_at": status.create_at or now,
                "attempts": attempts,
                "next_attempt": None if wait is None else now + timedelta(seconds=wait),
                # a digest that was chosen, and is gone before it was copied, is chosen again
                "digest": None if lost else status.digest,
            }
        )
        status = self._judged(
            backup, status, copied=False, verified=False, reason=failure.reason, message=str(failure)
        )
        written = self._write(backup, status)
        self.announcer.backup(written, reason=failure.reason, note=str(failure), warning=True)
        for key in (*demand.sources, *demand.backups)[:MOST_NAMED_USERS]:
            workload = self.inventory.workload(key)
            if workload is not None:
                note = f"{backup.image} cannot be backed up: {failure}"
                self.announcer.workload(key, workload.uid, reason=failure.reason, note=note, warning=True)
        self._log.warning("a copy failed", image=str(backup.image), reason=failure.reason, error=str(failure))
        return DONE if wait is None else After(wait)

    def _is_suspect(self, name: str) -> bool:
        with self._lock:
            return name in self._suspects

    def _lost(self, backup: ImageBackup) -> bool:
        """Look whether the registry really lost a suspect's tag, and put that on record."""
        digest = backup.status.digest
        if backup.verified and digest is not None:
            held = self.registries.held(self.policy.naming.place(backup.image, digest))
            if held != digest:
                message = f"the backup registry has {held or 'nothing'} instead of {digest}"
                status = backup.status.model_copy(update={"phase": Phase.PENDING, "next_attempt": None})
                status = self._judged(
                    backup,
                    status,
                    copied=False,
                    verified=False,
                    reason=Reason.BACKUP_PENDING,
                    message=message,
                )
                self._write(backup, status)
                self.announcer.backup(backup, reason="Lost", note=message, warning=True)
                self._forget_suspect(backup.name)
                return True
        self._forget_suspect(backup.name)
        return False

    def _forget_suspect(self, name: str) -> None:
        with self._lock:
            self._suspects.discard(name)

    def _judged(
        self,
        backup: ImageBackup,
        status: Status,
        *,
        copied: bool,
        verified: bool | None,
        reason: str,
        message: str,
    ) -> Status:
        now, generation = self.now(), backup.generation
        for kind, value in ((ConditionType.COPIED, copied), (ConditionType.VERIFIED, verified)):
            status = status.with_condition(
                kind, value, reason=reason, message=message, generation=generation, now=now
            )
        return status

    def _write(self, backup: ImageBackup, status: Status) -> ImageBackup:
        written = self.writer.write_status(backup, status)
        self._written[backup.name] = self.clock()
        self.journal.forget(backup.name, {r.key: r for r in written.status.rewrites})
        self.wake(self.inventory.update_backup(written))
        return written


def _refused(backup: ImageBackup) -> bool:
    return any(backup.failed_for(reason) for reason in _REFUSED)
