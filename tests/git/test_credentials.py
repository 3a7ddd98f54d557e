"""Credentials are read from a Secret's data or files, chosen by URL, and never shown."""

from pathlib import Path

import pytest

from gitops_backup.errors import UsageError
from gitops_backup.git.credentials import GitCredentials, Password, SshKey, choose
from gitops_backup.git.errors import InvalidRepositoryUrl
from gitops_backup.git.repository import RepositoryUrl

_BOB = {"username": b"bob", "password": b"s3cret/+ word"}


def test_a_password_comes_from_a_secrets_data() -> None:
    """The keys are those of Kubernetes' basic-auth Secrets."""
    assert GitCredentials.of("https://example.org", _BOB).login == Password("bob", "s3cret/+ word")


def test_the_line_end_behind_a_password_in_a_file_is_dropped(tmp_path: Path) -> None:
    """`echo` and editors leave one, and it is no part of the password."""
    (tmp_path / "username").write_text("bob\n")
    (tmp_path / "password").write_text("s3cret\r\n")
    login = GitCredentials.from_folder("https://example.org/team", tmp_path).login
    assert login == Password("bob", "s3cret")


def test_an_ssh_prefix_takes_a_key_and_known_hosts() -> None:
    """The keys are those of Kubernetes' ssh-auth Secrets, with known_hosts beside them."""
    data = {"ssh-privatekey": b"-----BEGIN", "known_hosts": b"example.org ssh-ed25519 AAAA\n", **_BOB}
    login = GitCredentials.of("git@example.org:team", data).login
    assert login == SshKey("-----BEGIN\n", "example.org ssh-ed25519 AAAA\n")


@pytest.mark.parametrize(
    ("prefix", "data", "named"),
    [
        ("https://example.org", {"username": b"bob"}, "password"),
        ("https://example.org", {}, "username and password"),
        ("ssh://example.org", {"ssh-privatekey": b"k"}, "known_hosts"),
        ("https://example.org", {"username": b"bob", "password": b""}, "password"),
        ("https://example.org", {"username": b"bob", "password": b"two\nlines"}, "password"),
        ("https://example.org", {"username": b"bob", "password": b"\xff"}, "password"),
    ],
)
def test_what_is_missing_or_unfit_is_named(prefix: str, data: dict[str, bytes], named: str) -> None:
    """One line says which part of the credentials cannot be used."""
    with pytest.raises(UsageError, match=named):
        GitCredentials.of(prefix, data)


def test_credentials_need_a_url_that_they_are_for() -> None:
    """Without one they would be sent everywhere."""
    with pytest.raises(InvalidRepositoryUrl):
        GitCredentials.of("", _BOB)


def test_the_longest_prefix_wins() -> None:
    """Credentials for a group of repositories outrank those for the whole server."""
    server, group = (GitCredentials.of(f"https://example.org{path}", _BOB) for path in ("", "/team"))
    found = [
        choose([server, group], RepositoryUrl.parse(url))
        for url in ("https://example.org/team/apps", "https://example.org/teams", "https://other.org/team")
    ]
    assert found == [group, server, None]


def test_secrets_are_not_in_a_representation() -> None:
    """What is logged by accident shows no secret."""
    key = GitCredentials.of("ssh://example.org", {"ssh-privatekey": b"PRIVATE", "known_hosts": b"h"})
    assert "s3cret" not in repr(GitCredentials.of("https://example.org", _BOB))
    assert "PRIVATE" not in repr(key)


@pytest.mark.parametrize(
    "text",
    [
        "remote: hello s3cret/+ word",
        "fatal: https://bob:s3cret%2F%2B%20word@example.org",
        "fatal: https://bob:s3cret/%2B%20word@example.org",
        "Authorization: Basic Ym9iOnMzY3JldC8rIHdvcmQ=",
    ],
)
def test_a_password_is_masked_in_every_form(text: str) -> None:
    """As it is, quoted for a URL, and encoded for a header."""
    masked = GitCredentials.of("https://example.org", _BOB).mask(text)
    assert "***" in masked
    assert "s3cret" not in masked
    assert "Ym9iOn" not in masked
