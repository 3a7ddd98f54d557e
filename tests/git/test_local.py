"""Looking at a repository on this machine."""

from pathlib import Path

import pytest

from gitops_backup.errors import UsageError
from gitops_backup.git.local import LocalRepository, RepositoryDamaged, open_local
from tests.git.bare import BareRepository, run_git


def test_a_commit_is_read_where_it_is(bare: BareRepository) -> None:
    """Its files by path; what is none is refused, in a few words."""
    commit = bare.commit({"a/x.yaml": b"x", "a/y": b"target", "b": b"b" * 9}, modes={"a/y": "120000"})
    with open_local(bare.path, timeout=60) as repository:
        assert repository.fetch().commit == commit
        assert (repository.name, repository.remotes()) == ("HEAD", ())
        assert sorted(repository.tree(commit, "a")) == ["a/x.yaml", "a/y"]
        files = repository.read(commit, ["a/x.yaml", "a/y", "b", "c"], limit=8)
    assert files.contents == {"a/x.yaml": b"x"}
    assert files.refused == {
        "a/y": "is a symbolic link",
        "b": "has 9 bytes, more than 8",
        "c": "is not there",
    }


def test_remotes_begin_with_the_origin(bare: BareRepository) -> None:
    """The others follow by name."""
    for name in ("z", "origin", "b"):
        bare.git("remote", "add", name, f"https://git.example/{name}")
    with open_local(bare.path, timeout=60) as repository:
        assert [url.rpartition("/")[2] for url in repository.remotes()] == ["origin", "b", "z"]


def test_configuration_of_the_repository_runs_nothing(bare: BareRepository, tmp_path: Path) -> None:
    """Nor does it bring in other files."""
    sentinel = tmp_path / "sentinel"
    commit = bare.commit({"a": b"a"})
    (tmp_path / "more").write_text('[remote "x"]\n\turl = https://git.example/x\n')
    bare.git("config", "core.fsmonitor", f"touch {sentinel}")
    bare.git("config", "core.hooksPath", str(tmp_path))
    bare.git("config", "core.pager", f"touch {sentinel}")
    bare.git("config", "include.path", str(tmp_path / "more"))
    with open_local(bare.path, timeout=60) as repository:
        assert repository.remotes() == ()
        assert repository.read(commit, ["a"]).contents == {"a": b"a"}
    assert not sentinel.exists()


def test_what_is_missing_is_not_asked_for(bare: BareRepository, tmp_path: Path) -> None:
    """A clone without all its files is read as far as they are there."""
    bare.commit({"a": b"a" * 100})
    bare.git("config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone"
    run_git(tmp_path, "clone", "--quiet", "--bare", "--filter=blob:none", bare.url, str(clone))
    with open_local(clone, timeout=60) as repository:
        commit = repository.fetch().commit
        with pytest.raises(RepositoryDamaged, match="git cannot read"):
            repository.tree(commit)


def test_names_of_another_hash_are_refused(tmp_path: Path) -> None:
    """They are none that a report could name a commit by."""
    repository = BareRepository(tmp_path / "sha256.git", object_format="sha256")
    repository.commit_tree(repository.git("mktree").decode().strip())
    with pytest.raises(UsageError), open_local(repository.path, timeout=60) as opened:
        _look(opened)


def test_a_head_that_is_damaged_is_an_error_of_one_line(bare: BareRepository) -> None:
    """It names the folder."""
    bare.commit({"a": b"a"})
    (bare.path / "HEAD").write_bytes(b"\xff\n\n")
    with open_local(bare.path, timeout=60) as repository, pytest.raises(UsageError, match=str(bare.path)):
        _look(repository)


def _look(repository: LocalRepository) -> None:
    repository.fetch()
