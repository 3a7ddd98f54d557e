"""The pull request of a branch: there is exactly one while a draft has something to change, and else none.

Its branch has one commit on top of the base, which is made anew only when the draft is another one, or when
the base has changed the same files; what else happens to the base is left for the merge. Only what this
controller put there is ever overwritten or removed: its commits name it. Somebody else's stay, with a reason.

What people do counts. Where they merge, in whatever way, the draft is empty afterwards. Where they close it,
none follows until it would be about other changes. Nothing of this is remembered here: the forge and the
branch are looked at each time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from gitops_backup.controller.drafting import Branch, Draft
from gitops_backup.controller.messages import ImageChange, commit_message, is_made_by
from gitops_backup.controller.pull_requests import closing_text, mark, pull_request_text
from gitops_backup.domain.backups import RewriteState
from gitops_backup.domain.planning import Target
from gitops_backup.domain.pull_requests import PullRequest, PullRequestState, PullRequestText
from gitops_backup.domain.reasons import EXPLANATIONS, Reason


class Tip(Protocol):
    """What a branch is at."""

    @property
    def commit(self) -> str:
        """The commit."""

    @property
    def message(self) -> str:
        """Its message."""

    @property
    def own(self) -> bool:
        """Whether it has one parent, and is by the author of our commits."""

    def makes(self, before: Mapping[str, bytes], after: Mapping[str, bytes]) -> bool:
        """Whether it makes exactly this of these files."""


class Proposable(Branch, Protocol):
    """A branch with others beside it."""

    def tip(self, name: str) -> Tip | None:
        """What another branch of the repository is at; None where there is none."""

    def push_beside(
        self, name: str, commit: str | None, *, expected: str | None, options: Sequence[str] = ()
    ) -> None:
        """Put a commit onto another branch in place of `expected`; None is for no branch."""


class Forge(Protocol):
    """The pull requests of a repository."""

    def push_options(self, base: str, title: str) -> tuple[str, ...]:
        """What the push of a branch is told, where that opens the pull request."""

    def find(self, branch: str, base: str) -> PullRequest | None:
        """The open one from a branch into another, else the newest; None where none is known."""

    def open(self, branch: str, base: str, text: PullRequestText) -> PullRequest | None:
        """Open one, and tell which, where that is known."""

    def revise(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """Let it say something else."""

    def close(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """Close it; it says something else from then on."""


class Forges(Protocol):
    """Where pull requests are to be opened."""

    def proposes(self, url: str) -> bool:
        """Whether changes of the repository at this URL go through pull requests."""

    def forge(self, url: str) -> Forge:
        """The repository's forge."""


