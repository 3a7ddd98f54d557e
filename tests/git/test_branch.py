"""A branch's head is fetched, read and committed to, over HTTP, as git itself would have done it."""

import hashlib
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_backup.git.branch import branch_name
from gitops_backup.git.clone import Entry
from gitops_backup.git.credentials import GitCredentials
from gitops_backup.git.errors import BranchMissing, PushRejected, RepositoryRefused, TagInstead
from gitops_backup.sandbox.githost import GitHost
from tests.git.bare import BareRepository, run_git
from tests.git.conftest import OpenStore

_NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
_LATER = datetime(2026, 3, 1, 13, tzinfo=UTC)
_FILES = {"a/one.yaml": b"image: nginx\r\n", "a/b/two.yaml": "é: nginx".encode(), "c.yaml": b""}


def test_from_fetch_to_push(host: GitHost, login: GitCredentials, open_store: OpenStore) -> None:
    """The new commit holds the new bytes, names its author, and nothing else changes."""
    url = host.create("apps", _FILES)
    branch = open_store(credentials=[login]).open(url, "main")
    head = branch.fetch()
    new = {"a/one.yaml": b"image: backup/nginx\r\n"}
    commit = branch.commit(head.commit, new, message="Use a backup\n\nBody", when=_NOON)
    branch.push(commit, expected=head.commit)
    assert host.head("apps") == commit
    assert host.files("apps") == {**_FILES, **new}
    assert host.log("apps") == [commit, head.commit]
    shown = run_git(host.path("apps"), "show", "-s", "--format=%an|%ae|%cn|%ce|%aI|%cI|%B", commit).decode()
    who = "Backup Bot|bot@example.org|Backup Bot|bot@example.org|2026-03-01T12:00:00Z|2026-03-01T12:00:00Z"
    assert shown.replace("+00:00", "Z").rstrip() == f"{who}|Use a backup\n\nBody"


def test_a_tree_is_listed_with_modes_names_and_sizes(host: GitHost, open_store: OpenStore) -> None:
    """Every file by its full path, sorted."""
    branch = open_store().open(host.create("apps", _FILES), "main")
    tree = branch.tree(branch.fetch().commit)
    empty = hashlib.sha1(b"blob 0\0", usedforsecurity=False).hexdigest()
    assert list(tree) == sorted(_FILES)
    assert tree["c.yaml"] == Entry(mode="100644", sha=empty, size=0)
    assert tree["a/one.yaml"].size == len(_FILES["a/one.yaml"])


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", ["a/b/two.yaml", "a/one.yaml", "c.yaml"]),
        ("a", ["a/b/two.yaml", "a/one.yaml"]),
        ("a/b/", ["a/b/two.yaml"]),
        ("c.yaml", ["c.yaml"]),
        ("c", []),
        ("a/o", []),
        ("../a", []),
    ],
)
def test_a_path_is_a_folder_or_a_file(
    host: GitHost, open_store: OpenStore, path: str, found: list[str]
) -> None:
    """What only begins with the same letters lies elsewhere."""
    branch = open_store().open(host.create("apps", _FILES), "main")
    assert list(branch.tree(branch.fetch().commit, path)) == found


def test_bytes_are_read_as_they_are(host: GitHost, open_store: OpenStore) -> None:
    """No line end, mark or encoding is touched."""
    files = {"crlf": b"a\r\nb\r\n", "bom": b"\xef\xbb\xbfa", "binary": bytes(range(256)), "no-end": b"a\nb"}
    branch = open_store().open(host.create("apps", files), "main")
    assert branch.read(branch.fetch().commit, files).contents == files


