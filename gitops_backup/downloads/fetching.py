"""Downloading over HTTP: from where the settings allow it, of a bounded size, with configured credentials.

Every URL is checked, those that an index names as well: whoever may publish a chart must not choose what is
asked for. Redirects are followed, as to the storage behind a server, without credentials. A user name and a
password in a URL are not used.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.urls import UrlPrefix
from gitops_backup.errors import one_line
from gitops_backup.registry.credentials import Credential
from gitops_backup.registry.locations import Locations
from gitops_backup.registry.transport import Transport, Unreachable
from gitops_backup.sources.applications import normalised
from gitops_backup.sources.mounts import Unavailable

SETTING = "download_prefixes"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a URL answered: a body, or that it is `unchanged` since the one with the `etag` that was named."""

    body: bytes
    etag: str
    unchanged: bool = False


class Allowed:
    """The URL prefixes that something may be downloaded from."""

    def __init__(self, prefixes: Iterable[UrlPrefix]) -> None:
        self._prefixes = tuple(prefixes)

    def check(self, url: str, what: str) -> None:
        """Raises `Unavailable` where a URL, which is that of `what`, is below none of them."""
        shown = one_line(normalised(url))
        try:
            asked = UrlPrefix.parse(url)
        except ValueError as error:
            message = f"{what} cannot be downloaded from {shown}: {one_line(str(error))}"
            raise Unavailable(Reason.DOWNLOAD_NOT_ALLOWED, message) from error
        if not self._covers(asked):
            raise Unavailable(
                Reason.DOWNLOAD_NOT_ALLOWED,
                f"{what} may not be downloaded: {shown} is below none of the setting {SETTING}",
                hint=f"add {asked.origin}, or a path there, to {SETTING}",
            )

    def check_repository(self, url: str) -> None:
        """The same for a repository of Git, which goes by two names: with `.git` at its end, and without."""
        where = normalised(url)
        try:
            asked = UrlPrefix.parse(f"{where}.git")
        except ValueError:
            asked = None
        if asked is None or not self._covers(asked):
            self.check(where, f"the repository {one_line(where)}")

    def _covers(self, asked: UrlPrefix) -> bool:
        return any(prefix.covers(asked) for prefix in self._prefixes)


class Fetcher:
    """Downloads from servers; threads may share it.

    `credentials` has who we are by host and path, the latter with slashes between its parts.
    """

    def __init__(
        self,
        *,
        allowed: Allowed,
        transport: Transport,
        locations: Locations,
        credentials: Callable[[str], Credential | None],
    ) -> None:
        self.allowed = allowed
        self._transport = transport
        self._locations = locations
        self._credentials = credentials

    def get(self, url: str, *, what: str, largest: int, etag: str = "") -> Fetched:
        """What is at a URL, which is that of `what`. Raises `Unavailable`."""
        self.allowed.check(url, what)
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2].lower()
        shown = one_line(normalised(url))
        endpoint = self._locations.server(host, parts.path, plain=parts.scheme.lower() == "http")
        headers = {"If-None-Match": etag} if etag else {}
        credential = self._credentials(f"{host}/{parts.path.strip('/')}")
        if credential is not None:
            headers["Authorization"] = f"Basic {credential.basic()}"
        plain = urlunsplit(parts._replace(netloc=host, fragment=""))
        try:
            reply = self._transport.download(plain, endpoint, headers=headers, largest=largest)
        except Unreachable as error:
            message = f"{what} cannot be downloaded from {shown}: {error.message}"
            raise Unavailable(Reason.DOWNLOAD_FAILED, message) from error
        if reply.status == 304 and etag:
            return Fetched(b"", etag, unchanged=True)
        if reply.status in (404, 410):
            raise Unavailable(Reason.CHART_NOT_FOUND, f"{what} is not there: {shown} answers {reply.status}")
        if reply.status != 200:
            hint = "list it in download_authfile" if reply.status in (401, 403) else None
            message = f"{what} cannot be downloaded: {shown} answers {reply.status}"
            raise Unavailable(Reason.DOWNLOAD_FAILED, message, hint=hint)
        return Fetched(reply.body, reply.headers.get("ETag", ""))

    def close(self) -> None:
        """Close the kept connections."""
        self._transport.close()
