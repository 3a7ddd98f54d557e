"""GitOps mode: plain-YAML Applications in one repository, all due, from a snapshot to the push.

What runs is the controller's own reconciler of repositories with its real parts, in a process of its own that
says how its time splits. Its clone is there before, as is the work tree of the reference: `sed -i` over the
same files, `git commit` and `git push`. Both start from the same commit, several times in turn, and the trees
that they end with must be the same.
"""

import json
import os
import random
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import fleet
from benchmarks.bench import Bench
from benchmarks.figures import Figure, Measurement
from benchmarks.manifests import described
from benchmarks.usage import MeasurementFailed, in_a_process, peak_memory
from gitops_backup.cli.context import Globals
from gitops_backup.cli.forges import ConfiguredForges
from gitops_backup.cli.logging import LogFormat
from gitops_backup.cli.wiring import Feed, open_git, open_registries, open_renderer
from gitops_backup.cluster.connection import Connection, connect
from gitops_backup.cluster.listing import list_objects
from gitops_backup.cluster.resources import APPLICATIONS, DEPLOYMENTS, IMAGE_BACKUPS
from gitops_backup.cluster.writer import ClusterWriter
from gitops_backup.controller.backups import BackupReconciler
from gitops_backup.controller.contents import Files
from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.journal import Journal
from gitops_backup.controller.proposals import Proposable, Tip
from gitops_backup.controller.reading import Entry, Head
from gitops_backup.controller.repositories import Git, RepositoryReconciler
from gitops_backup.controller.targets import management, target_of
from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Naming, object_name
from gitops_backup.domain.planning import Target
from gitops_backup.domain.policy import Mode, Policy
from gitops_backup.domain.workloads import Kind, WorkloadKey
from gitops_backup.errors import one_line
from gitops_backup.metrics import Metrics
from gitops_backup.process import run
from gitops_backup.registry.registries import Registries
from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.githost import BRANCH
from gitops_backup.sources.applications import Application

_APPLICATIONS = 2000
_IMAGES = 400
_ROUNDS = 3
_WORKLOADS, _ARGOCD = "shops", "argocd"
_OURS, _REFERENCE = "ours", "reference"
_LONGEST_SECONDS = 300.0
_STAGES = ("decide", "fetch and read", "edit and prove", "HEADs", "commit", "records", "push")


