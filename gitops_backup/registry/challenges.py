"""Showing a registry who we are: its challenge, and the header that answers it.

Two schemes are answered: Basic (RFC 7617), and Bearer with a token server as the distribution project's
"Token Authentication Specification" and "OAuth2 Token Authentication" describe it. Where a registry offers
both, Bearer is taken. A challenge is remembered by host, so that later requests are sent with what it wants
at once; a token is kept by repository until shortly before it expires.
"""

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

from gitops_backup.errors import GitopsBackupError
from gitops_backup.registry.credentials import Credential
from gitops_backup.registry.locations import Endpoint
from gitops_backup.registry.transport import Reply, Transport, Unreachable

_SHORTEST_LIFE = 60.0
_MARGIN = 5.0
_LONGEST_CHALLENGE = 4096
_SCHEME = r"(?:^|, ?)(Bearer|Basic)(?=[ ,]|$)"
_CHALLENGE = re.compile(rf"{_SCHEME}(.*?)(?=, ?(?:Bearer|Basic)(?:[ ,]|$)|$)", re.IGNORECASE)
_PARAMETER = re.compile(r'\b(\w++) ?= ?(?:"((?:[^"\\]|\\.)*+)"|([^\s,"]++))')


class TokenRefused(GitopsBackupError):
    """The token server gave no token; `reply` is what it said."""

    def __init__(self, message: str, reply: Reply) -> None:
        super().__init__(message)
        self.reply = reply


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a registry wants: with a `realm` a token from there, without one a user name and password."""

    realm: str | None
    service: str | None = None

    @classmethod
    def parse(cls, header: str) -> Self | None:
        """The challenge in a WWW-Authenticate header that can be answered; None when there is none."""
        found: dict[str, dict[str, str]] = {}
        for scheme, rest in _CHALLENGE.findall(" ".join(header[:_LONGEST_CHALLENGE].split())):
            parameters = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
            found.setdefault(scheme.lower(), parameters)
        if realm := found.get("bearer", {}).get("realm"):
            return cls(realm, found["bearer"].get("service"))
        return cls(None) if "basic" in found else None


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    until: float


_Holder = tuple[str, str, Credential | None]


class Answers:
    """The Authorization headers for one side of the copy, from many threads.

    `actions` is what tokens are asked for: `pull`, or `pull,push` (a token server may deny the existence of
    a repository to those who ask for less than they need to make it). `clock` is monotonic, in seconds.
    """

    def __init__(self, transport: Transport, *, actions: str, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._actions = actions
        self._clock = clock
        self._challenges: dict[str, Challenge] = {}
        self._tokens: dict[_Holder, _Token] = {}
        self._lock = threading.Lock()

    def prepared(self, endpoint: Endpoint, credential: Credential | None) -> str | None:
        """The header to send at once, by what the host wanted before; None to send none.

        Raises `TokenRefused` or `Unreachable` where a token has to be fetched for it.
        """
        challenge = self._challenges.get(endpoint.host)
        if challenge is None:
            return None
        with self._lock:
            token = self._tokens.get(_holder(endpoint, credential))
        if token is not None and token.until > self._clock():
            return token.header
        return self._header(challenge, endpoint, credential)

    def answer(self, reply: Reply, endpoint: Endpoint, credential: Credential | None) -> str | None:
        """The header that answers a 401; None where it cannot be answered.

        Raises `TokenRefused` or `Unreachable`.
        """
        challenge = Challenge.parse(reply.headers.get("WWW-Authenticate", ""))
        if challenge is None:
            return None
        self._challenges[endpoint.host] = challenge
        return self._header(challenge, endpoint, credential)

    def _header(self, challenge: Challenge, endpoint: Endpoint, credential: Credential | None) -> str | None:
        if challenge.realm is None:
            return f"Basic {credential.basic()}" if credential is not None else None
        token = self._fetch(challenge.realm, challenge.service, endpoint, credential)
        with self._lock:
            now = self._clock()
            self._tokens = {holder: kept for holder, kept in self._tokens.items() if kept.until > now}
            self._tokens[_holder(endpoint, credential)] = token
        return token.header

    def _fetch(
        self, realm: str, service: str | None, endpoint: Endpoint, credential: Credential | None
    ) -> _Token:
        started = self._clock()
        wanted = {"scope": f"repository:{endpoint.repository}:{self._actions}"}
        if service is not None:
            wanted["service"] = service
        if credential is not None and credential.identity_token is not None:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": credential.identity_token,
                "client_id": "gitops-backup",
                **wanted,
            }
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            body = urlencode(form).encode()
            reply = self._transport.visit("POST", realm, endpoint, headers=headers, body=body)
        else:
            url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(wanted)}"
            headers = {} if credential is None else {"Authorization": f"Basic {credential.basic()}"}
            reply = self._transport.visit("GET", url, endpoint, headers=headers)
        if reply.status != 200:
            raise TokenRefused(f"its token server answered {reply.status}", reply)
        try:
            answer = json.loads(reply.body)
            token = answer.get("token") or answer["access_token"]
            life = max(float(answer.get("expires_in") or 0), _SHORTEST_LIFE)
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
            raise Unreachable("its token server answered without a token") from error
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise Unreachable("its token server answered with what is no token")
        return _Token(f"Bearer {token}", started + life - _MARGIN)


def _holder(endpoint: Endpoint, credential: Credential | None) -> _Holder:
    return endpoint.host, endpoint.repository, credential
