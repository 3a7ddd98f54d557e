"""Where a repository is: one value for the many ways to write the same URL.

A URL comes from a user's Application and ends in an argument list, so it is parsed by a grammar of our own,
and only the transports that this project uses pass: `https`, `http`, `ssh` and, where a caller allows it,
`file` (git-clone(1), "GIT URLS"). Git's `ext::` helpers, options in the shape of a host, and passwords inside
of a URL are refused.
"""

import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import SplitResult, urlsplit

from gitops_backup.errors import one_line
from gitops_backup.git.errors import InvalidRepositoryUrl

_DEFAULT_PORTS = {"https": 443, "http": 80, "ssh": 22}
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]", re.ASCII)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+%-]*", re.ASCII)
_SCP = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>[^@/:]+):(?P<path>[^:-].*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class RepositoryUrl:
    """A repository's URL, or the beginning of some repositories' URLs.

    `address` is what git is given. `key` is the same for all spellings of one URL: lower-case host, no user,
    no default port, no `.git`, no trailing slash, `ssh://` for the form of scp. `origin` is the scheme, host
    and port.
    """

    scheme: str
    origin: str
    key: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The repository that `text` names. Raises `InvalidRepositoryUrl`."""
        url = cls.parse_prefix(text)
        if url.key == url.origin:
            raise InvalidRepositoryUrl(f"{url.origin} names a server, not a repository", hint="add the path")
        return url

    @classmethod
    def parse_prefix(cls, text: str) -> Self:
        """As `parse`, but the path may be missing: a prefix names a server or a group of repositories."""
        if any(c.isspace() or not c.isprintable() for c in text):
            raise InvalidRepositoryUrl("a repository URL has blanks or control characters in it")
        if "://" in text:
            return cls._of_url(text)
        scp = _SCP.fullmatch(text)
        if scp is None:
            raise _refused(text, "it is neither scheme://host/path nor user@host:path")
        return cls._of_scp(scp)

    def covers(self, other: "RepositoryUrl") -> bool:
        """Whether `other` is this URL or lies below it, at a path boundary."""
        return other.key == self.key or other.key.startswith(f"{self.key}/")

    def __str__(self) -> str:
        return self.key

    @classmethod
    def _of_url(cls, text: str) -> Self:
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise InvalidRepositoryUrl("a repository URL has a malformed host or port") from None
        if parts.password is not None:
            raise InvalidRepositoryUrl(
                f"the URL of a repository at {one_line(parts.hostname or 'no host')} has a password in it",
                hint="take it out, and configure Git credentials for that URL",
            )
        scheme = parts.scheme.lower()
        shown = f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        if scheme not in (*_DEFAULT_PORTS, "file"):
            raise _refused(shown, "only https, http and ssh can be used")
        if parts.query or parts.fragment:
            raise _refused(shown, "it has a query or a fragment")
        _check_path(shown, parts.path)
        if scheme == "file":
            return cls._of_file(shown, parts)
        host = parts.netloc.rpartition("@")[2].removesuffix(f":{port}").lower()
        if not _HOST.fullmatch(host):
            raise _refused(shown, "its host is none")
        origin = f"{scheme}://{host}" + (f":{port}" if port not in (None, _DEFAULT_PORTS[scheme]) else "")
        login = _user(shown, parts.username)
        return cls(
            scheme=scheme,
            origin=origin,
            key=origin + _plain(parts.path),
            address=(origin.replace("://", f"://{login}") if scheme == "ssh" else origin) + parts.path,
        )

    @classmethod
    def _of_file(cls, shown: str, parts: SplitResult) -> Self:
        if parts.netloc or not parts.path.startswith("/"):
            raise _refused(shown, "a file URL is file:// and an absolute path")
        return cls(
            scheme="file",
            origin="file://",
            key=f"file://{_plain(parts.path)}",
            address=f"file://{parts.path}",
        )

    @classmethod
    def _of_scp(cls, scp: re.Match[str]) -> Self:
        shown = f"{scp['host']}:{scp['path']}"
        if not _HOST.fullmatch(scp["host"]):
            raise _refused(shown, "its host is none")
        _check_path(shown, scp["path"])
        origin = f"ssh://{scp['host'].lower()}"
        return cls(
            scheme="ssh",
            origin=origin,
            key=f"{origin}{_plain('/' + scp['path'].removeprefix('/'))}",
            address=f"{_user(shown, scp['user'])}{shown}",
        )


def _plain(path: str) -> str:
    return path.rstrip("/").removesuffix(".git").rstrip("/")


def _user(shown: str, user: str | None) -> str:
    if user is None:
        return ""
    if not _USER.fullmatch(user):
        raise _refused(shown, "its user name has characters that none has")
    return f"{user}@"


def _check_path(shown: str, path: str) -> None:
    if ".." in path.split("/"):
        raise _refused(shown, "its path has '..' in it")


def _refused(shown: str, why: str) -> InvalidRepositoryUrl:
    return InvalidRepositoryUrl(f"{one_line(shown)} is no repository URL that can be used: {why}")
