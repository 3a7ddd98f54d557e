"""A push that is refused says why, by the class of its error; nobody's commit is ever overwritten."""

from datetime import UTC, datetime

import pytest

from gitops_backup.git.branch import Branch
from gitops_backup.git.credentials import GitCredentials
from gitops_backup.git.errors import (
    AuthenticationFailed,
    PushForbidden,
    PushRejected,
    RepositoryUnavailable,
)
from gitops_backup.sandbox.githost import GitHost
from tests.git.bare import BareRepository, run_git
from tests.git.conftest import OpenStore

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _change(branch: Branch, content: bytes = b"ours") -> tuple[str, str]:
    head = branch.fetch().commit
    return head, branch.commit(head, {"a.yaml": content}, message="Change", when=_NOON)


@pytest.fixture
def branch(host: GitHost, login: GitCredentials, open_store: OpenStore) -> Branch:
    url = host.create("apps", {"a.yaml": b"a", "b.yaml": b"b"})
    return open_store(credentials=[login]).open(url, "main")


def test_somebody_who_pushed_after_our_fetch_is_not_overwritten(host: GitHost, branch: Branch) -> None:
    """The push is refused; after another look, the same change goes on top."""
    head, commit = _change(branch)
    theirs = host.commit("apps", {"b.yaml": b"theirs"})
    with pytest.raises(PushRejected, match=r"main of .* has moved"):
        branch.push(commit, expected=head)
    assert host.head("apps") == theirs
    head, commit = _change(branch)
    branch.push(commit, expected=head)
    assert host.log("apps")[:2] == [commit, theirs]
    assert host.files("apps") == {"a.yaml": b"ours", "b.yaml": b"theirs"}


def test_somebody_who_pushes_in_the_middle_of_our_push_is_not_overwritten(
    host: GitHost, branch: Branch
) -> None:
    """After the server told where the branch is, and before it took our objects."""
    head, commit = _change(branch)
    pushed: list[str] = []
    host.before_push = lambda name: pushed.append(host.commit(name, {"b.yaml": b"theirs"}))
    with pytest.raises(PushRejected):
        branch.push(commit, expected=head)
    host.before_push = None
    assert [host.head("apps")] == pushed


def test_a_branch_that_was_moved_back_stays_there(bare: BareRepository, open_store: OpenStore) -> None:
    """Our commit would be a fast-forward, and would bring back what somebody took away."""
    first = bare.commit({"a.yaml": b"1"})
    bare.commit({"a.yaml": b"2"})
    branch = open_store().open(bare.url)
    head, commit = _change(branch)
    bare.git("update-ref", "refs/heads/main", first)
    with pytest.raises(PushRejected):
        branch.push(commit, expected=head)
    assert bare.head() == first


def test_a_branch_that_was_removed_is_not_made_again(bare: BareRepository, open_store: OpenStore) -> None:
    """It is somebody's will that it is gone."""
    bare.commit({"a.yaml": b"1"})
    bare.git("branch", "side", "main")
    branch = open_store().open(bare.url, "side")
    head, commit = _change(branch)
    bare.git("branch", "-D", "side")
    with pytest.raises(PushRejected):
        branch.push(commit, expected=head)
    assert bare.head("side") is None


def test_a_push_that_was_taken_already_is_taken_again(host: GitHost, branch: Branch) -> None:
    """A step that is taken twice does no harm: the branch is where it should be."""
    head, commit = _change(branch)
    branch.push(commit, expected=head)
    branch.push(commit, expected=head)
    assert host.log("apps") == [commit, head]


def test_a_hook_that_declines_is_quoted(host: GitHost, branch: Branch) -> None:
    """What the server says is in the message; a later push can pass."""
    host.refuse_pushes("apps", 2)
    head, commit = _change(branch)
    for _ in range(2):
        with pytest.raises(PushForbidden, match=r"pre-receive hook declined.*refused by the sandbox"):
            branch.push(commit, expected=head)
    branch.push(commit, expected=head)
    assert host.head("apps") == commit


def test_a_locked_branch_on_the_server_is_a_conflict(host: GitHost, branch: Branch) -> None:
    """Somebody is writing to it just now."""
    head, commit = _change(branch)
    lock = host.path("apps") / "refs" / "heads" / "main.lock"
    lock.touch()
    with pytest.raises(PushRejected):
        branch.push(commit, expected=head)
    lock.unlink()
    branch.push(commit, expected=head)


def test_an_update_hook_that_declines_forbids(bare: BareRepository, open_store: OpenStore) -> None:
    """As one that guards a single branch does."""
    bare.commit({"a.yaml": b"1"})
    bare.hook("update", "echo 'only on Tuesdays' >&2; exit 1")
    branch = open_store().open(bare.url)
    head, commit = _change(branch)
    with pytest.raises(PushForbidden, match="hook declined"):
        branch.push(commit, expected=head)


def test_a_busy_server_is_unavailable(host: GitHost, branch: Branch) -> None:
    """503 may pass; the commit is still there to be pushed."""
    head, commit = _change(branch)
    host.answer_unavailable(1)
    with pytest.raises(RepositoryUnavailable, match="503"):
        branch.push(commit, expected=head)
    branch.push(commit, expected=head)


def test_a_wrong_password_is_refused_and_not_shown(host: GitHost, open_store: OpenStore) -> None:
    """Reading needs none here, so it is the push that fails."""
    url = host.create("apps", {"a.yaml": b"a"})
    login = GitCredentials.of(url, {"username": b"git", "password": b"wr0ng-word"})
    branch = open_store(credentials=[login]).open(url, "main")
    head, commit = _change(branch)
    with pytest.raises(AuthenticationFailed, match="refuses the Git credentials") as failed:
        branch.push(commit, expected=head)
    assert "wr0ng-word" not in str(failed.value)


def test_no_password_is_said_so(host: GitHost, open_store: OpenStore) -> None:
    """Nobody is asked at a terminal."""
    branch = open_store().open(host.create("apps", {"a.yaml": b"a"}), "main")
    head, commit = _change(branch)
    with pytest.raises(AuthenticationFailed, match="none are configured"):
        branch.push(commit, expected=head)


def test_only_the_branch_is_pushed(host: GitHost, branch: Branch) -> None:
    """No other name appears on the server."""
    head, commit = _change(branch)
    branch.push(commit, expected=head)
    refs = run_git(host.path("apps"), "for-each-ref", "--format=%(refname)").decode().split()
    assert refs == ["refs/heads/main"]
