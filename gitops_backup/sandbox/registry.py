"""A real container registry (the distribution project's) on loopback, and what was asked of it.

It keeps everything in memory. Where it wants a password, that is checked against a bcrypt hash, the only kind
that it knows; the hash's cost is the least there is, as it is computed anew for every request.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import bcrypt
import urllib3
import yaml

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sandbox.programs import Program, Programs
from gitops_backup.sandbox.servers import LOOPBACK, answers, start_server
from gitops_backup.sandbox.tiny_images import MANIFEST_TYPES, tiny_image

USER_AGENT = "sandbox"

_ACCEPT = {"Accept": ", ".join(MANIFEST_TYPES)}
_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONNECTIONS = 16
_LEAST_COST = 4
_REQUEST = re.compile(
    r'^\S+ \S+ (?P<user>\S+) \[[^]]*\] "(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[^"]*" (?P<status>\d{3}) '
    r'\S+ "[^"]*" "(?P<agent>[^"]*)"$',
    re.MULTILINE,
)


class RegistryRefused(GitopsBackupError):
    """The registry answered something else than what was to be expected."""


@dataclass(frozen=True, slots=True)
class Request:
    """A line of the registry's access log; `path` has the query, `agent` is the client's User-Agent."""

    method: str
    path: str
    status: int
    agent: str


class Registry:
    """A registry process. With `username` and `password` it serves those who know them alone.

    `folder` gets its configuration and its logs. It ends with its `Programs`, or when it is closed.
    """

    def __init__(
        self,
        *,
        name: str,
        programs: Programs,
        binary: Path,
        folder: Path,
        username: str = "",
        password: str = "",
    ) -> None:
        self.name = name
        self.username = username
        self.password = password
        self._programs = programs
        self._binary = binary
        self._folder = folder
        self._folder.mkdir(parents=True)
        self._program, (self.port,) = start_server(
            lambda ports: self._launch(ports[0]), ready=lambda ports: answers(ports[0])
        )
        self._pool = urllib3.PoolManager(
            maxsize=_CONNECTIONS,
            retries=False,
            timeout=30.0,
            headers={"User-Agent": USER_AGENT, **self._auth},
        )

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def url(self) -> str:
        """The address of the registry's root."""
        return f"http://{self.address}"

    def push_image(
        self,
        repository: str,
        tag: str,
        *,
        platforms: Sequence[str] = ("linux/amd64",),
        content: bytes | None = None,
        docker: bool = False,
    ) -> str:
        """Push a tiny image, with its name as its content by default, and return the tag's digest."""
        name = f"{repository}:{tag}".encode()
        image = tiny_image(name if content is None else content, platforms=platforms, docker=docker)
        for digest, blob in image.blobs.items():
            self._push_blob(repository, digest, blob)
        for manifest in image.manifests:
            self.push_manifest(repository, manifest.digest, manifest.content, media_type=manifest.media_type)
        return self.push_manifest(repository, tag, image.top.content, media_type=image.top.media_type)

    def push_chart(self, repository: str, tag: str, archive: bytes) -> str:
        """Push a Helm chart's archive as Helm does, and return the tag's digest."""
        config = b"{}"
        described = {}
        for name, blob in (("config", config), ("chart.content", archive)):
            digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
            self._push_blob(repository, digest, blob)
            kind = f"application/vnd.cncf.helm.{name}.v1{'+json' if name == 'config' else '.tar+gzip'}"
            described[name] = {"mediaType": kind, "digest": digest, "size": len(blob)}
        manifest = {
            "schemaVersion": 2,
            "config": described["config"],
            "layers": [described["chart.content"]],
        }
        content = json.dumps(manifest).encode()
        return self.push_manifest(repository, tag, content, media_type=_OCI_MANIFEST)

    def push_manifest(self, repository: str, reference: str, content: bytes, *, media_type: str) -> str:
        """Push a manifest as it is, under a tag or its digest, and return its digest."""
        path = f"/v2/{repository}/manifests/{reference}"
        response = self._ask("PUT", path, body=content, headers={"Content-Type": media_type}, expected=201)
        return response.headers["Docker-Content-Digest"]

    def manifest(self, repository: str, reference: str) -> bytes | None:
        """The manifest that a tag or a digest names; None when there is none."""
        response = self._ask(
            "GET", f"/v2/{repository}/manifests/{reference}", headers=_ACCEPT, expected=(200, 404)
        )
        return response.data if response.status == 200 else None

    def digest(self, repository: str, reference: str) -> str | None:
        """The digest of the manifest that a tag or a digest names; None when there is none."""
        response = self._ask(
            "HEAD", f"/v2/{repository}/manifests/{reference}", headers=_ACCEPT, expected=(200, 404)
        )
        return response.headers["Docker-Content-Digest"] if response.status == 200 else None

    def tags(self, repository: str) -> list[str]:
        """The tags of a repository, sorted; empty when there is no such repository."""
        response = self._ask("GET", f"/v2/{repository}/tags/list", expected=(200, 404))
        return sorted(response.json().get("tags") or []) if response.status == 200 else []

    def repositories(self) -> list[str]:
        """The names of all repositories, sorted."""
        return sorted(self._ask("GET", "/v2/_catalog?n=1000", expected=200).json()["repositories"])

    def delete(self, repository: str, digest: str) -> None:
        """Delete a manifest, and with it the tags that name it."""
        self._ask("DELETE", f"/v2/{repository}/manifests/{digest}", expected=(202, 404))

    def requests(self, *, others_only: bool = True) -> list[Request]:
        """What was asked of the registry since it started, or since `forget_requests`, in order.

        The sandbox's own requests are left out unless `others_only` is false.
        """
        log = self._program.output.read_text(errors="replace")
        found = [
            Request(match["method"], match["path"], int(match["status"]), match["agent"])
            for match in _REQUEST.finditer(log)
        ]
        return [each for each in found if not (others_only and each.agent.startswith(USER_AGENT))]

    def forget_requests(self) -> None:
        """Begin the list of requests anew."""
        with self._program.output.open("r+") as log:
            log.truncate(0)

    def interrupt(self) -> None:
        """Kill the registry; `resume` starts another, empty one at the same address."""
        self._program.kill()

    def resume(self) -> None:
        """Start the registry again after `interrupt`: empty, as it keeps nothing on disk."""
        self._program, _ = start_server(
            lambda _: self._launch(self.port), ready=lambda _: answers(self.port), ports=0
        )

    def close(self) -> None:
        """End the registry."""
        self._pool.clear()
        self._program.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _auth(self) -> dict[str, str]:
        return urllib3.make_headers(basic_auth=f"{self.username}:{self.password}") if self.username else {}

    def _launch(self, port: int) -> Program:
        config: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "warn"},
            "storage": {"inmemory": {}, "delete": {"enabled": True}},
            "http": {"addr": f"{LOOPBACK}:{port}", "secret": secrets.token_hex(16)},
        }
        if self.username:
            config["auth"] = {"htpasswd": {"realm": self.name, "path": str(self._write_users())}}
        path = self._folder / "config.yaml"
        path.write_text(yaml.safe_dump(config))
        return self._programs.start(
            f"registry {self.name}",
            [self._binary, "serve", path],
            log=self._folder / "registry.log",
            output=self._folder / "requests.log",
        )

    def _write_users(self) -> Path:
        path = self._folder / "htpasswd"
        hashed = bcrypt.hashpw(self.password.encode(), bcrypt.gensalt(_LEAST_COST)).decode()
        path.touch(mode=0o600)
        path.write_text(f"{self.username}:{hashed}\n")
        return path

    def _push_blob(self, repository: str, digest: str, blob: bytes) -> None:
        begun = self._ask("POST", f"/v2/{repository}/blobs/uploads/", expected=202)
        location = begun.headers["Location"].removeprefix(self.url)
        path = f"{location}{'&' if '?' in location else '?'}digest={digest}"
        self._ask("PUT", path, body=blob, headers={"Content-Type": "application/octet-stream"}, expected=201)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        expected: int | tuple[int, ...],
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        sent = {**self._pool.headers, **(headers or {})}
        try:
            response = self._pool.request(method, f"{self.url}{path}", body=body, headers=sent)
        except urllib3.exceptions.HTTPError as error:
            raise RegistryRefused(f"{method} {path}: {one_line(str(error))}") from error
        if response.status not in (expected if isinstance(expected, tuple) else (expected,)):
            raise RegistryRefused(f"{method} {path}: {response.status} {one_line(response.data)}")
        return response