class Ledger(Protocol):
    """Where it is kept what became of changes, and people are told."""

    def note(
        self,
        changes: Sequence[ImageChange],
        state: RewriteState,
        *,
        commit: str | None = None,
        parent: str | None = None,
        url: str | None = None,
    ) -> Sequence[ImageChange]:
        """Put it on record; those of the changes of which it was not known yet."""

    def tell(self, change: ImageChange, *, reason: str, note: str, warning: bool = False) -> None:
        """An event on the change's workload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposals:
    """Keeps pull requests as they should be.

    `prefix` is what their branches begin with; `controller` names this controller, and `now` is the time.
    """

    prefix: str
    controller: Callable[[], str]
    ledger: Ledger
    now: Callable[[], datetime]

    def settle(
        self,
        target: Target,
        branch: Proposable,
        drafted: Draft,
        *,
        forge: Callable[[], Forge],
        arrived: Callable[[str], bool],
        may_push: Callable[[], bool],
    ) -> bool:
        """Let there be the pull request that the draft calls for; whether there is anything to look at again.

        `forge` is asked for the repository's where there is something to do there; `arrived` tells whether
        the base has a commit in its history; `may_push` is asked right before a push. Raises what Git and the
        forge raise.
        """
        name = f"{self.prefix}/{branch.name}"
        tip = branch.tip(name)
        if not drafted.files:
            if tip is not None and self._is_ours(tip):
                self._withdraw(target, branch, forge(), name, tip)
            return False
        there = forge()
        found = there.find(name, branch.name)
        if found is not None and _is_declined(found, drafted):
            self._respect(drafted, found)
            return True
        commit = tip.commit if tip is not None and self._is_made(branch, tip, drafted) else None
        if commit is None:
            # what was merged is not thrown away when its branch is used again
            if tip is not None and not self._is_ours(tip) and not arrived(tip.commit):
                self._keep_off(drafted, name)
                return True
            if not may_push():
                return True
            commit = self._push(target, branch, there, drafted, name, tip)
        self._publish(branch, there, drafted, name, commit, found)
        return True

    def _is_ours(self, tip: Tip) -> bool:
        return tip.own and is_made_by(tip.message, self.controller())

    def _is_made(self, branch: Proposable, tip: Tip, drafted: Draft) -> bool:
        """Whether the branch does what the draft does: of ours exactly that, of somebody else's at least."""
        if self._is_ours(tip):
            return tip.makes(drafted.before, drafted.files)
        return branch.read(tip.commit, drafted.files).contents == drafted.files

    def _push(
        self, target: Target, branch: Proposable, forge: Forge, drafted: Draft, name: str, tip: Tip | None
    ) -> str:
        message = commit_message(drafted.edited, drafted.along, controller=self.controller())
        commit = branch.commit(drafted.commit, drafted.files, message=message, when=self.now())
        title = pull_request_text(drafted).title
        branch.push_beside(
            name,
            commit,
            expected=tip.commit if tip is not None else None,
            options=forge.push_options(branch.name, title),
        )
        structlog.get_logger().info(
            "proposed",
            repository=target.repository,
            branch=name,
            base=branch.name,
            commit=commit,
            files=len(drafted.files),
        )
        return commit

    def _publish(
        self,
        branch: Proposable,
        forge: Forge,
        drafted: Draft,
        name: str,
        commit: str,
        found: PullRequest | None,
    ) -> None:
        text = pull_request_text(drafted)
        if found is None or found.state != PullRequestState.OPEN:
            found = forge.open(name, branch.name, text)
        elif not _same(found.text, text):
            forge.revise(found, text)
        url = found.url if found is not None else None
        news = self.ledger.note(
            drafted.edited, RewriteState.PROPOSED, commit=commit, parent=drafted.commit, url=url
        )
        for change in news:
            note = f"{url or name} asks to merge the use of {change.backup}"
            self.ledger.tell(change, reason="Proposed", note=note)

    def _respect(self, drafted: Draft, declined: PullRequest) -> None:
        for change in self.ledger.note(drafted.edited, RewriteState.DECLINED, url=declined.url):
            note = f"{declined.url}: {EXPLANATIONS[Reason.PULL_REQUEST_CLOSED].meaning}"
            self.ledger.tell(change, reason=Reason.PULL_REQUEST_CLOSED, note=note)

    def _keep_off(self, drafted: Draft, name: str) -> None:
        for change in drafted.edited:
            note = f"{name}: {EXPLANATIONS[Reason.BRANCH_IN_USE].meaning}"
            self.ledger.tell(change, reason=Reason.BRANCH_IN_USE, note=note, warning=True)

    def _withdraw(self, target: Target, branch: Proposable, forge: Forge, name: str, tip: Tip) -> None:
        found = forge.find(name, branch.name)
        if found is not None and found.state == PullRequestState.OPEN:
            forge.close(found, closing_text(found.text.title))
        branch.push_beside(name, None, expected=tip.commit)
        structlog.get_logger().info("nothing is left to propose", repository=target.repository, branch=name)


def _is_declined(found: PullRequest, drafted: Draft) -> bool:
    return found.state == PullRequestState.CLOSED and mark(drafted.edited) in found.text.body


def _same(one: PullRequestText, other: PullRequestText) -> bool:
    """Whether two texts are alike, but for what forges do to line ends."""
    return one.title.strip() == other.title.strip() and _plain(one.body) == _plain(other.body)


def _plain(body: str) -> str:
    return body.replace("\r\n", "\n").strip()
