"""Programs that the distribution has: the registry, skopeo and Git; gpg for tests of signatures; and Redis.

As root on Debian and what descends from it they are installed with apt. The packages of the registry and of
Redis's server would start a service. The first is only unpacked, into our cache; the second is passed over,
as the program itself is in the package with Redis's tools. Elsewhere one line says what to install.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitops_backup.errors import UsageError, one_line
from gitops_backup.process import run
from gitops_backup.sandbox.cache import locked

_SECONDS_TO_INSTALL = 600.0
_REGISTRY_NAMES = ("docker-registry", "registry")
# in Debian they are one and the same, and the second comes without a service
_REDIS_NAMES = ("redis-server", "redis-check-rdb")
_APT = {"DEBIAN_FRONTEND": "noninteractive"}


@dataclass(frozen=True, slots=True)
class Packages:
    """Finds programs, or installs them where that can be done without asking.

    `environ` is the surrounding environment, `cache` the folder for what is only unpacked, and `may_install`
    whether apt may be used (as root on Debian).
    """

    cache: Path
    environ: Mapping[str, str]
    progress: Callable[[str], None]
    may_install: bool

    def provide(self) -> Path:
        """The registry's program, after making sure that skopeo and Git are on PATH. Raises `UsageError`."""
        with locked(self.cache / "bin" / ".packages", waiting=self._somebody_installs):
            missing = [name for name in ("skopeo", "git") if self._which(name) is None]
            registry = self._registry()
            if registry and not missing:
                return registry
            self._prepare([*missing, *([] if registry else ["docker-registry"])])
            self._install(missing)
            return registry or self._unpack_registry()

    def provide_gpg(self) -> None:
        """Make sure that gpg and its agent are on PATH. Raises `UsageError`."""
        self._provide_all("gpg", "gpg-agent")

    def provide_c_compiler(self) -> None:
        """Make sure that what is written in C can be built. Raises `UsageError`."""
        self._provide_all("gcc", with_them=("libc6-dev",))

    def provide_redis(self) -> Path:
        """A program that is the Redis server when it is called `redis-server`. Raises `UsageError`."""
        with locked(self.cache / "bin" / ".packages", waiting=self._somebody_installs):
            found = self._redis()
            if found is None:
                self._prepare(["redis-server"])
                self._install(["redis-tools"])
                found = self._redis()
        if found is None:
            raise UsageError("redis-tools has no redis-check-rdb", hint="install redis-server by hand")
        return found

    def _provide_all(self, *names: str, with_them: Sequence[str] = ()) -> None:
        """Install those packages that are called as the programs are, where one is missing."""
        with locked(self.cache / "bin" / ".packages", waiting=self._somebody_installs):
            missing = [name for name in names if self._which(name) is None]
            if missing:
                self._prepare(missing)
                self._install([*missing, *with_them])

    def _redis(self) -> Path | None:
        return next((path for name in _REDIS_NAMES if (path := self._which(name))), None)

    def _prepare(self, missing: Sequence[str]) -> None:
        if not self.may_install or self._which("apt-get") is None:
            raise UsageError(
                f"programs are needed that are not on PATH: {', '.join(missing)}",
                hint="install your distribution's packages of these names",
            )
        self._run(["apt-get", "update", "-qq"])

    def _install(self, packages: Sequence[str]) -> None:
        if packages:
            self.progress(f"installing {', '.join(packages)}")
            self._run(["apt-get", "install", "-qq", "--no-install-recommends", *packages])

    def _registry(self) -> Path | None:
        found = [path for name in _REGISTRY_NAMES if (path := self._which(name))]
        return next((path for path in (*found, self._unpacked) if os.access(path, os.X_OK)), None)

    @property
    def _unpacked(self) -> Path:
        return self.cache / "bin" / "docker-registry"

    def _unpack_registry(self) -> Path:
        self.progress("unpacking the registry's package")
        with tempfile.TemporaryDirectory(dir=self.cache) as folder:
            # apt drops its rights to a user that must be able to write here
            Path(folder).chmod(0o777)
            self._run(["apt-get", "download", "-qq", "docker-registry"], cwd=Path(folder))
            package = next(Path(folder).glob("*.deb"))
            self._run(["dpkg-deb", "-x", str(package), f"{folder}/unpacked"])
            (Path(folder) / "unpacked" / "usr" / "bin" / "docker-registry").replace(self._unpacked)
        return self._unpacked

    def _run(self, argv: Sequence[str], *, cwd: Path | None = None) -> None:
        kept = {
            name: value
            for name, value in self.environ.items()
            if name == "PATH" or name.lower().endswith("_proxy")
        }
        done = run(argv, timeout=_SECONDS_TO_INSTALL, env={**kept, **_APT}, cwd=cwd)
        if done.returncode:
            raise UsageError(
                f"{argv[0]} {argv[1]} failed: {one_line(done.stderr or done.stdout)}",
                hint="install your distribution's packages by hand",
            )

    def _which(self, name: str) -> Path | None:
        found = shutil.which(name, path=self.environ.get("PATH", os.defpath))
        return Path(found) if found else None

    def _somebody_installs(self) -> None:
        self.progress("another process is installing packages; waiting for it")
