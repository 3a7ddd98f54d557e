"""A registry that is far away: a proxy in front of one that lets every request wait."""

import http.server
import threading
import time
from http import HTTPStatus
from typing import Self

import urllib3

from gitops_backup.sandbox.servers import LOOPBACK

_CONNECTIONS = 64
_NOT_HANDED_ON = frozenset({"connection", "keep-alive", "transfer-encoding", "date", "server"})


class Delay:
    """Serves what the registry at `address` has, each answer `seconds` later, between enter and exit."""

    def __init__(self, address: str, *, seconds: float) -> None:
        self._server = _Server(address, seconds)
        self._thread = threading.Thread(target=self._server.serve_forever, name="delay", daemon=True)

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{LOOPBACK}:{self._server.server_address[1]}"

    @property
    def requests(self) -> int:
        """How many requests were answered so far."""
        return self._server.answered

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: str, seconds: float) -> None:
        super().__init__((LOOPBACK, 0), _Handler)
        self.seconds = seconds
        self.answered = 0
        self.upstream = urllib3.HTTPConnectionPool(address, maxsize=_CONNECTIONS, retries=False)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_GET(self) -> None:
        self._hand_on()

    def do_HEAD(self) -> None:
        self._hand_on()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the name of the base class
        """Say nothing."""

    def _hand_on(self) -> None:
        server = self.server
        time.sleep(server.seconds)
        names = {name.lower() for name in self.headers} - {"host"}
        # a client may give what it accepts in many headers of the same name
        headers = {name: ", ".join(self.headers.get_all(name, ())) for name in names}
        answer = server.upstream.request(self.command, self.path, headers=headers, decode_content=False)
        self.send_response(answer.status if answer.status else HTTPStatus.BAD_GATEWAY)
        for name, value in answer.headers.items():
            if name.lower() not in _NOT_HANDED_ON:
                self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.data)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(answer.data)
        server.answered += 1
