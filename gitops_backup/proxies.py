"""Which proxy a request goes through: what HTTP_PROXY, HTTPS_PROXY and NO_PROXY mean to every program in Go.

skopeo is one, and both have to reach a registry by the same way, so the rules are those of its library
(golang.org/x/net/http/httpproxy). The first variable counts for http://, the second for https://; each may
be written in lower case. NO_PROXY is `*`, or lists hosts, which cover what lies below them, `.example.com`,
which covers only that, addresses, and networks (`10.0.0.0/8`); all but networks may have a port. This machine
itself is never asked for through a proxy.
"""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from gitops_backup.errors import UsageError

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's URL, and the Proxy-Authorization header that it is shown; None where it wants none."""

    url: str
    authorization: str | None = field(default=None, repr=False)


class Proxies:
    """The proxies that these variables name. Raises `UsageError` for what is no proxy, or an unknown kind."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._proxies = {scheme: _proxy(f"{scheme.upper()}_PROXY", environment) for scheme in _PORTS}
        listed = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
        self._direct = [rule for text in listed.lower().split(",") if (rule := _Rule.parse(text.strip()))]

    def of(self, url: str) -> Proxy | None:
        """The proxy for a request to this URL; None where it is sent to the host itself."""
        parts = urlsplit(url)
        proxy = self._proxies[parts.scheme]
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
        if proxy is None or host == "localhost":
            return None
        address = _address(host)
        if address is not None and address.is_loopback:
            return None
        return None if any(rule.covers(host, address, port) for rule in self._direct) else proxy


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class _Rule:
    """An entry of NO_PROXY: a network, or a host's name; the name is empty for every host."""

    network: _Network | None = None
    name: str = ""
    only_below: bool = False
    port: int | None = None

    @classmethod
    def parse(cls, text: str) -> "_Rule | None":
        """None where it is nothing that could be meant."""
        if text == "*":
            return cls()
        network = _network(text)
        if network is not None:
            return cls(network)
        host, port = _split(text)
        if (network := _network(host)) is not None and "/" not in host:
            return cls(network, port=port)
        name = host.removeprefix("*").removeprefix(".")
        return cls(name=name, only_below=name != host, port=port) if name else None

    def covers(self, host: str, address: _Address | None, port: int) -> bool:
        if self.port not in (None, port):
            return False
        if self.network is not None:
            return address is not None and address in self.network
        if not self.name:
            return True
        return host.endswith(f".{self.name}") or (host == self.name and not self.only_below)


def _proxy(variable: str, environment: Mapping[str, str]) -> Proxy | None:
    text = (environment.get(variable) or environment.get(variable.lower()) or "").strip()
    if not text:
        return None
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    # the text may hold a password
    if not host:
        raise UsageError(f"the variable {variable} names no proxy", hint="write http://host:port")
    if parts.scheme not in _PORTS:
        raise UsageError(
            f"the variable {variable} names a proxy of the kind {parts.scheme}://",
            hint="one of http:// or https:// is needed",
        )
    where = f"[{host}]" if ":" in host else host
    login = None
    if parts.username is not None:
        known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        login = f"Basic {base64.b64encode(known.encode()).decode('ascii')}"
    return Proxy(f"{parts.scheme}://{where}:{port or _PORTS[parts.scheme]}", login)


def _split(text: str) -> tuple[str, int | None]:
    """A host without brackets, and its port where there is one."""
    host, colon, port = text.rpartition(":")
    if colon and port.isdecimal() and (host.endswith("]") or ":" not in host):
        return host.strip("[]"), int(port)
    return text.strip("[]"), None


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _network(text: str) -> _Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
