"""The ImageBackups of a cluster, by their own names and by those of their backups."""

from collections import Counter

from gitops_backup.controller.journal import Journal
from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.policy import Policy


class BackupIndex:
    """All ImageBackups; what is read has the journal's news in it, but for what is on record.

    One whose name is not the one that follows from its image is known by its name alone. For one thread at a
    time.
    """

    def __init__(self, policy: Policy, journal: Journal) -> None:
        self._policy = policy
        self._journal = journal
        self._by_name: dict[str, ImageBackup] = {}
        self._by_backup: dict[Reference, str] = {}
        self._verified: Counter[str] = Counter()
        self._merged: dict[str, tuple[ImageBackup, int, ImageBackup]] = {}

    def put(self, name: str, backup: ImageBackup | None) -> None:
        """One is on record as given now, or gone."""
        old = self._by_name.pop(name, None)
        if old is not None and old.well_named:
            self._by_backup.pop(self._backup_of(old), None)
            self._verified[self._backup_of(old).name] -= old.verified
        if backup is None:
            self._merged.pop(name, None)
            return
        self._by_name[name] = backup
        if backup.well_named:
            self._by_backup[self._backup_of(backup)] = name
            self._verified[self._backup_of(backup).name] += backup.verified

    def names(self) -> list[str]:
        """The names of all, sorted."""
        return sorted(self._by_name)

    def recorded(self, name: str) -> ImageBackup | None:
        """One by its name, as it is on record, without news."""
        return self._by_name.get(name)

    def name_for(self, image: Reference) -> str | None:
        """The name of the one that an image belongs to, as its backup, or else as its source."""
        name = self._by_backup.get(image) or object_name(image)
        return name if name in self._by_name else None

    def get(self, name: str) -> ImageBackup | None:
        """One by its name."""
        return self._with_news(self._by_name.get(name))

    def of_source(self, source: Reference) -> ImageBackup | None:
        """The one whose name follows from this source, whatever source it records."""
        return self.get(object_name(source))

    def of_backup(self, backup: Reference) -> ImageBackup | None:
        """The one that stands for this backup."""
        name = self._by_backup.get(backup)
        return self.get(name) if name is not None else None

    def know_repository(self, backup: Reference) -> bool:
        """Whether any has a verified backup in this repository."""
        return self._verified[backup.name] > 0

    def _backup_of(self, backup: ImageBackup) -> Reference:
        return self._policy.naming.backup(backup.image)

    def _with_news(self, backup: ImageBackup | None) -> ImageBackup | None:
        if backup is None:
            return None
        version = self._journal.version(backup.name)
        known = self._merged.get(backup.name)
        if known is None or known[0] is not backup or known[1] != version:
            known = self._merged[backup.name] = backup, version, self._journal.apply(backup)
        return known[2]
