"""A small real HTTP server that speaks the Kubernetes API as a test tells it to, failures included."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from gitops_backup.cluster.connection import Connection, connect

Json = dict[str, Any]


class End(Enum):
    """How a watch ends."""

    CLEANLY = auto()
    SILENT = auto()  # it stays open and says nothing: what a half-open connection looks like from here
    RESET = auto()


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of one piece."""

    body: Json | bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Watch:
    """An answer of lines, and how it ends after them."""

    lines: Sequence[Json | bytes] = ()
    end: End = End.CLEANLY


Answer = Callable[[Request], Reply | Watch]


class ScriptedServer(ThreadingHTTPServer):
    """Answers each request with what `answer` says, and remembers the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[Request] = []
        self.answer: Answer = lambda request: refused(404, "nothing is scripted")
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def in_turn(*answers: Reply | Watch) -> Answer:
    """Each answer once, the last one for ever."""
    left = list(answers)
    return lambda request: left.pop(0) if len(left) > 1 else left[0]


def lists_and_watches(*, lists: Answer, watches: Answer) -> Answer:
    """One script for the lists and one for the watches."""
    return lambda request: (watches if "watch" in request.query else lists)(request)


def object_list(*items: Json, version: str = "10", token: str | None = None) -> Reply:
    metadata = {"resourceVersion": version, **({"continue": token} if token else {})}
    return Reply({"kind": "List", "metadata": metadata, "items": list(items)})


def pod(name: str, *, version: str = "10", node: str = "a") -> Json:
    return {
        "metadata": {"namespace": "shop", "name": name, "resourceVersion": version},
        "spec": {"nodeName": node},
    }


def event(kind: str, thing: Json) -> Json:
    return {"type": kind, "object": thing}


def refused(status: int, message: str, *, headers: dict[str, str] | None = None, **more: Any) -> Reply:
    body = {"kind": "Status", "status": "Failure", "message": message, "code": status, **more}
    return Reply(body, status=status, headers=headers or {})


def kubeconfig(folder: Path, url: str, **user: Any) -> Path:
    """A kubeconfig (in JSON, which is YAML) for the server at `url`."""
    path = folder / "kubeconfig"
    document = {
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(document))
    return path


def connected(folder: Path, server: ScriptedServer, **user: Any) -> Connection:
    """A connection to a server that plays along at first; then it forgets that."""
    answer, server.answer = server.answer, lambda request: Reply({"gitVersion": "v1.36.3"})
    connection = connect(kubeconfig=kubeconfig(folder, server.url, **user), context=None)
    server.answer = answer
    server.requests.clear()
    return connection


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = self.rfile.read(length)
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=parts.path,
            query=dict(parse_qsl(parts.query)),
            headers=dict(self.headers),
            body=json.loads(body) if body else None,
        )
        self.server.requests.append(request)
        match self.server.answer(request):
            case Reply() as reply:
                self._send(reply)
            case Watch() as watch:
                self._stream(watch)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _send(self, reply: Reply) -> None:
        body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, watch: Watch) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in watch.lines:
            data = line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        match watch.end:
            case End.CLEANLY:
                self.wfile.write(b"0\r\n\r\n")
            case End.SILENT:
                self.server.closing.wait()
                self.close_connection = True
            case End.RESET:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Say nothing."""
