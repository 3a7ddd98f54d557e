"""Whom git says it is, and to which server: a password or an SSH key, never sent beyond its prefix.

The keys of a Secret, and the file names of a mounted one, are those of Kubernetes' own types
`kubernetes.io/basic-auth` and `kubernetes.io/ssh-auth`; the second with `known_hosts` beside them, because a
host key is always verified.
"""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import quote

from gitops_backup.errors import UsageError, one_line
from gitops_backup.git.repository import RepositoryUrl

_USERNAME, _PASSWORD, _SSH_KEY, _KNOWN_HOSTS = "username", "password", "ssh-privatekey", "known_hosts"
_MASK = "***"


@dataclass(frozen=True, slots=True)
class Password:
    """A user name and a password or token, for `https` and `http`."""

    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        for name, value in ((_USERNAME, self.username), (_PASSWORD, self.password)):
            if not value or not value.isprintable():
                raise UsageError(f"the Git {name} is empty or has control characters in it")


@dataclass(frozen=True, slots=True)
class SshKey:
    """A private key without a passphrase, and the lines of a known_hosts file (sshd(8))."""

    private_key: str = field(repr=False)
    known_hosts: str


@dataclass(frozen=True, slots=True)
class GitCredentials:
    """A login and the URLs that it is for: `prefix` itself and what lies below it."""

    prefix: RepositoryUrl
    login: Password | SshKey

    @classmethod
    def of(cls, prefix: str, data: Mapping[str, bytes]) -> Self:
        """Credentials out of a Secret's data, or files by name.

        `username` and `password` for an https prefix, `ssh-privatekey` and `known_hosts` for one of ssh.
        Raises `UsageError` for what is missing and `InvalidRepositoryUrl` for the prefix.
        """
        url = RepositoryUrl.parse_prefix(prefix)
        text = {name: _text(name, value) for name, value in data.items()}
        wanted = (_SSH_KEY, _KNOWN_HOSTS) if url.scheme == "ssh" else (_USERNAME, _PASSWORD)
        missing = [name for name in wanted if name not in text]
        if missing:
            raise UsageError(f"the Git credentials for {url} lack {' and '.join(missing)}")
        if url.scheme == "ssh":
            # OpenSSH reads no key whose last line does not end
            key = text[_SSH_KEY].rstrip() + "\n"
            return cls(prefix=url, login=SshKey(private_key=key, known_hosts=text[_KNOWN_HOSTS]))
        # an editor or echo leaves a line end behind a password
        username, password = (text[name].rstrip("\r\n") for name in wanted)
        return cls(prefix=url, login=Password(username=username, password=password))

    @classmethod
    def from_folder(cls, prefix: str, folder: Path) -> Self:
        """As `of`, from the files of those names in a folder, such as a mounted Secret."""
        names = (_USERNAME, _PASSWORD, _SSH_KEY, _KNOWN_HOSTS)
        try:
            data = {name: (folder / name).read_bytes() for name in names if (folder / name).is_file()}
        except OSError as error:
            raise UsageError(f"cannot read the Git credentials: {one_line(str(error))}") from error
        return cls.of(prefix, data)

    def mask(self, text: str) -> str:
        """`text` without the password, in any form in which git or a server may print it."""
        if isinstance(self.login, SshKey):
            return text
        secret = self.login.password
        basic = base64.b64encode(f"{self.login.username}:{secret}".encode()).decode()
        for form in (basic, quote(secret, safe=""), quote(secret), secret):
            text = text.replace(form, _MASK)
        return text


def choose(credentials: Iterable[GitCredentials], url: RepositoryUrl) -> GitCredentials | None:
    """The credentials for a URL: those with the longest prefix that covers it."""
    fitting = [one for one in credentials if one.prefix.covers(url)]
    return max(fitting, key=lambda one: len(one.prefix.key), default=None)


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise UsageError(f"the Git credential {name} is not UTF-8 text") from None