def measure(bench: Bench) -> Measurement:
    """From a snapshot to the push."""
    scene = _Scene(bench)
    rounds: list[dict[str, Any]] = []
    references: list[float] = []
    for number in range(1 if bench.quick else _ROUNDS):
        bench.progress(f"git: round {number + 1}")
        scene.reset()
        references.append(scene.measure_reference(number))
        rounds.append(scene.measure_ours(number))
        if scene.tree(_OURS) != scene.tree(_REFERENCE):
            raise MeasurementFailed("the tree that was pushed is not the one of the reference")
    typical = sorted(rounds, key=lambda each: each["seconds"])[len(rounds) // 2]
    split = ", ".join(f"{stage} {typical['stages'][stage]:.2f} s" for stage in _STAGES)
    what = f"git: {scene.count} Applications, from a snapshot to the push"
    seconds, memory = typical["seconds"], max(each["memory"] for each in rounds)
    return Measurement(
        (Figure(what, seconds, "s", median(references), ratio_aim=1.0, memory=memory),),
        (
            (
                f"git: {len(scene.images)} images, {len(rounds)} rounds, the same tree as the reference; the"
                f" typical one: {split}"
            ),
            (
                f"git: all rounds: {_listed(each['seconds'] for each in rounds)}, the reference"
                f" {_listed(references)}; before that, the snapshot {typical['snapshot']:.2f} s and a first"
                " clone"
                f" {typical['clone']:.2f} s"
            ),
        ),
    )


def _listed(seconds: Iterable[float]) -> str:
    return ", ".join(f"{each:.2f}" for each in seconds) + " s"


class _Scene:
    """Two repositories with the same commit, and a cluster whose Applications come from the first of them."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._sandbox = bench.sandbox
        self.count = bench.size(_APPLICATIONS)
        self.images = fleet.images(bench.size(_IMAGES))
        self._naming = Naming.below(self._sandbox.backup_repository)
        bench.progress(f"git: making {self.count} Applications and {len(self.images)} backups")
        files = {self._path(number): self._manifest(number).encode() for number in range(self.count)}
        for repository in (_OURS, _REFERENCE):
            self._sandbox.git.create(repository, files)
        self._base = {name: self._sandbox.git.head(name) or "" for name in (_OURS, _REFERENCE)}
        for namespace in (fleet.BACKUPS, _WORKLOADS, _ARGOCD):
            self._sandbox.namespace(namespace)
        fleet.at_once(self._make_backup, self.images)
        fleet.create_ready(self._sandbox.api, map(self._deployment, range(self.count)))
        fleet.at_once(self._sandbox.api.create, map(self._application, range(self.count)))

    def reset(self) -> None:
        """Let both branches be at their first commit again, and forget what was recorded."""
        for repository, commit in self._base.items():
            _git(self._sandbox.git.path(repository), "update-ref", f"refs/heads/{BRANCH}", commit)

        def forget(image: str) -> None:
            path = f"/apis/k8slab.io/v1alpha1/namespaces/{fleet.BACKUPS}/imagebackups/{_record_of(image)}"
            self._sandbox.api.merge(f"{path}/status", {"status": {"rewrites": None, "users": None}})

        fleet.at_once(forget, self.images)

    def tree(self, repository: str) -> str:
        """The name of the tree at the branch's head."""
        return _git(self._sandbox.git.path(repository), "rev-parse", f"{BRANCH}^{{tree}}").strip()

    def measure_ours(self, number: int) -> dict[str, Any]:
        """What the process says that took the step."""
        cache = self._bench.folder / f"clones-{number}"
        return in_a_process("benchmarks.git", self._sandbox.kubeconfig, self._sandbox.settings_file, cache)

    def measure_reference(self, number: int) -> float:
        """The seconds that the same takes in a work tree."""
        folder = self._bench.folder / f"work-tree-{number}"
        host = self._sandbox.git
        _git(self._bench.folder, "clone", "--quiet", host.url(_REFERENCE), str(folder))
        prefix = f"{self._naming.prefix}/quay.io_team_"
        expression = f"s#image: quay.io/team/#image: {prefix}#"
        commands = (
            f"sed -i '{expression}' apps/*/*.yaml && git commit --quiet --all --message=Change"
            " && git push --quiet origin HEAD"
        )
        login = f"{host.username}:{host.password}"
        began = time.perf_counter()
        ended = run(["sh", "-c", commands], timeout=_LONGEST_SECONDS, cwd=folder, env=_environment(login))
        seconds = time.perf_counter() - began
        if ended.returncode != 0:
            raise MeasurementFailed(f"the reference failed: {one_line(ended.stderr)}")
        return seconds

    def _path(self, number: int) -> str:
        return f"apps/app-{number}/manifests.yaml"

    def _image(self, number: int) -> str:
        return self.images[number % len(self.images)]

    def _manifest(self, number: int) -> str:
        return described(f"app-{number}", self._image(number))

    def _make_backup(self, image: str) -> None:
        backup = str(self._naming.backup(Reference.parse(image)))
        digest = self._sandbox.push(backup)
        fleet.create_backup(
            self._sandbox.api, _record_of(image), image, status=fleet.verified(backup, digest)
        )

    def _deployment(self, number: int) -> Json:
        return fleet.deployment(_WORKLOADS, f"app-{number}", image=self._image(number))

    def _application(self, number: int) -> Json:
        name = f"app-{number}"
        url, server = self._sandbox.git.url(_OURS), "https://kubernetes.default.svc"
        deployed = {"group": "apps", "version": "v1", "kind": "Deployment"}
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": _ARGOCD},
            "spec": {
                "project": "default",
                "source": {"repoURL": url, "path": f"apps/{name}", "targetRevision": BRANCH},
                "destination": {"server": server, "namespace": _WORKLOADS},
                "syncPolicy": {"automated": {}},
            },
            "status": {
                "sourceType": "Directory",
                "sync": {"status": "Synced", "revision": self._base[_OURS]},
                "resources": [
                    {**deployed, "namespace": _WORKLOADS, "name": name, "status": "Synced"},
                    {"version": "v1", "kind": "Service", "namespace": _WORKLOADS, "name": name},
                ],
            },
        }


