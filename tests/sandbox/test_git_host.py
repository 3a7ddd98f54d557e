"""The sandbox's Git host, seen by a real Git client."""

import gzip
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from gitops_backup.process import Completed, run
from gitops_backup.sandbox.githost import GitHost
from gitops_backup.sandbox.sandbox import Sandbox

_IDENTITY = {
    "GIT_AUTHOR_NAME": "T",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "T",
    "GIT_COMMITTER_EMAIL": "t@example.org",
}


class _Client:
    """A clone and the command `git` in it; with credentials when `host` has let it have them."""

    def __init__(self, url: str, folder: Path, *, host: GitHost | None = None) -> None:
        self.folder = folder
        self._env = {**_IDENTITY, "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
        if host is not None:
            ask = folder.parent / f"{folder.name}-askpass"
            answers = f"case $1 in U*) echo {host.username};; *) echo {host.password};; esac"
            ask.write_text(f"#!/bin/sh\n{answers}\n")
            ask.chmod(0o700)
            self._env["GIT_ASKPASS"] = str(ask)
        done = run(["git", "clone", "-q", url, str(folder)], timeout=60, env=self._env)
        assert done.returncode == 0, done.stderr

    def git(self, *argv: str) -> Completed:
        return run(["git", *argv], timeout=60, env=self._env, cwd=self.folder)

    def commit(self, files: dict[str, str]) -> None:
        for name, content in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(content)
        self.git("add", "-A")
        assert self.git("commit", "-q", "-m", "Change").returncode == 0


def test_reading_is_open_and_pushing_wants_the_password(
    sandbox: Sandbox, repository: str, tmp_path: Path
) -> None:
    """A clone needs no credentials; a push without them fails, and with them lands."""
    host = sandbox.git
    host.commit(repository, {"a.txt": b"1\n"})
    stranger = _Client(host.url(repository), tmp_path / "stranger")
    stranger.commit({"b.txt": "2\n"})
    refused = stranger.git("push", "-q", "origin", "main")
    assert refused.returncode != 0
    assert b"could not read Username" in refused.stderr
    assert host.files(repository) == {"a.txt": b"1\n"}
    friend = _Client(host.url(repository), tmp_path / "friend", host=host)
    friend.commit({"b.txt": "2\n"})
    assert friend.git("push", "-q", "origin", "main").returncode == 0
    assert host.files(repository) == {"a.txt": b"1\n", "b.txt": b"2\n"}


def test_a_wrong_password_is_refused(sandbox: Sandbox, repository: str) -> None:
    """With 401 and the kind of credentials that are wanted."""
    url = f"{sandbox.git.url(repository)}/info/refs?service=git-receive-pack"
    with urllib3.PoolManager() as client:
        answer = client.request("GET", url, headers=urllib3.make_headers(basic_auth="git:wrong"))
    assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Basic realm="sandbox"')


def test_a_push_of_two_thousand_files_arrives(sandbox: Sandbox, repository: str, tmp_path: Path) -> None:
    """Large requests come in chunks."""
    sandbox.git.commit(repository, {"a.txt": b"1\n"})
    client = _Client(sandbox.git.url(repository), tmp_path / "clone", host=sandbox.git)
    client.commit({f"apps/{number}/app.yaml": f"name: a{number}\n" * 50 for number in range(2000)})
    assert client.git("-c", "http.postBuffer=1", "push", "-q", "origin", "main").returncode == 0
    assert len(sandbox.git.files(repository, under="apps")) == 2000


def test_a_compressed_request_is_understood(sandbox: Sandbox, repository: str) -> None:
    """Git compresses what it asks for when that is long."""
    commit = sandbox.git.commit(repository, {"a.txt": b"1\n"})
    lines = [f"want {commit} agent=test\n", *["have " + "0" * 39 + f"{digit:x}\n" for digit in range(16)]]
    body = "".join(f"{len(line) + 4:04x}{line}" for line in lines[:1]) + "0000"
    body += "".join(f"{len(line) + 4:04x}{line}" for line in lines[1:]) + "0009done\n"
    headers = {"Content-Type": "application/x-git-upload-pack-request", "Content-Encoding": "gzip"}
    url = f"{sandbox.git.url(repository)}/git-upload-pack"
    with urllib3.PoolManager() as client:
        answer = client.request("POST", url, body=gzip.compress(body.encode()), headers=headers)
    assert answer.status == 200
    assert b"PACK" in answer.data


def test_the_first_pushes_are_refused_by_a_hook(sandbox: Sandbox, repository: str, tmp_path: Path) -> None:
    """As a protected branch does; then a push goes through."""
    sandbox.git.commit(repository, {"a.txt": b"1\n"})
    client = _Client(sandbox.git.url(repository), tmp_path / "clone", host=sandbox.git)
    client.commit({"b.txt": "2\n"})
    sandbox.git.refuse_pushes(repository, 2)
    for _ in range(2):
        refused = client.git("push", "origin", "main")
        assert refused.returncode != 0
        assert b"! [remote rejected] main -> main (pre-receive hook declined)" in refused.stderr
    assert client.git("push", "-q", "origin", "main").returncode == 0


def test_a_host_that_is_unavailable_says_so(sandbox: Sandbox, repository: str, tmp_path: Path) -> None:
    """Requests that belong to a push are answered 503, as often as was asked for."""
    sandbox.git.commit(repository, {"a.txt": b"1\n"})
    client = _Client(sandbox.git.url(repository), tmp_path / "clone", host=sandbox.git)
    client.commit({"b.txt": "2\n"})
    sandbox.git.answer_unavailable(1)
    refused = client.git("push", "origin", "main")
    assert b"503" in refused.stderr
    assert client.git("push", "-q", "origin", "main").returncode == 0
    pushed = [path for method, path, status in sandbox.git.requests() if (method, status) == ("POST", 200)]
    assert f"/{repository}.git/git-receive-pack" in pushed


def test_somebody_else_can_push_in_between(sandbox: Sandbox, repository: str, tmp_path: Path) -> None:
    """What a client sees then is Git's own refusal, and the other commit stays."""
    host = sandbox.git
    host.commit(repository, {"a.txt": b"1\n"})
    client = _Client(host.url(repository), tmp_path / "clone", host=host)
    client.commit({"b.txt": "2\n"})
    host.before_push = lambda name: (host.commit(name, {"c.txt": b"3\n"}), None)[1]
    try:
        refused = client.git("push", "origin", "main")
    finally:
        host.before_push = None
    assert refused.returncode != 0
    assert b"! [remote rejected] main -> main" in refused.stderr
    assert host.files(repository) == {"a.txt": b"1\n", "c.txt": b"3\n"}


def test_commits_at_the_same_time_all_arrive(sandbox: Sandbox, repository: str) -> None:
    """Each on top of the one before, as people make them who pull when a push is refused."""
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: sandbox.git.commit(repository, {f"{n}.yaml": b""}), range(20)))
    assert len(sandbox.git.log(repository, "main")) == 20
    assert len(sandbox.git.files(repository)) == 20


