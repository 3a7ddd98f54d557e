"""The reconciler of ImageBackups, with registries in memory: who copies when, and what is put on record."""

import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from gitops_backup.controller.backups import BackupReconciler
from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.journal import Journal
from gitops_backup.controller.manager import Queues
from gitops_backup.controller.queue import WorkQueue
from gitops_backup.controller.worker import Workers
from gitops_backup.domain.backups import ConditionType, ImageBackup, Phase, Status
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.reasons import Reason
from gitops_backup.metrics import Metrics
from gitops_backup.registry.copier import Copied, Resolution
from gitops_backup.registry.failures import CopyFailed, Side
from gitops_backup.registry.slots import Slots
from tests.controller.cluster import DIGEST, NOW, OTHER_DIGEST, backup, inventory, pod, policy, workload

_SECONDS = 20.0
_CONFIGURATION = "sha256:" + "c" * 64


@dataclass
class MemoryRegistries:
    """Registries that have every image; a copy waits while its source's registry is in `stuck`.

    `within` are the parts of every image. Failures in `failing` are raised by every copy.
    """

    slots: Slots
    stuck: Mapping[str, threading.Event] = field(default_factory=dict)
    within: Collection[str] = ()
    there: Collection[str] = ()
    failing: list[Reason] = field(default_factory=list)
    unreadable: bool = False
    copies: list[str] = field(default_factory=list)
    asked_for_parts: int = 0
    at_once: int = 0
    most_at_once: int = 0

    def resolve(self, source: Reference, running: Collection[str], *, public: bool) -> Resolution:
        """Every tag stands for the same digest."""
        return Resolution(DIGEST)

    def held(self, backup: Reference) -> str | None:
        """It begins empty."""
        return None

    def offers(self, source: Reference, *, public: bool) -> bool:
        """Everything."""
        return True

    def parts(self, backup: Reference, digests: Collection[str]) -> Collection[str]:
        """Those that are parts of every image."""
        self.asked_for_parts += 1
        if self.unreadable:
            raise _failure(Reason.DESTINATION_UNAVAILABLE)
        return set(digests).intersection(self.within)

    def take_place(self, who: str, source: Reference, backup: Reference) -> bool:
        """As the real ones do."""
        return self.slots.take(who, [source.registry])

    def give_place_back(self, who: str) -> None:
        """As the real ones do."""
        self.slots.leave(who)

    def present(self, source: Reference, backup: Reference, *, platforms: Collection[str]) -> Copied | None:
        """What it was told to have."""
        if str(backup) in self.there:
            return Copied(source.digest or "", (), (), 1, copied=False)
        return None

    def transfer(
        self, source: Reference, backup: Reference, *, platforms: Collection[str], public: bool
    ) -> Copied:
        """Copy, when the registry is no longer stuck; a configuration cannot be copied."""
        self.copies.append(str(source))
        if source.digest == _CONFIGURATION:
            raise _failure(Reason.SOURCE_NOT_FOUND)
        if self.failing:
            raise _failure(self.failing.pop(0))
        if source.registry in self.stuck:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            assert self.stuck[source.registry].wait(_SECONDS)
            self.at_once -= 1
        return Copied(source.digest or "", (), (), 1, copied=True)


@dataclass
class MemoryWriter:
    """Writes straight into the inventory."""

    known: Inventory
    written: list[Status] = field(default_factory=list)

    def create_backup(self, name: str, image: Reference) -> None:
        """Refused: here they are made beforehand."""
        raise AssertionError(f"{name} was made for {image}")

    def write_status(self, backup: ImageBackup, status: Status) -> ImageBackup:
        """A new version."""
        self.written.append(status)
        version = str(int(backup.resource_version) + 1)
        return replace(backup, status=status, resource_version=version)

    def delete(self, backup: ImageBackup) -> None:
        """It is gone."""
        self.known.put_backup(backup.name, None)


class Silence:
    """Announces nothing."""

    def backup(self, backup: ImageBackup, **said: Any) -> None:
        """Nothing."""

    def workload(self, key: object, uid: str, **said: Any) -> None:
        """Nothing."""


def _failure(reason: Reason) -> CopyFailed:
    return CopyFailed(reason, "it failed", side=Side.SOURCE, registry="src.example")


