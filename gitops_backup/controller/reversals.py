"""Changes of ours that somebody took back in Git, before a workload ever showed them.

A shallow clone does not show our commit. So the history is fetched where a commit is on record and the branch
lacks what it did, once for each head.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from gitops_backup.controller.drafting import Branch, Draft
from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.ledger import Ledger
from gitops_backup.controller.messages import ImageChange
from gitops_backup.domain.backups import RewriteState
from gitops_backup.domain.policy import REWRITE

_MOST_REMEMBERED = 1000


@dataclass(slots=True, kw_only=True)
class Reversals:
    """Finds them; `on_reversal` is called for each."""

    inventory: Inventory
    ledger: Ledger
    on_reversal: Callable[[], None]
    _never_pushed: set[str] = field(default_factory=set)
    _arrivals: dict[tuple[str, str], bool] = field(default_factory=dict)

    def found(self, branch: Branch, drafted: Draft) -> frozenset[ImageChange]:
        """Those of the drafted changes that somebody took back, which goes on record."""
        undone = [change for change in drafted.edited if self._was_undone(branch, drafted.commit, change)]
        self.ledger.note_reverted(undone)
        for _ in undone:
            self.on_reversal()
        return frozenset(undone)

    def arrived(self, branch: Branch, head: str, commit: str) -> bool:
        """Whether a commit of ours is in the history of a head; asked once for each pair."""
        if (commit, head) not in self._arrivals:
            if len(self._arrivals) > _MOST_REMEMBERED:
                self._arrivals.clear()
            self._arrivals[commit, head] = commit not in self._never_pushed and branch.contains(commit)
        return self._arrivals[commit, head]

    def never_arrived(self, commit: str) -> None:
        """The server did not take this commit."""
        self._never_pushed.add(commit)

    def may_have_arrived(self, commit: str) -> None:
        """The server took this commit, perhaps at another time than the first."""
        self._never_pushed.discard(commit)

    def _was_undone(self, branch: Branch, head: str, change: ImageChange) -> bool:
        """Whether a commit of ours made this change, and the branch's head has it no more."""
        rewrite = self.ledger.known(change)
        if rewrite is None or rewrite.commit is None or rewrite.state != RewriteState.COMMITTED:
            return False
        workload = self.inventory.workload(change.workload)
        if workload is not None and workload.directive == REWRITE:
            return False
        return rewrite.parent != head and self.arrived(branch, head, rewrite.commit)
