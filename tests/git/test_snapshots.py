"""Revisions of other repositories, to look at: what Argo CD would read, whatever it is called."""

import pytest

from gitops_backup.git.errors import BranchMissing
from gitops_backup.sandbox.githost import GitHost
from tests.git.bare import run_git
from tests.git.conftest import OpenStore


@pytest.fixture
def url(host: GitHost) -> str:
    """A repository of three commits with tags on the first two, and a branch that is called like a tag."""
    url = host.create("code", {"a": b"1"})
    folder = host.path("code")
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    run_git(folder, *who, "tag", "-a", "-m", "one", "v1.0.0", "main")
    host.commit("code", {"a": b"2"})
    run_git(folder, "tag", "1.2.0", "main")
    run_git(folder, "branch", "both", "main")
    run_git(folder, "tag", "both", "v1.0.0^{commit}")
    run_git(folder, "tag", "nightly", "v1.0.0^{commit}")
    host.commit("code", {"a": b"3"})
    return url


@pytest.mark.parametrize(
    ("revision", "content"),
    [
        ("", b"3"),
        ("HEAD", b"3"),
        ("main", b"3"),
        ("refs/heads/main", b"3"),
        ("v1.0.0", b"1"),
        ("refs/tags/v1.0.0", b"1"),
        ("1.2.0", b"2"),
        ("1.x", b"2"),
        ("~1.0", b"1"),
        ("nightly", b"1"),
        ("both", b"2"),
        ("refs/tags/both", b"1"),
    ],
)
def test_a_revision_is_read(open_store: OpenStore, url: str, revision: str, content: bytes) -> None:
    """A branch before a tag; a range is of tags."""
    seen = open_store().snapshot(url, revision)
    commit = seen.fetch().commit
    assert list(seen.tree(commit)) == ["a"]
    assert seen.read(commit, ["a"]).contents == {"a": content}
    assert open_store().snapshot(url, commit).read(commit, ["a"]).contents == {"a": content}


@pytest.mark.parametrize("revision", ["9.x", "gone", "refs/tags/gone", "abc1234"])
def test_what_is_not_there_is_named(open_store: OpenStore, url: str, revision: str) -> None:
    """As a branch that is not there."""
    with pytest.raises(BranchMissing, match="code"):
        open_store().snapshot(url, revision).fetch()
