"""A cluster's state as a test sets it up and looks at it: workloads, ImageBackups, events, what was pushed.

Each test gets a clean one, with a namespace and an empty backup registry of its own; at the end of each, what
must always hold is checked (`check`).
"""

import base64
import itertools
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from gitops_backup.sandbox.api import JSON_PATCH, Api, Json
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from tests.end_to_end.harness import Controller, wait
from tests.end_to_end.installation import NAMESPACE
from tests.end_to_end.repositories import Repository

ANNOTATION = "k8slab.io/image-backup"
REFRESH = "argocd.argoproj.io/refresh"
NEVER_READY = "sandbox.example/never-ready"
PREFIX = Sandbox.backup_repository

_IMAGE_BACKUPS = f"/apis/k8slab.io/v1alpha1/namespaces/{NAMESPACE}/imagebackups"
_EVENTS = "/apis/events.k8s.io/v1/events"
_PLURALS = {"Deployment": "deployments", "DaemonSet": "daemonsets"}
_MANIFEST = re.compile(r"/v2/(?P<repository>.+)/manifests/(?P<reference>[^/?]+)")
_LEASES = "/apis/coordination.k8s.io/v1/leases"
_READ_BY_PEOPLE = (
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/daemonsets",
    "/apis/argoproj.io/v1alpha1/applications",
    "/apis/k8slab.io/v1alpha1/imagebackups",
    _LEASES,
    "/api/v1/namespaces",
    _EVENTS,
)
_SECONDS_UNTIL_QUIET = 60.0
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Workload:
    """Which workload."""

    kind: str
    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Where the API server has it."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/{_PLURALS[self.kind]}/{self.name}"

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"


