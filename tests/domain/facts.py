"""What a decision reads, held in memory."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.planning import Management
from gitops_backup.domain.policy import Namespaces
from gitops_backup.domain.workloads import Workload, WorkloadKey


@dataclass(frozen=True)
class Records:
    """ImageBackups, found as the cluster finds them: by the name of the object, or of the backup."""

    all: tuple[ImageBackup, ...] = ()

    def of_source(self, source: Reference) -> ImageBackup | None:
        return next((record for record in self.all if record.name == object_name(source)), None)

    def of_backup(self, backup: Reference) -> ImageBackup | None:
        return next((record for record in self.all if record.status.backup == str(backup)), None)

    def know_repository(self, backup: Reference) -> bool:
        known = (Reference.parse(r.status.backup) for r in self.all if r.status.backup is not None)
        return any(name.name == backup.name for name in known)


@dataclass(frozen=True)
class Snapshot:
    """Workloads, what their pods run, who manages them, ImageBackups and namespaces."""

    known: tuple[Workload, ...] = ()
    backups: Records = field(default_factory=Records)
    namespaces: Namespaces = field(default_factory=Namespaces)
    pulled: Mapping[WorkloadKey, Mapping[tuple[str, str], frozenset[str]]] = field(default_factory=dict)
    managed: Mapping[WorkloadKey, Management] = field(default_factory=dict)

    def workloads(self) -> Iterable[Workload]:
        return sorted(self.known, key=lambda workload: workload.key)

    def running(self, workload: WorkloadKey) -> Mapping[tuple[str, str], frozenset[str]]:
        return self.pulled.get(workload, {})

    def management(self, workload: Workload) -> Management | None:
        return self.managed.get(workload.key)
