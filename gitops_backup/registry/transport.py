"""HTTP to registries: kept connections, trust by endpoint, bounded answers, careful redirects.

- A registry that is declared insecure is tried over TLS that is not verified, and when that fails, over
  plain HTTP; which of the two it was is remembered until it fails. skopeo does the same.
- A redirect to another host does not take the credentials along, nor are they shown to whom that host names;
  and none leads from HTTPS to HTTP.
- What the environment says about proxies counts for redirects and token servers, too.
- An answer is read up to a size and within a time: neither a huge body nor one that drips holds a worker.
"""

import re
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.exceptions import TimeoutError as AnswerTimeout

from gitops_backup.errors import GitopsBackupError
from gitops_backup.proxies import Proxies, Proxy
from gitops_backup.registry.failures import printable
from gitops_backup.registry.locations import Endpoint

LARGEST_ANSWER = 4 * 1024 * 1024
"""What a registry has to accept as a manifest, and the most that skopeo reads of one (bytes)."""

_MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HOSTS = 64
_CONNECTIONS_PER_HOST = 64
_CHUNK = 64 * 1024
_OBJECT_IN_MESSAGE = re.compile(r"^(?:<[^>]*>|\w+\([^)]*\)): ")


class Unreachable(GitopsBackupError):
    """There was no answer, or none that could be read to its end."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, its headers (in any case of letters) and its whole body.

    `elsewhere` says that it came from another host than the one that was asked, by a redirect.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    elsewhere: bool = False


class Transport:
    """Sends requests from many threads; `timeout` in seconds bounds each wait, and the reading of a body."""

    def __init__(
        self,
        *,
        timeout: float,
        user_agent: str,
        proxies: Proxies,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._timeout = urllib3.Timeout(connect=min(timeout, 5.0), read=timeout)
        self._seconds = timeout
        self._user_agent = user_agent
        self._proxies = proxies
        self._clock = clock
        self._pools: dict[_Way, urllib3.PoolManager] = {}
        self._schemes: dict[str, str] = {}
        self._lock = threading.Lock()

    def call(
        self,
        method: str,
        endpoint: Endpoint,
        path: str,
        headers: Mapping[str, str],
        *,
        largest: int = LARGEST_ANSWER,
    ) -> Reply:
        """The endpoint's answer to a request for `path`, after redirects, of at most `largest` bytes.

        Raises `Unreachable`.
        """
        if not endpoint.insecure:
            return self._follow(method, f"https://{endpoint.host}{path}", endpoint, headers, largest)
        known = self._schemes.get(endpoint.host)
        if known is None:
            try:
                return self._remembered("https", method, endpoint, path, headers, largest)
            except Unreachable:
                known = "http"
        return self._remembered(known, method, endpoint, path, headers, largest)

    def visit(
        self,
        method: str,
        url: str,
        endpoint: Endpoint,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Reply:
        """The answer of another server, which is trusted as the endpoint is; redirects are not followed.

        Raises `Unreachable`, also where the URL is not HTTPS and the endpoint is not insecure.
        """
        return self._send(method, _trusted("", url, endpoint), endpoint, headers, body)

    def download(self, url: str, endpoint: Endpoint, *, headers: Mapping[str, str], largest: int) -> Reply:
        """What is at a URL of the endpoint's, of at most `largest` bytes, after redirects.

        Raises `Unreachable`.
        """
        return self._follow("GET", _trusted("", url, endpoint), endpoint, headers, largest)

    def close(self) -> None:
        """Close the kept connections."""
        with self._lock:
            pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            pool.clear()

    def _remembered(
        self,
        scheme: str,
        method: str,
        endpoint: Endpoint,
        path: str,
        headers: Mapping[str, str],
        largest: int,
    ) -> Reply:
        try:
            reply = self._follow(method, f"{scheme}://{endpoint.host}{path}", endpoint, headers, largest)
        except Unreachable:
            self._schemes.pop(endpoint.host, None)
            raise
        self._schemes[endpoint.host] = scheme
        return reply

    def _follow(
        self,
        method: str,
        url: str,
        endpoint: Endpoint,
        headers: Mapping[str, str],
        largest: int,
    ) -> Reply:
        origin = _origin(url)
        for _ in range(_MOST_REDIRECTS):
            reply = self._send(method, url, endpoint, headers, None, largest)
            target = reply.headers.get("Location")
            if reply.status not in _REDIRECTS or target is None:
                return replace(reply, elsewhere=_origin(url) != origin)
            url = _trusted(url, target, endpoint)
            if _origin(url) != origin:
                headers = {name: value for name, value in headers.items() if name != "Authorization"}
        raise Unreachable(f"more than {_MOST_REDIRECTS} redirects, the last to {printable(url)}")

    def _send(
        self,
        method: str,
        url: str,
        endpoint: Endpoint,
        headers: Mapping[str, str],
        body: bytes | None,
        largest: int = LARGEST_ANSWER,
    ) -> Reply:
        try:
            response = self._pool(url, endpoint).request(
                method,
                url,
                headers={"User-Agent": self._user_agent, **headers},
                body=body,
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
        except (HTTPError, ValueError) as error:
            # a refused connection is a kind of timeout to urllib3
            if isinstance(error, AnswerTimeout) and not isinstance(error, NewConnectionError):
                raise Unreachable(f"no answer within {self._seconds:g} s") from error
            raise Unreachable(_plain(error)) from error
        try:
            return Reply(response.status, response.headers, self._read(method, response, largest))
        except AnswerTimeout as error:
            raise Unreachable(f"the answer did not end within {self._seconds:g} s") from error
        except (HTTPError, OSError) as error:
            raise Unreachable(f"the answer broke off: {_plain(error)}") from error
        finally:
            # a connection that was not read to its end is of no further use
            if not response.closed:
                response.close()
            response.release_conn()

    def _read(self, method: str, response: urllib3.BaseHTTPResponse, largest: int) -> bytes:
        if method == "HEAD":
            response.drain_conn()
            return b""
        deadline = self._clock() + self._seconds
        body = bytearray()
        while part := response.read1(_CHUNK, decode_content=False):
            body += part
            if len(body) > largest:
                raise Unreachable(f"the answer is larger than {largest // 1024 // 1024} MiB")
            if self._clock() > deadline:
                raise Unreachable(f"the answer did not end within {self._seconds:g} s")
        return bytes(body)

    def _pool(self, url: str, endpoint: Endpoint) -> urllib3.PoolManager:
        # over plain HTTP the only one who may speak TLS is a proxy, which no setting makes insecure
        insecure = endpoint.insecure and url.startswith("https:")
        way = _Way(insecure, endpoint.ca, self._proxies.of(url))
        with self._lock:
            if way not in self._pools:
                self._pools[way] = _pool(way)
            return self._pools[way]


@dataclass(frozen=True, slots=True)
class _Way:
    """What connections have in common that may be kept together."""

    insecure: bool
    ca: Path | None
    proxy: Proxy | None


class _UnverifiedConnection(urllib3.connection.HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        # urllib3 would otherwise warn once per request of what the settings ask for
        self.is_verified = True


class _UnverifiedPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _UnverifiedConnection


def _pool(way: _Way) -> urllib3.PoolManager:
    try:
        context = ssl.create_default_context()
        if way.ca is not None:
            context.load_verify_locations(cafile=way.ca)
    except (OSError, ssl.SSLError) as error:
        raise Unreachable(f"the authorities in {way.ca} cannot be read: {_plain(error)}") from error
    if way.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    manager = _manager(way.proxy, context)
    if way.insecure:
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "https": _UnverifiedPool}
    return manager


def _manager(proxy: Proxy | None, context: ssl.SSLContext) -> urllib3.PoolManager:
    if proxy is None:
        return urllib3.PoolManager(_HOSTS, maxsize=_CONNECTIONS_PER_HOST, ssl_context=context)
    shown = {} if proxy.authorization is None else {"Proxy-Authorization": proxy.authorization}
    return urllib3.ProxyManager(
        proxy.url,
        _HOSTS,
        proxy_headers=shown,
        proxy_ssl_context=ssl.create_default_context(),
        maxsize=_CONNECTIONS_PER_HOST,
        ssl_context=context,
    )


def _trusted(base: str, url: str, endpoint: Endpoint) -> str:
    try:
        joined = urljoin(base, url)
        parts = urlsplit(joined)
    except ValueError as error:
        raise Unreachable(f"it names {printable(url)}, which is no address") from error
    if parts.scheme == "https" or (parts.scheme == "http" and (endpoint.insecure or endpoint.plain)):
        return joined
    raise Unreachable(f"it names {printable(url)}, which is not an https:// address")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower().removesuffix(":80" if parts.scheme == "http" else ":443")


def _plain(error: Exception) -> str:
    return _OBJECT_IN_MESSAGE.sub("", printable(str(error))) or type(error).__name__