def test_what_cannot_be_read_does_not_keep_the_others(bare: BareRepository, open_store: OpenStore) -> None:
    """A large file, a link, a submodule and a missing file each have a reason; the rest is read."""
    ok, link = bare.blob(b"ok"), bare.blob(b"../../etc/passwd")
    entries = {
        b"ok": ("100644", ok),
        b"large": ("100644", bare.blob(b"x" * 101)),
        b"link": ("120000", link),
        b"module": ("160000", "1" * 40),
    }
    bare.commit_tree(bare.tree(entries))
    branch = open_store().open(bare.url)
    commit = branch.fetch().commit
    files = branch.read(commit, ["ok", "large", "link", "module", "gone"], limit=100)
    assert files.contents == {"ok": b"ok"}
    assert files.refused == {
        "gone": "is not there",
        "large": "has 101 bytes, more than 100",
        "link": "is a symbolic link",
        "module": "is a submodule",
    }
    assert branch.tree(commit)["module"] == Entry(mode="160000", sha="1" * 40, size=None)


def test_modes_and_what_is_not_touched_stay(bare: BareRepository, open_store: OpenStore) -> None:
    """An executable stays one; links, submodules and names that are not UTF-8 are there unchanged."""
    script, link = bare.blob(b"#!/bin/sh\n"), bare.blob(b"target")
    entries = {
        b"run.sh": ("100755", script),
        b"old": ("100664", bare.blob(b"old")),
        b"link": ("120000", link),
        b"module": ("160000", "1" * 40),
        b"\xff\xfe": ("100644", bare.blob(b"latin")),
    }
    bare.git("config", "receive.fsckObjects", "false")
    bare.commit_tree(bare.tree(entries))
    branch = open_store().open(bare.url)
    head = branch.fetch().commit
    assert sorted(branch.tree(head)) == ["link", "module", "old", "run.sh"]
    new = {"run.sh": b"#!/bin/sh\ntrue\n", "old": b"new"}
    branch.push(branch.commit(head, new, message="Change", when=_NOON), expected=head)
    expected = {
        **entries,
        b"run.sh": ("100755", bare.blob(new["run.sh"])),
        b"old": ("100644", bare.blob(b"new")),
    }
    assert bare.git("rev-parse", "main^{tree}").decode().strip() == bare.tree(expected)


@pytest.mark.parametrize(
    "name",
    [
        'quo"te.yaml',
        "back\\slash.yaml",
        "new\nline.yaml",
        "tab\there.yaml",
        " leading and trailing ",
        "-dash.yaml",
        ":(glob)**",
        "ünïcödé/日本.yaml",
        "a b/c d.yaml",
    ],
)
def test_unusual_names_are_read_and_written(bare: BareRepository, open_store: OpenStore, name: str) -> None:
    """A name is data: no quoting, option or pattern of git's applies to it."""
    bare.commit({name: b"old", "other": b"other"})
    branch = open_store().open(bare.url)
    head = branch.fetch().commit
    assert branch.read(head, [name]).contents == {name: b"old"}
    assert list(branch.tree(head, name)) == [name]
    branch.push(branch.commit(head, {name: b"new"}, message="Change", when=_NOON), expected=head)
    assert bare.show(name) == b"new"
    assert bare.show("other") == b"other"


def test_a_tree_of_an_old_tool_is_read(bare: BareRepository, open_store: OpenStore) -> None:
    """Modes with a leading zero are in some old trees, and git's checks would refuse them."""
    bare.commit_tree(bare.tree({b"a.yaml": ("0100644", bare.blob(b"a"))}))
    branch = open_store().open(bare.url)
    head = branch.fetch().commit
    assert branch.tree(head)["a.yaml"].mode == "100644"
    branch.push(branch.commit(head, {"a.yaml": b"b"}, message="Change", when=_NOON), expected=head)
    assert bare.show("a.yaml") == b"b"


def test_a_repository_with_other_object_names_is_refused(tmp_path: Path, open_store: OpenStore) -> None:
    """SHA-256 repositories are told apart by the length of a commit's name."""
    bare = BareRepository(tmp_path / "sha256.git", object_format="sha256")
    bare.commit({"a.yaml": b"a"})
    with pytest.raises(RepositoryRefused, match="SHA-256"):
        open_store().open(bare.url).fetch()


_NOT_WRITTEN = (
    *("link", "link/new.yaml", "a", "a/b.yaml/new.yaml", "new/new.yaml", "../outside", "/absolute", ""),
    *(".", "..", "a/..", "a/", ".git", ".git/config", "a/.GIT", ".gitmodules", "a/.gitattributes"),
    *("git~1", "new\nfile", "a/new file", "a\\new"),
)


