"""Who we are, where, and that nobody can read it."""

import base64
import json
from pathlib import Path

import pytest

from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Prefix
from gitops_backup.errors import UsageError
from gitops_backup.registry.credentials import (
    Authfile,
    Credential,
    DestinationCredentials,
    RenewableCredentials,
    SourceCredentials,
    authfile,
)

_HUB = Credential("hub", "hub-secret")
_ACME = Credential("acme", "acme-secret")


def _auths(entries: dict[str, object]) -> bytes:
    return json.dumps({"auths": entries}).encode()


def _basic(username: str, password: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


def test_a_secret_is_not_printable() -> None:
    """Neither a password nor an identity token shows in a message or a log line."""
    printed = (
        f"{Credential('me', 'the-password', 'the-token')!r} {Credential('me', 'the-password', 'the-token')}"
    )
    assert "me" in printed
    assert "the-" not in printed


@pytest.mark.parametrize(
    "key",
    [
        "docker.io",
        "index.docker.io",
        "registry-1.docker.io",
        "https://index.docker.io/v1/",
        "https://index.docker.io/v2/",
        "https://docker.io",
        "http://Index.Docker.io/",
    ],
)
def test_every_way_to_write_docker_hub_means_docker_hub(key: str) -> None:
    """docker login writes the strangest of them."""
    known = Authfile.parse(_auths({key: _basic("hub", "hub-secret")}))
    assert known.lookup(Reference.parse("nginx")) == _HUB


@pytest.mark.parametrize(
    ("image", "username"),
    [
        ("docker.io/library/nginx", "hub"),
        ("docker.io/acme/app", "acme"),
        ("docker.io/acmex/app", "hub"),
        ("docker.io/acme/deep/app", "deep"),
        ("quay.io/acme/app", None),
        ("localhost:5000/a", "port"),
        ("localhost:5001/a", None),
    ],
)
def test_the_longest_key_wins(image: str, username: str | None) -> None:
    """A key may carry a path, which ends at a slash."""
    known = Authfile.parse(
        _auths(
            {
                "https://index.docker.io/v1/": _basic("hub", "x"),
                "docker.io/acme": _basic("acme", "x"),
                "docker.io/acme/deep": {"username": "deep", "password": "x"},
                "localhost:5000": _basic("port", "x"),
            }
        )
    )
    found = known.lookup(Reference.parse(image))
    assert (found and found.username) == username


def test_passwords_may_hold_colons_and_identity_tokens_are_read() -> None:
    """Only the first colon parts the user name from the password."""
    known = Authfile.parse(
        _auths({"a.example": _basic("u", "p:q:r"), "b.example": {**_basic("u", ""), "identitytoken": "long"}})
    )
    assert known.lookup(Reference.parse("a.example/x")) == Credential("u", "p:q:r")
    assert known.lookup(Reference.parse("b.example/x")) == Credential("u", "", "long")


def test_entries_without_a_secret_are_as_good_as_absent() -> None:
    """A docker config that uses a credential helper has such entries."""
    known = Authfile.parse(_auths({"docker.io": {}, "docker.io/acme": {"auth": ""}}))
    assert known.lookup(Reference.parse("docker.io/acme/app")) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json secret-word",
        b'["secret-word"]',
        b'{"auths": ["secret-word"]}',
        b'{"auths": {"a": "secret-word"}}',
        b'{"auths": {"a": {"auth": "%%secret-word"}}}',
        b'{"auths": {"a": {"auth": "/////w=="}}}',
        b'{"secret-word": {}}',
    ],
)
def test_a_file_that_cannot_be_read_is_refused_without_a_word_of_it(content: bytes) -> None:
    """What is in it may be a secret; not even the chain of errors holds it."""
    with pytest.raises(UsageError, match="no readable `auths`") as caught:
        Authfile.parse(content)
    assert "secret-word" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_file_is_read_or_named(tmp_path: Path) -> None:
    """Where it is missing, and where it is something else."""
    path = tmp_path / "config.json"
    with pytest.raises(UsageError, match=r"config\.json cannot be read: No such file"):
        Authfile.read(path)
    path.write_text("secret-word")
    with pytest.raises(UsageError, match=r"config\.json: .* no readable") as caught:
        Authfile.read(path)
    assert "secret-word" not in str(caught.value)
    path.write_bytes(_auths({"quay.io": _basic("u", "p")}))
    assert Authfile.read(path).lookup(Reference.parse("quay.io/a/b")) == Credential("u", "p")


def test_the_sources_file_serves_only_the_prefixes_listed_with_it() -> None:
    """A tenant's image is not pulled with the controller's credentials because the host is the same."""
    known = SourceCredentials(
        Authfile({"docker.io": _HUB}), [Prefix.parse("docker.io/acme"), Prefix.parse("quay.io/one/image")]
    )
    assert known.lookup(Reference.parse("docker.io/acme/app")) == _HUB
    assert known.lookup(Reference.parse("docker.io/acmex/app")) is None
    assert known.lookup(Reference.parse("nginx")) is None


@pytest.mark.parametrize("known", [_ACME, Authfile({"docker.io": _ACME})])
def test_the_backup_credentials_serve_only_the_backup_prefix(known: Credential | Authfile) -> None:
    """Not another repository of the same host, either."""
    backups = DestinationCredentials(Prefix.parse("docker.io/acme"), known)
    assert backups.lookup(Reference.parse("docker.io/acme/library_nginx:1")) == _ACME
    assert backups.lookup(Reference.parse("docker.io/library/nginx:1")) is None


def test_credentials_are_what_was_read_last(tmp_path: Path) -> None:
    """A mounted Secret changes behind links; one that cannot be read for a moment changes nothing."""
    file, image = tmp_path / "data" / "config.json", Reference.parse("quay.io/a/b")

    def publish(version: str, content: bytes) -> None:
        (tmp_path / version).mkdir()
        (tmp_path / version / "config.json").write_bytes(content)
        (tmp_path / "new").symlink_to(version)
        (tmp_path / "new").rename(tmp_path / "data")

    publish("1", _auths({"quay.io": _basic("u", "old")}))
    known = RenewableCredentials(lambda: SourceCredentials(Authfile.read(file), [Prefix.parse("quay.io")]))
    assert not known.renew()
    publish("2", _auths({"quay.io": _basic("u", "new")}))
    assert known.lookup(image) == Credential("u", "old")
    assert known.renew()
    assert known.lookup(image) == Credential("u", "new")
    publish("3", b"{")
    with pytest.raises(UsageError):
        known.renew()
    assert known.lookup(image) == Credential("u", "new")
    publish("4", _auths({"quay.io": _basic("u", "new")}))
    assert not known.renew()


def test_the_authfile_for_one_copy_names_one_repository() -> None:
    """It is of no use anywhere else."""
    written = json.loads(authfile("h.example:5000/a/b", Credential("u", "p", "t")))
    assert list(written["auths"]) == ["h.example:5000/a/b"]
    assert written["auths"]["h.example:5000/a/b"] == {**_basic("u", "p"), "identitytoken": "t"}
