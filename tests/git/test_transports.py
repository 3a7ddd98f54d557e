"""Servers that are away, slow, strict or deceitful; a password reaches the one that it is for."""

import base64
import shutil
import socket
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops_backup.git.credentials import GitCredentials
from gitops_backup.git.errors import (
    AuthenticationFailed,
    BranchMissing,
    InvalidRepositoryUrl,
    RepositoryMissing,
    RepositoryUnavailable,
)
from gitops_backup.process import ProcessCancelled
from gitops_backup.sandbox.githost import GitHost
from tests.git.bare import BareRepository
from tests.git.conftest import OpenStore
from tests.git.faulty import Answer, faulty_server

_LOGIN = {"username": b"bob", "password": b"s3cret"}
_WANTED: Answer = (401, {"WWW-Authenticate": 'Basic realm="x"'}, b"")


def test_a_server_that_is_away_is_unavailable(open_store: OpenStore) -> None:
    """Nobody listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/apps"
        with pytest.raises(RepositoryUnavailable, match="cannot be reached"):
            open_store().open(url, "main").fetch()


def test_a_server_that_never_answers_runs_out_of_time(open_store: OpenStore) -> None:
    """The limit is the store's."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/apps"
        with pytest.raises(RepositoryUnavailable, match=r"did not end within 0\.5 s"):
            open_store(timeout=0.5).open(url, "main").fetch()


def test_a_store_that_is_stopped_ends_what_is_under_way(open_store: OpenStore) -> None:
    """Long before its time is up."""
    cancel = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/apps"
        threading.Timer(0.3, cancel.set).start()
        with pytest.raises(ProcessCancelled):
            open_store(timeout=100, cancel=cancel).open(url, "main").fetch()


def test_a_missing_repository_is_named(host: GitHost, bare: BareRepository, open_store: OpenStore) -> None:
    """Over HTTP and on this machine."""
    for url in (host.url("nothing"), f"{bare.url}-nothing"):
        with pytest.raises(RepositoryMissing, match="nothing"):
            open_store().open(url, "main").fetch()


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_server_that_fails_is_unavailable(open_store: OpenStore, status: int) -> None:
    """It may work later."""
    failing = faulty_server(lambda path: (status, {}, b""))
    with failing as server, pytest.raises(RepositoryUnavailable, match=str(status)):
        open_store().open(f"{server.url}/apps", "main").fetch()


def test_a_page_that_is_no_repository_has_no_branch(open_store: OpenStore) -> None:
    """A login page answers 200 to everything."""
    page = (200, {"Content-Type": "text/html"}, b"<html>Please log in</html>")
    with faulty_server(lambda path: page) as server, pytest.raises(BranchMissing):
        open_store().open(f"{server.url}/apps", "main").fetch()


def test_a_file_url_needs_permission(bare: BareRepository, open_store: OpenStore) -> None:
    """An Application must not make the controller read its own disk."""
    bare.commit({"a": b"1"})
    with pytest.raises(InvalidRepositoryUrl, match="on this machine"):
        open_store(allow_file=False).open(bare.url)


def test_a_password_is_sent_to_its_server(open_store: OpenStore) -> None:
    """The user name and password of the prefix, and a refusal is theirs."""
    with faulty_server(lambda path: _WANTED) as server:
        login = GitCredentials.of(f"{server.url}/team", _LOGIN)
        with pytest.raises(AuthenticationFailed, match="refuses the Git credentials") as failed:
            open_store(credentials=[login]).open(f"{server.url}/team/apps", "main").fetch()
        assert server.seen[-1]["Authorization"] == "Basic Ym9iOnMzY3JldA=="
    assert "s3cret" not in str(failed.value)


def test_a_password_may_change_while_the_store_is_open(open_store: OpenStore) -> None:
    """The next request shows the new one; the same one again is no change."""
    with faulty_server(lambda path: _WANTED) as server:
        old, new = (
            GitCredentials.of(server.url, {**_LOGIN, "password": password}) for password in (b"old", b"new")
        )
        store = open_store(credentials=[old])
        branch = store.open(f"{server.url}/apps", "main")
        assert [store.use([old]), store.use([new]), store.use([new])] == [False, True, False]
        with pytest.raises(AuthenticationFailed):
            branch.fetch()
        assert server.seen[-1]["Authorization"] == f"Basic {base64.b64encode(b'bob:new').decode()}"


