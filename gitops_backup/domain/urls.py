"""Prefixes of URLs: what somebody allows by naming a server, or a path on it."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

_PORTS = {"https": 443, "http": 80, "ssh": 22, "oci": None}


@dataclass(frozen=True, slots=True)
class UrlPrefix:
    """A scheme, a host with its port, and a path, in one form for all spellings; no user name."""

    origin: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The URL as a prefix. Raises `ValueError` with what is wrong with it."""
        parts = urlsplit(text)  # raises ValueError, too
        scheme = parts.scheme.lower()
        if scheme not in _PORTS or not parts.hostname:
            raise ValueError("a URL begins with https://, http://, ssh:// or oci:// and a host")
        if not text.isprintable() or " " in text:
            raise ValueError("a URL has no blanks or control characters")
        path = "/".join(part for part in parts.path.split("/") if part)
        if {".", ".."} & set(unquote(path).replace("\\", "/").split("/")):
            raise ValueError("the path of a URL has no '..' in it")
        port = f":{parts.port}" if parts.port not in (None, _PORTS[scheme]) else ""
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        return cls(f"{scheme}://{host}{port}", path)

    def covers(self, other: "UrlPrefix") -> bool:
        """Whether a URL is this one or lies below it, at a slash."""
        below = not self.path or other.path == self.path or other.path.startswith(f"{self.path}/")
        return self.origin == other.origin and below

    def __str__(self) -> str:
        return f"{self.origin}/{self.path}".rstrip("/")
