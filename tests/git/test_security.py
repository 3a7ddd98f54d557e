"""Nothing of a repository, of a clone or of the surrounding machine is executed, followed or let out.

Each trap would create a file, the sentinel; the step is taken and the sentinel is not there.
"""

import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_backup.git.clone import Clone
from gitops_backup.git.errors import CloneDamaged, InvalidRepositoryUrl, RepositoryRefused
from gitops_backup.git.program import GitProgram
from tests.git.bare import BareRepository
from tests.git.conftest import OpenStore

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_HOOKS = [
    "pre-push",
    "reference-transaction",
    "post-index-change",
    "post-commit",
    "pre-auto-gc",
    "post-rewrite",
]


@pytest.fixture
def sentinel(tmp_path: Path) -> Path:
    return tmp_path / "sentinel"


@pytest.fixture
def trap(tmp_path: Path, sentinel: Path) -> Path:
    """A program that creates the sentinel, and passes on what it reads."""
    path = tmp_path / "trap"
    path.write_text(f"#!/bin/sh\ntouch {sentinel}\ncat\n")
    path.chmod(0o755)
    return path


def test_filters_submodules_and_hooks_in_a_tree_are_bytes(
    bare: BareRepository, open_store: OpenStore, trap: Path, sentinel: Path
) -> None:
    """They are read as they stand in the blobs, and written back without being asked."""
    files = {
        ".gitattributes": b"* filter=trap diff=trap merge=trap text eol=crlf working-tree-encoding=UTF-16\n",
        ".gitmodules": f'[submodule "m"]\n\tpath = m\n\turl = file://{bare.path}\n'.encode(),
        ".lfsconfig": b"[lfs]\n\turl = http://127.0.0.1:1\n",
        "hooks/pre-push": trap.read_bytes(),
        "a.yaml": b"image: nginx\n",
    }
    modes = {"hooks/pre-push": "100755"}
    bare.commit(files, modes=modes)
    branch = open_store().open(bare.url)
    head = branch.fetch().commit
    assert branch.read(head, files).contents == files
    commit = branch.commit(head, {"a.yaml": b"image: backup/nginx\n"}, message="Change", when=_NOON)
    branch.push(commit, expected=head)
    assert bare.show("a.yaml") == b"image: backup/nginx\n"
    assert not sentinel.exists()


def test_links_are_seen_and_not_followed(bare: BareRepository, open_store: OpenStore, tmp_path: Path) -> None:
    """Neither out of the repository nor inside of it, neither to a file nor to a folder."""
    (tmp_path / "secret").write_text("secret")
    targets = {"out": f"{tmp_path}/secret", "up": "../../../secret", "in": "a.yaml", "folder": "real"}
    files = {"a.yaml": b"a", "real/b.yaml": b"b", **{name: t.encode() for name, t in targets.items()}}
    bare.commit(files, modes=dict.fromkeys(targets, "120000"))
    branch = open_store().open(bare.url)
    head = branch.fetch().commit
    tree = branch.tree(head)
    assert {name for name, entry in tree.items() if entry.mode == "120000"} == set(targets)
    assert list(branch.tree(head, "folder")) == ["folder"]
    read = branch.read(head, [*targets, "folder/b.yaml"])
    assert read.contents == {}
    assert read.refused == {**dict.fromkeys(targets, "is a symbolic link"), "folder/b.yaml": "is not there"}


_TRAPS = [b"../outside", b".git/config", b".GIT/config", b"a/../../outside", b"./a", b"a/.git"]


@pytest.mark.parametrize("name", _TRAPS)
def test_a_tree_with_a_name_that_leads_out_is_refused(
    bare: BareRepository, open_store: OpenStore, name: bytes
) -> None:
    """Git's own checks look at everything that is fetched; the message names the object."""
    bare.commit_tree(bare.tree({name: ("100644", bare.blob(b"x")), b"a.yaml": ("100644", bare.blob(b"a"))}))
    with pytest.raises(RepositoryRefused, match="does not accept"):
        open_store().open(bare.url).fetch()


def test_a_name_that_leads_out_is_left_out_where_git_lets_it_pass(
    bare: BareRepository, tmp_path: Path
) -> None:
    """The listing has nothing that a caller could mistake for a path on this machine."""
    blob = bare.blob(b"x")
    names = (*_TRAPS, b"a.yaml", b"..yaml", b".github/x")
    entries = dict.fromkeys(names, ("100644", blob))
    commit = bare.commit_tree(bare.tree(entries))
    program = GitProgram(
        tmp_path / "private", credentials=(), timeout=30, environment={}, allow_file=False, cancel=None
    )
    assert sorted(Clone(bare.path, program=program).entries(commit)) == ["..yaml", ".github/x", "a.yaml"]


def test_a_link_in_the_place_of_gitmodules_is_refused(bare: BareRepository, open_store: OpenStore) -> None:
    """Such a link is only ever an attack."""
    bare.commit({".gitmodules": b"../../etc/passwd"}, modes={".gitmodules": "120000"})
    with pytest.raises(RepositoryRefused):
        open_store().open(bare.url).fetch()


