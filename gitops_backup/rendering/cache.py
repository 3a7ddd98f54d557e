"""Renderings, kept by what they were made of: the renderer, what was asked, and each file's content.

Failures are kept, too, because the same input fails again; but for what took too long. Manifests are mostly
repetition, and are kept compressed: thousands of Applications fit.
"""

import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import astuple
from hashlib import sha256

from gitops_backup.rendering.program import RenderTimedOut
from gitops_backup.sources.rendering import Files, HelmOptions, JsonnetOptions, Renderer, RenderFailed

LARGEST = 64 * 1024 * 1024
_FAST = 1
_OVERHEAD = 200


class CachingRenderer:
    """Renders with another renderer what it has not rendered before.

    `version` tells that renderer from others that render differently. `largest` is how many bytes are kept,
    after compression; what was asked for longest ago goes first. Threads may share it.
    """

    def __init__(self, renderer: Renderer, *, version: str, largest: int = LARGEST) -> None:
        self._renderer = renderer
        self._version = version
        self._largest = largest
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, bytes | RenderFailed] = OrderedDict()
        self._size = 0

    def kustomize(self, files: Files, folder: str, *, again: bool = False) -> bytes:
        """What `kustomize build` makes of a folder of these files. Raises `RenderFailed`."""
        key = self._key("kustomize", folder, None, files)
        return self._rendered(key, again, lambda: self._renderer.kustomize(files, folder, again=again))

    def helm(self, files: Files, folder: str, options: HelmOptions, *, again: bool = False) -> bytes:
        """What `helm template` makes of the chart in a folder of these files. Raises `RenderFailed`."""
        key = self._key("helm", folder, options, files)
        return self._rendered(key, again, lambda: self._renderer.helm(files, folder, options, again=again))

    def jsonnet(self, files: Files, path: str, options: JsonnetOptions, *, again: bool = False) -> bytes:
        """What the program at a path of these files evaluates to, as JSON. Raises `RenderFailed`."""
        key = self._key("jsonnet", path, astuple(options), files)
        return self._rendered(key, again, lambda: self._renderer.jsonnet(files, path, options, again=again))

    def _key(self, method: str, path: str, options: object, files: Files) -> bytes:
        parts = [(path, sha256(content).hexdigest()) for path, content in sorted(files.items())]
        asked = repr((self._version, method, path, options, parts))
        return sha256(asked.encode("utf-8", "surrogateescape")).digest()

    def _rendered(self, key: bytes, again: bool, render: Callable[[], bytes]) -> bytes:
        if again:
            return render()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
        if kept is None:
            try:
                rendered = render()
            except RenderTimedOut:
                raise
            except RenderFailed as error:
                kept = error
            else:
                self._keep(key, zlib.compress(rendered, _FAST))
                return rendered
            self._keep(key, kept)
        if isinstance(kept, RenderFailed):
            raise RenderFailed(kept.message, hint=kept.hint) from kept
        return zlib.decompress(kept)

    def _keep(self, key: bytes, kept: bytes | RenderFailed) -> None:
        with self._lock:
            self._forget(key)
            self._kept[key] = kept
            self._size += _cost(kept)
            while self._size > self._largest:
                self._forget(next(iter(self._kept)))

    def _forget(self, key: bytes) -> None:
        forgotten = self._kept.pop(key, None)
        if forgotten is not None:
            self._size -= _cost(forgotten)


def _cost(kept: bytes | RenderFailed) -> int:
    return _OVERHEAD + len(kept if isinstance(kept, bytes) else kept.message)
