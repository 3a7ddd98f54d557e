"""What became of changes, put on record in their ImageBackups, and told as events on their workloads."""

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.journal import Journal
from gitops_backup.controller.messages import ImageChange
from gitops_backup.controller.reconciler import Announcer
from gitops_backup.domain.backups import Rewrite, RewriteState
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.rewrites import reverted
from gitops_backup.errors import Conflict

_RECORD_TRIES = 5
_AT_A_TIME = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The record of changes; `record` writes the journal's news about an ImageBackup, `now` is the time."""

    inventory: Inventory
    journal: Journal
    announcer: Announcer
    record: Callable[[str], None]
    now: Callable[[], datetime]

    def known(self, change: ImageChange) -> Rewrite | None:
        """What is on record, or about to be, about the container that a change is about."""
        record = self.inventory.of_source(change.source)
        return record.rewrite(change.workload, change.container) if record is not None else None

    def note(
        self,
        changes: Sequence[ImageChange],
        state: RewriteState,
        *,
        commit: str | None = None,
        parent: str | None = None,
        url: str | None = None,
        at: datetime | None = None,
    ) -> list[ImageChange]:
        """Put on record what became of changes; those of which it was not known yet.

        What is not given is as it was, and the time is now. Raises what writing a record raises.
        """
        news = []
        names = set()
        for change in changes:
            known = self.known(change)
            made = Rewrite(
                workload=str(change.workload),
                container=change.container,
                state=state,
                at=at or self.now(),
                commit=commit or (known.commit if known is not None else None),
                parent=parent or (known.parent if known is not None else None),
                pull_request=url or (known.pull_request if known is not None else None),
                reversals=known.reversals if known is not None else (),
            )
            name = object_name(change.source)
            if known is None or _told(known) != _told(made):
                news.append(change)
            if known is None or (_told(known), known.commit) != (_told(made), made.commit):
                self.journal.note(name, made)
            if self.journal.pending(name):
                names.add(name)
        self.write(names)
        return news

    def note_reverted(self, changes: Iterable[ImageChange]) -> None:
        """Put on record that somebody took changes back. Raises what writing a record raises."""
        names = set()
        for change in changes:
            known = self.known(change)
            if known is not None:
                self.journal.note(object_name(change.source), reverted(known, now=self.now()))
                names.add(object_name(change.source))
        self.write(names)

    def write(self, names: Iterable[str]) -> None:
        """Write the journal's news of these ImageBackups."""
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            list(pool.map(self._write, sorted(names)))

    def tell(self, change: ImageChange, *, reason: str, note: str, warning: bool = False) -> None:
        """An event on the change's workload."""
        workload = self.inventory.workload(change.workload)
        if workload is not None:
            self.announcer.workload(
                change.workload,
                workload.uid,
                reason=reason,
                note=f"{change.container}: {note}",
                warning=warning,
            )

    def _write(self, name: str) -> None:
        for _ in range(_RECORD_TRIES - 1):
            try:
                return self.record(name)
            except Conflict:
                time.sleep(0.05)  # the watch brings what the other one wrote
        return self.record(name)


def _told(rewrite: Rewrite) -> tuple[RewriteState, str | None]:
    return rewrite.state, rewrite.pull_request
