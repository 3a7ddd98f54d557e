"""A private cluster of real servers on this machine: started in seconds, gone without a trace.

It has a folder of its own for state, logs and kubeconfigs, and a lock with its name, held by whoever started
it and by the keeper of its programs: as long as one of them is there the name is taken, and when the last is
gone nothing runs any more. Everything listens on the loopback address, on free ports, so that several
sandboxes run side by side.
"""

import contextlib
import os
import re
import secrets
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from gitops_backup.domain.images import Reference
from gitops_backup.errors import UsageError
from gitops_backup.sandbox.api import Api, Json
from gitops_backup.sandbox.apiserver import ControlPlane
from gitops_backup.sandbox.argocd import ArgoCdStandIn
from gitops_backup.sandbox.binaries import Binaries
from gitops_backup.sandbox.cache import cache_folder, hold, holder
from gitops_backup.sandbox.catalogue import (
    BACKUP_REPOSITORY,
    DEEP_BACKUP_REPOSITORY,
    UPSTREAM_HOSTS,
    catalogue,
)
from gitops_backup.sandbox.githost import GitHost
from gitops_backup.sandbox.kubelet import KubeletStandIn
from gitops_backup.sandbox.locations import Locations, Place
from gitops_backup.sandbox.packages import Packages
from gitops_backup.sandbox.programs import Program, Programs
from gitops_backup.sandbox.registry import Registry
from gitops_backup.sandbox.renderers import RENDERERS, Renderers
from gitops_backup.sandbox.servers import LOOPBACK
from gitops_backup.sandbox.waiting import WaitedInVain, until

_PROJECT = Path(__file__).resolve().parents[2]
_MANIFESTS = Path(__file__).parent / "manifests"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,50}")
_SECONDS_TO_END = 15.0
_FIRST_KINDS = ("CustomResourceDefinition", "Namespace")
# namespaces stay, as nobody finishes their deletion
_LEFT_BEHIND = (
    "/apis/argoproj.io/v1alpha1/applications",
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/replicasets",
    "/apis/k8slab.io/v1alpha1/imagebackups",
    "/apis/coordination.k8s.io/v1/leases",
    "/api/v1/pods",
)