def _record_of(image: str) -> str:
    return object_name(Reference.parse(image))


def _environment(login: str = "") -> dict[str, str]:
    """Git as somebody uses it, with the credentials where no process list shows them."""
    identity = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", "Somebody"), ("EMAIL", "somebody@sandbox.example"))
    }
    helper = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "credential.helper",
        "GIT_CONFIG_VALUE_0": '!f() { echo "username=${LOGIN%%:*}"; echo "password=${LOGIN#*:}"; }; f',
        "LOGIN": login,
    }
    return {**identity, **(helper if login else {})}


def _git(folder: Path, *arguments: str) -> str:
    ended = run(["git", *arguments], timeout=_LONGEST_SECONDS, cwd=folder, env=_environment())
    if ended.returncode != 0:
        raise MeasurementFailed(f"git {arguments[0]}: {one_line(ended.stderr)}")
    return ended.stdout.decode()


class _Stages:
    """When each stage began and ended; one that is entered from many threads lasts as long as any of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._spans: dict[str, tuple[float, float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """The time from enter to exit belongs to this stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            with self._lock:
                known = self._spans.get(name, (began, began))
                self._spans[name] = min(began, known[0]), time.perf_counter()

    def seconds(self, began: float) -> tuple[float, dict[str, float]]:
        """From `began` to the end of the push, and the part of each stage."""
        spans = self._spans
        split = {name: end - begin for name, (begin, end) in spans.items()}
        split["decide"] = spans["fetch and read"][0] - began
        split["edit and prove"] = spans["HEADs"][0] - spans["fetch and read"][1]
        return spans["push"][1] - began, split


class _TimedBranch:
    """A branch that tells how long it takes."""

    def __init__(self, branch: Proposable, stages: _Stages) -> None:
        self._branch = branch
        self._stages = stages
        self.name = branch.name

    def fetch(self) -> Head:
        with self._stages.stage("fetch and read"):
            return self._branch.fetch()

    def tree(self, commit: str, path: str = "") -> Mapping[str, Entry]:
        with self._stages.stage("fetch and read"):
            return self._branch.tree(commit, path)

    def read(self, commit: str, paths: Iterable[str]) -> Files:
        with self._stages.stage("fetch and read"):
            return self._branch.read(commit, paths)

    def commit(self, parent: str, files: Mapping[str, bytes], *, message: str, when: datetime) -> str:
        with self._stages.stage("commit"):
            return self._branch.commit(parent, files, message=message, when=when)

    def push(self, commit: str, *, expected: str) -> None:
        with self._stages.stage("push"):
            self._branch.push(commit, expected=expected)

    def contains(self, commit: str) -> bool:
        return self._branch.contains(commit)

    def tip(self, name: str) -> Tip | None:
        return self._branch.tip(name)

    def push_beside(
        self, name: str, commit: str | None, *, expected: str | None, options: Sequence[str] = ()
    ) -> None:
        self._branch.push_beside(name, commit, expected=expected, options=options)


class _TimedGit:
    """Clones that tell how long they take."""

    def __init__(self, git: Git, stages: _Stages) -> None:
        self._git = git
        self._stages = stages

    def open(self, url: str, branch: str | None = None) -> Proposable:
        return _TimedBranch(self._git.open(url, branch), self._stages)