@pytest.mark.parametrize("path", _NOT_WRITTEN)
def test_nothing_is_written_where_files_do_not_belong(
    bare: BareRepository, open_store: OpenStore, path: str
) -> None:
    """In place of a link or a folder, in one that is not there, or where git itself would read it."""
    bare.commit({"a.yaml": b"a", "a/b.yaml": b"b", "link": b"a.yaml"}, modes={"link": "120000"})
    branch = open_store().open(bare.url)
    head = branch.fetch().commit
    with pytest.raises(ValueError, match="not a file"):
        branch.commit(head, {"a.yaml": b"b", path: b"x"}, message="Change", when=_NOON)


def test_a_file_can_be_new(bare: BareRepository, open_store: OpenStore) -> None:
    """By a plain name, in a folder that is there; a pull request's branch is known by it again."""
    bare.commit({"a.yaml": b"a", "a/b.yaml": b"b"}, modes={"a/b.yaml": "100755"})
    branch = open_store().open(bare.url)
    head = branch.fetch().commit
    files = {"a/.argocd-source-team_web.yaml": b"new", ".argocd-source-web.yaml": b"", "a/b.yaml": b"c"}
    commit = branch.commit(head, files, message="Change", when=_NOON)
    branch.push_beside("ours", commit, expected=None)
    tip = branch.tip("ours")
    assert tip is not None
    assert tip.makes({"a/b.yaml": b"b"}, files)
    assert not tip.makes(dict.fromkeys(files, b""), files)
    branch.push(commit, expected=head)
    tree = branch.tree(branch.fetch().commit)
    assert {path: entry.mode for path, entry in tree.items()} == {
        ".argocd-source-web.yaml": "100644",
        "a.yaml": "100644",
        "a/.argocd-source-team_web.yaml": "100644",
        "a/b.yaml": "100755",
    }
    assert branch.commit(commit, files, message="Change", when=_NOON) == commit


def test_the_same_inputs_make_the_same_commit(host: GitHost, open_store: OpenStore) -> None:
    """Whoever takes the step again, in whatever order, from another clone, makes the same commit."""
    url = host.create("apps", _FILES)
    new = {"a/one.yaml": b"1", "c.yaml": b"2"}
    made = []
    for folder, files in (("cache", new), ("other", dict(reversed(new.items())))):
        branch = open_store(folder).open(url, "main")
        head = branch.fetch().commit
        made += [branch.commit(head, files, message="Change", when=_NOON) for _ in range(2)]
    assert len(set(made)) == 1
    assert branch.commit(head, new, message="Change", when=_LATER) not in made


def test_no_difference_makes_no_commit(host: GitHost, open_store: OpenStore) -> None:
    """The parent comes back, and pushing it asks the server nothing."""
    branch = open_store().open(host.create("apps", _FILES), "main")
    head = branch.fetch().commit
    assert branch.commit(head, dict(_FILES), message="Change", when=_NOON) == head
    before = host.requests()
    branch.push(head, expected=head)
    assert host.requests() == before


def test_a_branch_that_did_not_move_is_not_fetched_again(
    host: GitHost, login: GitCredentials, open_store: OpenStore
) -> None:
    """Asking where it is takes two requests, and after our own push nothing comes back either."""
    branch = open_store(credentials=[login]).open(host.create("apps", _FILES), "main")
    head = branch.fetch().commit
    commit = branch.commit(head, {"c.yaml": b"c"}, message="Change", when=_NOON)
    branch.push(commit, expected=head)
    before = len(host.requests())
    assert branch.fetch().commit == commit
    assert len(host.requests()) - before == 2


