"""The least that can talk to an API server: what references are measured with."""

import base64
import json
import ssl
from collections.abc import Iterator
from pathlib import Path

import urllib3
import yaml

from benchmarks.usage import MeasurementFailed
from gitops_backup.errors import one_line

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"


class Bare:
    """Requests with the address and the token of a kubeconfig of the sandbox; from many threads."""

    def __init__(self, kubeconfig: Path, *, connections: int = 8) -> None:
        config = yaml.safe_load(kubeconfig.read_bytes())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._server = cluster["server"]
        self._pool = urllib3.PoolManager(
            maxsize=connections,
            ssl_context=ssl.create_default_context(cadata=authority),
            headers={"Authorization": f"Bearer {user['token']}"},
            retries=False,
            timeout=60.0,
        )

    def call(
        self, method: str, path: str, body: object = None, *, content_type: str = "application/json"
    ) -> bytes:
        """The answer's bytes. Raises `MeasurementFailed` where the server refuses."""
        headers = {**self._pool.headers, "Content-Type": content_type}
        encoded = None if body is None else json.dumps(body)
        answer = self._pool.request(method, self._server + path, body=encoded, headers=headers)
        if answer.status >= 400:
            raise MeasurementFailed(f"{method} {path}: {answer.status} {one_line(answer.data)}")
        return answer.data

    def lines(self, path: str) -> Iterator[bytes]:
        """The lines of a watch, until the connection ends."""
        answer = self._pool.request("GET", self._server + path, preload_content=False, timeout=None)
        rest = b""
        for chunk in answer.stream(None):
            *whole, rest = (rest + chunk).split(b"\n")
            yield from whole
