"""Where kube-apiserver and etcd come from, cheapest first.

The folder that `KUBEBUILDER_ASSETS` names (the convention of Kubernetes' own test tools), PATH, our cache,
the archive that the Kubernetes project publishes for tests, and at last a build from source: minutes, but
once. Two processes that want the same program at the same time make it once; the other waits.
"""

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gitops_backup.sandbox.archive import Archive, ArchiveUnavailable, this_platform
from gitops_backup.sandbox.build import BUILDABLE, Builder
from gitops_backup.sandbox.cache import locked

ASSETS = "KUBEBUILDER_ASSETS"
CONTROL_PLANE = ("kube-apiserver", "etcd")


@dataclass(frozen=True, slots=True)
class Binaries:
    """Finds or makes the programs of a control plane.

    `environ` is the surrounding environment; `cache` the folder where what is made is kept, and
    `keep_sources` whether a build's sources and compiled packages are, too, for the next build.
    """

    cache: Path
    environ: Mapping[str, str]
    progress: Callable[[str], None]
    archive: Archive = field(default_factory=Archive)
    keep_sources: bool = False

    def at_hand(self, names: Sequence[str]) -> dict[str, Path]:
        """Where those of the programs are that need not be made."""
        return self._found(names)

    def provide(self, names: Sequence[str] = CONTROL_PLANE) -> dict[str, Path]:
        """Where each program is, made first where it has to be.

        Raises `BuildFailed`, or `UsageError` where neither the archive nor a compiler can be had.
        """
        found = self._found(names)
        if not _missing(names, found):
            return found
        with locked(self.cache / "bin" / ".lock", waiting=self._somebody_builds):
            found = self._found(names)
            missing = _missing(names, found)
            if missing:
                self._make(missing)
        return self._found(names)

    def _found(self, names: Sequence[str]) -> dict[str, Path]:
        found = {name: self._find(name) for name in names}
        return {name: path for name, path in found.items() if path is not None}

    def _find(self, name: str) -> Path | None:
        assets = self.environ.get(ASSETS)
        candidates = [Path(assets) / name] if assets else []
        on_path = shutil.which(name, path=self.environ.get("PATH", os.defpath))
        candidates += [Path(on_path)] if on_path else []
        candidates += [self._built(name), self._unpacked(name)]
        return next((path for path in candidates if os.access(path, os.X_OK)), None)

    def _make(self, names: Sequence[str]) -> None:
        if set(names) <= set(CONTROL_PLANE) and self._fetched(names):
            return
        builder = Builder(cache=self.cache, environ=self.environ, progress=self.progress)
        for name in names:
            builder.build(BUILDABLE[name], self._built(name))
        if not self.keep_sources:
            builder.clean()

    def _fetched(self, names: Sequence[str]) -> bool:
        try:
            self.archive.fetch(
                {name: self._unpacked(name) for name in names}, target=this_platform(), progress=self.progress
            )
        except ArchiveUnavailable as error:
            self.progress(f"{error.message}; building from source instead, once")
            return False
        return True

    def _built(self, name: str) -> Path:
        return self.cache / "bin" / f"{name}-{BUILDABLE[name].version}-{this_platform()}"

    def _unpacked(self, name: str) -> Path:
        return self.cache / "bin" / f"{name}-envtest-{self.archive.version}-{this_platform()}"

    def _somebody_builds(self) -> None:
        self.progress("another process is making the same programs; waiting for it")


def _missing(names: Sequence[str], found: Mapping[str, Path]) -> list[str]:
    return [name for name in names if name not in found]
