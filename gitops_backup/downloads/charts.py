"""Charts of chart repositories (Helm's index.yaml) and of registries (OCI), and files by their URLs.

An index, a list of tags and a file are believed for some minutes, and then asked for again with the ETag that
they came with. An archive is kept by its digest, so one that is there costs no request. What failed is not
asked for again for a minute: many Applications may name it.

The version is the one that Argo CD takes (util/versions, and Helm's repo.IndexFile.Get).
"""

import hashlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit, urlunsplit

from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.versions import is_version, newest
from gitops_backup.downloads.archive import Archive, OneFile
from gitops_backup.downloads.fetching import Fetcher
from gitops_backup.downloads.index import Index, InvalidIndex, Release, read_index
from gitops_backup.downloads.store import Store
from gitops_backup.errors import one_line
from gitops_backup.registry.client import RegistryClient
from gitops_backup.registry.failures import CopyFailed
from gitops_backup.sources.mounts import Unavailable
from gitops_backup.sources.places import Place, PlaceKind

LARGEST_INDEX = 64 * 1024 * 1024
LARGEST_ARCHIVE = 20 * 1024 * 1024
LARGEST_FILE = 4 * 1024 * 1024

_FRESH_SECONDS = 300.0
_FAILED_SECONDS = 60.0
_CHART_LAYERS = frozenset({"application/vnd.cncf.helm.chart.content.v1.tar+gzip", "application/tar+gzip"})
_T = TypeVar("_T")


