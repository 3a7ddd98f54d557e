"""A renderer's program, shut in: it sees the files that it is given, and as little else as the system allows.

Where Linux lets anybody make namespaces, the program gets a network without interfaces and a root folder of
its own, in which there are its files and itself; so an absolute path, a path with too many `..`, or a URL
leads nowhere, even if nobody had looked for it before. How much of that works here is found out once, by
running the program. Everywhere, there is nothing on its PATH (no git, no helm, no shell), its home and its
folder of plugins are empty, and its proxy is a port that nobody listens on.
"""

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gitops_backup.errors import one_line
from gitops_backup.process import Completed, ProcessTimeout, ProgramMissing, run
from gitops_backup.rendering.export import export
from gitops_backup.rendering.limits import Limits
from gitops_backup.sources.rendering import Files, RenderFailed

Arguments = Callable[[str], Sequence[str]]
"""The arguments of a run, given the folder of its files as the program sees it."""


class Way(StrEnum):
    """How much a program is shut in, the closest first; each has what the next one has."""

    ROOT = "root"
    """A root folder of its own."""
    NETWORK = "network"
    """A network of its own."""
    ENVIRONMENT = "environment"
    """An environment of its own."""


class RenderTimedOut(RenderFailed):
    """A rendering took too long, perhaps because the machine was busy: it may do another time."""


class Program:
    """A program at `path`, which is copied into the folder `scratch`; that is for this object alone.

    `name` stands in messages; `version` is what the program says when it gets the argument `asking`. `ways`
    are the ways to shut it in that may be tried. Raises `ProgramMissing` where it cannot be run at all.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        *,
        scratch: Path,
        limits: Limits | None = None,
        cancel: threading.Event | None = None,
        ways: Sequence[Way] = tuple(Way),
        asking: str = "version",
    ) -> None:
        self.name = name
        self._asking = asking
        self._limits = limits or Limits()
        self._cancel = cancel
        self._scratch = scratch.resolve()
        self._runs = self._scratch / "runs"
        self._nothing = self._scratch / "nothing"
        for folder in (self._scratch, self._runs, self._nothing):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._shell, self.version = self._shut_in(path, ways)

    @property
    def way(self) -> Way:
        """How the program is shut in."""
        return self._shell.way

    def render(self, files: Files, arguments: Arguments) -> bytes:
        """What the program prints when it is run on these files.

        Raises `RenderFailed` with the program's own words, without what is random in them: the name of the
        folder. `ProcessCancelled` goes through.
        """
        with tempfile.TemporaryDirectory(dir=self._runs) as folder:
            exported = Path(folder) / "files"
            exported.mkdir()
            export(files, exported)
            seen = self._shell.seen(exported)
            return self._ran(self._shell, arguments(seen), Path(folder), seen=seen)

    def _shut_in(self, path: Path, ways: Sequence[Way]) -> "tuple[_Shell, str]":
        copy = self._scratch / self.name
        try:
            shutil.copy(path, copy)
        except OSError as error:
            raise ProgramMissing(f"{path} cannot be read: {error.strerror}") from error
        for shell in _shells(path.absolute(), copy, self._scratch):
            if shell.way not in ways:
                continue
            with tempfile.TemporaryDirectory(dir=self._runs) as folder:
                try:
                    version = self._ran(shell, [self._asking], Path(folder), seen="/")
                except RenderFailed:
                    continue
                return shell, one_line(version)
        raise ProgramMissing(f"{path} cannot be run", hint=f"install {self.name}")

    def _ran(self, shell: "_Shell", arguments: Sequence[str], folder: Path, *, seen: str) -> bytes:
        home = folder / "home"
        home.mkdir()
        out, err = folder / "out", folder / "err"
        try:
            done = run(
                self._limits.argv([*shell.argv, *arguments], out=out, err=err),
                timeout=self._limits.seconds,
                env=self._environment(shell.seen(home), shell.seen(self._nothing)),
                cwd=folder,
                cancel=self._cancel,
            )
        except ProcessTimeout as error:
            took = f"{self.name} took more than {self._limits.seconds:g} s"
            raise RenderTimedOut(took) from error
        if max(_size(out), _size(err)) >= self._limits.output_bytes:
            raise RenderFailed(f"{self.name} printed more than {self._limits.output_megabytes} MB")
        if done.returncode:
            said = (err.read_bytes() if err.exists() else done.stderr).decode("utf-8", "replace")
            raise RenderFailed(self._problem(done, _without(said, seen)))
        return out.read_bytes()

    def _environment(self, home: str, nothing: str) -> Mapping[str, str]:
        proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        return {
            **self._limits.environment,
            **dict.fromkeys(proxies, _DEAD_PROXY),
            "PATH": nothing,
            "HOME": home,
            "TMPDIR": home,
            "KUSTOMIZE_PLUGIN_HOME": nothing,
        }

    def _problem(self, done: Completed, said: str) -> str:
        """What went wrong, in one line."""
        if done.returncode in (-signal.SIGKILL, -signal.SIGXCPU):
            return f"{self.name} computed for more than {self._limits.cpu_seconds} s"
        if done.returncode == _CRASHED:
            return f"{self.name} crashed; it may use {self._limits.memory_megabytes} MB of memory"
        last_word = said.rpartition("Error: ")[2].replace(_ADVICE, "")  # warnings come before
        return f"{self.name} says: {one_line(last_word) or f'exit code {done.returncode}'}"


@dataclass(frozen=True, slots=True)
class _Shell:
    """One way to shut the program in: what stands before its arguments, and what it takes for its root."""

    way: Way
    argv: tuple[str, ...]
    root: Path

    def seen(self, path: Path) -> str:
        """A path as the program sees it."""
        return "/" + str(path.relative_to(self.root))


def _shells(path: Path, copy: Path, scratch: Path) -> "list[_Shell]":
    """The ways to run a program, the closest first: one that needs libraries has no root of its own."""
    free = _Shell(Way.ENVIRONMENT, (str(path),), Path("/"))
    unshare = shutil.which("unshare", path=os.defpath)
    if unshare is None:
        return [free]
    apart = (unshare, "--map-root-user", "--net")
    return [
        _Shell(Way.ROOT, (*apart, f"--root={scratch}", f"/{copy.relative_to(scratch)}"), scratch),
        _Shell(Way.NETWORK, (*apart, str(path)), Path("/")),
        free,
    ]


def _without(said: str, folder: str) -> str:
    """What a program said, with the names of files as they were given to it."""
    return said.replace(f"{folder}/", "").replace(folder, ".") if folder != "/" else said


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


_DEAD_PROXY = "http://127.0.0.1:9"  # the port of the discard protocol, RFC 863
_ADVICE = "Use --debug flag to render out invalid YAML"  # what Helm says to whoever calls it
_CRASHED = 2  # what a program in Go ends with when it runs out of memory, or panics