def test_hooks_and_settings_in_a_clone_are_not_used(
    bare: BareRepository, open_store: OpenStore, trap: Path, sentinel: Path, tmp_path: Path
) -> None:
    """Whoever managed to put them there."""
    bare.commit({"a.yaml": b"1"})
    branch = open_store().open(bare.url)
    branch.fetch()
    (clone,) = (tmp_path / "cache" / "slot-0" / "clones").glob("*/*")
    (clone / "hooks").mkdir(exist_ok=True)
    for hook in _HOOKS:
        (clone / "hooks" / hook).symlink_to(trap)
    with (clone / "config").open("a") as config:
        config.write(
            f"[core]\n\thooksPath = {clone}/hooks\n\tfsmonitor = {trap}\n\taskPass = {trap}\n"
            f"[credential]\n\thelper = {trap}\n[gc]\n\tauto = 1\n[commit]\n\tgpgSign = true\n"
            f"[gpg]\n\tprogram = {trap}\n[push]\n\tgpgSign = true\n"
        )
    bare.commit({"a.yaml": b"2"})
    head = branch.fetch().commit
    commit = branch.commit(head, {"a.yaml": b"3"}, message="Change", when=_NOON)
    branch.push(commit, expected=head)
    assert branch.contains(commit)
    assert bare.show("a.yaml") == b"3"
    assert not sentinel.exists()


_STEP = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from gitops_backup.git.commits import Identity
from gitops_backup.git.store import GitStore

folder, url = sys.argv[1:]
with GitStore(Path(folder), identity=Identity("Bot", "bot@example.org"), allow_file=True) as store:
    branch = store.open(url)
    head = branch.fetch().commit
    assert branch.read(head, ["a.yaml"]).contents == {"a.yaml": b"1"}
    when = datetime(2026, 3, 1, tzinfo=UTC)
    branch.push(branch.commit(head, {"a.yaml": b"2"}, message="Change", when=when), expected=head)
    assert branch.contains(head)
"""


def test_what_surrounds_the_process_decides_nothing(
    bare: BareRepository, trap: Path, sentinel: Path, tmp_path: Path
) -> None:
    """Not the user's configuration, not a template, not the variables that a hook or a shell sets."""
    bare.commit({"a.yaml": b"1"})
    other = BareRepository(tmp_path / "other.git")
    other.commit({"a.yaml": b"other"})
    before = sorted((path, path.stat().st_mtime_ns) for path in other.path.rglob("*"))
    hooks, template = tmp_path / "home" / "hooks", tmp_path / "template"
    for folder in (hooks, template / "hooks"):
        folder.mkdir(parents=True)
        for hook in _HOOKS:
            (folder / hook).symlink_to(trap)
    (tmp_path / "home" / ".gitconfig").write_text(
        f"[core]\n\thooksPath = {hooks}\n\tfsmonitor = {trap}\n\taskPass = {trap}\n"
        f"[credential]\n\thelper = {trap}\n[init]\n\ttemplateDir = {template}\n"
        f'[url "file://{other.path}"]\n\tinsteadOf = {bare.url}\n[commit]\n\tgpgSign = true\n'
        f"[user]\n\tname = Wrong\n[gpg]\n\tprogram = {trap}\n"
    )
    environment = {
        **os.environ,
        "HOME": str(tmp_path / "home"),
        "GIT_DIR": str(other.path),
        "GIT_COMMON_DIR": str(other.path),
        "GIT_WORK_TREE": str(tmp_path),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_OBJECT_DIRECTORY": str(other.path / "objects"),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(other.path / "objects"),
        "GIT_NAMESPACE": "elsewhere",
        "GIT_TEMPLATE_DIR": str(template),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(hooks),
        "GIT_CONFIG_PARAMETERS": f"'core.hooksPath={hooks}'",
        "GIT_ASKPASS": str(trap),
        "GIT_SSH_COMMAND": str(trap),
        "GIT_EXTERNAL_DIFF": str(trap),
        "GIT_AUTHOR_NAME": "Wrong",
        "GIT_COMMITTER_DATE": "2001-01-01T00:00:00Z",
    }
    command = [sys.executable, "-c", _STEP, str(tmp_path / "cache"), bare.url]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert bare.show("a.yaml") == b"2"
    assert b"Wrong" not in bare.git("log", "--format=%an %cn", "main")
    assert sorted((path, path.stat().st_mtime_ns) for path in other.path.rglob("*")) == before
    assert not sentinel.exists()


@pytest.mark.parametrize("url", ["ext::sh -c 'touch {}'", "ext::{}", "--upload-pack={}", "-u{}:x", "fd::1"])
def test_a_url_that_runs_a_program_is_refused(
    open_store: OpenStore, trap: Path, sentinel: Path, url: str
) -> None:
    """An Application's URL is text of somebody else's."""
    with pytest.raises(InvalidRepositoryUrl):
        open_store().open(url.format(trap), "main")
    assert not sentinel.exists()


def test_a_clone_talks_to_nobody_by_itself(bare: BareRepository, tmp_path: Path) -> None:
    """An object that is missing is not looked for elsewhere, even where a clone's settings say so."""
    bare.commit({"a.yaml": b"1"})
    elsewhere = BareRepository(tmp_path / "elsewhere.git")
    missing = elsewhere.blob(b"from elsewhere")
    elsewhere.git("config", "uploadpack.allowAnySHA1InWant", "true")
    bare.git("config", "core.repositoryFormatVersion", "1")
    bare.git("config", "extensions.partialClone", "origin")
    bare.git("config", "remote.origin.url", elsewhere.url)
    bare.git("config", "remote.origin.promisor", "true")
    program = GitProgram(
        tmp_path / "private",
        credentials=(),
        timeout=30,
        environment={},
        allow_file=True,
        cancel=threading.Event(),
    )
    with pytest.raises(CloneDamaged):
        Clone(bare.path, program=program).blobs([missing])
    assert bare.git("cat-file", "blob", missing) == b"from elsewhere"


def test_the_cache_is_for_us_alone(bare: BareRepository, open_store: OpenStore, tmp_path: Path) -> None:
    """Others on this machine can neither read repositories nor put anything there."""
    bare.commit({"a.yaml": b"1"})
    open_store().open(bare.url).fetch()
    assert (tmp_path / "cache").stat().st_mode & 0o077 == 0
    assert (tmp_path / "cache" / "slot-0").stat().st_mode & 0o077 == 0