class Downloads:
    """Opens charts and files; threads may share it. `clock` is in seconds since the epoch."""

    def __init__(
        self,
        *,
        fetcher: Fetcher,
        registry: RegistryClient,
        store: Store,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetcher = fetcher
        self._registry = registry
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = defaultdict(threading.Lock)
        self._known: dict[str, tuple[float, Any]] = {}
        self._digests: dict[str, str] = {}

    def open(self, place: Place) -> Archive | OneFile:
        """A chart, or a file. Raises `Unavailable`."""
        if place.kind == PlaceKind.FILE:
            return self._file(place)
        if "://" not in place.url or place.url.startswith("oci://"):
            return self._oci_chart(place)
        return self._chart(place)

    def close(self) -> None:
        """Close the kept connections."""
        self._registry.close()
        self._fetcher.close()

    def _file(self, place: Place) -> OneFile:
        what = f"the value file {place}"

        def fetch(before: "_Kept | None") -> "_Kept":
            etag = before.etag if before is not None else ""
            fetched = self._fetcher.get(place.url, what=what, largest=LARGEST_FILE, etag=etag)
            return before if fetched.unchanged and before is not None else _Kept(fetched.etag, fetched.body)

        return OneFile(self._fresh(f"file {place.url}", fetch).content)

    def _chart(self, place: Place) -> Archive:
        self._fetcher.allowed.check(place.url, str(place))
        index = self._fresh(f"index {place.url}", lambda before: self._index(place, before))
        releases = {each.version: each for each in reversed(index.content.get(place.chart, ()))}
        version = newest(place.revision, releases)
        if version is None:
            raise _not_found(place, releases)
        release = releases[version]
        url = urljoin(f"{place.url.rstrip('/')}/", release.url)
        digest = release.digest or self._digests.get(url, "")
        stored = self._store.read(_archive_name(digest)) if digest else None
        if stored is None or _sha256(stored) != digest:
            stored = self._downloaded(place, release, url)
            self._digests[url] = digest = _sha256(stored)
        return Archive(digest, stored, str(place))

    def _downloaded(self, place: Place, release: Release, url: str) -> bytes:
        what = f"the archive of {place}"
        body = self._fresh(
            f"archive {url}", lambda _: self._fetcher.get(url, what=what, largest=LARGEST_ARCHIVE).body, 0
        )
        actual = _sha256(body)
        if release.digest and actual != release.digest:
            message = f"{what} has the digest {actual[:12]}…, and its index says {release.digest[:12]}…"
            raise Unavailable(Reason.DIGEST_MISMATCH, message)
        self._store.write(_archive_name(actual), body)
        return body

    def _index(self, place: Place, before: "_Kept | None") -> "_Kept":
        url = _with_path(place.url, "index.yaml")
        name = f"index-{_sha256(url.encode('utf-8', 'surrogateescape'))}.json"
        before = before or _kept_index(self._store.read(name))
        what = f"the index of {one_line(place.repository)}"
        etag = before.etag if before is not None else ""
        fetched = self._fetcher.get(url, what=what, largest=LARGEST_INDEX, etag=etag)
        if fetched.unchanged and before is not None:
            return before
        try:
            index = read_index(fetched.body)
        except InvalidIndex as error:
            raise Unavailable(Reason.DOWNLOAD_FAILED, f"{what} cannot be read: {error.message}") from error
        if fetched.etag:
            self._store.write(name, json.dumps([fetched.etag, index]).encode())
        return _Kept(fetched.etag, index)

    def _oci_chart(self, place: Place) -> Archive:
        url = place.url if place.url.startswith("oci://") else f"oci://{place.url}"
        self._fetcher.allowed.check(f"{url.rstrip('/')}/{place.chart}", str(place))
        name = "/".join(part for part in (url.removeprefix("oci://").strip("/"), place.chart) if part)
        try:
            repository = Reference.parse(name.rpartition("@")[2])
            digest = self._fresh(f"oci {name} {place.revision}", lambda _: self._layer(place, repository))
            stored = self._store.read(_archive_name(digest))
            if stored is None or _sha256(stored) != digest:
                stored = self._registry.blob(repository, f"sha256:{digest}", largest=LARGEST_ARCHIVE)
                if stored is None:
                    message = f"the registry does not have the archive of {place} that it names"
                    raise Unavailable(Reason.DOWNLOAD_FAILED, message)
                self._store.write(_archive_name(digest), stored)
        except InvalidReference as error:
            message = f"{place} is in a registry under a name that none has: {error.message}"
            raise Unavailable(Reason.CHART_NOT_FOUND, message) from error
        except CopyFailed as error:
            mismatch = error.reason == Reason.DIGEST_MISMATCH
            reason = error.reason if mismatch else Reason.DOWNLOAD_FAILED
            raise Unavailable(reason, f"{place} cannot be downloaded: {error}") from error
        return Archive(digest, stored, str(place))

    def _layer(self, place: Place, repository: Reference) -> str:
        """The SHA-256 of a chart's archive."""
        version = place.revision
        if not is_version(version):
            tags = [tag.replace("_", "+") for tag in self._registry.tags(repository)]
            found = newest(version, tags)
            if found is None:
                raise _not_found(place, dict.fromkeys(tags))
            version = found
        manifest = self._registry.manifest(Reference.parse(f"{repository.name}:{version.replace('+', '_')}"))
        if manifest is None:
            raise Unavailable(Reason.CHART_NOT_FOUND, f"{place} is not there: the registry has no such tag")
        layers = [layer.digest for layer in manifest.layers if layer.media_type in _CHART_LAYERS]
        if not layers or not layers[0].startswith("sha256:"):
            raise Unavailable(Reason.UNSUPPORTED_SOURCE, f"{place} is an artifact, and no Helm chart")
        return layers[0].removeprefix("sha256:")

    def _fresh(self, key: str, get: "Callable[[Any], _T]", seconds: float = _FRESH_SECONDS) -> _T:
        """What was got under a key some time ago, or what `get` gets now with that in hand."""
        with self._lock:
            lock = self._locks[key]
        with lock:
            until, known = self._known.get(key, (0.0, None))
            if until < self._clock():
                before = None if isinstance(known, Unavailable) else known
                try:
                    known, until = get(before), self._clock() + seconds
                except Unavailable as error:
                    known, until = error, self._clock() + _FAILED_SECONDS
                if seconds or isinstance(known, Unavailable):
                    self._known[key] = until, known
            if isinstance(known, Unavailable):
                raise Unavailable(known.reason, known.message, hint=known.hint) from known
            current: _T = known
            return current


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was downloaded, and the ETag that it came with."""

    etag: str
    content: Any


def _kept_index(stored: bytes | None) -> _Kept | None:
    if stored is None:
        return None
    try:
        etag, charts = json.loads(stored)
        index: Index = {
            chart: tuple(Release(*each) for each in releases) for chart, releases in charts.items()
        }
        return _Kept(etag, index)
    except (ValueError, TypeError, AttributeError):
        return None


def _not_found(place: Place, versions: Mapping[str, object]) -> Unavailable:
    latest = newest("", versions)
    what = f"the newest is {one_line(latest)}" if latest is not None else "there is none at all"
    return Unavailable(Reason.CHART_NOT_FOUND, f"{place} is not there: no version fits, {what}")


def _with_path(url: str, path: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


def _archive_name(digest: str) -> str:
    return f"chart-{digest}.tgz" if digest.isalnum() else "no-digest"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
