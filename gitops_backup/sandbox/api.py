"""A small client of the Kubernetes API for the sandbox itself: plain JSON in and out.

The product has its own; the sandbox's stand-ins and the tests must not see the cluster through the code that
they are there to test.
"""

import json
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode

import urllib3

from gitops_backup.errors import GitopsBackupError, Transient, one_line

Json: TypeAlias = dict[str, Any]

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"

_JSON = "application/json"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_CONNECTIONS = 32
_PAGE = 500
_TIMEOUT = urllib3.Timeout(connect=5, read=60)
_SECONDS_TO_WATCH = 300


class ApiError(GitopsBackupError):
    """The API server refused: `status` is the HTTP status, `reason` its own word such as `NotFound`."""

    def __init__(self, message: str, *, status: int, reason: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class ApiAway(Transient):
    """The API server cannot be reached."""


class Watch:
    """The events of a watch, each with `type` and `object`; iterate once, `end` from any thread."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[Json]:
        pending = b""
        try:
            for chunk in self._response.stream(1 << 16):
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    yield json.loads(line)
        except (urllib3.exceptions.HTTPError, OSError):
            return
        finally:
            self._response.close()

    def end(self) -> None:
        """Let the iteration end soon."""
        try:
            self._response.shutdown()
        except (ValueError, RuntimeError, OSError):
            self._response.close()


class Api:
    """Requests to one API server with one token; safe to use from many threads."""

    def __init__(self, *, server: str, authority: Path, token: str) -> None:
        self.server = server
        self._pool = urllib3.PoolManager(
            maxsize=_CONNECTIONS,
            ca_certs=str(authority),
            headers={"Authorization": f"Bearer {token}", "User-Agent": "sandbox"},
            timeout=_TIMEOUT,
            retries=False,
        )
        self._paths: dict[tuple[str, str], tuple[str, bool]] = {}
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> Json:
        """The answer's JSON. Raises `ApiError` for a status of 400 and more, `ApiAway` when none came."""
        headers = {"Content-Type": content_type, "Accept": accept}
        response = self._send(method, path, body, query=query, headers=headers)
        if response.status >= 400:
            raise _error(response, f"{method} {path}")
        answer: Json = json.loads(response.data) if response.data else {}
        return answer

    def ready(self) -> bool:
        """Whether the server answers, and says that all its parts have started."""
        try:
            return self._send("GET", "/readyz").status == 200
        except ApiAway:
            return False

    def get(self, path: str) -> Json:
        """The object at this path."""
        return self.request("GET", path)

    def find(self, path: str) -> Json | None:
        """The object at this path; None when there is none."""
        try:
            return self.get(path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str, *, query: Mapping[str, str] | None = None) -> list[Json]:
        """Everything in a collection, fetched in pages; empty where the collection's kind is unknown."""
        found: list[Json] = []
        page = {**(query or {}), "limit": str(_PAGE)}
        while True:
            try:
                answer = self.request("GET", path, query=page)
            except ApiError as error:
                if error.status == 404:
                    return found
                raise
            found += answer["items"]
            if not (token := answer["metadata"].get("continue")):
                return found
            page["continue"] = token

    def table(self, path: str) -> Json:
        """A collection as the API server lays it out for kubectl (meta.k8s.io/v1, Table)."""
        return self.request("GET", path, accept=_TABLE)

    def create(self, thing: Json) -> Json:
        """Create an object at the path that its kind and namespace give."""
        return self.request("POST", self.path_of(thing, collection=True), thing)

    def apply(self, thing: Json, *, manager: str = "sandbox") -> Json:
        """Server-side apply, taking over what others own."""
        query = {"fieldManager": manager, "force": "true"}
        return self.request("PATCH", self.path_of(thing), thing, query=query, content_type=APPLY)

    def merge(self, path: str, change: Json) -> Json:
        """A JSON merge patch."""
        return self.request("PATCH", path, change, content_type=MERGE_PATCH)

    def delete(self, path: str) -> None:
        """Delete an object or a whole collection; nothing happens when it is gone already."""
        try:
            self.request("DELETE", path, {"propagationPolicy": "Background", "gracePeriodSeconds": 0})
        except ApiError as error:
            if error.status != 404:
                raise

    def watch(self, path: str, *, since: str) -> Watch:
        """The events of a collection after a resource version, until the server ends it after minutes."""
        query = {
            "watch": "1",
            "resourceVersion": since,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_SECONDS_TO_WATCH),
        }
        response = self._send("GET", path, query=query, streamed=True)
        if response.status >= 400:
            raise _error(response, f"watch {path}")
        return Watch(response)

    def path_of(self, thing: Json, *, collection: bool = False) -> str:
        """The path of an object, or of its collection, as the server's discovery has it."""
        version, kind, metadata = thing["apiVersion"], thing["kind"], thing["metadata"]
        plural, namespaced = self._resource(version, kind)
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        inside = f"/namespaces/{metadata.get('namespace', 'default')}" if namespaced else ""
        return f"{root}{inside}/{plural}" + ("" if collection else f"/{metadata['name']}")

    def is_namespaced(self, thing: Json) -> bool:
        """Whether objects of this one's kind belong to a namespace."""
        return self._resource(thing["apiVersion"], thing["kind"])[1]

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def _resource(self, version: str, kind: str) -> tuple[str, bool]:
        with self._lock:
            if (version, kind) in self._paths:
                return self._paths[version, kind]
        answer = self.get(f"/apis/{version}" if "/" in version else f"/api/{version}")
        with self._lock:
            for resource in answer["resources"]:
                if "/" not in resource["name"]:
                    self._paths[version, resource["kind"]] = (resource["name"], resource["namespaced"])
            if (version, kind) not in self._paths:
                raise ApiError(f"the API server knows no {kind} in {version}", status=404, reason="NotFound")
            return self._paths[version, kind]

    def _send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        streamed: bool = False,
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self.server}{path}" + (f"?{urlencode(query)}" if query else "")
        encoded = None if body is None else json.dumps(body).encode()
        sent = {**self._pool.headers, **(headers or {})}
        try:
            return self._pool.request(method, url, body=encoded, headers=sent, preload_content=not streamed)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ApiAway(
                f"no answer from the API server at {self.server}: {one_line(str(error))}"
            ) from error


def _error(response: urllib3.BaseHTTPResponse, asked: str) -> ApiError:
    try:
        status = json.loads(response.data)
        reason, message = status.get("reason", ""), status.get("message", "")
    except ValueError:
        reason, message = "", response.data
    return ApiError(
        f"{asked}: {response.status} {reason} {one_line(message)}", status=response.status, reason=reason
    )
