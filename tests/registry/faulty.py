"""A real HTTP server that stands in front of a registry and fails on purpose.

What no rule speaks about is handed on to the registry behind it. Every request is written down as it came,
so that a test can say what was asked, how often, and with which credentials.
"""

import http.client
import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

_NOT_HANDED_ON = frozenset({"connection", "content-length", "transfer-encoding", "keep-alive"})


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came; header names are lower case, `port` tells connections apart."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    port: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says. `length` is what Content-Length claims, the body's own when None."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    length: int | None = None


class Exchange:
    """One request being answered: what an action works with."""

    def __init__(self, handler: BaseHTTPRequestHandler, seen: Seen, behind: str | None) -> None:
        self.seen = seen
        self._handler = handler
        self._behind = behind

    def forward(self) -> Answer:
        """What the registry behind says to this request."""
        if self._behind is None:
            return Answer(404, b"", {})
        connection = http.client.HTTPConnection(self._behind, timeout=30)
        try:
            headers = {n: v for n, v in self.seen.headers.items() if n not in _NOT_HANDED_ON}
            if isinstance(self._handler.connection, ssl.SSLSocket):
                headers["x-forwarded-proto"] = "https"
            connection.request(self.seen.method, self.seen.path, body=self.seen.body, headers=headers)
            response = connection.getresponse()
            length = response.headers["Content-Length"] if self.seen.method == "HEAD" else None
            kept = {n: v for n, v in response.headers.items() if n.lower() not in _NOT_HANDED_ON}
            return Answer(response.status, response.read(), kept, int(length) if length else None)
        finally:
            connection.close()

    def send(self, answer: Answer) -> None:
        """Answer the request; a length beyond the body's ends the connection after the body."""
        handler = self._handler
        length = len(answer.body) if answer.length is None else answer.length
        handler.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(length)}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if self.seen.method != "HEAD":
            handler.wfile.write(answer.body)
            handler.close_connection = handler.close_connection or length > len(answer.body)

    def drip(self, answer: Answer, *, seconds: float) -> None:
        """Send the answer's head at once, then its body one byte at a time, with a pause before each."""
        self._handler.send_response(answer.status)
        self._handler.send_header("Content-Length", str(len(answer.body)))
        self._handler.end_headers()
        for byte in answer.body:
            self._handler.wfile.flush()
            time.sleep(seconds)
            self._handler.wfile.write(bytes([byte]))

    def reset(self) -> None:
        """End the connection with a RST in place of an answer."""
        lingering = struct.pack("ii", 1, 0)
        self._handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
        self._handler.close_connection = True
        self._handler.connection.close()


Action = Callable[[Exchange], None]


def answers(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Action:
    """Always this answer; nothing reaches the registry behind."""
    return lambda exchange: exchange.send(Answer(status, body, headers or {}))


def error(status: int, code: str, headers: Mapping[str, str] | None = None) -> Action:
    """An error in the form of the distribution specification."""
    body = json.dumps({"errors": [{"code": code, "message": code.lower().replace("_", " ")}]}).encode()
    return answers(status, body, {"Content-Type": "application/json", **(headers or {})})


def resets(exchange: Exchange) -> None:
    """No answer but a reset connection."""
    exchange.reset()


def delays(seconds: float) -> Action:
    """The registry's own answer, later."""

    def later(exchange: Exchange) -> None:
        time.sleep(seconds)
        exchange.send(exchange.forward())

    return later


def changes(change: Callable[[Answer], Answer]) -> Action:
    """The registry's answer, changed."""
    return lambda exchange: exchange.send(change(exchange.forward()))


def with_header(name: str, value: str | None) -> Action:
    """The registry's answer with this header, or without it."""

    def changed(answer: Answer) -> Answer:
        kept = {n: v for n, v in answer.headers.items() if n.lower() != name.lower()}
        return replace(answer, headers=kept if value is None else {**kept, name: value})

    return changes(changed)


class FaultyServer:
    """Listens on a free port of the loopback interface; `host` is its address with the port."""

    def __init__(self, behind: str | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Seen] = []
        self._rules: list[tuple[str, re.Pattern[str], Action, list[int]]] = []
        self._lock = threading.Lock()
        self._server = _Server(behind, self._action)
        if tls is not None:
            self._server.socket = tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.host = f"127.0.0.1:{self._server.server_address[1]}"

    def on(self, method: str, path: str, action: Action, *, times: int | None = None) -> None:
        """From now on, let `action` answer requests that match (regular expressions), at most `times` times.

        A rule that was made later comes before an earlier one.
        """
        with self._lock:
            self._rules.insert(0, (method, re.compile(path), action, [-1 if times is None else times]))

    def asked(self, method: str = ".*", path: str = "") -> list[Seen]:
        """The requests so far that match."""
        with self._lock:
            seen = list(self.requests)
        return [s for s in seen if re.fullmatch(method, s.method) and re.search(path, s.path)]

    def forget(self) -> None:
        """Forget the requests so far."""
        with self._lock:
            self.requests.clear()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _action(self, seen: Seen) -> Action | None:
        with self._lock:
            self.requests.append(seen)
            for method, path, action, left in self._rules:
                if left[0] and re.fullmatch(method, seen.method) and path.search(seen.path):
                    left[0] -= 1
                    return action
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, behind: str | None, action: Callable[[Seen], Action | None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.action = action


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_one_request(self) -> None:
        # clients that hang up, and those that speak TLS to a server that does not, are part of the game
        try:
            super().handle_one_request()
        except (OSError, ValueError):
            self.close_connection = True

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _answer(self) -> None:
        names = {name.lower() for name in self.headers}
        headers = {name: ", ".join(self.headers.get_all(name, ())) for name in names}
        seen = Seen(self.command, self.path, headers, self._body(headers), self.client_address[1])
        exchange = Exchange(self, seen, self.server.behind)
        action = self.server.action(seen)
        if action is None:
            exchange.send(exchange.forward())
        else:
            action(exchange)

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(headers.get("content-length", 0)))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, its name in the base class
        """Requests are written down in `requests` instead."""
