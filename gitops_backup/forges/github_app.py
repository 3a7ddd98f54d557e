"""Tokens of a GitHub App's installation, which last an hour, for its API and for Git.

The App proves who it is by a JSON Web Token that its private key signed (RFC 7519; RFC 7518, 3.3, "RS256");
GitHub gives a token of the installation for it (REST API, "Create an installation access token for an app").
openssl signs, which reads the key from its file, so that it is never held here.
"""

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from gitops_backup import process
from gitops_backup.errors import one_line
from gitops_backup.forges.api import Api, Login, understanding
from gitops_backup.forges.errors import ForgeRefused
from gitops_backup.forges.github import authorization
from gitops_backup.proxies import Proxies

USERNAME = "x-access-token"
"""The user name that Git shows together with a token of an installation."""

_SECONDS_TO_SIGN = 30.0
_SECONDS_BEFORE_ITS_END = 600.0
# GitHub takes ten minutes at the most, and clocks differ
_SECONDS_AGO, _SECONDS_AHEAD = 60, 540


@dataclass(frozen=True, slots=True)
class AppKey:
    """Which App, which installation of it, and the file with the App's private key, in PEM."""

    app_id: int
    installation_id: int
    private_key: Path


@dataclass(slots=True)
class GitHubApp:
    """The tokens of an installation at the API at `api`; threads may share it."""

    key: AppKey
    api: str
    proxies: Proxies
    wall_clock: Callable[[], float] = time.time
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _token: str = field(default="", repr=False)
    _end: float = 0.0

    def token(self) -> str:
        """A token that is good for some minutes at least. Raises what `Api.send` raises, `ForgeRefused`."""
        with self._lock:
            if self.wall_clock() > self._end - _SECONDS_BEFORE_ITS_END:
                self._renew()
            return self._token

    def _renew(self) -> None:
        api = Api(self.api, authorize=self._proof, proxies=self.proxies, wall_clock=self.wall_clock)
        answer = api.send("POST", f"/app/installations/{self.key.installation_id}/access_tokens", {})
        with understanding():
            self._token = str(answer["token"])
            self._end = datetime.fromisoformat(str(answer["expires_at"])).timestamp()

    def _proof(self) -> Mapping[str, str]:
        now = int(self.wall_clock())
        claims = {"iat": now - _SECONDS_AGO, "exp": now + _SECONDS_AHEAD, "iss": str(self.key.app_id)}
        parts = [_encoded(json.dumps(each).encode()) for each in ({"alg": "RS256", "typ": "JWT"}, claims)]
        signed = b".".join(parts)
        return authorization(Login((signed + b"." + _encoded(self._signature(signed))).decode("ascii")))

    def _signature(self, content: bytes) -> bytes:
        argv = ["openssl", "dgst", "-sha256", "-sign", str(self.key.private_key), "-binary"]
        done = process.run(argv, timeout=_SECONDS_TO_SIGN, input=content)
        if done.returncode != 0 or not done.stdout:
            raise ForgeRefused(
                f"the private key in {self.key.private_key} cannot sign: {one_line(done.stderr)}",
                hint="it has to be the RSA key in PEM that GitHub made for the App",
            )
        return done.stdout


def _encoded(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")
