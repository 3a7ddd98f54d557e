"""A real HTTP proxy on loopback: it forwards and tunnels to servers by names that only it knows."""

import base64
import http.client
import select
import socket
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "proxy-authorization", "proxy-connection"})
_SECONDS = 30.0


class ProxyServer:
    """Listens on a free port; `names` maps a host with its port to the address that is really meant.

    With `login` (`name:password`), it wants that. `asked` has the first line of each request.
    """

    def __init__(self, names: Mapping[str, str], *, login: str | None = None) -> None:
        self.asked: list[str] = []
        self.refused = 0
        self.names = dict(names)
        self.wanted = None if login is None else f"Basic {base64.b64encode(login.encode()).decode()}"
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def environment(self, login: str = "") -> dict[str, str]:
        """The variables that send everything through it."""
        url = f"http://{login}{'@' if login else ''}{self.address}"
        return {"HTTP_PROXY": url, "HTTPS_PROXY": url}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: ProxyServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self._forward
        raise AttributeError(name)

    def do_CONNECT(self) -> None:
        behind = self._behind(self.path)
        if behind is None:
            return
        host, _, port = behind.partition(":")
        with socket.create_connection((host, int(port)), timeout=_SECONDS) as server:
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            _pump(self.connection, server)
        self.close_connection = True

    def _forward(self) -> None:
        parts = urlsplit(self.path)
        behind = self._behind(parts.netloc if parts.port else f"{parts.netloc}:80")
        if behind is None:
            return
        body = self._body()
        connection = http.client.HTTPConnection(behind, timeout=_SECONDS)
        try:
            names = {name.lower() for name in self.headers} - _HOP_BY_HOP - {"transfer-encoding"}
            headers = {name: ", ".join(self.headers.get_all(name, ())) for name in names}
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request(self.command, path, body=body, headers=headers)
            response = connection.getresponse()
            content = response.read()
            self.send_response(response.status)
            for name, value in response.headers.items():
                if name.lower() not in {*_HOP_BY_HOP, "content-length", "transfer-encoding"}:
                    self.send_header(name, value)
            length = response.headers["Content-Length"] if self.command == "HEAD" else str(len(content))
            self.send_header("Content-Length", length or "0")
            self.end_headers()
            self.wfile.write(content)
        finally:
            connection.close()

    def _behind(self, host: str) -> str | None:
        proxy = self.server.proxy
        proxy.asked.append(self.requestline)
        if proxy.wanted not in (None, self.headers["Proxy-Authorization"]):
            proxy.refused += 1
            self._refuse(407)
        elif host not in proxy.names:
            self._refuse(502)
        return proxy.names.get(host) if proxy.wanted in (None, self.headers["Proxy-Authorization"]) else None

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def _body(self) -> bytes:
        if self.headers["Transfer-Encoding"] != "chunked":
            return self.rfile.read(int(self.headers["Content-Length"] or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, its name in the base class
        """Requests are written down in `asked` instead."""


def _pump(one: socket.socket, other: socket.socket) -> None:
    opposite = {one: other, other: one}
    while True:
        readable, _, _ = select.select(list(opposite), [], [], _SECONDS)
        if not readable:
            return
        for end in readable:
            try:
                data = end.recv(65536)
                opposite[end].sendall(data)
            except OSError:
                return
            if not data:
                return
