"""Requests to a forge's API, and what its refusals mean.

- Nothing is repeated here. A refusal that may pass says when to come back, where the forge said so.
- Redirects are not followed: the token is for the forge that is configured, and a repository that was renamed
  is a matter for its owner.
- An answer is read up to a size and within a time.
- No message repeats a token, even where the forge does.
"""

import email.utils
import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from gitops_backup.errors import one_line
from gitops_backup.forges.errors import ForgeConflict, ForgeRefused, ForgeUnavailable
from gitops_backup.proxies import Proxies

_LARGEST_ANSWER = 16 * 1024 * 1024
_CHUNK = 64 * 1024
_LONGEST_WAIT = 3600.0
_IN_THE_WAY = frozenset({HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})


@dataclass(frozen=True, slots=True)
class Login:
    """Who we are to a forge: a token or a password, and the user name where there is one."""

    secret: str = field(repr=False)
    username: str | None = None


Authorize = Callable[[], Mapping[str, str]]
"""The headers that say who we are, as of now."""


class Api:
    """The API at `base`, a URL without a trailing slash; threads may share it.

    `authorize` is asked before each request. `timeout` is in seconds, `wall_clock` in
    seconds since the epoch.
    """

    def __init__(
        self,
        base: str,
        *,
        authorize: Authorize,
        proxies: Proxies,
        timeout: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._base = base
        self._host = urlsplit(base).netloc
        self._authorize = authorize
        self._timeout = timeout
        self._clock = clock
        self._wall_clock = wall_clock
        self._pool = _pool(base, proxies)

    def get(self, path: str, **query: str) -> Any:
        """The forge's answer. Raises as `send` does."""
        return self.send("GET", f"{path}?{urlencode(query)}" if query else path)

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer to a request, out of JSON.

        Raises `ForgeUnavailable`, `ForgeConflict` where what is there already stands in the way, and
        `ForgeRefused`.
        """
        shown = self._authorize()
        headers = {"Accept": "application/json", "User-Agent": "gitops-backup", **shown}
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        status, answered, said = self._ask(method, f"{self._base}{path}", headers, content)
        what = f"{self._host} answers {status} for {method} {path.partition('?')[0]}"
        if not HTTPStatus(200) <= status < HTTPStatus(300):
            raise self._refusal(status, answered, f"{what}{_message(said, shown)}")
        try:
            return json.loads(said) if said else None
        except (ValueError, RecursionError):
            raise ForgeRefused(f"{what}, which is not JSON", hint="is this the address of its API?") from None

    def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            response = self._pool.request(
                method,
                url,
                headers=headers,
                body=body,
                timeout=urllib3.Timeout(connect=min(self._timeout, 10.0), read=self._timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (HTTPError, ValueError) as error:
            raise ForgeUnavailable(f"{self._host} cannot be reached: {one_line(str(error))}") from error
        try:
            return response.status, response.headers, self._read(response)
        except (HTTPError, OSError) as error:
            raise ForgeUnavailable(f"the answer of {self._host} broke off: {one_line(str(error))}") from error
        finally:
            if not response.closed:
                response.close()
            response.release_conn()

    def _read(self, response: urllib3.BaseHTTPResponse) -> bytes:
        deadline = self._clock() + self._timeout
        said = bytearray()
        while part := response.read1(_CHUNK):
            said += part
            if len(said) > _LARGEST_ANSWER or self._clock() > deadline:
                raise ForgeUnavailable(f"the answer of {self._host} does not end")
        return bytes(said)

    def _refusal(
        self, status: int, headers: Mapping[str, str], what: str
    ) -> ForgeUnavailable | ForgeConflict | ForgeRefused:
        wait = _wait(headers, now=self._wall_clock())
        if status in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS) and wait is not None:
            return ForgeUnavailable(f"{what}; it asks for fewer requests", retry_after=wait)
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            return ForgeUnavailable(what, retry_after=wait)
        if status in _IN_THE_WAY:
            return ForgeConflict(what)
        return ForgeRefused(what, hint=_HINTS.get(status))


@contextmanager
def understanding() -> Iterator[None]:
    """Reading an answer: one that lacks what it is to have is `ForgeRefused`."""
    try:
        yield
    except (LookupError, TypeError, ValueError) as error:
        raise ForgeRefused(
            "the forge's answer is not what its API is described to answer",
            hint="is its kind the one that is set, and is this the address of its API?",
        ) from error


_HINTS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "the token is wrong, or has run out",
    HTTPStatus.FORBIDDEN: "the token must have the right to write pull requests of this repository",
    HTTPStatus.NOT_FOUND: "the repository is not there, or not for this token",
    HTTPStatus.MOVED_PERMANENTLY: "the repository was renamed: correct the URL in its Applications",
}


def _pool(base: str, proxies: Proxies) -> urllib3.PoolManager:
    context = ssl.create_default_context()
    proxy = proxies.of(base)
    if proxy is None:
        return urllib3.PoolManager(4, maxsize=4, ssl_context=context)
    shown = {} if proxy.authorization is None else {"Proxy-Authorization": proxy.authorization}
    return urllib3.ProxyManager(proxy.url, 4, proxy_headers=shown, maxsize=4, ssl_context=context)


def _wait(headers: Mapping[str, str], *, now: float) -> float | None:
    """In how many seconds to come back; None where nothing is said about too many requests.

    Retry-After (RFC 9110, 10.2.3); `x-ratelimit-remaining` and `x-ratelimit-reset` at GitHub, `RateLimit-...`
    at GitLab, where the second is in seconds since the epoch.
    """
    named = headers.get("Retry-After", "").strip()
    if named.isdecimal() and named.isascii():
        return min(float(named), _LONGEST_WAIT)
    try:
        until = email.utils.parsedate_to_datetime(named).timestamp()
    except (ValueError, OverflowError):
        prefix = next((p for p in ("x-ratelimit", "ratelimit") if headers.get(f"{p}-remaining") == "0"), None)
        reset = headers.get(f"{prefix}-reset", "") if prefix is not None else ""
        if not (reset.isdecimal() and reset.isascii()):
            return None
        until = float(reset)
    return min(max(until - now, 1.0), _LONGEST_WAIT)


def _message(said: bytes, shown: Mapping[str, str]) -> str:
    """What the forge has to say: `message`, and the messages of `errors`, without what we have shown it."""
    try:
        answer = json.loads(said)
        errors = answer.get("errors") or ()
        details = [each.get("message", "") if isinstance(each, dict) else each for each in errors]
        text = "; ".join(str(each) for each in (answer.get("message"), answer.get("error"), *details) if each)
    except (ValueError, RecursionError, AttributeError, TypeError):
        return ""
    for value in shown.values():
        for word in value.split():
            text = text.replace(word, "***")
    return f": {one_line(text)}" if text else ""
