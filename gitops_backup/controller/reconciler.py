"""What the three reconcilers share: what is known of the cluster, the rules, and ways to tell people."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.journal import Journal
from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.images import Reference
from gitops_backup.domain.policy import Policy
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.metrics import Metrics


class Announcer(Protocol):
    """Tells people what happened, as events on objects."""

    def backup(self, backup: ImageBackup, *, reason: str, note: str, warning: bool = False) -> None:
        """An event on an ImageBackup."""

    def workload(self, key: WorkloadKey, uid: str, *, reason: str, note: str, warning: bool = False) -> None:
        """An event on a workload."""


class BackupRegistry(Protocol):
    """The backup registry, asked just before something rests on the answer."""

    def held(self, backup: Reference) -> str | None:
        """The digest that the backup registry has under this name; None where it has none.

        Raises `CopyFailed`.
        """


@dataclass(kw_only=True)
class Reconciler:
    """The part that all three have.

    `now` returns the time in UTC in whole seconds, as objects hold it; `clock` seconds that never go back;
    `random` a number from 0 to 1.
    """

    inventory: Inventory
    journal: Journal
    announcer: Announcer
    policy: Policy
    metrics: Metrics
    now: Callable[[], datetime]
    clock: Callable[[], float]
    random: Callable[[], float]