class Sandbox:
    """A control plane with the project's CRDs and Argo CD's, two registries and a Git host, all running.

    Made by `start`; a context manager that stops everything at its end. `upstream` stands for the registries
    of `upstream_hosts`, `backup` for `backup_repository`; `git` serves repositories; `api` and `kubeconfig`
    have an administrator's rights.
    """

    backup_repository = BACKUP_REPOSITORY
    upstream_hosts = UPSTREAM_HOSTS

    def __init__(
        self, *, name: str, folder: Path, resources: ExitStack, report: Callable[[str], None]
    ) -> None:
        """Called by `start`."""
        self.name = name
        self.folder = folder
        self._resources = resources
        self._report = report
        self.control_plane: ControlPlane
        self.upstream: Registry
        self.backup: Registry
        self.git: GitHost
        self.locations: Locations
        self.renderers: Mapping[str, Path] = {}

    @classmethod
    def start(
        cls,
        *,
        name: str | None = None,
        folder: Path | None = None,
        progress: Callable[[str], None] = lambda _: None,
        environ: Mapping[str, str] = os.environ,
        stand_ins: bool = True,
        renderers: bool = False,
    ) -> Self:
        """Find or make the programs, start them, and return when everything answers.

        `folder` is where the sandbox's own folder is made (by default in the cache); `stand_ins` whether the
        two stand-ins, for a kubelet and for Argo CD, are started; `renderers` whether kustomize, Helm and
        jsonnet are made where they are not at hand.

        Raises `UsageError` when the name is taken or a program cannot be had, `ProgramFailed` when one does
        not start.
        """
        name = name or f"sandbox-{secrets.token_hex(4)}"
        if not _NAME.fullmatch(name):
            raise UsageError(f"{name!r} cannot name a sandbox: expected lower-case letters, digits and '-'")
        cache = cache_folder(environ)
        root = folder or cache / "sandboxes"
        programs_of = Binaries(cache=cache, environ=environ, progress=progress)
        binaries = programs_of.provide()
        rendering = programs_of.provide(RENDERERS) if renderers else programs_of.at_hand(RENDERERS)
        packages = Packages(cache=cache, environ=environ, progress=progress, may_install=os.geteuid() == 0)
        registry = packages.provide()
        with ExitStack() as resources:
            sandbox = cls(name=name, folder=root / name, resources=resources, report=progress)
            sandbox.renderers = rendering
            programs = sandbox._take_name(root / f"{name}.lock")
            progress("starting etcd, kube-apiserver, two registries and a Git host")
            sandbox._start_servers(programs, binaries=binaries, registry=registry)
            sandbox.apply(_MANIFESTS, _PROJECT / "crds")
            sandbox.settings_file.touch(mode=0o600)
            sandbox.settings_file.write_text(yaml.safe_dump(sandbox.settings))
            if stand_ins:
                progress("stand-ins take the place of a kubelet and of Argo CD: no container is run")
                resources.enter_context(sandbox.kubelet())
                resources.enter_context(sandbox.argocd())
            sandbox._resources = resources.pop_all()
        return sandbox

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig with an administrator's token."""
        return self.control_plane.kubeconfig

    @property
    def api(self) -> Api:
        """A client with an administrator's token."""
        return self.control_plane.api

    @property
    def registries(self) -> dict[str, dict[str, object]]:
        """Where registries really are, by prefix, as the product's setting `registries` has it."""
        return self.locations.settings()

    @property
    def settings(self) -> dict[str, Any]:
        """The product's settings for working here, with passwords; it listens on free loopback ports."""
        return {
            "cache": str(self.folder / "cache"),
            "listen": LOOPBACK,
            "probes_port": 0,
            "metrics_port": 0,
            "backup_repository": self.backup_repository,
            "backup_repository_username": self.backup.username,
            "backup_repository_password": self.backup.password,
            "registries": self.registries,
            "git_username": self.git.username,
            "git_password": self.git.password,
            "git_prefix": self.git.root,
            **{name: str(path) for name, path in self.renderers.items()},
        }

    @property
    def settings_file(self) -> Path:
        """A file with `settings`, readable for its owner only."""
        return self.folder / "settings.yaml"

    def samples(self) -> list[Path]:
        """The project's sample workloads, a file each. Raises `UsageError` where they are not at hand."""
        files = sorted((_PROJECT / "samples").glob("*.yaml"))
        if not files:
            raise UsageError("the samples are not installed", hint="run it from a checkout of the project")
        return files

    def kubeconfig_for(self, service_account: str, namespace: str) -> Path:
        """A kubeconfig with a token of this ServiceAccount; it and its namespace are created when missing."""
        self.namespace(namespace)
        return self.control_plane.kubeconfig_for(service_account, namespace)

    def apply(self, *things: Path | Json) -> list[Json]:
        """Apply objects, files and folders of manifests, as they are; returns what the server made of them.

        Namespaces and CRDs go first, and CRDs are waited for. Of a folder, the folders below it and
        kustomizations are passed over.
        """
        objects = [found for thing in things for found in _objects(thing)]
        first = [self.api.apply(each) for each in objects if each["kind"] in _FIRST_KINDS]
        new = [self.api.path_of(each) for each in first if each["kind"] == "CustomResourceDefinition"]
        until(lambda: all(map(self._is_established, new)), what="the API server to serve new kinds")
        return first + [self.api.apply(each) for each in objects if each["kind"] not in _FIRST_KINDS]

    def namespace(self, name: str) -> str:
        """Create a namespace where it is missing; returns its name."""
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def push(
        self, image: str, *, platforms: Sequence[str] = ("linux/amd64",), content: bytes | None = None
    ) -> str:
        """Push a tiny image under its real name, such as `quay.io/a/b:1`; returns its digest."""
        reference = Reference.parse(image)
        registry, repository = self.locations.of(reference)
        return registry.push_image(
            repository, reference.tag or "latest", platforms=platforms, content=content
        )

    def digest(self, image: str) -> str | None:
        """The digest of what this name stands for now; None when there is nothing."""
        reference = Reference.parse(image)
        registry, repository = self.locations.of(reference)
        return registry.digest(repository, reference.digest or reference.tag or "latest")

    def registry(self, name: str, *, username: str = "", password: str = "") -> Registry:
        """Another, empty registry; it ends with the sandbox or when it is closed."""
        folder = self.folder / f"registry-{name}-{secrets.token_hex(4)}"
        return Registry(
            name=name,
            programs=self._programs,
            binary=self._registry_program,
            folder=folder,
            username=username,
            password=password,
        )

    def program(
        self, name: str, argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None
    ) -> Program:
        """Start a program that ends with the sandbox; what it prints goes to a log in the folder.

        `env` is added to PATH, HOME and a UTF-8 locale.
        """
        return self._programs.start(name, argv, log=self.folder / f"{name}.log", env=env)

    def kubelet(self, *, pods: bool = True, delay: float = 0.3) -> KubeletStandIn:
        """The stand-in for kubelet and rollouts, to be used as a context manager."""
        return KubeletStandIn(
            api=self.api, locations=self.locations, pods=pods, delay=delay, report=self._report
        )

    def argocd(self) -> ArgoCdStandIn:
        """The stand-in for Argo CD, to be used as a context manager."""
        return ArgoCdStandIn(
            api=self.api, git=self.git, renderers=Renderers(self.renderers), report=self._report
        )

    def reset(self) -> None:
        """Delete every workload, Application, ImageBackup and Lease, in all namespaces."""
        for path in _LEFT_BEHIND:
            head, _, plural = path.rpartition("/")
            for namespace in {each["metadata"]["namespace"] for each in self.api.items(path)}:
                self.api.delete(f"{head}/namespaces/{namespace}/{plural}")

    def stop(self) -> None:
        """Stop everything and remove the folder; returns when nothing is left."""
        self._resources.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _take_name(self, path: Path) -> Programs:
        lock = hold(path, text=str(os.getpid()))
        if lock is None:
            raise UsageError(
                f"a sandbox named {self.name} is running already",
                hint=f"choose another name, or end it: gitops-backup sandbox down --name {self.name}",
            )
        self._resources.callback(os.close, lock)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, mode=0o700)
        return self._resources.enter_context(Programs(remove=[self.folder, path], hold=lock))

    def _start_servers(self, programs: Programs, *, binaries: dict[str, Path], registry: Path) -> None:
        self._programs = programs
        self._registry_program = registry
        with ThreadPoolExecutor() as pool:
            try:
                control_plane = pool.submit(
                    ControlPlane, programs=programs, binaries=binaries, folder=self.folder / "control-plane"
                )
                backup = pool.submit(
                    self.registry, "backup", username="backup", password=secrets.token_urlsafe(12)
                )
                self.git = GitHost(self.folder / "git")
                self._resources.callback(self.git.close)
                self.upstream = self.registry("upstream")
                self._resources.callback(self.upstream.close)
                self.backup = backup.result()
                self._resources.callback(self.backup.close)
                self.locations = _locations(self.upstream, self.backup)
                list(pool.map(lambda entry: self.push(str(entry[0]), platforms=entry[1]), catalogue()))
                self.control_plane = control_plane.result()
                self._resources.callback(self.control_plane.close)
            except BaseException:
                # what still waits for a server to answer is told that it never will
                programs.close()
                raise

    def _is_established(self, path: str) -> bool:
        conditions = self.api.get(path).get("status", {}).get("conditions") or []
        return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def end_sandbox(name: str, *, environ: Mapping[str, str] = os.environ, folder: Path | None = None) -> None:
    """End the sandbox of this name, whoever started it; returns when nothing of it runs any more.

    Raises `UsageError` when there is none.
    """
    lock = (folder or cache_folder(environ) / "sandboxes") / f"{name}.lock"
    owner = holder(lock)
    if owner is None:
        raise UsageError(f"no sandbox named {name} is running")
    try:
        _signal_until_gone(int(owner), signal.SIGTERM, lock)
    except WaitedInVain:
        _signal_until_gone(int(owner), signal.SIGKILL, lock)


def _signal_until_gone(process: int, sign: signal.Signals, lock: Path) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, sign)
    until(lambda: holder(lock) is None, what=f"process {process} to end", timeout=_SECONDS_TO_END)


def _locations(upstream: Registry, backup: Registry) -> Locations:
    places = {host: Place(upstream, host) for host in UPSTREAM_HOSTS}
    for prefix in (BACKUP_REPOSITORY, DEEP_BACKUP_REPOSITORY):
        places[prefix] = Place(backup, prefix.partition("/")[2])
    return Locations(places)


def _objects(thing: Path | Json) -> list[Json]:
    if not isinstance(thing, Path):
        return [thing]
    files = sorted(thing.glob("*.yaml")) if thing.is_dir() else [thing]
    documents = (each for file in files for each in yaml.safe_load_all(file.read_bytes()))
    return [each for each in documents if each and each["kind"] != "Kustomization"]