def test_a_commit_can_be_reverted(sandbox: Sandbox, repository: str) -> None:
    """The files are as before, and the message says which commit."""
    host = sandbox.git
    host.commit(repository, {"a.txt": b"1\n", "b.txt": b"1\n"})
    changed = host.commit(repository, {"a.txt": b"2\n", "b.txt": None, "c.txt": b"3\n"})
    host.revert(repository, changed)
    assert host.files(repository) == {"a.txt": b"1\n", "b.txt": b"1\n"}
    assert f"This reverts commit {changed}." in host.show(repository)
    assert len(host.log(repository)) == 3


@pytest.mark.parametrize("revision", ["HEAD", "main", "refs/heads/main", "v1"])
def test_revisions_are_resolved_without_a_clone(sandbox: Sandbox, repository: str, revision: str) -> None:
    """Branches and tags, loose or packed."""
    commit = sandbox.git.commit(repository, {"a.txt": b"1\n"})
    tag = sandbox.git.path(repository) / "refs" / "tags" / "v1"
    tag.write_text(f"{commit}\n")
    assert sandbox.git.resolve(repository, revision) == commit
    run(["git", "-C", str(tag.parents[2]), "pack-refs", "--all", "--prune"], timeout=60)
    assert sandbox.git.resolve(repository, revision) == commit
    assert sandbox.git.resolve(repository, "no-such") is None


def test_a_url_is_known_with_and_without_its_ending(sandbox: Sandbox, repository: str) -> None:
    """And one of another host is not."""
    url = sandbox.git.url(repository)
    assert sandbox.git.repository(url) == sandbox.git.repository(url.removesuffix(".git")) == repository
    assert sandbox.git.repository(f"https://example.org/{repository}.git") is None
