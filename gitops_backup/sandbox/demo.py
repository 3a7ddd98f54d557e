"""The demonstration: the samples, the controller working on them, and what came of it, before one's eyes.

First without Git: the samples are applied, and the controller patches them. Then with Git: the same samples
lie in a repository that Argo CD's stand-in deploys from, and the controller commits.
"""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from gitops_backup.errors import one_line
from gitops_backup.process import run
from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.programs import ProgramFailed
from gitops_backup.sandbox.sandbox import Sandbox

_KINDS = (("Deployment", "deployments"), ("DaemonSet", "daemonsets"))
_BACKUPS = "/apis/k8slab.io/v1alpha1/namespaces/image-backup/imagebackups"
_APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
_REPOSITORY = "samples"
_LONGEST_ACT = 25.0
_LOOK_EVERY = 0.1
_SETTLE = 1.0
_STOP_WITHIN = 10.0

Say = Callable[[str], None]


class Demonstration:
    """Both acts on a running sandbox; `say` prints a line."""

    def __init__(self, sandbox: Sandbox, say: Say) -> None:
        self._sandbox = sandbox
        self._samples = sandbox.samples()
        self._say = say

    def run(self) -> bool:
        """Show both acts; whether everything that should have been rewritten was."""
        return self._direct() and self._gitops()

    def _direct(self) -> bool:
        self._heading("Without Git: mode direct. The samples are applied, and the controller patches them.")
        self._sandbox.namespace("image-backup")
        self._sandbox.apply(*self._samples)
        with self._controller("direct"):
            finished = self._watch()
        self._show_backups()
        return finished

    def _gitops(self) -> bool:
        self._heading("With Git: mode gitops. The same samples in a repository that Argo CD deploys from.")
        self._sandbox.reset()
        files = {path.name: path.read_bytes() for path in self._samples}
        tree = {f"apps/{name.removesuffix('.yaml')}/{name}": content for name, content in files.items()}
        url = self._sandbox.git.create(_REPOSITORY, tree)
        for name in ("argocd", "image-backup"):
            self._sandbox.namespace(name)
        for name in files:
            self._sandbox.apply(_application(name.removesuffix(".yaml"), url))
        with self._controller("gitops"):
            finished = self._watch()
            self._say("")
            self._say(self._output("report", "--mode", "gitops"))
        self._show_backups()
        for commit in self._sandbox.git.log(_REPOSITORY)[:-1]:
            self._heading(f"The commit that the controller pushed to {url}")
            self._say(self._sandbox.git.show(_REPOSITORY, commit))
        return finished

    def _watch(self) -> bool:
        """Tell each change of an image, an ImageBackup or an Application, until nothing is due any more."""
        began = time.monotonic()
        seen: dict[str, str] = {}
        quiet_since = None
        while (elapsed := time.monotonic() - began) < _LONGEST_ACT:
            shown, finished = self._look()
            for what, state in shown.items():
                if seen.get(what) != state:
                    self._say(f"{elapsed:6.1f} s  {what}  {state}")
            seen = shown
            quiet_since = (quiet_since or elapsed) if finished else None
            if quiet_since is not None and elapsed - quiet_since > _SETTLE:
                return True
            time.sleep(_LOOK_EVERY)
        self._say(f"not everything was rewritten within {_LONGEST_ACT:.0f} s")
        return False

    def _look(self) -> tuple[dict[str, str], bool]:
        shown: dict[str, str] = {}
        finished = True
        for kind, plural in _KINDS:
            for workload in self._sandbox.api.items(f"/apis/apps/v1/{plural}"):
                name = f"{kind} {workload['metadata']['namespace']}/{workload['metadata']['name']}"
                for container, image in _images(workload):
                    shown[f"{name} {container}"] = image
                    prefix = f"{self._sandbox.backup_repository}/"
                    finished &= image.startswith(prefix) or not _is_due(workload)
        for backup in self._sandbox.api.items(_BACKUPS):
            phase = backup.get("status", {}).get("phase", "PENDING")
            shown[f"ImageBackup {backup['metadata']['name']}"] = phase
            finished &= phase == "DONE"
        for application in self._sandbox.api.items(_APPLICATIONS):
            sync = application.get("status", {}).get("sync", {})
            state = f"{sync.get('status', 'Unknown')} at {sync.get('revision', '')[:12] or 'nothing'}"
            shown[f"Application {application['metadata']['name']}"] = state
            finished &= sync.get("status") == "Synced"
        return dict(sorted(shown.items())), finished and bool(shown)

    @contextmanager
    def _controller(self, mode: str) -> Iterator[None]:
        controller = self._sandbox.program(f"controller-{mode}", self._command("run", "--mode", mode))
        try:
            yield
            controller.check()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(controller.pid, signal.SIGTERM)
            controller.wait(_STOP_WITHIN)
            controller.kill()

    def _output(self, *arguments: str) -> str:
        done = run(self._command(*arguments), timeout=_LONGEST_ACT)
        if done.returncode:
            raise ProgramFailed(f"gitops-backup {arguments[0]} failed: {one_line(done.stderr)}")
        return done.stdout.decode()

    def _command(self, *arguments: str) -> list[str]:
        globals_ = (
            "--kubeconfig",
            str(self._sandbox.kubeconfig),
            "--config",
            str(self._sandbox.settings_file),
        )
        return [sys.executable, "-m", "gitops_backup", *globals_, *arguments]

    def _show_backups(self) -> None:
        self._say("")
        self._say("kubectl --namespace image-backup get imagebackups")
        self._say(_as_kubectl(self._sandbox.api.table(_BACKUPS)))

    def _heading(self, text: str) -> None:
        self._say("")
        self._say(f"== {text}")
        self._say("")


def _application(name: str, url: str) -> Json:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "path": f"apps/{name}", "targetRevision": "HEAD"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "default"},
            "syncPolicy": {"automated": {"selfHeal": True}},
        },
    }


def _images(workload: Json) -> Iterator[tuple[str, str]]:
    pod = workload["spec"]["template"]["spec"]
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        yield container["name"], container["image"]


def _is_due(workload: Json) -> bool:
    annotations: Mapping[str, str] = workload["metadata"].get("annotations", {})
    restricted = workload["metadata"]["namespace"] == "kube-system"
    return not restricted and annotations.get("sandbox.example/never-ready") != "true"


def _as_kubectl(table: Json) -> str:
    """A table that the API server made (meta.k8s.io/v1, Table), as kubectl prints it."""
    shown = [number for number, column in enumerate(table["columnDefinitions"]) if not column.get("priority")]
    rows = [[table["columnDefinitions"][number]["name"].upper() for number in shown]]
    rows += [[_cell(row["cells"][number]) for number in shown] for row in table.get("rows") or ()]
    widths = [max(len(row[column]) for row in rows) for column in range(len(shown))]
    lines = ("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _cell(value: object) -> str:
    return value if isinstance(value, str) else "<none>" if value is None else json.dumps(value)