class Scene:
    """The sandbox for one test; `namespace` is the one that workloads are made in by default."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.api = sandbox.api
        self.folder = folder
        self.namespace = sandbox.namespace(f"apps-{next(_numbers)}")
        self.controllers: list[Controller] = []
        self.may_push_again = False
        if self.api.find(f"/api/v1/namespaces/{NAMESPACE}"):
            self.annotate_namespace(NAMESPACE, None)
        else:
            sandbox.namespace(NAMESPACE)

    # -- the controller -----------------------------------------------------------------------------------

    def controller(self, mode: str, **settings: Any) -> Controller:
        """A replica of the controller, to be used as a context manager."""
        folder = self.folder / f"controller-{len(self.controllers)}"
        made = Controller(self.sandbox, mode, folder=folder, **settings)
        self.controllers.append(made)
        return made

    def release_lease(self) -> None:
        """Let the Lease have run out, without waiting for it."""
        self.api.delete(f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases/gitops-backup")

    # -- what people do -----------------------------------------------------------------------------------

    def deployment(
        self,
        name: str,
        *images: str,
        init: Sequence[str] = (),
        namespace: str | None = None,
        annotations: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **spec: Any,
    ) -> Workload:
        """Apply a Deployment with these images, its containers named `c0`, `c1`, ..., `i0`, ..."""
        return self.apply(
            manifest(
                "Deployment",
                name,
                images,
                init=init,
                namespace=namespace or self.namespace,
                annotations=annotations,
                metadata=metadata,
                **{"replicas": 1, **spec},
            )
        )

    def daemon_set(
        self, name: str, *images: str, namespace: str | None = None, init: Sequence[str] = (), **spec: Any
    ) -> Workload:
        """Apply a DaemonSet with these images."""
        return self.apply(
            manifest("DaemonSet", name, images, init=init, namespace=namespace or self.namespace, **spec)
        )

    def apply(self, thing: Json) -> Workload:
        """Apply a workload's manifest, as a pipeline does."""
        meta = thing["metadata"]
        self.sandbox.namespace(meta["namespace"])
        self.api.apply(thing, manager="pipeline")
        return Workload(thing["kind"], meta["namespace"], meta["name"])

    def yaml(self, kind: str, name: str, images: Sequence[str], **more: Any) -> bytes:
        """The manifest of a workload in this scene's namespace, as a file has it."""
        thing = manifest(kind, name, images, namespace=self.namespace, **more)
        return yaml.safe_dump(thing, sort_keys=False).encode()

    def repository(self, files: Mapping[str, bytes]) -> Repository:
        """A new repository with these files in its first commit."""
        name = f"{self.namespace}-{next(_numbers)}"
        self.sandbox.git.create(name, files)
        return Repository(self.sandbox.git, name)

    def application(
        self,
        name: str,
        repository: Repository,
        *,
        path: str = ".",
        automated: Json | None = None,
        manual: bool = False,
        several: bool = False,
        **source: Any,
    ) -> str:
        """Apply an Application that deploys a folder of a repository; returns where the API server has it.

        `automated` has options of the automated sync, which is off where `manual`. `several` writes the
        source into `sources`: the stand-in for Argo CD does not sync such an Application, so that a test can.
        """
        self.sandbox.namespace("argocd")
        where = {"repoURL": repository.url, "path": path, **source}
        thing: Json = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": "argocd"},
            "spec": {
                "project": "default",
                "destination": {"server": "https://kubernetes.default.svc", "namespace": self.namespace},
                "syncPolicy": {} if manual else {"automated": automated or {}},
                **({"sources": [where]} if several else {"source": where}),
            },
        }
        return self.api.path_of(self.api.apply(thing))

    def several(self, name: str, *sources: Json) -> str:
        """Apply an Application with these sources; returns where the API server has it."""
        self.sandbox.namespace("argocd")
        destination = {"server": "https://kubernetes.default.svc", "namespace": self.namespace}
        thing: Json = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": "argocd"},
            "spec": {
                "project": "default",
                "destination": destination,
                "syncPolicy": {"automated": {}},
                "sources": list(sources),
            },
        }
        return self.api.path_of(self.api.apply(thing))

    def sync(self, application: str) -> None:
        """Sync an Application by hand, and wait for the end of it."""
        self.api.merge(application, {"operation": {"sync": {}}})
        until(
            lambda: "operation" not in self.api.get(application) and self.is_synced(application),
            what="the Application to be synced",
        )

    def is_synced(self, application: str) -> bool:
        """Whether Argo CD says so."""
        return bool(self.api.get(application).get("status", {}).get("sync", {}).get("status") == "Synced")

    def refreshes(self, application: str) -> "Refreshes":
        """Count how often a refresh of the Application is asked for, from enter to exit."""
        return Refreshes(self.api, application)

    def set_image(self, workload: Workload, image: str, *, container: int = 0) -> None:
        """Change one container's image, as `kubectl set image` does."""
        path = f"/spec/template/spec/containers/{container}/image"
        change = [{"op": "replace", "path": path, "value": image}]
        self.api.request("PATCH", workload.path, change, content_type=JSON_PATCH)

    def annotate(self, workload: Workload, annotations: Mapping[str, str | None]) -> None:
        """Set annotations of a workload; None removes one."""
        self.api.merge(workload.path, {"metadata": {"annotations": annotations}})

    def annotate_namespace(self, namespace: str, value: str | None) -> None:
        """Set what a namespace says to the controller."""
        self.api.merge(f"/api/v1/namespaces/{namespace}", {"metadata": {"annotations": {ANNOTATION: value}}})

    def delete(self, workload: Workload) -> None:
        """Delete a workload."""
        self.api.delete(workload.path)

    def delete_backup(self, image: str) -> None:
        """Delete an ImageBackup by hand."""
        self.api.delete(f"{_IMAGE_BACKUPS}/{self.backup(image)['metadata']['name']}")

    # -- what there is ------------------------------------------------------------------------------------

    def images(self, workload: Workload) -> list[str]:
        """A workload's images, those of its init containers first; none while it is not there."""
        found = self.api.find(workload.path)
        if found is None:
            return []
        spec = found["spec"]["template"]["spec"]
        return [each["image"] for each in (*(spec.get("initContainers") or []), *spec["containers"])]

    def rolled_out(self, workload: Workload) -> bool:
        """Whether the workload's status says so for its newest generation."""
        found = self.api.find(workload.path)
        if found is None:
            return False
        status, generation = found.get("status") or {}, found["metadata"]["generation"]
        if status.get("observedGeneration") != generation:
            return False
        if workload.kind == "DaemonSet":
            wanted = status.get("desiredNumberScheduled", 0)
            return bool(wanted and status.get("numberAvailable", 0) == wanted)
        wanted = found["spec"].get("replicas", 1)
        counts = (status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas"))
        return all(count == wanted for count in counts)

    def running(self, workload: Workload) -> set[str]:
        """The digests that the pods in a workload's namespace run, whose names begin with the workload's."""
        pods = self.api.items(f"/api/v1/namespaces/{workload.namespace}/pods")
        return {
            container["imageID"].rpartition("@")[2]
            for pod in pods
            if pod["metadata"]["name"].startswith(f"{workload.name}-")
            for container in pod.get("status", {}).get("containerStatuses", [])
        }

    def backups(self) -> dict[str, Json]:
        """The ImageBackups, by the image that they stand for."""
        return {each["spec"]["image"]: each for each in self.api.items(_IMAGE_BACKUPS)}

    def backup(self, image: str) -> Json:
        """The ImageBackup of an image in normal form; empty while there is none."""
        return self.backups().get(image, {})

    def status(self, image: str) -> Json:
        """The status of the ImageBackup of an image in normal form."""
        return dict(self.backup(image).get("status") or {})

    def statuses(self) -> str:
        """What all ImageBackups say, for a test that failed."""
        found = {image: each.get("status") for image, each in self.backups().items()}
        return yaml.safe_dump(found, sort_keys=False)

    def phase(self, image: str) -> str:
        """The phase of the ImageBackup of an image in normal form."""
        return str(self.status(image).get("phase", ""))

    def condition(self, image: str, kind: str) -> Json:
        """A condition of an ImageBackup; empty while there is none of this type."""
        conditions = self.status(image).get("conditions") or []
        return next((dict(each) for each in conditions if each["type"] == kind), {})

    def events(self, about: Workload | str) -> list[str]:
        """The reasons of the events on a workload, or on the ImageBackup of an image, oldest first."""
        return [each["reason"] for each in self.events_in_full(about)]

    def events_in_full(self, about: Workload | str) -> list[Json]:
        """The events on a workload, or on the ImageBackup of an image, oldest first."""
        thing = self.api.get(about.path) if isinstance(about, Workload) else self.backup(about)
        uid = thing["metadata"]["uid"] if thing else "of none"
        found = [each for each in self.api.items(_EVENTS) if each["regarding"].get("uid") == uid]
        return sorted(found, key=lambda each: each["eventTime"])

    def pushed(self) -> Counter[str]:
        """How often a manifest was pushed to each tag of the backup registry, as `repository:tag`."""
        found: Counter[str] = Counter()
        for request in self.sandbox.backup.requests():
            match = _MANIFEST.match(request.path)
            if match and request.method == "PUT" and request.status == 201 and ":" not in match["reference"]:
                found[f"{match['repository']}:{match['reference']}"] += 1
        return found

    def versions(self) -> dict[str, str]:
        """The resourceVersion of every object that people read, but the Lease's."""
        found = ((path, each) for path in _READ_BY_PEOPLE for each in self.api.items(path))
        named = ((path, each["metadata"]) for path, each in found if path != _LEASES)
        return {
            f"{path} {meta.get('namespace')}/{meta['name']}": meta["resourceVersion"] for path, meta in named
        }

    # -- waiting ------------------------------------------------------------------------------------------

    def wait_rolled_out(self, *workloads: Workload) -> None:
        """Wait until all of these are rolled out."""
        for workload in workloads:
            until(lambda w=workload: self.rolled_out(w), what=f"{workload} to be rolled out")  # type: ignore[misc]

    def wait_images(self, workload: Workload, *images: str, timeout: float = 40.0) -> None:
        """Wait until the workload's template has exactly these images."""
        wanted = list(images)
        seen: list[list[str]] = []

        def look() -> bool:
            seen[:] = [self.images(workload)]
            return seen[0] == wanted

        try:
            until(look, what=f"{workload} to use {wanted}", timeout=timeout)
        except Exception as error:
            error.add_note(f"it uses {seen[0]}; the ImageBackups' statuses: {self.statuses()}")
            raise

    def wait_phase(self, image: str, phase: str, *, timeout: float = 40.0) -> Json:
        """Wait until the ImageBackup of an image has this phase; returns its status."""
        what = f"the ImageBackup of {image} to be {phase}"
        try:
            until(lambda: self.phase(image) == phase, what=what, timeout=timeout)
        except Exception as error:
            error.add_note(f"the ImageBackups' statuses: {self.statuses()}")
            raise
        return self.status(image)

    def wait_quiet(self, seconds: float = 1.5) -> dict[str, str]:
        """Wait until nothing was written for this long; returns the `versions`."""
        seen = self.versions()
        deadline = time.monotonic() + _SECONDS_UNTIL_QUIET
        while True:
            wait(seconds)
            before, seen = seen, self.versions()
            if seen == before:
                return seen
            changed = sorted(name for name, _ in before.items() ^ seen.items())
            assert time.monotonic() < deadline, f"still written: {changed}"

    def wait_event(self, about: Workload | str, reason: str, *, timeout: float = 40.0) -> Json:
        """Wait until there is an event with this reason; returns the first."""

        def look() -> Json | None:
            found = (each for each in self.events_in_full(about) if each["reason"] == reason)
            return next(found, None)

        found = until(look, what=f"an event {reason} on {about}", timeout=timeout)
        assert found is not None
        return found

    # -- what always holds --------------------------------------------------------------------------------

    def check(self) -> None:
        """What must hold at the end of every test."""
        if not self.may_push_again:
            again = {tag: count for tag, count in self.pushed().items() if count > 1}
            assert not again, f"pushed more than once: {again}"
        self._check_records()
        self._check_secrets()

    def _check_records(self) -> None:
        """What an ImageBackup calls verified is what the registry has under the name that it gives."""
        for image, backup in self.backups().items():
            status = backup.get("status") or {}
            true = [each["type"] for each in status.get("conditions", []) if each["status"] == "True"]
            if "Verified" in true and status.get("phase") == "DONE" and "@" not in image:
                held = self.sandbox.digest(status["backup"])
                assert held == status["digest"], f"{status['backup']} holds {held}, on record is {status}"

    def _check_secrets(self) -> None:
        shown = {controller.log_text for controller in self.controllers}
        shown |= {json.dumps(each) for path in _READ_BY_PEOPLE for each in self.api.items(path)}
        for secret in self.secrets():
            for text in shown:
                assert secret not in text, f"a password is shown: {text[:2000]}"

    def secrets(self) -> set[str]:
        """What must not be shown anywhere: passwords, and how HTTP sends them."""
        logins = [
            (self.sandbox.backup.username, self.sandbox.backup.password),
            (self.sandbox.git.username, self.sandbox.git.password),
        ]
        encoded = {base64.b64encode(f"{user}:{password}".encode()).decode() for user, password in logins}
        return {password for _, password in logins} | encoded


class Refreshes:
    """Counts how often the refresh annotation comes to an Application, between enter and exit."""

    def __init__(self, api: Api, application: str) -> None:
        self.count = 0
        self._name = application.rpartition("/")[2]
        collection = application.rpartition("/")[0]
        version = api.get(collection)["metadata"]["resourceVersion"]
        self._watch = api.watch(collection, since=version)
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.end()
        self._thread.join()

    def _follow(self) -> None:
        before = False
        for event in self._watch:
            metadata = event["object"].get("metadata", {})
            if metadata.get("name") == self._name:
                now = REFRESH in (metadata.get("annotations") or {})
                self.count += now and not before
                before = now


def manifest(
    kind: str,
    name: str,
    images: Sequence[str],
    *,
    namespace: str,
    init: Sequence[str] = (),
    annotations: Mapping[str, str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Json:
    """A Deployment or a DaemonSet as people write it."""
    pod: Json = {"containers": [{"name": f"c{n}", "image": image} for n, image in enumerate(images)]}
    if init:
        pod["initContainers"] = [{"name": f"i{n}", "image": image} for n, image in enumerate(init)]
    meta: Json = {"name": name, "namespace": namespace, **(metadata or {})}
    if annotations:
        meta["annotations"] = dict(annotations)
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": meta,
        "spec": {
            **spec,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        },
    }
