"""The copies that a change rests on: whether the registry has them, right before they are asked for."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from gitops_backup.controller.ledger import Ledger
from gitops_backup.controller.messages import ImageChange
from gitops_backup.controller.reconciler import BackupRegistry
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Naming, object_name
from gitops_backup.registry.failures import CopyFailed

_AT_A_TIME = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """Asks the registry; `suspect` reports an ImageBackup whose copy is not there."""

    naming: Naming
    registry: BackupRegistry
    suspect: Callable[[str], None]
    ledger: Ledger

    def held(self, changes: Iterable[ImageChange]) -> set[Reference]:
        """The sources whose backup the registry has, right now, as it is on record."""
        wanted = {change.source: change for change in changes}

        def check(change: ImageChange) -> bool:
            place = self.naming.place(change.source, change.digest)
            try:
                if self.registry.held(place) == change.digest:
                    return True
            except CopyFailed as failure:
                self.ledger.tell(change, reason=failure.reason, note=str(failure), warning=True)
                return False
            self.suspect(object_name(change.source))
            return False

        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            answers = pool.map(check, wanted.values())
        return {source for source, held in zip(wanted, answers, strict=True) if held}