def test_a_password_is_not_sent_beyond_its_prefix(open_store: OpenStore) -> None:
    """Neither to another path of the server, nor to another port."""
    with faulty_server(lambda path: _WANTED) as server:
        logins = [
            GitCredentials.of(prefix, _LOGIN) for prefix in (f"{server.url}/team", "http://127.0.0.1:1/other")
        ]
        with pytest.raises(AuthenticationFailed, match="none are configured"):
            open_store(credentials=logins).open(f"{server.url}/other/apps", "main").fetch()
        assert not [headers for headers in server.seen if "Authorization" in headers]


def test_a_password_does_not_follow_a_redirect_to_another_server(open_store: OpenStore) -> None:
    """The server it is for hands on to one that asks for it."""
    with faulty_server(lambda path: _WANTED) as thief:
        with faulty_server(lambda path: (302, {"Location": f"{thief.url}{path}"}, b"")) as server:
            login = GitCredentials.of(server.url, _LOGIN)
            with pytest.raises(AuthenticationFailed):
                open_store(credentials=[login]).open(f"{server.url}/apps", "main").fetch()
        assert thief.seen
        assert not [headers for headers in thief.seen if "Authorization" in headers]


def test_a_redirect_to_a_repositorys_new_name_is_followed(host: GitHost, open_store: OpenStore) -> None:
    """As forges answer after a renaming."""
    url = host.create("apps", {"a": b"1"})

    def moved(path: str) -> Answer:
        return 301, {"Location": url + path.removeprefix("/old.git")}, b""

    with faulty_server(moved) as server:
        assert open_store().open(f"{server.url}/old.git", "main").fetch().commit == host.head("apps")


def test_no_secret_is_in_an_argument_or_a_file(
    host: GitHost, login: GitCredentials, open_store: OpenStore, tmp_path: Path
) -> None:
    """Every git process that talks to the server is started through a program that writes down how."""
    wrapper = tmp_path / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" >> {tmp_path}/arguments\nexec {shutil.which("git")} "$@"\n'
    )
    wrapper.chmod(0o755)
    url = host.create("apps", {"a": b"1"})
    path = f"{wrapper.parent}:/usr/bin:/bin"
    branch = open_store(credentials=[login], environment={"PATH": path}).open(url)
    head = branch.fetch().commit
    commit = branch.commit(head, {"a": b"2"}, message="Change", when=datetime(2026, 3, 1, tzinfo=UTC))
    branch.push(commit, expected=head)
    arguments = (tmp_path / "arguments").read_text()
    assert {"ls-remote", "fetch", "push"} <= set(arguments.split("\n"))
    assert host.password not in arguments
    kept = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if host.password.encode() in path.read_bytes()]


_SSH = """#!/bin/sh
printf '%s\\n' "$@" > {log}
for last; do :; done
exec sh -c "$last"
"""


def test_ssh_uses_the_key_and_the_known_hosts_and_nothing_else(
    bare: BareRepository, open_store: OpenStore, tmp_path: Path
) -> None:
    """No configuration, no agent, no question, no unknown host; the key is readable by us alone."""
    head = bare.commit({"a": b"1"})
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(_SSH.format(log=tmp_path / "arguments"))
    ssh.chmod(0o755)
    data = {"ssh-privatekey": b"PRIVATE", "known_hosts": b"example.org ssh-ed25519 AAAA\n"}
    store = open_store(
        "cache with blanks",
        credentials=[GitCredentials.of("ssh://example.org", data)],
        environment={"PATH": f"{ssh.parent}:/usr/bin:/bin"},
    )
    assert store.open(f"ssh://git@example.org{bare.path}", "main").fetch().commit == head
    arguments = (tmp_path / "arguments").read_text().splitlines()
    folder = tmp_path / "cache with blanks" / "slot-0" / "private" / "ssh"
    (key,), (hosts,) = folder.glob("*.key"), folder.glob("*.hosts")
    assert arguments[:2] == ["-F", "/dev/null"]
    assert set(arguments) >= {
        "-oBatchMode=yes",
        "-oStrictHostKeyChecking=yes",
        "-oIdentitiesOnly=yes",
        "-oIdentityAgent=none",
        f'-oIdentityFile="{key}"',
        f'-oUserKnownHostsFile="{hosts}"',
        "git@example.org",
    }
    assert key.read_text() == "PRIVATE\n"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