def test_what_somebody_else_pushed_is_seen(host: GitHost, open_store: OpenStore) -> None:
    """The head, its tree and its files are the new ones; the commit before can still be read."""
    branch = open_store().open(host.create("apps", _FILES), "main")
    old = branch.fetch()
    new = host.commit("apps", {"c.yaml": b"theirs", "a/one.yaml": None})
    head = branch.fetch()
    assert (head.branch, head.commit) == ("main", new)
    assert list(branch.tree(new)) == ["a/b/two.yaml", "c.yaml"]
    assert branch.read(new, ["c.yaml"]).contents == {"c.yaml": b"theirs"}
    assert branch.read(old.commit, ["c.yaml"]).contents == {"c.yaml": b""}


def test_a_branch_that_was_rewritten_is_followed(bare: BareRepository, open_store: OpenStore) -> None:
    """After somebody's force push, the head is what the server says."""
    first = bare.commit({"a": b"1"})
    bare.commit({"a": b"2"})
    branch = open_store().open(bare.url)
    branch.fetch()
    bare.git("update-ref", "refs/heads/main", first)
    third = bare.commit({"a": b"3"})
    assert branch.fetch().commit == third
    assert branch.read(third, ["a"]).contents == {"a": b"3"}


@pytest.mark.parametrize("asked", [None, "", "HEAD"])
def test_the_default_branch_is_the_one_that_head_names(
    bare: BareRepository, open_store: OpenStore, asked: str | None
) -> None:
    """Not one of a well-known name."""
    bare.commit({"a": b"1"})
    bare.git("branch", "trunk", "main")
    bare.git("symbolic-ref", "HEAD", "refs/heads/trunk")
    branch = open_store().open(bare.url, asked)
    assert branch.name == branch.fetch().branch == "trunk"


def test_a_branch_may_be_named_in_full(bare: BareRepository, open_store: OpenStore) -> None:
    """As `refs/heads/...`, and with slashes and dots in it."""
    commit = bare.commit({"a": b"1"})
    bare.git("branch", "release/v1.2_x", "main")
    branch = open_store().open(bare.url, "refs/heads/release/v1.2_x")
    assert (branch.name, branch.fetch().commit) == ("release/v1.2_x", commit)


def test_a_missing_branch_is_named(host: GitHost, open_store: OpenStore) -> None:
    """Whether it never was, or was removed since."""
    url = host.create("apps", _FILES)
    run_git(host.path("apps"), "branch", "old", "main")
    store = open_store()
    with pytest.raises(BranchMissing, match="no branch nowhere"):
        store.open(url, "nowhere").fetch()
    branch = store.open(url, "old")
    branch.fetch()
    run_git(host.path("apps"), "branch", "-D", "old")
    with pytest.raises(BranchMissing, match="no branch old"):
        branch.fetch()


def test_a_tag_of_the_same_name_is_no_branch(bare: BareRepository, open_store: OpenStore) -> None:
    """A tag cannot be pushed to."""
    bare.commit({"a": b"1"})
    bare.git("tag", "v1", "main")
    with pytest.raises(BranchMissing):
        open_store().open(bare.url, "v1").fetch()


def test_an_empty_repository_has_no_default_branch(host: GitHost, open_store: OpenStore) -> None:
    """There is nothing that could be read or changed."""
    with pytest.raises(BranchMissing, match="no default branch"):
        open_store().open(host.create("apps"))


_NO_NAMES = ["-x", "a..b", "a b", "a~1", "a^", "a:b", "a*", "a[b", "a\\b", "a@{1}", "@", "/a", "a/", "a//b"]


@pytest.mark.parametrize(
    "name",
    [*_NO_NAMES, ".a", "a/.b", "a.", "a.lock", "a.lock/b", "a\nb", "a\n", "a\x7f", "refs/heads/", "HEAD"],
)
def test_what_cannot_name_a_branch_is_refused(name: str) -> None:
    """It could be an option, a pattern or a path."""
    with pytest.raises(BranchMissing, match="cannot be the name"):
        branch_name(name)


