"""The reconciler of workloads: ask for ImageBackups, patch in direct mode, hand on to Git otherwise."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from gitops_backup.controller.facts import FactsNow
from gitops_backup.controller.recent import Recent
from gitops_backup.controller.reconciler import BackupRegistry, Reconciler
from gitops_backup.controller.worker import DONE, After, Outcome
from gitops_backup.domain.backups import Rewrite, RewriteState
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.planning import Action, Route, Target, Use, WorkloadPlan, decide
from gitops_backup.domain.policy import Mode, Namespaces
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import (
    ORIGINAL_IMAGES_ANNOTATION,
    Workload,
    WorkloadKey,
)
from gitops_backup.errors import Conflict, GitopsBackupError, Transient

_LOOK_AGAIN_SECONDS = 30.0
_DOUBT_EVERY_SECONDS = 60.0
_LONGEST_WAIT_FOR_PODS = 5.0
_WORTH_AN_EVENT = frozenset({Reason.CONTESTED, Reason.ROLLED_BACK, Reason.SELF_HEAL, Reason.TAG_MOVED})


class Cluster(Protocol):
    """What the reconciler reads again and writes."""

    def directive(self, namespace: str) -> str | None:
        """The annotation k8slab.io/image-backup of a namespace as it is now."""

    def create_backup(self, name: str, image: Reference) -> None:
        """Make an ImageBackup; that it is there already is fine."""

    def patch(self, key: WorkloadKey, operations: Sequence[dict[str, Any]]) -> None:
        """Apply a JSON patch to a workload as a whole. Raises `Conflict` when a test in it fails."""


@dataclass(kw_only=True)
class WorkloadReconciler(Reconciler):
    """Takes the key of a workload, and does its next step.

    `hand_on` makes a place in Git due; `suspect` reports an ImageBackup whose copy is not there.
    """

    cluster: Cluster
    registry: BackupRegistry
    hand_on: Callable[[Target], None]
    suspect: Callable[[str], None]

    def __post_init__(self) -> None:
        """Begin with no doubts."""
        self._doubted: dict[str, float] = {}
        self._podless_since: dict[WorkloadKey, float] = {}
        self._directive = Recent(self.cluster.directive, clock=self.clock)
        self._held = Recent(self.registry.held, clock=self.clock)
        self._log = structlog.get_logger(reconciler="workload")

    def reconcile(self, key: WorkloadKey) -> Outcome:
        """Do the next step of the workload."""
        workload = self.inventory.workload(key)
        if workload is None or self.policy.mode == Mode.REPORT:
            self._podless_since.pop(key, None)
            return DONE
        plan = decide(workload, self.inventory, self.policy)
        self._tell(plan)
        self._doubt(plan)
        # what needs no answer of a registry comes first
        for use in (*plan.due(Action.COPY), *plan.due(Action.ADOPT)):
            self._ask_for_backup(use)
        if wait := self._wait_for_pods(plan):
            return After(wait)
        if plan.due(Action.REWRITE) and plan.route == Route.PATCH:
            return self._patch(plan)
        if plan.route == Route.COMMIT and plan.management is not None and self._concerns_git(plan):
            for target in plan.management.targets:
                if target.blocked is None:
                    self.hand_on(target)
        return DONE

    def _doubt(self, plan: WorkloadPlan) -> None:
        """A workload on a backup that does not start may have lost it: the registry is asked again."""
        if plan.workload.available or plan.workload.scaled_to_zero:
            return
        for use in plan.due(Action.KEEP):
            record = self.inventory.of_backup(use.backup) if use.backup is not None else None
            if record is None or not record.verified:
                continue
            if self.clock() - self._doubted.get(record.name, float("-inf")) > _DOUBT_EVERY_SECONDS:
                self._doubted[record.name] = self.clock()
                self.suspect(record.name)

    def _tell(self, plan: WorkloadPlan) -> None:
        """An event for what a person should look at."""
        for use in plan.uses:
            if use.reason in _WORTH_AN_EVENT:
                note = f"{use.container.name}: {use.message}"
                self.announcer.workload(
                    plan.workload.key, plan.workload.uid, reason=use.reason, note=note, warning=True
                )

    def _ask_for_backup(self, use: Use) -> None:
        if use.source is None:
            return
        if use.action == Action.ADOPT and (use.backup is None or self.registry.held(use.backup) is None):
            return
        self.cluster.create_backup(object_name(use.source), use.source)

    def _wait_for_pods(self, plan: WorkloadPlan) -> float:
        """How many seconds to wait for news of what the workload's pods run: they may run another digest."""
        key = plan.workload.key
        if not plan.due(Action.REWRITE) or not self.inventory.awaits_pods(plan.workload):
            self._podless_since.pop(key, None)
            return 0.0
        since = self._podless_since.setdefault(key, self.clock())
        return max(0.0, since + _LONGEST_WAIT_FOR_PODS - self.clock())

    def _concerns_git(self, plan: WorkloadPlan) -> bool:
        return any(use.action in {Action.REWRITE, Action.WAIT} for use in plan.uses if use.external)

    def _patch(self, plan: WorkloadPlan) -> Outcome:
        # the workload is not read again: the patch tests that it is at the version that is known here
        key = plan.workload.key
        again = decide(
            plan.workload, FactsNow(self.inventory, self._namespaces_now(key.namespace)), self.policy
        )
        uses = again.due(Action.REWRITE)
        if again.route != Route.PATCH or uses != plan.due(Action.REWRITE):
            raise Conflict(f"{key} changed while it was looked at")
        if not self._all_held(uses):
            return After(_LOOK_AGAIN_SECONDS)
        noted = [self._note(plan.workload, use) for use in uses]
        try:
            self.cluster.patch(key, _operations(plan.workload, uses))
        except GitopsBackupError as error:
            for name, rewrite, before in noted:
                self.journal.withdraw(name, rewrite, before=before)
            if not isinstance(error, Transient):
                uid, note = plan.workload.uid, str(error)
                self.announcer.workload(key, uid, reason="PatchRefused", note=note, warning=True)
            raise
        self._tell_rewritten(plan.workload, uses)
        return DONE

    def _namespaces_now(self, namespace: str) -> Namespaces:
        names = (namespace, self.policy.backup_namespace)
        now = {name: directive for name in names if (directive := self._directive(name))}
        return Namespaces(now)

    def _all_held(self, uses: Sequence[Use]) -> bool:
        """Whether the backup registry has, right now, what is on record for each of these."""
        held = True
        for use in uses:
            record = self.inventory.of_source(use.source) if use.source is not None else None
            if record is None or record.status.digest is None:
                return False
            place = self.policy.naming.place(record.image, record.status.digest)
            if self._held(place) != record.status.digest:
                self._held.forget(place)
                self.suspect(record.name)
                held = False
        return held

    def _note(self, workload: Workload, use: Use) -> tuple[str, Rewrite, Rewrite | None]:
        """Note a rewrite before it is made, so that not even the fastest reversal goes unseen."""
        source = use.source or Reference.parse(use.container.image)
        record = self.inventory.of_source(source)
        before = record.rewrite(workload.key, use.container.name) if record is not None else None
        rewrite = Rewrite(
            workload=str(workload.key),
            container=use.container.name,
            state=RewriteState.COMMITTED,
            at=self.now(),
            reversals=before.reversals if before is not None else (),
        )
        self.journal.note(object_name(source), rewrite)
        return object_name(source), rewrite, before

    def _tell_rewritten(self, workload: Workload, uses: Sequence[Use]) -> None:
        self.metrics.rewrites.labels(Route.PATCH).inc(len(uses))
        images = ", ".join(f"{use.container.name}: {use.backup}" for use in uses)
        self.announcer.workload(workload.key, workload.uid, reason="Rewritten", note=f"now uses {images}")
        self._log.info("workload patched", workload=str(workload.key), containers=len(uses))


def _operations(workload: Workload, uses: Sequence[Use]) -> list[dict[str, Any]]:
    """A patch of all containers, which holds only for the very version that was decided on."""
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": workload.version}
    ]
    for use in uses:
        part = "initContainers" if use.container.init else "containers"
        path = f"/spec/template/spec/{part}/{use.container.index}/image"
        operations.append({"op": "test", "path": path, "value": use.container.image})
        operations.append({"op": "replace", "path": path, "value": str(use.backup)})
    if not workload.annotated:
        operations.append({"op": "add", "path": "/metadata/annotations", "value": {}})
    originals = dict(workload.originals) | {use.container.name: use.container.image for use in uses}
    pointer = ORIGINAL_IMAGES_ANNOTATION.replace("~", "~0").replace("/", "~1")
    value = json.dumps(originals, sort_keys=True, separators=(",", ":"))
    operations.append({"op": "add", "path": f"/metadata/annotations/{pointer}", "value": value})
    return operations
