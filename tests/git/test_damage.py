"""What a killed process or a failing disk leaves behind is thrown away, and the work goes on."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_backup.errors import Transient
from gitops_backup.git.branch import Branch
from gitops_backup.git.errors import PushRejected, RepositoryUnavailable
from tests.git.bare import BareRepository
from tests.git.conftest import OpenStore

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _clone(tmp_path: Path) -> Path:
    (clone,) = (tmp_path / "cache" / "slot-0" / "clones").glob("*/*")
    return clone


def _packs(clone: Path) -> list[Path]:
    packs = list(clone.glob("objects/pack/*.pack"))
    assert packs
    for pack in packs:
        pack.chmod(0o644)
    return packs


def _cut_packs(clone: Path) -> None:
    for pack in _packs(clone):
        os.truncate(pack, 50)


def _remove_packs(clone: Path) -> None:
    for pack in _packs(clone):
        pack.unlink()


def _make_the_branch_a_folder(clone: Path) -> None:
    (clone / "refs/heads/main").unlink()
    (clone / "refs/heads/main/x").mkdir(parents=True)


def _flip_bytes(clone: Path) -> None:
    for pack in _packs(clone):
        content = bytearray(pack.read_bytes())
        for position in range(20, len(content) - 20):
            content[position] ^= 0xFF
        pack.write_bytes(content)


_DAMAGES: dict[str, Callable[[Path], object]] = {
    "a lock of the history": lambda clone: (clone / "shallow.lock").touch(),
    "a lock of the branch": lambda clone: (clone / "refs/heads/main.lock").touch(),
    "a lock of a prepared commit": lambda clone: (clone / "refs/gitops-backup/prepared.lock").touch(),
    "a lock of HEAD": lambda clone: (clone / "HEAD.lock").touch(),
    "a lock of the packed refs": lambda clone: (clone / "packed-refs.lock").touch(),
    "packs cut short": _cut_packs,
    "bytes flipped": _flip_bytes,
    "packs gone": _remove_packs,
    "objects gone": lambda clone: shutil.rmtree(clone / "objects"),
    "a branch of nonsense": lambda clone: (clone / "refs/heads/main").write_text("nonsense"),
    "an empty branch": lambda clone: (clone / "refs/heads/main").write_text(""),
    "a branch that is a folder": _make_the_branch_a_folder,
    "no HEAD": lambda clone: (clone / "HEAD").rename(clone / "gone"),
    "a HEAD of nonsense": lambda clone: (clone / "HEAD").write_text("nonsense"),
    "a history of nonsense": lambda clone: (clone / "shallow").write_text("nonsense"),
    "no history": lambda clone: (clone / "shallow").rename(clone / "gone"),
    "a configuration of nonsense": lambda clone: (clone / "config").write_text("[[["),
    "nothing left": shutil.rmtree,
}


def _take_a_step(branch: Branch, content: bytes) -> str:
    """Fetch, read, commit and push, as often as a conflict asks for; answers the commit."""
    for _ in range(3):
        try:
            head = branch.fetch().commit
            assert set(branch.read(head, ["a", "b"]).contents) == {"a", "b"}
            commit = branch.commit(head, {"a": content}, message="Change", when=_NOON)
            branch.push(commit, expected=head)
        except Transient:
            continue
        return commit
    raise AssertionError("three conflicts in a row")


@pytest.fixture
def used(bare: BareRepository, open_store: OpenStore) -> Branch:
    """A branch whose clone has fetched twice, and made a commit that was not pushed."""
    bare.commit({"a": b"1", "b": b"1"})
    branch = open_store().open(bare.url)
    branch.fetch()
    bare.commit({"a": b"2", "b": b"2"})
    branch.commit(branch.fetch().commit, {"a": b"never pushed"}, message="Change", when=_NOON)
    return branch


@pytest.mark.parametrize("damage", _DAMAGES)
def test_a_damaged_clone_is_made_anew(
    bare: BareRepository, used: Branch, tmp_path: Path, damage: str
) -> None:
    """Whatever is wrong with it, the next fetch, commit and push pass."""
    _DAMAGES[damage](_clone(tmp_path))
    bare.commit({"a": b"3", "b": b"3"})
    assert _take_a_step(used, b"after") == bare.head()
    assert bare.show("a") == b"after"


@pytest.mark.parametrize("damage", _DAMAGES)
def test_reading_and_committing_heal_by_themselves(
    bare: BareRepository, used: Branch, tmp_path: Path, damage: str
) -> None:
    """In the middle of a step, with no new fetch by the caller, and the same commit comes out."""
    head = bare.head() or ""
    expected = used.commit(head, {"a": b"after"}, message="Change", when=_NOON)
    _DAMAGES[damage](_clone(tmp_path))
    assert used.read(head, ["a", "b"]).contents == {"a": b"2", "b": b"2"}
    assert used.commit(head, {"a": b"after"}, message="Change", when=_NOON) == expected


@pytest.mark.parametrize(
    "damage", ["a lock of the history", "packs cut short", "an empty branch", "no HEAD", "nothing left"]
)
def test_the_next_process_uses_what_is_in_order_only(
    bare: BareRepository, open_store: OpenStore, tmp_path: Path, damage: str
) -> None:
    """It finds the damage that the one before left."""
    bare.commit({"a": b"1", "b": b"1"})
    with open_store() as store:
        branch = store.open(bare.url)
        branch.commit(branch.fetch().commit, {"a": b"never pushed"}, message="Change", when=_NOON)
    _DAMAGES[damage](_clone(tmp_path))
    assert _take_a_step(open_store().open(bare.url), b"after") == bare.head()
    assert bare.show("a") == b"after"


def test_a_clone_in_order_is_used_by_the_next_process(
    bare: BareRepository, open_store: OpenStore, tmp_path: Path
) -> None:
    """Nothing is fetched a second time."""
    head = bare.commit({"a": b"1"})
    with open_store() as store:
        store.open(bare.url).fetch()
    clone = _clone(tmp_path)
    branch = open_store().open(bare.url)
    assert branch.fetch().commit == head
    assert _clone(tmp_path) == clone


@pytest.mark.parametrize("damage", ["packs gone", "objects gone", "no HEAD", "bytes flipped", "nothing left"])
def test_a_commit_that_was_lost_before_its_push_is_a_conflict(
    bare: BareRepository, used: Branch, tmp_path: Path, damage: str
) -> None:
    """The caller looks again and makes it again."""
    head = used.fetch().commit
    commit = used.commit(head, {"a": b"ours"}, message="Change", when=_NOON)
    _DAMAGES[damage](_clone(tmp_path))
    with pytest.raises(PushRejected):
        used.push(commit, expected=head)
    assert bare.head() == head
    assert _take_a_step(used, b"ours") == commit


def test_a_push_that_was_taken_is_no_failure_whatever_the_clone_is(
    bare: BareRepository, used: Branch, tmp_path: Path
) -> None:
    """The branch on the server is what counts; the clone is made anew afterwards."""
    head = used.fetch().commit
    commit = used.commit(head, {"a": b"ours"}, message="Change", when=_NOON)
    (_clone(tmp_path) / "refs/heads/main.lock").touch()
    used.push(commit, expected=head)
    assert bare.head() == commit == used.fetch().commit


def test_a_commit_that_nobody_has_is_no_endless_repair(bare: BareRepository, open_store: OpenStore) -> None:
    """The clone is made anew once, and then it is an error that may pass."""
    bare.commit({"a": b"1"})
    branch = open_store().open(bare.url)
    with pytest.raises(RepositoryUnavailable, match="cannot be used"):
        branch.tree("0" * 40)


def test_a_clone_does_not_grow_for_ever(bare: BareRepository, open_store: OpenStore, tmp_path: Path) -> None:
    """After a hundred fetches and commits it is made anew."""
    head = bare.commit({"a": b"1"})
    branch = open_store().open(bare.url)
    branch.fetch()
    first = _clone(tmp_path)
    for number in range(101):
        branch.commit(head, {"a": b"%d" % (number + 2)}, message="Change", when=_NOON)
    assert _clone(tmp_path) == first
    bare.commit({"a": b"theirs"})
    branch.fetch()
    assert _clone(tmp_path) != first
    assert len(_packs(_clone(tmp_path))) == 1


def _count_on(branch: Branch) -> None:
    """What the worker below does, once; its last push may still be under way."""
    for _ in range(5):
        head = branch.fetch().commit
        count = int(branch.read(head, ["a"]).contents["a"])
        commit = branch.commit(head, {"a": b"%d" % (count + 1)}, message="Count", when=_NOON)
        with contextlib.suppress(PushRejected):
            branch.push(commit, expected=head)
            return
    raise AssertionError("five conflicts in a row")


_WORKER = """
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from gitops_backup.git.commits import Identity
from gitops_backup.git.errors import PushRejected
from gitops_backup.git.store import GitStore