class Desk:
    """A reconciler with what it needs, for Deployments with one image each; its clocks stand still."""

    def __init__(self, *images: str, running: Mapping[str, str] | None = None, **limits: int) -> None:
        workloads = [workload(f"w{number}", image) for number, image in enumerate(images)]
        self.known = inventory(*workloads, *(backup(image, digest=None) for image in images))
        for each in workloads:
            digest = (running or {}).get(each.containers[0].image)
            if digest is not None:
                self.known.put_pod((each.key.namespace, each.key.name), pod(each, digest))
        self.now = NOW
        self.queues = Queues(lambda: 0.0)
        hosts = {name.replace("_", "."): limit for name, limit in limits.items()}
        self.registries = MemoryRegistries(Slots(hosts, call=self.queues.backups.add))
        self.writer = MemoryWriter(self.known)
        self.metrics = Metrics()
        self.reconciler = BackupReconciler(
            inventory=self.known,
            journal=Journal(lambda: NOW),
            announcer=Silence(),
            policy=policy(),
            metrics=self.metrics,
            now=lambda: self.now,
            clock=lambda: 0.0,
            random=lambda: 0.0,
            registries=self.registries,
            writer=self.writer,
            wake=self.queues.wake,
            expiry=timedelta(minutes=5),
        )

    def status(self, image: str) -> Status:
        """What is on record of an image."""
        recorded = self.known.recorded(object_name(Reference.parse(image)))
        assert recorded is not None
        return recorded.status

    def step(self, image: str) -> Status:
        """Take one step; what is on record then."""
        self.reconciler.reconcile(object_name(Reference.parse(image)))
        return self.status(image)

    @contextmanager
    def working(self, workers: int) -> Iterator[None]:
        """Let so many workers do what is due."""
        crew = Workers(
            "backups",
            queue=self.queues.backups,
            reconcile=self.reconciler.reconcile,
            count=workers,
            metrics=self.metrics,
            random=lambda: 0.0,
        )
        for name in self.known.backup_names():
            self.queues.backups.add(name)
        crew.start()
        try:
            yield
        finally:
            self.queues.backups.close()
            assert crew.join(time.monotonic() + _SECONDS)

    def wait_verified(self, *images: str) -> None:
        """Wait until these have a verified copy."""
        deadline = time.monotonic() + _SECONDS
        while not all(self.status(image).holds(ConditionType.VERIFIED) for image in images):
            assert time.monotonic() < deadline, [self.status(image).phase for image in images]
            time.sleep(0.005)


def test_images_that_wait_for_a_place_at_a_registry_keep_no_worker() -> None:
    """With two workers and a slow registry that takes one copy at a time, the others' images go on."""
    slow = [f"slow.example/a/{number}:1" for number in range(6)]
    fast = [f"quay.io/a/{number}:1" for number in range(6)]
    desk = Desk(*slow, *fast, slow_example=1)
    opened = threading.Event()
    desk.registries.stuck = {"slow.example": opened}
    with desk.working(2):
        desk.wait_verified(*fast)
        assert {str(desk.status(image).phase) for image in slow} == {"PENDING", "RUNNING"}
        assert sum(desk.status(image).attempts for image in slow) == 1
        opened.set()
        desk.wait_verified(*slow)
    assert desk.registries.most_at_once == 1
    assert len(desk.registries.copies) == 12


def test_what_the_backup_registry_has_already_takes_one_write() -> None:
    """Nothing is pushed, so nothing has to be claimed."""
    desk = Desk("nginx:1", "redis:7")
    desk.registries.there = ["bak.example/m/library_nginx:1"]
    assert desk.step("nginx:1").holds(ConditionType.VERIFIED)
    assert (len(desk.writer.written), desk.registries.copies) == (1, [])
    assert desk.step("redis:7").holds(ConditionType.VERIFIED)
    assert [str(status.phase) for status in desk.writer.written[1:]] == ["RUNNING", "DONE"]


def test_a_place_is_given_back_by_a_copy_that_fails() -> None:
    """The next one takes it, and the first one does not keep it until its next attempt."""
    images = [f"slow.example/a/{number}:1" for number in range(3)]
    desk = Desk(*images, slow_example=1)
    desk.registries.failing = [Reason.SOURCE_NOT_FOUND]
    assert desk.step(images[0]).phase == "FAILED"
    with desk.working(1):
        desk.wait_verified(*images[1:])


def test_another_digest_than_promised_is_asked_for_once_more_whatever_failed_before() -> None:
    """Then it is given up; when the spec changes, it is tried again, and counted anew."""
    desk, steps = Desk("nginx:1"), []
    unavailable, mismatch = Reason.SOURCE_UNAVAILABLE, Reason.DIGEST_MISMATCH
    desk.registries.failing = [unavailable, unavailable, mismatch, unavailable, mismatch, mismatch, mismatch]
    for _ in range(6):
        status = desk.step("nginx:1")
        steps.append(status.next_attempt is not None)
        desk.now = status.next_attempt or desk.now
    assert steps == [True, True, True, True, True, False]
    assert desk.step("nginx:1").attempts == 6
    recorded = desk.known.recorded(object_name(Reference.parse("nginx:1")))
    assert recorded is not None
    desk.known.put_backup(recorded.name, replace(recorded, generation=2, resource_version="99"))
    status = desk.step("nginx:1")
    assert (status.attempts, status.next_attempt is not None) == (1, True)


