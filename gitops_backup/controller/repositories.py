"""The reconciler of repositories: everything that is due on a branch in one commit and one push.

It looks at the branch's head, drafts the change there, puts on record what it is about to push, and pushes. A
push that is refused because somebody else pushed is no failure: the next step looks at the new head. Whether
Argo CD has to be told follows from what the Applications say they were compared with, not from having pushed.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from gitops_backup.controller.drafting import Branch, Draft, draft
from gitops_backup.controller.facts import FactsNow
from gitops_backup.controller.messages import ImageChange, commit_message
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.controller.parts import DueChange, Part, Share
from gitops_backup.controller.reading import Elsewhere, still_the_same
from gitops_backup.controller.reconciler import BackupRegistry, Reconciler
from gitops_backup.controller.targets import branch_of, signature_missing
from gitops_backup.controller.waiting import release_awaited, why_not_synced
from gitops_backup.controller.worker import DONE, After, Outcome
from gitops_backup.domain.backups import Rewrite, RewriteState
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.planning import Action, Facts, Route, Target, WorkloadPlan, decide
from gitops_backup.domain.policy import REWRITE, Namespaces
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.rewrites import reverted
from gitops_backup.errors import Conflict, GitopsBackupError, Unwritable
from gitops_backup.registry.failures import CopyFailed
from gitops_backup.sources.applications import Application
from gitops_backup.sources.rendering import Renderer

_LONGEST_WAIT_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 30.0
_DOWNLOAD_AGAIN_SECONDS = 300.0
_AT_A_TIME = 8
_RECORD_TRIES = 5
_MOST_REMEMBERED = 1000
_FIRST_PAUSE_SECONDS = 60.0
_LONGEST_PAUSE_SECONDS = 1800.0
_MOST_TOLD = 5


class Git(Protocol):
    """The clones."""

    def open(self, url: str, branch: str | None = None) -> Branch:
        """A branch of a repository; None is its default branch."""


class Cluster(Protocol):
    """What is read again before a push, and who is told after it."""

    def directives(self) -> Mapping[str, str]:
        """The annotation k8slab.io/image-backup of each namespace that has it, as it is now."""

    def refresh(self, namespace: str, name: str) -> None:
        """Ask for an Application."""


_PERHAPS_LATER = frozenset({Reason.RENDER_FAILED, Reason.PROOF_FAILED, Reason.DOWNLOAD_FAILED})
_Asked = tuple[str, tuple[Part, ...], tuple[Part, ...]]


@dataclass(frozen=True, slots=True)
class _Due:
    """What a branch is to be changed for: by Application, and whether first copies are still under way.

    `readers` are the Applications that are deployed from it, too, and for which nothing is due.
    """

    parts: tuple[Part, ...]
    readers: tuple[Part, ...]
    unsettled: bool


@dataclass(kw_only=True)
class RepositoryReconciler(Reconciler):
    """Takes a repository and a branch, and does its next step.

    `elsewhere` has what Applications are rendered from besides the branch. `record` writes the journal's news
    about an ImageBackup; `hand_on` makes another place in Git due; `suspect` reports an ImageBackup whose
    copy is not there.
    """

    git: Git
    elsewhere: Elsewhere | None = None
    renderer: Renderer
    cluster: Cluster
    registry: BackupRegistry
    record: Callable[[str], None]
    hand_on: Callable[[Target], None]
    suspect: Callable[[str], None]

    def __post_init__(self) -> None:
        """Begin with nothing waiting."""
        self._default_branches: dict[str, str] = {}
        self._waiting_since: dict[Target, float] = {}
        self._drafts: dict[Target, tuple[_Asked, Draft]] = {}
        self._outcomes = Outcomes()
        self._never_pushed: set[str] = set()
        self._arrivals: dict[tuple[str, str], bool] = {}
        self._asked: dict[tuple[str, str], tuple[str, float, float]] = {}
        self._log = structlog.get_logger(reconciler="repository")

    def reconcile(self, target: Target) -> Outcome:
        """Do the next step of the repository's branch."""
        try:
            return self._step(target)
        except Conflict:
            raise
        except GitopsBackupError as error:
            if not isinstance(error, CopyFailed):
                self._tell_stuck(target, error)
            raise

    def _step(self, target: Target) -> Outcome:
        branch = self.git.open(target.url, target.branch)
        if target.branch is None:
            # so that those who name the default branch and those who do not share a commit
            self._default_branches[target.repository] = branch.name
            self.hand_on(Target(target.repository, branch.name, target.url))
            return DONE
        due = self._due(target, self.inventory)
        if due.unsettled:
            waited = self.clock() - self._waiting_since.setdefault(target, self.clock())
            if waited < _LONGEST_WAIT_SECONDS:
                return After(_LONGEST_WAIT_SECONDS - waited)
        else:
            self._waiting_since.pop(target, None)
        if not due.parts:
            self._drafts.pop(target, None)
            return DONE
        missing = signature_missing(
            (*due.parts, *due.readers), self.inventory.project_of, self.policy.signing_keys
        )
        if missing is not None:
            for part in due.parts:
                for each in part.due:
                    self._tell(each.change, reason=Reason.SIGNATURE_REQUIRED, note=missing, warning=True)
            return After(_LOOK_AGAIN_SECONDS)  # nobody is called when another Application changes
        head = branch.fetch()
        drafted = self._draft(target, branch, head.commit, due.parts, due.readers)
        refused = self._refused(branch, drafted)
        if refused:
            parts = tuple(part.without(refused) for part in due.parts)
            drafted = self._draft(target, branch, head.commit, parts, due.readers)
        self._explain(drafted)
        if drafted.files:
            self._decide_again(target, drafted)
            self._commit(branch, drafted, target)
            self._waiting_since.pop(target, None)
            return After(0)  # the Applications are asked to refresh when the branch was looked at again
        self._refresh(due.parts, drafted)
        return After(_LOOK_AGAIN_SECONDS) if refused else _when_left(drafted)

    def _draft(
        self,
        target: Target,
        branch: Branch,
        commit: str,
        parts: tuple[Part, ...],
        readers: tuple[Part, ...],
    ) -> Draft:
        """The draft for what is due; the last one where nothing has changed since then."""
        asked = commit, parts, readers
        last_asked, made = self._drafts.pop(target, (None, None))
        if made is None or last_asked != asked or not self._stands(made):
            made = draft(
                branch,
                commit,
                parts,
                renderer=self.renderer,
                readers=readers,
                elsewhere=self.elsewhere,
                outcomes=self._outcomes,
            )
        # a rendering that took too long may do another time
        if not any(left.reason in _PERHAPS_LATER for left in made.left):
            self._drafts[target] = asked, made
        return made

    def _stands(self, made: Draft) -> bool:
        """Whether all that a draft rests on besides the commit is as it was."""
        return made.mounts is None or still_the_same(made.mounts, self.elsewhere)

    def _decide_again(self, target: Target, drafted: Draft) -> None:
        """What was due when the branch was read has to be due still. Raises `Conflict`."""
        facts = FactsNow(self.inventory, Namespaces(self.cluster.directives()))
        due = {each.change for part in self._due(target, facts).parts for each in part.due}
        if not due.issuperset(drafted.edited):
            raise Conflict(f"what is due on {target} changed while it was looked at")

    def _due(self, target: Target, facts: Facts) -> _Due:
        found: list[Part] = []
        readers: list[Part] = []
        unsettled = False
        for application in self.inventory.applications():
            share = Share.of(application, lambda source: self._same(branch_of(source), target))
            if not (share.edited or share.read):
                continue
            changes: list[DueChange] = []
            for workload in self.inventory.tracked_by(application) if share.edited else ():
                plan = decide(workload, facts, self.policy)
                if plan.route == Route.COMMIT:
                    changes += self._changes(plan, application)
                    unsettled |= any(_unsettled(plan))
            if changes:
                found.append(share.part(application, tuple(changes)))
            reader = share.reader(application, with_edited=not changes)
            if reader is not None:
                readers.append(reader)
        return _Due(tuple(found), tuple(readers), unsettled)

    def _same(self, one: Target, target: Target) -> bool:
        branch = one.branch or self._default_branches.get(one.repository)
        return one.blocked is None and one.repository == target.repository and branch == target.branch

    def _changes(self, plan: WorkloadPlan, application: Application) -> Iterable[DueChange]:
        for use in plan.due(Action.REWRITE):
            record = self.inventory.of_source(use.source) if use.source is not None else None
            if record is None or use.source is None or use.backup is None or record.status.digest is None:
                continue
            yield DueChange(
                change=ImageChange(
                    application=f"{application.namespace}/{application.name}",
                    workload=plan.workload.key,
                    container=use.container.name,
                    source=use.source,
                    backup=use.backup,
                    digest=record.status.digest,
                ),
                init=use.container.init,
            )

    def _refused(self, branch: Branch, drafted: Draft) -> frozenset[ImageChange]:
        """Those of the drafted changes that must not be made: undone by somebody, or the copy is gone."""
        undone = {change for change in drafted.edited if self._was_undone(branch, drafted.commit, change)}
        for name in sorted({object_name(change.source) for change in undone}):
            self._write_record(name)
        held = self._held(change for change in drafted.edited if change not in undone)
        return frozenset(c for c in drafted.edited if c in undone or c.source not in held)

    def _was_undone(self, branch: Branch, head: str, change: ImageChange) -> bool:
        """Whether a commit of ours made this change, and the branch's head has it no more."""
        record = self.inventory.of_source(change.source)
        rewrite = record.rewrite(change.workload, change.container) if record is not None else None
        if rewrite is None or rewrite.commit is None or rewrite.state != RewriteState.COMMITTED:
            return False
        workload = self.inventory.workload(change.workload)
        if workload is not None and workload.directive == REWRITE:
            return False
        if rewrite.parent == head or not self._arrived(branch, head, rewrite.commit):
            return False
        self.journal.note(object_name(change.source), reverted(rewrite, now=self.now()))
        self.metrics.reversals.inc()
        return True

    def _arrived(self, branch: Branch, head: str, commit: str) -> bool:
        """Whether a commit of ours is in the history of a head; asked once for each pair."""
        if (commit, head) not in self._arrivals:
            if len(self._arrivals) > _MOST_REMEMBERED:
                self._arrivals.clear()
            self._arrivals[commit, head] = commit not in self._never_pushed and branch.contains(commit)
        return self._arrivals[commit, head]

    def _held(self, changes: Iterable[ImageChange]) -> set[Reference]:
        """The sources whose backup the registry has, right now, as it is on record."""
        wanted = {change.source: change for change in changes}

        def check(change: ImageChange) -> bool:
            place = self.policy.naming.place(change.source, change.digest)
            try:
                if self.registry.held(place) == change.digest:
                    return True
            except CopyFailed as failure:
                self._tell(change, reason=failure.reason, note=str(failure), warning=True)
                return False
            self.suspect(object_name(change.source))
            return False

        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            answers = pool.map(check, wanted.values())
        return {source for source, held in zip(wanted, answers, strict=True) if held}

    def _commit(self, branch: Branch, drafted: Draft, target: Target) -> None:
        now = self._made_before(drafted) or self.now()
        message = commit_message(drafted.edited, drafted.along)
        commit = branch.commit(drafted.commit, drafted.files, message=message, when=now)
        names = {object_name(change.source) for change in drafted.edited}
        for change in drafted.edited:
            self._note(change, commit, drafted.commit, now)
        with ThreadPoolExecutor(_AT_A_TIME) as pool:
            list(pool.map(self._write_record, sorted(names)))
        try:
            branch.push(commit, expected=drafted.commit)
        except Conflict:
            self._never_pushed.add(commit)
            raise
        self._never_pushed.discard(commit)
        self.metrics.rewrites.labels(Route.COMMIT).inc(len(drafted.edited))
        self._log.info(
            "pushed",
            repository=target.repository,
            branch=target.branch,
            commit=commit,
            files=len(drafted.files),
            images=len(names),
        )
        for change in drafted.edited:
            self._tell(change, reason="Committed", note=f"commit {commit[:12]} uses {change.backup}")

    def _made_before(self, drafted: Draft) -> datetime | None:
        """When the same changes were put on record upon the same parent, by a push that did not succeed.

        The same time makes the same commit, so that trying again writes nothing but the push.
        """
        times = set()
        for change in drafted.edited:
            record = self.inventory.of_source(change.source)
            rewrite = record.rewrite(change.workload, change.container) if record is not None else None
            same = rewrite is not None and rewrite.parent == drafted.commit
            times.add(rewrite.at if rewrite is not None and same else None)
        return times.pop() if len(times) == 1 else None

    def _note(self, change: ImageChange, commit: str, parent: str, now: datetime) -> None:
        record = self.inventory.of_source(change.source)
        known = record.rewrite(change.workload, change.container) if record is not None else None
        rewrite = Rewrite(
            workload=str(change.workload),
            container=change.container,
            state=RewriteState.COMMITTED,
            at=now,
            commit=commit,
            parent=parent,
            reversals=known.reversals if known is not None else (),
        )
        self.journal.note(object_name(change.source), rewrite)

    def _write_record(self, name: str) -> None:
        for _ in range(_RECORD_TRIES - 1):
            try:
                return self.record(name)
            except Conflict:
                time.sleep(0.05)  # the watch brings what the other one wrote
        return self.record(name)

    def _refresh(self, parts: Iterable[Part], drafted: Draft) -> None:
        """Ask Argo CD to compare what Git says already, where it compared with something else before."""
        waiting = {change.application: change for change in drafted.done}
        for part in parts:
            application, release = part.application, release_awaited(part)
            change = waiting.get(f"{application.namespace}/{application.name}")
            if change is None or application.refresh_pending:
                continue
            if release is not None:
                note = f"Git names the backup, and {release}"
                self._tell(change, reason=Reason.AWAITING_RELEASE, note=note)
            elif drafted.commit not in application.revisions:
                self._ask(application, drafted.commit)
            elif not application.syncing:
                why = why_not_synced(application, self.inventory.project_of(application), now=self.now())
                note = f"Git names the backup, and Argo CD has seen it; the Application {why}"
                self._tell(change, reason=Reason.AWAITING_SYNC, note=note)

    def _ask(self, application: Application, commit: str) -> None:
        """Ask once, and after a while again: one whose comparison fails would else be asked without end."""
        name = application.namespace, application.name
        asked_for, not_before, pause = self._asked.get(name, ("", 0.0, 0.0))
        if asked_for == commit and self.clock() < not_before:
            return
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS) if asked_for == commit else _FIRST_PAUSE_SECONDS
        self._asked[name] = commit, self.clock() + pause, pause
        self.cluster.refresh(application.namespace, application.name)

    def _explain(self, drafted: Draft) -> None:
        for left in drafted.left:
            self._tell(left.change, reason=left.reason, note=left.message, warning=True)

    def _tell_stuck(self, target: Target, error: GitopsBackupError) -> None:
        changes = [due.change for part in self._due(target, self.inventory).parts for due in part.due]
        reason = Reason.PINNED_REVISION if isinstance(error, Unwritable) else Reason.REPOSITORY_UNAVAILABLE
        for change in changes[:_MOST_TOLD]:
            self._tell(change, reason=reason, note=str(error), warning=True)

    def _tell(self, change: ImageChange, *, reason: str, note: str, warning: bool = False) -> None:
        workload = self.inventory.workload(change.workload)
        if workload is not None:
            self.announcer.workload(
                change.workload,
                workload.uid,
                reason=reason,
                note=f"{change.container}: {note}",
                warning=warning,
            )


def _when_left(drafted: Draft) -> Outcome:
    """When to look again at what was left, if nothing else brings it up."""
    away = any(left.reason == Reason.DOWNLOAD_FAILED for left in drafted.left)
    return After(_DOWNLOAD_AGAIN_SECONDS) if away else DONE


def _unsettled(plan: WorkloadPlan) -> Iterable[bool]:
    for use in plan.uses:
        yield use.external and use.action in {Action.COPY, Action.WAIT}
