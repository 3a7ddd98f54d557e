"""A chart repository on a server that can be told to fail, and charts to put there."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gitops_backup.domain.naming import Prefix
from gitops_backup.domain.urls import UrlPrefix
from gitops_backup.downloads.charts import Downloads
from gitops_backup.downloads.credentials import DownloadCredentials
from gitops_backup.downloads.fetching import Allowed, Fetcher
from gitops_backup.downloads.store import Store
from gitops_backup.proxies import Proxies
from gitops_backup.registry.client import RegistryClient
from gitops_backup.registry.cooldown import Cooldowns
from gitops_backup.registry.credentials import Authfile
from gitops_backup.registry.failures import Side
from gitops_backup.registry.locations import Location, Locations
from gitops_backup.registry.transport import Transport
from gitops_backup.sources.places import Place, PlaceKind
from tests.registry.faulty import Action, Answer, Exchange, FaultyServer
from tests.registry.parts import Clock

SECONDS = 2.0


def archive(files: Mapping[str, bytes], *, name: str = "web") -> bytes:
    """A chart's archive, the same for the same files."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, content in files.items():
            info = tarfile.TarInfo(f"{name}/{path}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)


def chart(version: str, **more: bytes) -> dict[str, bytes]:
    """A chart's files."""
    described = f"apiVersion: v2\nname: web\nversion: {version}\n".encode()
    return {"Chart.yaml": described, "values.yaml": b"image: nginx\n", **more}


class ChartRepository:
    """Charts `web` of these versions at `/charts`, with an index that has an ETag, and perhaps a template."""

    def __init__(self, server: FaultyServer, *versions: str, template: bytes = b"") -> None:
        self.server = server
        self.url = f"http://{server.host}/charts"
        more = {"templates/app.yaml": template} if template else {}
        self.archives = {version: archive({**chart(version), **more}) for version in versions}
        self.digests = {version: hashlib.sha256(body).hexdigest() for version, body in self.archives.items()}
        self.publish()
        for version, body in self.archives.items():
            server.on("GET", f"/charts/web-{version}.tgz$", tagged(body))

    def publish(self, **changed: Any) -> None:
        """Serve an index of all versions; `changed` is said of each of them."""
        releases = [
            {
                "apiVersion": "v2",
                "name": "web",
                "version": v,
                "digest": self.digests[v],
                "urls": [f"web-{v}.tgz"],
                "maintainers": [{"name": "a", "url": "b"}],
                **changed,
            }
            for v in self.archives
        ]
        index = {
            "apiVersion": "v1",
            "entries": {"other": [], "web": releases},
            "generated": "2026-01-01T00:00:00Z",
        }
        self.server.on("GET", "/charts/index.yaml", tagged(json.dumps(index).encode()))

    def place(self, revision: str = "1.x", *, chart: str = "web", url: str = "") -> Place:
        """A chart as an Application names it."""
        return Place(PlaceKind.CHART, url or self.url, revision, chart)

    def asked(self) -> list[str]:
        """What was asked for, in its order."""
        return [seen.path for seen in self.server.asked()]


def tagged(body: bytes) -> Action:
    """This body with its ETag, or nothing where that is known."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:8]}"'

    def answer(exchange: Exchange) -> None:
        known = exchange.seen.headers.get("if-none-match") == etag
        exchange.send(Answer(304 if known else 200, b"" if known else body, {"ETag": etag}))

    return answer


@contextmanager
def downloading(
    folder: Path,
    *prefixes: str,
    clock: Clock | None = None,
    insecure: str = "",
    authfile: bytes | None = None,
) -> Iterator[Downloads]:
    """Downloads from below these URLs; `insecure` is a registry without TLS."""
    where = [Location(Prefix.parse(insecure), insecure, insecure=True)] if insecure else []
    credentials = DownloadCredentials(lambda: Authfile.parse(authfile) if authfile is not None else None)
    made = Downloads(
        fetcher=Fetcher(
            allowed=Allowed(UrlPrefix.parse(prefix) for prefix in prefixes),
            transport=Transport(timeout=SECONDS, user_agent="test", proxies=Proxies({})),
            locations=Locations(where),
            credentials=credentials.named,
        ),
        registry=RegistryClient(
            Side.SOURCE,
            locations=Locations(where),
            credentials=credentials,
            cooldowns=Cooldowns(Clock()),
            timeout=30.0,
        ),
        store=Store(folder),
        clock=clock or Clock(),
    )
    try:
        yield made
    finally:
        made.close()