def test_who_was_refused_is_tried_again_as_soon_as_the_credentials_change() -> None:
    """Once with each; whoever failed for another reason waits on."""
    desk = Desk("nginx:1", "redis:7")
    name = object_name(Reference.parse("nginx:1"))
    desk.registries.failing = [
        Reason.DESTINATION_AUTH_FAILED, Reason.SOURCE_NOT_FOUND, Reason.SOURCE_AUTH_FAILED,
    ]  # fmt: skip
    assert desk.step("nginx:1").attempts == 1
    assert desk.step("redis:7").attempts == 1
    assert desk.step("nginx:1").attempts == 1
    for attempts, phase in ((2, "FAILED"), (0, "DONE")):
        desk.queues.backups = WorkQueue(lambda: 0.0)
        desk.reconciler.credentials_changed()
        assert (desk.queues.backups.get(), len(desk.queues.backups)) == (name, 0)
        assert desk.step("redis:7").attempts == 1
        desk.step("nginx:1")
        status = desk.step("nginx:1")
        assert (status.attempts, status.phase) == (attempts, phase)


def test_who_was_refused_is_tried_once_by_a_controller_that_begins() -> None:
    """The one before may have had other credentials."""
    desk = Desk("nginx:1")
    refused = Status(phase=Phase.FAILED, attempts=3, next_attempt=NOW + timedelta(hours=1)).with_condition(
        ConditionType.COPIED,
        False,
        reason=Reason.SOURCE_AUTH_FAILED,
        message="no",
        generation=1,
        now=NOW,
    )
    recorded = desk.known.recorded(object_name(Reference.parse("nginx:1")))
    assert recorded is not None
    desk.known.put_backup(recorded.name, replace(recorded, status=refused, resource_version="2"))
    desk.registries.failing = [Reason.SOURCE_AUTH_FAILED, Reason.SOURCE_AUTH_FAILED]
    assert desk.step("nginx:1").attempts == 4
    assert desk.step("nginx:1").attempts == 4


def test_an_image_that_nobody_wants_any_more_passes_its_place_on() -> None:
    """It stood in line, and was to be the next."""
    first, gone, last = (f"slow.example/a/{number}:1" for number in range(3))
    desk = Desk(first, gone, last, slow_example=1)
    assert desk.registries.slots.take("somebody", ["slow.example"])
    assert [desk.step(image).phase for image in (gone, last)] == ["PENDING", "PENDING"]
    desk.known.put_backup(object_name(Reference.parse(gone)), None)
    desk.registries.slots.leave("somebody")
    assert desk.queues.backups.get() == object_name(Reference.parse(gone))
    desk.reconciler.reconcile(object_name(Reference.parse(gone)))
    assert desk.queues.backups.get() == object_name(Reference.parse(last))
    assert desk.step(last).phase == "DONE"


def test_a_configuration_that_a_node_reports_is_part_of_an_image_by_digest() -> None:
    """It is on record with the copy, asked about once; the tag has not moved."""
    image = f"nginx@{DIGEST}"
    desk = Desk(image, running={image: _CONFIGURATION})
    desk.registries.within = [_CONFIGURATION]
    status = desk.step(image)
    assert status.manifests == (_CONFIGURATION,)
    assert status.condition(ConditionType.TAG_MOVED) is None
    assert [record.verified for record in status.digests] == [True]
    desk.step(image)
    assert desk.registries.copies == [f"docker.io/library/nginx@{DIGEST}"]
    assert desk.registries.asked_for_parts == 1


def test_a_node_that_joins_later_may_report_another_part() -> None:
    """The copy was verified before; what runs now is looked for in it, and the tag has not moved."""
    desk = Desk("nginx:1", running={"nginx:1": DIGEST})
    desk.step("nginx:1")
    assert desk.registries.asked_for_parts == 0
    desk.registries.within = [_CONFIGURATION]
    late = workload("late", "nginx:1")
    desk.known.put_workload(late.key, late)
    desk.known.put_pod(("shop", "late-1"), pod(late, _CONFIGURATION))
    status = desk.step("nginx:1")
    assert status.manifests == (_CONFIGURATION,)
    assert not status.holds(ConditionType.TAG_MOVED)
    assert len(desk.registries.copies) == 1


def test_what_runs_and_is_no_part_is_copied_by_itself() -> None:
    """Then the tag has moved."""
    desk = Desk("nginx:1", running={"nginx:1": OTHER_DIGEST})
    status = desk.step("nginx:1")
    assert status.manifests == ()
    assert status.holds(ConditionType.TAG_MOVED)
    assert desk.registries.copies[1:] == [f"docker.io/library/nginx@{OTHER_DIGEST}"]
    assert desk.registries.asked_for_parts == 1


def test_what_runs_is_no_other_image_because_nobody_answers() -> None:
    """The copy stays verified; nothing else is copied, and it is looked at again soon."""
    desk = Desk("nginx:1", running={"nginx:1": _CONFIGURATION})
    desk.registries.unreadable = True
    status = desk.step("nginx:1")
    assert status.holds(ConditionType.VERIFIED)
    assert status.next_attempt == NOW + timedelta(minutes=5)
    assert len(desk.registries.copies) == 1
    desk.registries.unreadable, desk.registries.within = False, [_CONFIGURATION]
    desk.now = NOW + timedelta(minutes=5)
    assert desk.step("nginx:1").manifests == (_CONFIGURATION,)