folder, url = sys.argv[1:]
store = GitStore(Path(folder), identity=Identity("Worker", "worker@example.org"), allow_file=True)
branch = store.open(url)
while True:
    print("fetching", flush=True)
    head = branch.fetch().commit
    print("reading", flush=True)
    old = branch.read(head, ["a"]).contents["a"]
    print("committing", flush=True)
    commit = branch.commit(head, {"a": b"%d" % (int(old) + 1)}, message="Count", when=datetime.now(UTC))
    print("pushing", flush=True)
    with suppress(PushRejected):  # the last push of a process killed before may just have arrived
        branch.push(commit, expected=head)
"""


def test_killed_anywhere_the_next_process_goes_on(
    bare: BareRepository, open_store: OpenStore, tmp_path: Path
) -> None:
    """A process that counts in a file is killed in each of its stages: no number is left out or doubled."""
    bare.commit({"a": b"0", "b": b"x"})
    moments = random.Random(7)  # noqa: S311, when to kill
    for stage in range(12):
        command = [sys.executable, "-c", _WORKER, str(tmp_path / "cache"), bare.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as worker:
            assert worker.stdout is not None
            for _ in range(1 + stage):
                worker.stdout.readline()
            time.sleep(moments.uniform(0, 0.02))
            worker.kill()
        assert worker.returncode == -signal.SIGKILL
        with open_store() as store:
            _count_on(store.open(bare.url))
    counted = [int(bare.show("a", commit)) for commit in bare.log()]
    assert counted == list(range(len(counted) - 1, -1, -1))
    assert len(counted) > 12
    bare.git("fsck", "--strict")
