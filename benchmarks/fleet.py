"""Many workloads at once, made and made ready without anything that would roll them out."""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gitops_backup.sandbox.api import Api, Json
from gitops_backup.sandbox.sandbox import Sandbox

BACKUPS = "image-backup"
"""The namespace of the ImageBackups."""

T = TypeVar("T")
R = TypeVar("R")

_AT_A_TIME = 8
_TEMPLATE_HASH = "5d4f8c7b9"


def at_once(work: Callable[[T], R], things: Iterable[T]) -> list[R]:
    """Do something with each of these, several at a time; the results in their order."""
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return list(pool.map(work, things))


def images(count: int, *, team: str = "team") -> list[str]:
    """The names of so many images of one registry."""
    return [f"quay.io/{team}/app-{number}:1.0" for number in range(count)]


def push(sandbox: Sandbox, names: Iterable[str]) -> list[str]:
    """Push a tiny image under each of these names; the digests in their order."""
    return at_once(sandbox.push, names)


def digest_of(image: str) -> str:
    """A digest for an image that no registry has."""
    return f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def deployment(namespace: str, name: str, *, image: str, init: str | None = None) -> Json:
    """A Deployment of one container, with an init container where `init` names an image."""
    labels = {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "benchmark"}
    spec: Json = {"containers": [{"name": "main", "image": image}]}
    if init is not None:
        spec["initContainers"] = [{"name": "init", "image": init}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def path_of(namespace: str, name: str) -> str:
    """Where the API server has a Deployment."""
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"


def ready(generation: int = 1) -> Json:
    """The status of a Deployment that is rolled out."""
    return {
        "observedGeneration": generation,
        "replicas": 1,
        "updatedReplicas": 1,
        "readyReplicas": 1,
        "availableReplicas": 1,
        "conditions": [
            {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
            {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
        ],
    }


def create_ready(api: Api, deployments: Iterable[Json]) -> None:
    """Create Deployments and mark them as rolled out."""

    def create(thing: Json) -> None:
        api.create(thing)
        mark_ready(api, thing["metadata"]["namespace"], thing["metadata"]["name"])

    at_once(create, deployments)


def mark_ready(api: Api, namespace: str, name: str, *, generation: int = 1) -> None:
    """Mark a Deployment as rolled out."""
    api.merge(f"{path_of(namespace, name)}/status", {"status": ready(generation)})


def pod(of: Json) -> Json:
    """A pod of a Deployment, about as large as pods are."""
    template, name = of["spec"]["template"], of["metadata"]["name"]
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": f"{name}-{_TEMPLATE_HASH}"}
    containers = [
        {
            **container,
            "env": [{"name": f"SETTING_{number}", "value": "x" * 40} for number in range(10)],
            "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "64Mi"}},
            "volumeMounts": [{"name": "settings", "mountPath": "/etc/settings", "readOnly": True}],
        }
        for container in template["spec"]["containers"]
    ]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{name}-{_TEMPLATE_HASH}-abcde",
            "namespace": of["metadata"]["namespace"],
            "labels": {**template["metadata"]["labels"], "pod-template-hash": _TEMPLATE_HASH},
            "ownerReferences": [{**owner, "uid": name, "controller": True, "blockOwnerDeletion": True}],
        },
        "spec": {
            **template["spec"],
            "containers": containers,
            "nodeName": "node-1",
            "volumes": [{"name": "settings", "configMap": {"name": name}}],
        },
    }


def create_running(api: Api, pods: Iterable[Json]) -> None:
    """Create pods and mark them as running what they name."""

    def create(thing: Json) -> None:
        created = api.create(thing)
        metadata = created["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}/status"
        api.merge(path, {"status": _running(created["spec"])})

    at_once(create, pods)


def create_backup(api: Api, name: str, image: str, status: Json) -> None:
    """Create an ImageBackup with its status."""
    created = api.create(
        {
            "apiVersion": "k8slab.io/v1alpha1",
            "kind": "ImageBackup",
            "metadata": {"name": name, "namespace": BACKUPS},
            "spec": {"image": image},
        }
    )
    path = f"/apis/k8slab.io/v1alpha1/namespaces/{BACKUPS}/imagebackups/{name}/status"
    api.merge(path, {"status": {**status, "create_at": created["metadata"]["creationTimestamp"]}})


def verified(backup: str, digest: str) -> Json:
    """The status of an ImageBackup whose copy is there."""
    conditions = [
        {"type": kind, "status": "True", "reason": "Verified", "message": "", "observedGeneration": 1}
        for kind in ("Copied", "Verified")
    ]
    return {"phase": "DONE", "backup": backup, "digest": digest, "conditions": conditions}


def _running(spec: Json) -> Json:
    def status(container: Json, state: Json) -> Json:
        image = container["image"]
        return {
            "name": container["name"],
            "image": image,
            "imageID": f"{image.rpartition(':')[0]}@{digest_of(image)}",
            "containerID": f"containerd://{hashlib.sha256(container['name'].encode()).hexdigest()}",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": state,
        }

    began = "2025-01-01T00:00:00Z"
    ended = {"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": began, "finishedAt": began}}
    conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    return {
        "phase": "Running",
        "hostIP": "10.1.0.1",
        "podIP": "10.2.0.1",
        "startTime": began,
        "qosClass": "Burstable",
        "conditions": [{"type": kind, "status": "True", "lastTransitionTime": began} for kind in conditions],
        "initContainerStatuses": [status(each, ended) for each in spec.get("initContainers", ())],
        "containerStatuses": [status(each, {"running": {"startedAt": began}}) for each in spec["containers"]],
    }
