"""Rollouts that really happen: Kubernetes' own controllers and scheduler, and kwok in the place of a kubelet.

kwok gives a node its heartbeat and pods their statuses; no container runs. Which digest an image has, it
cannot know; so that is asked of the sandbox's registries, as a node would pull, and written into the pod's
annotations, from where kwok takes it. A pod whose image is not there stays `Pending` until it is.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from gitops_backup.sandbox.agenda import Agenda
from gitops_backup.sandbox.api import Api, ApiError, Json
from gitops_backup.sandbox.following import Follower, Key
from gitops_backup.sandbox.locations import Locations
from gitops_backup.sandbox.programs import Program
from gitops_backup.sandbox.pulling import Pulled, pull
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until

CONTROLLERS = ("kube-controller-manager", "kube-scheduler", "kwok")

_MANIFESTS = Path(__file__).parent / "manifests" / "kwok"
_KNOWN = "image-id.sandbox.example"
_THREADS = 4
_SECONDS_BETWEEN_PULLS = 1.0
_SECONDS_TO_START = 90.0
_RUN = (
    "cronjob",
    "daemonset",
    "deployment",
    "garbage-collector",
    "job",
    "namespace",
    "node-lifecycle",
    "replicaset",
    "serviceaccount",
    "statefulset",
)


class Controllers:
    """The programs of `CONTROLLERS`, at these paths, running from enter to exit; and a node that is ready.

    `report` gets a line when something goes wrong. The sandbox must have no stand-ins.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        binaries: Mapping[str, Path],
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._sandbox = sandbox
        self._binaries = binaries
        self._images = _Images(sandbox.api, sandbox.locations, report)
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with self._running:
            programs = [self._start(name, arguments) for name, arguments in self._arguments().items()]
            for program in programs:
                self._running.callback(program.kill)
            self._running.enter_context(self._images)
            node = self._sandbox.api.path_of(self._sandbox.apply(_MANIFESTS / "node.yaml")[0])
            until(lambda: self._is_ready(node, programs), what="a node", timeout=_SECONDS_TO_START)
            self._running = self._running.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _arguments(self) -> dict[str, list[str]]:
        alone = ["--leader-elect=false", "--secure-port=0"]
        controllers = ",".join(f"{name}-controller" for name in _RUN)
        key = self._sandbox.control_plane.signing_key
        return {
            "kube-controller-manager": [
                *alone,
                f"--controllers={controllers}",
                f"--service-account-private-key-file={key}",
                "--node-monitor-grace-period=60s",
            ],
            "kube-scheduler": alone,
            "kwok": ["--manage-all-nodes", f"--config={_MANIFESTS / 'stages.yaml'}"],
        }

    def _start(self, name: str, arguments: list[str]) -> Program:
        argv: list[str | Path] = [
            self._binaries[name],
            f"--kubeconfig={self._sandbox.kubeconfig}",
            *arguments,
        ]
        return self._sandbox.program(name, argv)

    def _is_ready(self, node: str, programs: list[Program]) -> bool:
        for program in programs:
            program.check()
        found = self._sandbox.api.get(node)
        conditions = found["status"].get("conditions") or []
        ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
        # one is put on every new node, and taken away by a controller
        return ready and not found["spec"].get("taints")


class _Images:
    """Says in each pod's annotations which digests its images have, once all of them are there."""

    def __init__(self, api: Api, locations: Locations, report: Callable[[str], None]) -> None:
        self._api = api
        self._locations = locations
        self._agenda = Agenda(self._handle, threads=_THREADS, report=lambda line: report(f"pulling: {line}"))
        self._pods = Follower(api, "/api/v1/pods", changed=lambda key, _: self._agenda.add(key))
        self._running = ExitStack()

    def __enter__(self) -> Self:
        self._running.enter_context(self._agenda)
        self._running.enter_context(self._pods)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _handle(self, key: Key) -> float | None:
        pod = self._pods.get(key)
        if pod is None or not pod["spec"].get("nodeName") or _KNOWN in _annotations(pod):
            return None
        spec = pod["spec"]
        images = {
            each["name"]: pull(each["image"], self._locations)
            for each in (*(spec.get("initContainers") or ()), *spec["containers"])
        }
        known = {
            f"{_KNOWN}/{name}": each.image_id for name, each in images.items() if isinstance(each, Pulled)
        }
        if len(known) < len(images):
            return _SECONDS_BETWEEN_PULLS
        path = f"/api/v1/namespaces/{key[0]}/pods/{key[1]}"
        try:
            self._api.merge(path, {"metadata": {"annotations": {**known, _KNOWN: "known"}}})
        except ApiError as error:
            if error.status != 404:
                raise
        return None


def _annotations(pod: Json) -> Json:
    return pod["metadata"].get("annotations") or {}
