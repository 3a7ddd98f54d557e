"""Who we are to a registry, and for which images.

Credentials belong to a side of the copy and to a prefix of image names, never to a host: those of the backup
prefix are not shown to a source, and those of a source not to the backup registry, even where both are the
same host. No secret is printable, and none is ever written into an argument list.
"""

import base64
import binascii
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Prefix
from gitops_backup.errors import UsageError
from gitops_backup.registry.locations import prefixes

_DOCKER_HUB = "docker.io"
_DOCKER_HUB_HOSTS = frozenset({"index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name with a password, or with an identity token (an OAuth2 refresh token) in its place."""

    username: str
    password: str = field(repr=False)
    identity_token: str | None = field(default=None, repr=False)

    def basic(self) -> str:
        """The user name and the password as HTTP's basic authentication has them (RFC 7617)."""
        return base64.b64encode(f"{self.username}:{self.password}".encode()).decode("ascii")


class Credentials(Protocol):
    """What a side of the copy knows."""

    def lookup(self, image: Reference) -> Credential | None:
        """The credential for the repository of this image; None to be anonymous there."""
        ...


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Nobody, everywhere."""

    def lookup(self, image: Reference) -> Credential | None:
        """None."""
        return None


@dataclass(frozen=True, slots=True)
class Authfile:
    """The credentials of a docker config file (`config.json`), by prefix of image names.

    A key may be a host or have a path; of those that match, the longest wins. The forms that docker login
    leaves there, with `https://` and `/v1/`, are read as the host that they mean. Entries without a secret
    (credential helpers) are not used.
    """

    entries: Mapping[str, Credential]

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """The credentials in these bytes. Raises `UsageError`, which shows nothing of them."""
        try:
            auths = json.loads(content)["auths"]
            found = {_prefix(key): _credential(entry) for key, entry in auths.items()}
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            # `from None`: the library's error holds the whole content
            raise UsageError("the docker config file has no readable `auths`") from None
        return cls({key: credential for key, credential in found.items() if credential is not None})

    @classmethod
    def read(cls, path: Path) -> Self:
        """The credentials in this file. Raises `UsageError` that names the file."""
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UsageError(f"the docker config file {path} cannot be read: {error.strerror}") from error
        try:
            return cls.parse(content)
        except UsageError as error:
            raise UsageError(f"{path}: {error.message}") from error

    def lookup(self, image: Reference) -> Credential | None:
        """The credential of the longest key that the image's name lies at or below."""
        return self.named(image.name)

    def named(self, name: str) -> Credential | None:
        """The credential of the longest key that a name lies at or below: a host, and a path there."""
        while name and name not in self.entries:
            name = name.rpartition("/")[0]
        return self.entries.get(name)


@dataclass(frozen=True, slots=True)
class SourceCredentials:
    """A docker config file that serves only the images below the prefixes that are listed with it."""

    authfile: Authfile
    prefixes: Collection[Prefix]

    def lookup(self, image: Reference) -> Credential | None:
        """The file's credential where the image is listed."""
        return self.authfile.lookup(image) if _listed(image, self.prefixes) else None


@dataclass(frozen=True, slots=True)
class DestinationCredentials:
    """What is used below the backup prefix, and nowhere else: one credential, or a docker config file."""

    prefix: Prefix
    known: Credential | Authfile

    def lookup(self, image: Reference) -> Credential | None:
        """The credential for a backup; None for any other image."""
        if not _listed(image, (self.prefix,)):
            return None
        return self.known.lookup(image) if isinstance(self.known, Authfile) else self.known


class RenewableCredentials:
    """What `read` finds, as of the last time that it was asked to be renewed; safe for many threads.

    `read` raises `UsageError`, and so does this.
    """

    def __init__(self, read: Callable[[], Credentials]) -> None:
        self._read = read
        self._known = read()

    def lookup(self, image: Reference) -> Credential | None:
        """The credential for the repository of this image; None to be anonymous there."""
        return self._known.lookup(image)

    def renew(self) -> bool:
        """Read again; whether it is something else now. What cannot be read leaves all as it was."""
        before, self._known = self._known, self._read()
        return self._known != before


def authfile(name: str, credential: Credential) -> bytes:
    """A docker config file with one entry, for the repository `name` (host and path) alone."""
    entry = {"auth": credential.basic()}
    if credential.identity_token is not None:
        entry["identitytoken"] = credential.identity_token
    return json.dumps({"auths": {name: entry}}).encode()


def _listed(image: Reference, listed: Collection[Prefix]) -> bool:
    names = frozenset(prefixes(image))
    return any(str(prefix) in names for prefix in listed)


def _prefix(key: str) -> str:
    name = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    name = name.removesuffix("/v1").removesuffix("/v2")
    host, slash, path = name.partition("/")
    host = host.lower()
    return (_DOCKER_HUB if host in _DOCKER_HUB_HOSTS else host) + slash + path


def _credential(entry: Mapping[str, Any]) -> Credential | None:
    username, password = entry.get("username") or "", entry.get("password") or ""
    if entry.get("auth"):
        username, _, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
    identity = entry.get("identitytoken") or None
    return Credential(username, password, identity) if (username and password) or identity else None
