"""The reconciler of repositories: everything that is due on a branch in one commit and one push.

It looks at the branch's head, drafts the change there, puts on record what it is about to push, and pushes. A
push that is refused because somebody else pushed is no failure: the next step looks at the new head. Whether
Argo CD has to be told follows from what the Applications say they were compared with, not from having pushed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Protocol

import structlog

from gitops_backup.controller.copies import Copies
from gitops_backup.controller.drafting import Branch, Draft, Left, draft
from gitops_backup.controller.facts import FactsNow
from gitops_backup.controller.ledger import Ledger
from gitops_backup.controller.messages import ImageChange, commit_message
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.controller.parts import DueChange, Part, Share
from gitops_backup.controller.proposals import Forges, Proposable, Proposals
from gitops_backup.controller.reading import Elsewhere, still_the_same
from gitops_backup.controller.reconciler import BackupRegistry, Reconciler
from gitops_backup.controller.refreshing import Refreshing
from gitops_backup.controller.reversals import Reversals
from gitops_backup.controller.sets import Fleet
from gitops_backup.controller.targets import branch_of, signature_missing
from gitops_backup.controller.worker import DONE, After, Outcome
from gitops_backup.domain.backups import RewriteState
from gitops_backup.domain.planning import Action, Facts, Route, Target, WorkloadPlan, decide
from gitops_backup.domain.policy import Namespaces
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.rewrites import asked_of_people
from gitops_backup.errors import Conflict, GitopsBackupError, Unwritable
from gitops_backup.registry.failures import CopyFailed
from gitops_backup.sources.applications import Application
from gitops_backup.sources.applicationsets.clusters import Cluster as KnownCluster
from gitops_backup.sources.rendering import Renderer

_LONGEST_WAIT_SECONDS = 60.0
_LOOK_AGAIN_SECONDS = 30.0
_TRY_AGAIN_SECONDS = 300.0
_LOOK_AT_PULL_REQUESTS_SECONDS = 60.0
_MOST_TOLD = 5


class Git(Protocol):
    """The clones."""

    def open(self, url: str, branch: str | None = None) -> Proposable:
        """A branch of a repository; None is its default branch."""


class Cluster(Protocol):
    """What is read again before a push, and who is told after it."""

    def directives(self) -> Mapping[str, str]:
        """The annotation k8slab.io/image-backup of each namespace that has it, as it is now."""

    def refresh(self, namespace: str, name: str, *, hydrate: bool) -> None:
        """Ask for an Application to be compared, or to be rendered by its hydrator first."""

    def identity(self) -> str:
        """What tells this installation from others."""


_PASSING = frozenset({Reason.DOWNLOAD_FAILED, Reason.REPOSITORY_UNAVAILABLE, Reason.CLUSTERS_DIFFER})
_PERHAPS_LATER = _PASSING | {Reason.RENDER_FAILED, Reason.PROOF_FAILED}
_Asked = tuple[str, tuple[Part, ...], tuple[Part, ...], Fleet]


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
    copy is not there. `forges` tells where pull requests are opened in place of a push, from branches that
    begin with `pull_request_branch`. `clusters` are those that Argo CD is said to know.
    """

    git: Git
    elsewhere: Elsewhere | None = None
    renderer: Renderer
    clusters: Sequence[KnownCluster] | None = None
    cluster: Cluster
    registry: BackupRegistry
    record: Callable[[str], None]
    hand_on: Callable[[Target], None]
    suspect: Callable[[str], None]
    forges: Forges
    pull_request_branch: str

    def __post_init__(self) -> None:
        """Begin with nothing waiting."""
        self._default_branches: dict[str, str] = {}
        self._waiting_since: dict[Target, float] = {}
        self._drafts: dict[Target, tuple[_Asked, Draft]] = {}
        self._outcomes = Outcomes()
        self._log = structlog.get_logger(reconciler="repository")
        self._ledger = Ledger(
            inventory=self.inventory,
            journal=self.journal,
            announcer=self.announcer,
            record=self.record,
            now=self.now,
        )
        self._copies = Copies(
            naming=self.policy.naming, registry=self.registry, suspect=self.suspect, ledger=self._ledger
        )
        self._reversals = Reversals(
            inventory=self.inventory,
            ledger=self._ledger,
            on_reversal=self.metrics.reversals.inc,
        )
        self._refreshing = Refreshing(
            inventory=self.inventory,
            refresh=lambda application: self.cluster.refresh(
                application.namespace, application.name, hydrate=application.hydrated
            ),
            ledger=self._ledger,
            now=self.now,
            clock=self.clock,
        )
        self._proposals = Proposals(
            prefix=self.pull_request_branch,
            controller=cache(self.cluster.identity),
            ledger=self._ledger,
            now=self.now,
        )

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

    def proposing(self) -> set[Target]:
        """Where pull requests are kept, which are looked at whether or not anything is due there."""
        targets = {branch_of(s) for each in self.inventory.applications() for s in each.sources}
        return {each for each in targets if each.blocked is None and self.forges.proposes(each.url)}

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
        if self.forges.proposes(target.url):
            return self._propose(target, branch, due)
        return self._change(target, branch, due) if due.parts else DONE

    def _change(self, target: Target, branch: Branch, due: _Due) -> Outcome:
        """Push what is due; where that is nothing but what Git says already, ask for a refresh."""
        missing = signature_missing(
            (*due.parts, *due.readers), self.inventory.project_of, self.policy.signing_keys
        )
        if missing is not None:
            for part in due.parts:
                for each in part.due:
                    self._ledger.tell(
                        each.change, reason=Reason.SIGNATURE_REQUIRED, note=missing, warning=True
                    )
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
        self._refreshing.ask(due.parts, drafted)
        return After(_LOOK_AGAIN_SECONDS) if refused else _when_left(drafted)

    def _propose(self, target: Target, branch: Proposable, due: _Due) -> Outcome:
        """Let there be the pull request that is called for; what was merged is on record, and refreshed."""
        if self.inventory.namespaces.paused(self.policy):
            return DONE  # nothing is due then, and the pull request stays as it is
        drafted = Draft("")
        if due.parts:
            commit = branch.fetch().commit
            drafted = self._draft(target, branch, commit, due.parts, due.readers)
            undone = self._reversals.found(branch, drafted)
            if undone:
                parts = tuple(part.without(undone) for part in due.parts)
                drafted = self._draft(target, branch, commit, parts, due.readers)
        self._explain(drafted)
        self._note_merged(target, drafted)
        self._refreshing.ask(due.parts, drafted)
        if any(_may_pass(left) and asked_of_people(self._ledger.known(left.change)) for left in drafted.left):
            return After(
                _LOOK_AT_PULL_REQUESTS_SECONDS
            )  # it stays in the pull request as long as that may pass
        again = self._proposals.settle(
            target,
            branch,
            drafted,
            forge=partial(self.forges.forge, target.url),
            arrived=partial(self._reversals.arrived, branch, drafted.commit),
            may_push=partial(self._may_push, target, drafted),
        )
        return After(_LOOK_AT_PULL_REQUESTS_SECONDS) if again else _when_left(drafted)

    def _note_merged(self, target: Target, drafted: Draft) -> None:
        """What was proposed once, and Git says now, is as good as committed, whoever did it."""
        merged = [change for change in drafted.done if asked_of_people(self._ledger.known(change))]
        self._ledger.note(merged, RewriteState.COMMITTED, commit=drafted.commit)
        self.metrics.rewrites.labels(Route.COMMIT).inc(len(merged))
        for change in merged:
            self._ledger.tell(change, reason="Merged", note=f"{target.branch} uses {change.backup}")

    def _may_push(self, target: Target, drafted: Draft) -> bool:
        """Whether all that is drafted is held by the registry. Raises `Conflict` where it is not due now."""
        held = self._copies.held(drafted.edited)
        self._decide_again(target, drafted)
        return all(change.source in held for change in drafted.edited)

    def _draft(
        self,
        target: Target,
        branch: Branch,
        commit: str,
        parts: tuple[Part, ...],
        readers: tuple[Part, ...],
    ) -> Draft:
        """The draft for what is due; the last one where nothing has changed since then."""
        fleet = Fleet.around(
            (*parts, *readers), clusters=self.clusters, applications=self.inventory.applications
        )
        asked = commit, parts, readers, fleet
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
                fleet=fleet,
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
        undone = self._reversals.found(branch, drafted)
        held = self._copies.held(change for change in drafted.edited if change not in undone)
        return undone | {change for change in drafted.edited if change.source not in held}

    def _commit(self, branch: Branch, drafted: Draft, target: Target) -> None:
        now = self._made_before(drafted) or self.now()
        message = commit_message(drafted.edited, drafted.along)
        commit = branch.commit(drafted.commit, drafted.files, message=message, when=now)
        self._ledger.note(
            drafted.edited, RewriteState.COMMITTED, commit=commit, parent=drafted.commit, at=now
        )
        try:
            branch.push(commit, expected=drafted.commit)
        except Conflict:
            self._reversals.never_arrived(commit)
            raise
        self._reversals.may_have_arrived(commit)
        self.metrics.rewrites.labels(Route.COMMIT).inc(len(drafted.edited))
        self._log.info(
            "pushed",
            repository=target.repository,
            branch=target.branch,
            commit=commit,
            files=len(drafted.files),
            images=len({change.source for change in drafted.edited}),
        )
        for change in drafted.edited:
            self._ledger.tell(change, reason="Committed", note=f"commit {commit[:12]} uses {change.backup}")

    def _made_before(self, drafted: Draft) -> datetime | None:
        """When the same changes were put on record upon the same parent, by a push that did not succeed.

        The same time makes the same commit, so that trying again writes nothing but the push.
        """
        times = set()
        for change in drafted.edited:
            rewrite = self._ledger.known(change)
            same = rewrite is not None and rewrite.parent == drafted.commit
            times.add(rewrite.at if rewrite is not None and same else None)
        return times.pop() if len(times) == 1 else None

    def _explain(self, drafted: Draft) -> None:
        for left in drafted.left:
            self._ledger.tell(left.change, reason=left.reason, note=left.message, warning=True)

    def _tell_stuck(self, target: Target, error: GitopsBackupError) -> None:
        changes = [due.change for part in self._due(target, self.inventory).parts for due in part.due]
        reason = Reason.PINNED_REVISION if isinstance(error, Unwritable) else Reason.REPOSITORY_UNAVAILABLE
        for change in changes[:_MOST_TOLD]:
            self._ledger.tell(change, reason=reason, note=str(error), warning=True)


def _when_left(drafted: Draft) -> Outcome:
    """When to look again at what was left, if nothing else brings it up."""
    return After(_TRY_AGAIN_SECONDS) if any(map(_may_pass, drafted.left)) else DONE


def _may_pass(left: Left) -> bool:
    return left.reason in _PASSING


def _unsettled(plan: WorkloadPlan) -> Iterable[bool]:
    for use in plan.uses:
        yield use.external and use.action in {Action.COPY, Action.WAIT}
