"""A branch beside another one: what is at it, and putting our commit there in place of what was seen."""

from datetime import UTC, datetime

import pytest

from gitops_backup.git.branch import Branch
from gitops_backup.git.credentials import GitCredentials
from gitops_backup.git.errors import PushRejected, RepositoryRefused
from gitops_backup.sandbox.githost import GitHost
from tests.git.conftest import OpenStore

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_FILES = {"a.yaml": b"a", "b.yaml": b"b"}
_BESIDE = "gitops-backup/main"


@pytest.fixture
def url(host: GitHost) -> str:
    return host.create("apps", _FILES)


@pytest.fixture
def branch(url: str, login: GitCredentials, open_store: OpenStore) -> Branch:
    return open_store(credentials=[login]).open(url, "main")


def _commit(branch: Branch, content: bytes = b"ours") -> str:
    return branch.commit(branch.fetch().commit, {"a.yaml": content}, message="Change", when=_NOON)


def test_a_commit_goes_to_a_branch_that_is_not_there_yet(host: GitHost, branch: Branch) -> None:
    """The branch that it is made on stays where it is."""
    base = host.head("apps")
    assert branch.tip(_BESIDE) is None
    commit = _commit(branch)
    branch.push_beside(_BESIDE, commit, expected=None)
    assert host.head("apps", _BESIDE) == commit
    assert host.head("apps") == base


def test_what_a_branch_changes_is_read_back_by_another_process(
    url: str, host: GitHost, branch: Branch, login: GitCredentials, open_store: OpenStore
) -> None:
    """Its commit, its message, that it is ours, and exactly which contents it replaces; the base may move."""
    commit = _commit(branch)
    branch.push_beside(_BESIDE, commit, expected=None)
    host.commit("apps", {"b.yaml": b"moved on"})
    other = open_store("another", credentials=[login]).open(url, "main")
    other.fetch()
    tip = other.tip(_BESIDE)
    assert tip is not None
    assert (tip.commit, tip.message, tip.own) == (commit, "Change\n", True)
    assert tip.makes({"a.yaml": b"a"}, {"a.yaml": b"ours"})
    assert not tip.makes({"a.yaml": b"other"}, {"a.yaml": b"ours"})
    assert not tip.makes(_FILES, {"a.yaml": b"ours", "b.yaml": b"more"})
    assert not tip.makes({}, {})


def test_what_is_new_takes_the_place_of_what_was_seen(host: GitHost, branch: Branch) -> None:
    """It is no child of it."""
    first = _commit(branch)
    branch.push_beside(_BESIDE, first, expected=None)
    host.commit("apps", {"b.yaml": b"moved on"})
    second = _commit(branch, b"anew")
    branch.push_beside(_BESIDE, second, expected=first)
    assert host.files("apps", _BESIDE) == {"a.yaml": b"anew", "b.yaml": b"moved on"}
    assert first not in host.log("apps", _BESIDE)


def test_what_was_not_seen_is_not_overwritten(host: GitHost, branch: Branch) -> None:
    """Somebody's commit on top of ours is told from ours, and stays."""
    ours = _commit(branch)
    branch.push_beside(_BESIDE, ours, expected=None)
    theirs = host.commit("apps", {"b.yaml": b"by hand"}, branch=_BESIDE)
    with pytest.raises(PushRejected, match="has moved"):
        branch.push_beside(_BESIDE, _commit(branch, b"anew"), expected=ours)
    with pytest.raises(PushRejected):
        branch.push_beside(_BESIDE, _commit(branch, b"anew"), expected=None)
    with pytest.raises(PushRejected):
        branch.push_beside(_BESIDE, None, expected=ours)
    tip = branch.tip(_BESIDE)
    assert tip is not None
    assert (tip.commit, tip.own) == (theirs, False)


def test_a_branch_is_removed_as_it_was_seen(host: GitHost, branch: Branch) -> None:
    """Then it is not there, for a reader either."""
    commit = _commit(branch)
    branch.push_beside(_BESIDE, commit, expected=None)
    branch.push_beside(_BESIDE, None, expected=commit)
    assert host.head("apps", _BESIDE) is None
    assert branch.tip(_BESIDE) is None


def test_the_branch_itself_can_be_used_after_a_look_beside(host: GitHost, branch: Branch) -> None:
    """Both share a clone."""
    commit = _commit(branch)
    branch.push_beside(_BESIDE, commit, expected=None)
    host.commit("apps", {"b.yaml": b"moved on"})
    head = branch.fetch().commit
    assert branch.tip(_BESIDE) is not None
    assert branch.read(head, ["b.yaml"]).contents == {"b.yaml": b"moved on"}
    branch.push(branch.commit(head, {"a.yaml": b"x"}, message="Change", when=_NOON), expected=head)
    assert host.files("apps")["a.yaml"] == b"x"


def test_a_server_that_takes_no_options_says_so(branch: Branch) -> None:
    """Which is what a push to what is no GitLab comes to."""
    with pytest.raises(RepositoryRefused, match="takes no push options"):
        branch.push_beside(_BESIDE, _commit(branch), expected=None, options=["merge_request.create"])
