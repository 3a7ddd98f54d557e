"""A small forge that takes no request but those that its published API description allows.

What it answers is the test's business, but has to be as described, too. A request that is not as described is
answered 400 with the reason, and fails the test at the end.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import jsonschema

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came; `path` has the path's parameters, header names are in lower case."""

    operation: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Headers
    body: Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is none of the described ones."""

    status: int
    body: Any = None
    headers: Headers | None = None


Act = Callable[[Request], Any]
"""What is answered to a request: the described answer's body, or a `Refusal`."""


class DescribedForge:
    """Serves the operations of a description at `base`, from enter to exit."""

    def __init__(self, description: Path, *, prefix: str, act: Act) -> None:
        self._operations = json.loads(description.read_text())["paths"]
        self._prefix = prefix
        self._act = act
        self.requests: list[Request] = []
        self.wrong: list[str] = []
        forge = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                forge._handle(self)

            def do_POST(self) -> None:
                forge._handle(self)

            def do_PATCH(self) -> None:
                forge._handle(self)

            def do_PUT(self) -> None:
                forge._handle(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def base(self) -> str:
        """The address of its API."""
        return f"http://127.0.0.1:{self._server.server_port}{self._prefix}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        if error is None:
            assert not self.wrong, self.wrong

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        content = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        try:
            operation, request = self._understood(handler.command, handler.path, headers, content)
        except (ValueError, jsonschema.ValidationError) as error:
            self.wrong.append(f"{handler.command} {handler.path}: {error}")
            _send(handler, 400, {"message": str(error)}, {})
            return
        self.requests.append(request)
        answer = self._act(request)
        if isinstance(answer, Refusal):
            _send(handler, answer.status, answer.body, answer.headers or {})
            return
        jsonschema.validate(answer, operation["answer"]["schema"])
        _send(handler, operation["answer"]["status"], answer, {})

    def _understood(self, method: str, target: str, headers: Headers, content: bytes) -> tuple[Any, Request]:
        parts = urlsplit(target)
        if not parts.path.startswith(self._prefix):
            raise ValueError("it is not below the API's address")
        operation, path = self._found(method, parts.path.removeprefix(self._prefix))
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        described = {
            each["name"]: each["schema"] for each in operation["parameters"] if each["in"] == "query"
        }
        for name, value in query.items():
            if name not in described:
                raise ValueError(f"there is no parameter {name}")
            jsonschema.validate(
                int(value) if described[name]["type"] == "integer" else value, described[name]
            )
        return operation, Request(
            operation["operationId"], path, query, headers, _body(operation, headers, content)
        )

    def _found(self, method: str, path: str) -> tuple[Any, Mapping[str, str]]:
        segments = path.split("/")
        for template, operations in self._operations.items():
            names = template.split("/")
            if len(names) != len(segments) or method.lower() not in operations:
                continue
            pairs = list(zip(names, segments, strict=True))
            if all(name == segment or name.startswith("{") for name, segment in pairs):
                found = {n.strip("{}"): unquote(s) for n, s in pairs if n.startswith("{")}
                return operations[method.lower()], found
        raise ValueError("there is no such operation")


def _body(operation: Any, headers: Headers, content: bytes) -> Any:
    if "requestBody" not in operation:
        if content:
            raise ValueError("a body where there is none")
        return None
    if content and headers.get("content-type") != "application/json":
        raise ValueError("the body is not said to be JSON")
    body = json.loads(content) if content else {}
    jsonschema.validate(body, {**operation["requestBody"], "additionalProperties": False})
    return body


def _send(handler: BaseHTTPRequestHandler, status: int, body: Any, headers: Headers) -> None:
    content = json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {**headers, "Content-Type": "application/json"}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