def test_no_history_and_no_tags_are_fetched(host: GitHost, open_store: OpenStore, tmp_path: Path) -> None:
    """However many commits there are, the clone holds one."""
    url = host.create("apps", _FILES)
    for number in range(5):
        host.commit("apps", {"c.yaml": b"%d" % number})
    run_git(host.path("apps"), "tag", "v1", "main")
    open_store().open(url, "main").fetch()
    (clone,) = (tmp_path / "cache" / "slot-0" / "clones").glob("*/*")
    assert run_git(clone, "rev-list", "--all", "--count").strip() == b"1"
    assert run_git(clone, "tag").strip() == b""
    assert not (clone / "index").exists()


def test_whether_a_branch_contains_a_commit_is_looked_up_on_the_server(
    host: GitHost, open_store: OpenStore
) -> None:
    """Far behind the head, on another branch, and nowhere."""
    url = host.create("apps", _FILES)
    first = host.head("apps") or ""
    for number in range(60):
        host.commit("apps", {"c.yaml": b"%d" % number})
    run_git(host.path("apps"), "branch", "side", first)
    aside = host.commit("apps", {"c.yaml": b"aside"}, branch="side")
    branch = open_store().open(url, "main")
    assert branch.contains(first)
    assert branch.contains(branch.fetch().commit)
    assert not branch.contains(aside)
    assert not branch.contains("0" * 40)


def test_many_files_make_the_tree_that_git_makes(
    bare: BareRepository, open_store: OpenStore, tmp_path: Path
) -> None:
    """2,000 files in one commit: the same tree as `git commit -a` in a work tree."""
    work = tmp_path / "work"
    names = [f"apps/app-{n:04}/deployment.yaml" for n in range(2000)]
    for number, name in enumerate(names):
        (work / name).parent.mkdir(parents=True)
        (work / name).write_bytes(b"image: nginx:%d\n" % number)
    (work / names[7]).chmod(0o755)
    (work / "README").write_text("nginx is not touched here\n")
    run_git(work, "init", "--quiet", "--initial-branch=main")
    run_git(work, "add", "--all")
    run_git(work, "commit", "--quiet", "--message=Begin")
    run_git(work, "push", "--quiet", bare.url, "main")

    branch = open_store().open(bare.url)
    head = branch.fetch().commit
    read = branch.read(head, names).contents
    new = {path: content.replace(b"nginx", b"backup/nginx") for path, content in read.items()}
    branch.push(branch.commit(head, new, message="Change", when=_NOON), expected=head)

    subprocess.run(["sed", "-i", "s,nginx,backup/nginx,", *names], cwd=work, check=True)
    run_git(work, "commit", "--quiet", "--all", "--message=Change")
    assert run_git(work, "rev-parse", "HEAD^{tree}") == bare.git("rev-parse", "main^{tree}")


def test_only_a_child_of_what_is_expected_can_be_pushed(host: GitHost, open_store: OpenStore) -> None:
    """A mistake of the caller never becomes a forced push."""
    branch = open_store().open(host.create("apps", _FILES), "main")
    first = branch.fetch().commit
    second = host.commit("apps", {"c.yaml": b"theirs"})
    commit = branch.commit(first, {"c.yaml": b"ours"}, message="Change", when=_NOON)
    with pytest.raises(ValueError, match="on top of"):
        branch.push(commit, expected=second)
    with pytest.raises(PushRejected):
        branch.push("0" * 40, expected=second)
    for name in ("", "HEAD", "main", "--all", first[:7]):
        with pytest.raises(ValueError, match="full name"):
            branch.push(name, expected=first)
        with pytest.raises(ValueError, match="full name"):
            branch.tree(name)
    assert host.head("apps") == second


def test_a_tag_is_told_from_a_branch_that_is_not_there(bare: BareRepository, open_store: OpenStore) -> None:
    """Somebody who follows a tag is told so; a branch of the same name comes before it."""
    head = bare.commit({"a": b"a"})
    bare.git("tag", "v1")
    branch = open_store().open(bare.url, "v1")
    with pytest.raises(TagInstead, match="v1 is a tag"):
        branch.fetch()
    with pytest.raises(BranchMissing, match="has no branch v2"):
        open_store("other").open(bare.url, "v2").fetch()
    bare.git("branch", "v1", "main")
    assert branch.fetch().commit == head
