"""Processes side by side have clones of their own; what is left over is used again or removed."""

import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_backup.git.credentials import GitCredentials
from gitops_backup.git.errors import PushRejected
from tests.git.bare import BareRepository
from tests.git.conftest import OpenStore

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_two_at_once_do_not_wait_for_each_other(
    bare: BareRepository, open_store: OpenStore, tmp_path: Path
) -> None:
    """One that is stopped between its commit and its push loses to the other, and nothing is overwritten."""
    bare.commit({"a": b"1"})
    first, second = open_store().open(bare.url), open_store().open(bare.url)
    head = first.fetch().commit
    late = first.commit(head, {"a": b"late"}, message="Change", when=_NOON)
    second.push(
        second.commit(second.fetch().commit, {"a": b"2"}, message="Change", when=_NOON), expected=head
    )
    with pytest.raises(PushRejected):
        first.push(late, expected=head)
    assert bare.show("a") == b"2"
    assert sorted(path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()) == [
        "slot-0",
        "slot-1",
    ]


def test_what_a_process_left_is_removed_when_nobody_uses_it(open_store: OpenStore, tmp_path: Path) -> None:
    """The first free slot is taken; the others that are free go."""
    stores = [open_store() for _ in range(3)]
    for store in (stores[0], stores[2]):
        store.close()
    open_store()
    assert sorted(path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()) == [
        "slot-0",
        "slot-1",
    ]


def test_spellings_of_one_url_share_a_clone(
    bare: BareRepository, open_store: OpenStore, tmp_path: Path
) -> None:
    """And a branch by its full name is the same one."""
    bare.commit({"a": b"1"})
    store = open_store()
    branches = [
        store.open(bare.url, "main"),
        store.open(f"{bare.url}/", "refs/heads/main"),
        store.open(bare.url),
    ]
    for branch in branches:
        branch.fetch()
    assert len({id(branch) for branch in branches}) == 1
    assert len(list((tmp_path / "cache" / "slot-0" / "clones").glob("*/*"))) == 1


def test_each_branch_has_its_own_clone(bare: BareRepository, open_store: OpenStore) -> None:
    """Two heads are kept side by side."""
    bare.commit({"a": b"1"})
    bare.git("branch", "side", "main")
    main = bare.commit({"a": b"2"})
    store = open_store()
    heads = {name: store.open(bare.url, name).fetch().commit for name in ("main", "side")}
    assert heads == {"main": main, "side": bare.head("side")}


def test_only_so_many_clones_are_kept(bare: BareRepository, open_store: OpenStore, tmp_path: Path) -> None:
    """The one that was not opened for longest goes, and is made again when it is used after all."""
    bare.commit({"a": b"1"})
    for name in ("one", "two", "three"):
        bare.git("branch", name, "main")
    store = open_store(most_clones=2)
    one, two = store.open(bare.url, "one"), store.open(bare.url, "two")
    for branch in (one, two):
        branch.fetch()
    store.open(bare.url, "one")
    store.open(bare.url, "three").fetch()
    clones = tmp_path / "cache" / "slot-0" / "clones"
    assert len(list(clones.iterdir())) == 2
    assert two.fetch().commit == bare.head()
    assert one.read(bare.head() or "", ["a"]).contents == {"a": b"1"}


def test_keys_do_not_stay_on_the_disk(open_store: OpenStore, tmp_path: Path) -> None:
    """They are there while the store is open."""
    data = {"ssh-privatekey": b"PRIVATE", "known_hosts": b"x"}
    store = open_store(credentials=[GitCredentials.of("ssh://example.org", data)])
    assert list((tmp_path / "cache").rglob("*.key"))
    assert store.use([GitCredentials.of("ssh://example.org", {**data, "ssh-privatekey": b"ANOTHER"})])
    assert {path.read_text() for path in (tmp_path / "cache").rglob("*.key")} == {"PRIVATE\n", "ANOTHER\n"}
    store.close()
    assert not list((tmp_path / "cache").rglob("*.key"))


def test_threads_share_a_branch(bare: BareRepository, open_store: OpenStore) -> None:
    """They take turns, and each sees what it asked for."""
    bare.commit({"a": b"1"})
    branch = open_store().open(bare.url)
    heads: list[str] = []
    threads = [threading.Thread(target=lambda: heads.append(branch.fetch().commit)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heads == [bare.head()] * 4
