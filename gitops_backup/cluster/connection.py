"""The API server as a few verbs on paths, in plain dicts.

- Answers are JSON as it came: models would cost seconds and hundreds of megabytes on a large cluster.
- No request is without a time limit, and none is repeated here: when to try again is the caller's to decide.
- What goes wrong is one of the classes in `errors`, or `Transient` or `Conflict`, never a library's.

Credentials are asked of the client's configuration for each request, so that a rotated service account token
or an expired one of a credential plugin is renewed.
"""

import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes.client import Configuration
from kubernetes.client.rest import RESTClientObject
from kubernetes.config.config_exception import ConfigException

from gitops_backup import __version__
from gitops_backup.cluster.configuration import find_configuration
from gitops_backup.cluster.errors import Forbidden, refusal
from gitops_backup.errors import GitopsBackupError, Transient, UsageError, one_line

Json = dict[str, Any]
"""A JSON object as the API server sent it or takes it."""

Query = Mapping[str, str | int]

_CONNECT_SECONDS = 5.0
_REQUEST_SECONDS = 30.0
_POOL_SIZE = 32


def connect(
    *,
    kubeconfig: Path | None,
    context: str | None,
    environ: Mapping[str, str] = os.environ,
    pool_size: int = _POOL_SIZE,
) -> "Connection":
    """A connection to the API server, which has answered once.

    Where it is: see `find_configuration`. `pool_size` is how many connections are kept open: one for each
    thread that talks at the same time, watches included. Raises `UsageError` in one line when there is no
    usable configuration, nothing answers at its address, or the credentials are not accepted.
    """
    configuration = find_configuration(kubeconfig=kubeconfig, context=context, environ=environ)
    configuration.connection_pool_maxsize = pool_size
    configuration.keep_alive = True  # or the silence of a watch hides for minutes that its server is gone
    try:
        connection = Connection(configuration)
    except (urllib3.exceptions.HTTPError, ImportError) as error:
        raise UsageError(
            f"{configuration.host}: the proxy for it is unusable", hint="name an http:// or https:// proxy"
        ) from error
    try:
        connection.get("/version")
    except Forbidden:
        pass  # some clusters show their version to few; it did answer
    except GitopsBackupError as error:
        raise UsageError(f"{connection.url}: {error.message}", hint=error.hint) from error
    return connection