class _TimedRegistry:
    """The backup registry, which tells how long it takes."""

    def __init__(self, registries: Registries, stages: _Stages) -> None:
        self._registries = registries
        self._stages = stages

    def held(self, backup: Reference) -> str | None:
        with self._stages.stage("HEADs"):
            return self._registries.held(backup)


class _Silent:
    """Nobody is told anything; that comes after the push."""

    def backup(self, backup: ImageBackup, *, reason: str, note: str, warning: bool = False) -> None:
        """Nothing."""

    def workload(self, key: WorkloadKey, uid: str, *, reason: str, note: str, warning: bool = False) -> None:
        """Nothing."""


def take_step(kubeconfig: Path, config: Path, cache: Path) -> dict[str, Any]:
    """Take the step, and tell how long it took, in seconds, and how much memory, in MB."""
    options = Globals(kubeconfig, None, config, LogFormat.JSON, verbose=False)
    options.configure_process()
    settings = options.settings({"cache": cache})
    policy = settings.policy(mode=Mode.GITOPS)
    connection = connect(kubeconfig=kubeconfig, context=None)
    journal, stages = Journal(_now), _Stages()
    with ExitStack() as stack:
        began = time.perf_counter()
        inventory = _snapshot(connection, policy, journal)
        snapshot = time.perf_counter() - began
        registries = stack.enter_context(open_registries(settings, policy, threading.Event()))
        git = stack.enter_context(open_git(settings, threading.Event()))
        renderer = stack.enter_context(open_renderer(settings, threading.Event()))
        application = inventory.applications()[0]
        target = target_of(application, application.sources[0])
        began = time.perf_counter()
        git.open(target.url, target.branch).fetch()
        clone = time.perf_counter() - began
        shared: dict[str, Any] = {
            "inventory": inventory,
            "journal": journal,
            "announcer": _Silent(),
            "policy": policy,
            "metrics": Metrics(),
            "now": _now,
            "clock": time.monotonic,
            "random": random.random,
        }
        writer = ClusterWriter(connection, namespace=policy.backup_namespace)
        backups = BackupReconciler(
            registries=registries,
            writer=writer,
            wake=lambda concerned: None,
            expiry=timedelta(hours=1),
            **shared,
        )

        def record(name: str) -> None:
            with stages.stage("records"):
                backups.record(name)

        repositories = RepositoryReconciler(
            git=_TimedGit(git, stages),
            renderer=renderer,
            cluster=writer,
            record=record,
            registry=_TimedRegistry(registries, stages),
            hand_on=_unexpected,
            suspect=_unexpected,
            forges=ConfiguredForges(settings),
            pull_request_branch=settings.pull_request_branch,
            **shared,
        )
        began = time.perf_counter()
        repositories.reconcile(target)
        seconds, split = stages.seconds(began)
    return {
        "seconds": seconds,
        "stages": split,
        "snapshot": snapshot,
        "clone": clone,
        "memory": peak_memory(),
    }


def _snapshot(connection: Connection, policy: Policy, journal: Journal) -> Inventory:
    inventory = Inventory(policy, journal, manage=management)
    feed = Feed(inventory, policy, lambda concerned: None)
    project, put = feed.workload(Kind.DEPLOYMENT)
    for key, workload in list_objects(connection, DEPLOYMENTS, project=project).objects.items():
        put(key, workload)
    applications = list_objects(connection, APPLICATIONS, project=Application.project)
    for key, application in applications.objects.items():
        feed.put_application(key, application)
    for key, backup in list_objects(connection, IMAGE_BACKUPS, project=ImageBackup.project).objects.items():
        feed.put_backup(key, backup)
    return inventory


def _unexpected(what: Target | str) -> None:
    raise MeasurementFailed(f"{what} was not to be looked at again")


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


if __name__ == "__main__":
    result = json.dumps(take_step(*map(Path, sys.argv[1:4])))
    sys.stdout.write(result)
    sys.stdout.flush()
    os._exit(0)
