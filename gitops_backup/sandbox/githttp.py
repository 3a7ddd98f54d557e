"""A bridge from HTTP to `git http-backend`, which is a CGI program (RFC 3875) and speaks the protocol itself.

Whatever belongs to a push wants HTTP Basic credentials; the rest is open. A request's body is read whole,
chunked or not; one that is compressed is handed on as it is, because Git unpacks it. Each connection serves
one request, so that closing the bridge leaves none behind.
"""

import base64
import hmac
import http.server
import threading
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from gitops_backup.process import run
from gitops_backup.sandbox.servers import LOOPBACK

_PUSH = "git-receive-pack"
_SECONDS_FOR_A_REQUEST = 120.0
_SECONDS_BETWEEN_CHECKS = 0.05


class GitBridge:
    """Serves the bare repositories in `folder` on a free port of the loopback address, from threads.

    `before_push` is called with a repository's name before each push is handed to Git.
    """

    def __init__(
        self, folder: Path, *, username: str, password: str, before_push: Callable[[str], None]
    ) -> None:
        self.folder = folder
        self.before_push = before_push
        self._credentials = base64.b64encode(f"{username}:{password}".encode()).decode()
        self._lock = threading.Lock()
        self._unavailable = 0
        self._requests: list[tuple[str, str, int]] = []
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            args=(_SECONDS_BETWEEN_CHECKS,),
            name="sandbox-git",
            daemon=True,
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The address of the folder of repositories."""
        return f"http://{LOOPBACK}:{self._server.server_address[1]}"

    def answer_unavailable(self, count: int) -> None:
        """Answer 503 to the next `count` requests that belong to a push."""
        with self._lock:
            self._unavailable = count

    def requests(self) -> list[tuple[str, str, int]]:
        """Method, path with query, and status of what was asked so far, in order."""
        with self._lock:
            return list(self._requests)

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def admits(self, authorization: str) -> bool:
        """Whether this `Authorization` header is the one of the user."""
        return hmac.compare_digest(authorization.encode(), f"Basic {self._credentials}".encode())

    def is_unavailable(self) -> bool:
        """Whether this request is one of those to be answered with 503."""
        with self._lock:
            self._unavailable -= 1
            return self._unavailable >= 0

    def note(self, method: str, path: str, status: int) -> None:
        """Remember what was asked and answered."""
        with self._lock:
            self._requests.append((method, path, status))


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, bridge: GitBridge) -> None:
        self.bridge = bridge
        super().__init__((LOOPBACK, 0), _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS_FOR_A_REQUEST
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the name of the base class
        """Say nothing: what was asked is remembered instead."""

    def _serve(self) -> None:
        bridge = self.server.bridge
        body = self._body()
        if _PUSH in self.path:
            if bridge.is_unavailable():
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": "1"}, b"try again later\n")
                return
            if not bridge.admits(self.headers.get("Authorization", "")):
                wanted = {"WWW-Authenticate": 'Basic realm="sandbox"'}
                self._answer(HTTPStatus.UNAUTHORIZED, wanted, b"a push wants a password\n")
                return
            if self.command == "POST":
                bridge.before_push(self._repository().removesuffix(".git"))
        self._answer(*self._ask_git(body))

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(chunks)

    def _repository(self) -> str:
        first = urlsplit(self.path).path.split("/")[1]
        return first if first.endswith(".git") else f"{first}.git"

    def _ask_git(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        url = urlsplit(self.path)
        rest = "/".join(url.path.split("/")[2:])
        done = run(
            ["git", "http-backend"],
            timeout=_SECONDS_FOR_A_REQUEST,
            input=body,
            env={
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROJECT_ROOT": str(self.server.bridge.folder),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "CONTENT_LENGTH": str(len(body)),
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "PATH_INFO": f"/{self._repository()}/{rest}",
                "QUERY_STRING": url.query,
                "REMOTE_ADDR": LOOPBACK,
                "REMOTE_USER": "git",
                "REQUEST_METHOD": self.command,
            },
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        lines = (line.partition(": ") for line in head.decode().splitlines())
        headers = {name: value for name, _, value in lines}
        status = int(headers.pop("Status", "200" if head else "500").split()[0])
        return status, headers, content

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.server.bridge.note(self.command, self.path, status)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)