class Connection:
    """One API server; its methods may be called from any thread.

    Paths are those of `Resource.path`. `timeout`, in seconds, is how long to wait for the connection (5 at
    most) and then for each further bytes, 30 by default. All raise `NotFound`, `Invalid`, `Forbidden`,
    `Unauthorized`, `Gone`, `Conflict` or `Transient`.
    """

    def __init__(self, configuration: Configuration) -> None:
        if not configuration.verify_ssl:
            # the kubeconfig asks for it, and one warning for each request helps nobody
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self.url = configuration.host
        self._configuration = configuration
        self._pool = RESTClientObject(configuration).pool_manager
        self._credentials = threading.Lock()

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.clear()

    def get(self, path: str, query: Query | None = None, *, timeout: float | None = None) -> Json:
        """Read an object or a list."""
        return self._exchange("GET", path, query=query, timeout=timeout)

    def list_pages(
        self,
        path: str,
        *,
        limit: int = 500,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> Iterator[Json]:
        """The pages of a list, at most `limit` objects each, all as of the first page's resource version.

        Raises `Gone` in the middle when the token of the next page has expired: what was seen is then no
        whole, and the list has to start over.
        """
        query: dict[str, str | int] = {"limit": limit}
        if label_selector:
            query["labelSelector"] = label_selector
        if field_selector:
            query["fieldSelector"] = field_selector
        while True:
            page = self.get(path, query)
            token = page["metadata"].get("continue")
            yield page
            if not token:
                return
            query["continue"] = token

    def create(self, path: str, body: Json, *, timeout: float | None = None) -> Json:
        """Create an object in the collection at `path`; `Conflict` when it is there already."""
        return self._exchange("POST", path, body=body, timeout=timeout)

    def replace(self, path: str, body: Json, *, timeout: float | None = None) -> Json:
        """Write an object whole; `Conflict` when it is no longer at the resource version of `body`."""
        return self._exchange("PUT", path, body=body, timeout=timeout)

    def replace_status(self, path: str, body: Json, *, timeout: float | None = None) -> Json:
        """Write the status of the object at `path`, as `replace` does; the rest of `body` is ignored."""
        return self.replace(f"{path}/status", body, timeout=timeout)

    def json_patch(self, path: str, operations: Sequence[Json], *, timeout: float | None = None) -> Json:
        """Apply a JSON patch (RFC 6902) as a whole; `Invalid` when a `test` or a path in it fails."""
        content_type = "application/json-patch+json"
        return self._exchange(
            "PATCH", path, body=list(operations), content_type=content_type, timeout=timeout
        )

    def merge_patch(self, path: str, body: Json, *, timeout: float | None = None) -> Json:
        """Apply a JSON merge patch (RFC 7386); with a `metadata.resourceVersion` in it guarded by that."""
        content_type = "application/merge-patch+json"
        return self._exchange("PATCH", path, body=body, content_type=content_type, timeout=timeout)

    def delete(
        self, path: str, *, preconditions: Mapping[str, str] | None = None, timeout: float | None = None
    ) -> None:
        """Delete an object; `preconditions` are `uid` and `resourceVersion`, and `Conflict` if one fails."""
        body = {"preconditions": dict(preconditions)} if preconditions else None
        self._exchange("DELETE", path, body=body, timeout=timeout)

    @contextmanager
    def stream(self, path: str, query: Query, *, timeout: float) -> Iterator["Stream"]:
        """A watch, open inside of `with`; `timeout`, in seconds, is for each wait for further bytes of it."""
        response = self._answered("GET", path, query=query, timeout=timeout, preload=False)
        try:
            yield Stream(response)
        finally:
            response.close()

    def _exchange(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Json | list[Json] | None = None,
        content_type: str = "application/json",
        timeout: float | None = None,
    ) -> Json:
        response = self._answered(
            method, path, query=query, body=body, content_type=content_type, timeout=timeout, preload=True
        )
        try:
            parsed = json.loads(response.data)
        except ValueError as error:
            raise _unexpected(response.data) from error
        if not isinstance(parsed, dict):
            raise _unexpected(response.data)
        return parsed

    def _answered(
        self,
        method: str,
        path: str,
        *,
        query: Query | None,
        timeout: float | None,
        preload: bool,
        body: Json | list[Json] | None = None,
        content_type: str = "application/json",
    ) -> urllib3.BaseHTTPResponse:
        seconds = _REQUEST_SECONDS if timeout is None else timeout
        headers = self._headers()
        if body is not None:
            headers["Content-Type"] = content_type
        try:
            response = self._pool.urlopen(
                method,
                f"{self.url}{path}?{urlencode(query)}" if query else self.url + path,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=urllib3.Timeout(connect=min(_CONNECT_SECONDS, seconds), total=seconds),
                preload_content=preload,
                retries=False,
                redirect=False,
            )
            if 200 <= response.status < 300:
                return response
            refused = response.data
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(error) from error
        raise refusal(
            status=response.status,
            body=refused,
            retry_after=response.headers.get("Retry-After"),
            method=method,
            path=path,
            watching=not preload,
        )

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": f"gitops-backup/{__version__}"}
        try:
            with self._credentials:  # a credential plugin runs once, not once for each thread
                bearer = self._configuration.auth_settings().get("BearerToken")
        except (ConfigException, OSError, ValueError) as error:
            raise Transient(f"the credentials cannot be renewed: {one_line(str(error))}") from error
        if bearer and bearer["value"]:
            headers["Authorization"] = bearer["value"].strip()  # token files may end with a line break
        return headers


class Stream:
    """The lines of a watch as they come."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        """Each line without its end; a last line that was cut off is left out.

        Raises `Transient` when the connection breaks, is interrupted, or stays silent for too long.
        """
        rest = b""
        try:
            for chunk in self._response.stream(None):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise _unreachable(error) from error

    def interrupt(self) -> None:
        """End the stream at once; to be called from another thread than the one that reads."""
        try:
            self._response.shutdown()
        except (ValueError, RuntimeError, OSError):
            return  # it has ended by itself


def _unreachable(error: Exception) -> Transient:
    match error:
        case urllib3.exceptions.ReadTimeoutError():
            why = "it accepts the connection and is silent"
        case urllib3.exceptions.NewConnectionError(__cause__=OSError(strerror=str(why))):
            pass
        case urllib3.exceptions.ConnectTimeoutError():
            why = "it does not accept a connection in time"
        case _:
            why = str(error.args[-1] if error.args else error)
    return Transient(f"the API server does not answer: {one_line(why)}")


def _unexpected(data: bytes) -> Transient:
    seen = one_line(data, limit=100)
    return Transient(f"the API server did not answer with a JSON object but with: {seen}")
