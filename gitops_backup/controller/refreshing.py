"""Asking Argo CD to look at Git, where what Git says already is not what it compared with.

Whether it has to be asked follows from what the Applications say they were compared with, not from having
pushed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from gitops_backup.controller.drafting import Draft
from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.ledger import Ledger
from gitops_backup.controller.parts import Part
from gitops_backup.controller.waiting import release_awaited, why_not_synced
from gitops_backup.domain.reasons import Reason
from gitops_backup.sources.applications import Application
from gitops_backup.sources.places import Place

_FIRST_PAUSE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 1800.0


@dataclass(slots=True, kw_only=True)
class Refreshing:
    """Asks for Applications by `refresh`."""

    inventory: Inventory
    refresh: Callable[[Application], None]
    ledger: Ledger
    now: Callable[[], datetime]
    clock: Callable[[], float]
    _asked: dict[tuple[str, str], tuple[str, float, float]] = field(default_factory=dict)

    def ask(self, parts: Iterable[Part], drafted: Draft) -> None:
        """Ask Argo CD to compare what Git says already, where it compared with something else before."""
        waiting = {change.application: change for change in drafted.done}
        for part in parts:
            change = waiting.get(f"{part.application.namespace}/{part.application.name}")
            if change is None:
                continue
            release = release_awaited(part)
            if release is not None:
                note = f"Git names the backup, and {release}"
                self.ledger.tell(change, reason=Reason.AWAITING_RELEASE, note=note)
                continue
            followers = self._followers(part, drafted.commit)
            unaware = [each for each in followers if drafted.commit not in each.revisions]
            for application in unaware:
                if not application.refresh_pending:
                    self._ask(application, drafted.commit)
            if unaware or any(each.refresh_pending or each.syncing for each in followers):
                continue
            for application in followers[:1]:
                why = why_not_synced(
                    application,
                    self.inventory.project_of(application),
                    hidden=self.inventory.hidden(application, change.workload, change.container),
                    now=self.now(),
                )
                who = "the Application" if application == part.application else "the one that deploys it"
                note = f"Git names the backup, and Argo CD has seen it; {who} {why}"
                self.ledger.tell(change, reason=Reason.AWAITING_SYNC, note=note)

    def _followers(self, part: Part, commit: str) -> list[Application]:
        """Those that follow the branch: the Application's parents, where they lag behind, and itself."""
        keys = dict.fromkeys((each.application.namespace, each.application.name) for each in part.declarers)
        known = (self.inventory.application(key) for key in keys)
        parents = [each for each in known if each is not None]
        behind = [each for each in parents if not each.synced or commit not in each.revisions]
        own = any(Place.of(source) in part.places_here for source in part.application.sources)
        return [*behind, part.application] if own else behind

    def _ask(self, application: Application, commit: str) -> None:
        """Ask once, and after a while again: one whose comparison fails would else be asked without end."""
        name = application.namespace, application.name
        asked_for, not_before, pause = self._asked.get(name, ("", 0.0, 0.0))
        if asked_for == commit and self.clock() < not_before:
            return
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS) if asked_for == commit else _FIRST_PAUSE_SECONDS
        self._asked[name] = commit, self.clock() + pause, pause
        self.refresh(application)
