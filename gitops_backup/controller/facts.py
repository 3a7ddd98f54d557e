"""What decisions read just before something is written: namespaces as they are now, not as a watch told."""

from collections.abc import Iterable, Mapping

from gitops_backup.controller.inventory import Inventory
from gitops_backup.domain.planning import Management
from gitops_backup.domain.policy import Namespaces
from gitops_backup.domain.workloads import Workload, WorkloadKey


class FactsNow:
    """The inventory's facts, with namespaces that were read just now."""

    def __init__(self, inventory: Inventory, namespaces: Namespaces) -> None:
        self._inventory = inventory
        self._namespaces = namespaces

    @property
    def backups(self) -> Inventory:
        """The ImageBackups."""
        return self._inventory

    @property
    def namespaces(self) -> Namespaces:
        """The namespaces' annotations."""
        return self._namespaces

    def workloads(self) -> Iterable[Workload]:
        """All workloads, sorted by key."""
        return self._inventory.workloads()

    def running(self, workload: WorkloadKey) -> Mapping[tuple[str, str], frozenset[str]]:
        """The digests that the workload's pods run, by container and image."""
        return self._inventory.running(workload)

    def management(self, workload: Workload) -> Management | None:
        """What Argo CD has to say about the workload."""
        return self._inventory.management(workload)
