"""The pull request of a branch, on a real Git server and a forge that only keeps what it is told."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_backup.controller.drafting import Draft
from gitops_backup.controller.messages import ImageChange
from gitops_backup.controller.proposals import Proposals
from gitops_backup.domain.backups import RewriteState
from gitops_backup.domain.planning import Target
from gitops_backup.domain.pull_requests import PullRequest, PullRequestState, PullRequestText
from gitops_backup.errors import Transient
from gitops_backup.git.branch import Branch
from gitops_backup.git.commits import Identity
from gitops_backup.git.credentials import GitCredentials, Password
from gitops_backup.git.repository import RepositoryUrl
from gitops_backup.git.store import GitStore
from gitops_backup.sandbox.githost import GitHost
from tests.controller.test_pull_requests import change

_NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
_BESIDE = "gitops-backup/main"
_FILES = {"a.yaml": b"a", "b.yaml": b"b", "README.md": b"r"}
_TARGET = Target("https://git.example/apps", "main")


@dataclass
class Pulls:
    """A forge's pull requests, newest last; `away` is how many requests it does not answer."""

    made: list[PullRequest] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    away: int = 0

    def push_options(self, base: str, title: str) -> tuple[str, ...]:
        """None."""
        return ()

    def find(self, branch: str, base: str) -> PullRequest | None:
        """The newest."""
        self._ask("find")
        return self.made[-1] if self.made else None

    def open(self, branch: str, base: str, text: PullRequestText) -> PullRequest:
        """One more."""
        self._ask("open")
        number = len(self.made) + 1
        self.made.append(PullRequest(number, f"https://f/{number}", PullRequestState.OPEN, text))
        return self.made[-1]

    def revise(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """Another text."""
        self._ask("revise")
        self.become(PullRequestState.OPEN, text)

    def close(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """Closed by us."""
        self._ask("close")
        self.become(PullRequestState.CLOSED, text)

    def become(self, state: PullRequestState, text: PullRequestText | None = None) -> None:
        """What becomes of the newest."""
        self.made[-1] = replace(self.made[-1], state=state, text=text or self.made[-1].text)

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.away:
            self.away -= 1
            raise Transient("the forge is away")


@dataclass
class Notes:
    """A ledger that keeps what it is told."""

    states: dict[ImageChange, RewriteState] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def note(
        self,
        changes: Sequence[ImageChange],
        state: RewriteState,
        *,
        commit: str | None = None,
        parent: str | None = None,
        url: str | None = None,
    ) -> Sequence[ImageChange]:
        """Keep it."""
        news = [each for each in changes if self.states.get(each) != state]
        self.states.update(dict.fromkeys(changes, state))
        return news

    def tell(self, change: ImageChange, *, reason: str, note: str, warning: bool = False) -> None:
        """Keep the reason."""
        self.told.append(f"{reason} {change.workload.name}")


class Desk:
    """A controller, named, at work on the branch `main` of a repository."""

    def __init__(self, host: GitHost, branch: Branch, pulls: Pulls, *, name: str = "one") -> None:
        self.host = host
        self.branch = branch
        self.pulls = pulls
        self.notes = Notes()
        self._proposals = Proposals(
            prefix="gitops-backup", controller=lambda: name, ledger=self.notes, now=lambda: _NOW
        )

    def settle(self, *names: str, may_push: bool = True) -> bool:
        """A step, with an edit of the file of each of these names."""
        head = self.branch.fetch().commit
        files = self.branch.read(head, [f"{name}.yaml" for name in names]).contents
        after = {path: content + b"!" for path, content in files.items()}
        changes = [change(name) for name in names]
        return self._proposals.settle(
            _TARGET,
            self.branch,
            Draft(head, before=dict(files), files=after, edited=changes),
            forge=lambda: self.pulls,
            arrived=self.branch.contains,
            may_push=lambda: may_push,
        )

    @property
    def proposed(self) -> str | None:
        """The commit of the pull request's branch."""
        return self.host.head("apps", _BESIDE)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[tuple[GitHost, list[Branch]]]:
    """A Git server with a repository, and two controllers' clones of it."""
    with ExitStack() as stack:
        host = stack.enter_context(closing(GitHost(tmp_path / "host")))
        url = host.create("apps", _FILES)
        login = GitCredentials(RepositoryUrl.parse_prefix(host.root), Password(host.username, host.password))
        branches = []
        for name in ("one", "two"):
            identity = Identity("Backup Bot", "bot@example.org")
            store = GitStore(tmp_path / name, identity=identity, credentials=[login])
            branches.append(stack.enter_context(store).open(url, "main"))
        yield host, branches


@pytest.fixture
def desk(opened: tuple[GitHost, list[Branch]]) -> Desk:
    """One controller at work."""
    host, branches = opened
    return Desk(host, branches[0], Pulls())


def test_a_second_step_writes_nothing(desk: Desk) -> None:
    """Nor does one after the base has moved elsewhere."""
    assert desk.settle("a")
    first = desk.proposed
    assert desk.settle("a")
    desk.host.commit("apps", {"README.md": b"more"})
    assert desk.settle("a")
    assert desk.proposed == first
    assert desk.pulls.asked == ["find", "open", "find", "find"]
    assert desk.notes.states == {change("a"): RewriteState.PROPOSED}
    assert desk.notes.told == ["Proposed a"]


def test_another_change_replaces_the_commit_and_the_text(desk: Desk) -> None:
    """The pull request is the same one; one change less is another change, too."""
    desk.settle("a")
    desk.settle("a", "b")
    assert desk.host.files("apps", _BESIDE) == {**_FILES, "a.yaml": b"a!", "b.yaml": b"b!"}
    desk.settle("b")
    assert desk.host.files("apps", _BESIDE) == {**_FILES, "b.yaml": b"b!"}
    assert len(desk.host.log("apps", _BESIDE)) == 2
    assert desk.pulls.asked == ["find", "open", "find", "revise", "find", "revise"]


def test_a_base_that_changes_the_same_file_has_the_commit_made_anew(desk: Desk) -> None:
    """On top of it."""
    desk.settle("a")
    theirs = desk.host.commit("apps", {"a.yaml": b"theirs"})
    desk.settle("a")
    assert desk.host.log("apps", _BESIDE)[1] == theirs
    assert desk.host.files("apps", _BESIDE)["a.yaml"] == b"theirs!"


def test_a_process_that_ends_anywhere_is_followed_by_one_that_goes_on(desk: Desk) -> None:
    """After the push, and after the close."""
    desk.pulls.away = 1
    with pytest.raises(Transient):
        desk.settle("a")
    assert desk.proposed is None
    desk.pulls.away = 0
    desk.settle("a")
    desk.pulls.made.clear()  # as if it had ended before the pull request was opened
    pushed = desk.proposed
    desk.settle("a")
    assert (desk.proposed, len(desk.pulls.made)) == (pushed, 1)
    desk.pulls.close(desk.pulls.made[-1], PullRequestText("t", "closed by us, and the branch is still there"))
    assert not desk.settle()
    assert desk.proposed is None
    desk.settle("a")
    assert len(desk.pulls.made) == 2


def test_nothing_left_closes_it_and_removes_the_branch(desk: Desk) -> None:
    """Once; nobody is asked where there is nothing."""
    assert not desk.settle()
    desk.settle("a")
    assert not desk.settle()
    assert not desk.settle()
    assert desk.proposed is None
    assert desk.pulls.made[-1].state == PullRequestState.CLOSED
    assert desk.pulls.asked == ["find", "open", "find", "close"]


def test_a_merged_one_is_followed_by_another(desk: Desk) -> None:
    """Whichever way it was merged."""
    desk.settle("a")
    desk.host.commit("apps", {"a.yaml": b"a!"}, message="Squashed")
    desk.pulls.become(PullRequestState.MERGED)
    desk.settle("b")
    assert [each.state for each in desk.pulls.made] == [PullRequestState.MERGED, PullRequestState.OPEN]
    assert desk.host.files("apps", _BESIDE)["b.yaml"] == b"b!"


def test_a_declined_one_stays_declined_until_it_is_about_something_else(desk: Desk) -> None:
    """Neither a branch nor a pull request is made."""
    desk.settle("a")
    desk.pulls.become(PullRequestState.CLOSED)
    before = desk.proposed
    assert desk.settle("a")
    desk.host.commit("apps", {"a.yaml": b"theirs"})
    assert desk.settle("a")
    assert (desk.proposed, len(desk.pulls.made)) == (before, 1)
    assert desk.notes.states == {change("a"): RewriteState.DECLINED}
    assert desk.notes.told == ["Proposed a", "PullRequestClosed a"]
    desk.settle("a", "b")
    assert len(desk.pulls.made) == 2


def test_what_must_not_be_pushed_is_not(desk: Desk) -> None:
    """It is looked at again."""
    assert desk.settle("a", may_push=False)
    assert (desk.proposed, desk.pulls.made) == (None, [])
    desk.settle("a")
    before = desk.proposed
    assert desk.settle("a", "b", may_push=False)
    assert desk.proposed == before


def test_two_controllers_do_not_overwrite_each_other(opened: tuple[GitHost, list[Branch]]) -> None:
    """Set alike, on one repository: the second has a reason until the first is merged."""
    host, branches = opened
    pulls = Pulls()
    one = Desk(host, branches[0], pulls, name="one")
    two = Desk(host, branches[1], pulls, name="two")
    one.settle("a")
    before = one.proposed
    for _ in range(2):
        assert two.settle("b")
        assert not two.settle()
        one.settle("a")
    assert one.proposed == before
    assert set(two.notes.told) == {"BranchInUse b"}
    assert len(pulls.made) == 1
    # merged by a fast-forward: what was on the branch is in the base
    host.commit("apps", {"a.yaml": b"a!"})
    assert not one.settle()
    two.settle("b")
    assert host.files("apps", _BESIDE)["b.yaml"] == b"b!"


def test_somebody_elses_commit_that_does_what_is_due_is_left_alone(desk: Desk) -> None:
    """Only the text follows."""
    desk.settle("a")
    theirs = desk.host.commit("apps", {"README.md": b"by hand"}, branch=_BESIDE)
    assert desk.settle("a")
    assert not desk.settle()
    assert desk.proposed == theirs
    assert desk.notes.told == ["Proposed a"]
    assert desk.settle("a", "b")
    assert desk.proposed == theirs
    assert desk.notes.told[1:] == ["BranchInUse a", "BranchInUse b"]
