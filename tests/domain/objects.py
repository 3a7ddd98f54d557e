"""Kubernetes objects as an API server sends them, shortened to what is of interest."""

from typing import Any

Object = dict[str, Any]

DIGEST = "sha256:" + "ab" * 32
OTHER_DIGEST = "sha256:" + "cd" * 32


def deployment(**status: Any) -> Object:
    """A Deployment of two replicas, rolled out; `status` replaces fields of its status."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "6a1f",
            "generation": 3,
            "resourceVersion": "812",
            "creationTimestamp": "2024-05-01T10:00:00Z",
            "annotations": {"deployment.kubernetes.io/revision": "3"},
        },
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "initContainers": [{"name": "migrate", "image": "quay.io/shop/migrate:2"}],
                    "containers": [
                        {"name": "web", "image": "nginx:1.25", "ports": [{"containerPort": 80}]},
                        {"name": "sidecar", "image": "fluentd"},
                    ],
                },
            },
        },
        "status": {
            "observedGeneration": 3,
            "replicas": 2,
            "updatedReplicas": 2,
            "readyReplicas": 2,
            "availableReplicas": 2,
            "conditions": [
                {"type": "Available", "status": "True", "reason": "MinimumReplicasAvailable"},
                {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"},
            ],
        }
        | status,
    }


def daemon_set(**status: Any) -> Object:
    """A DaemonSet on three nodes, rolled out; `status` replaces fields of its status."""
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent", "namespace": "ops", "uid": "77b0", "generation": 1},
        "spec": {
            "selector": {"matchLabels": {"app": "agent"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}},
            "template": {"spec": {"containers": [{"name": "agent", "image": "fluentd:latest"}]}},
        },
        "status": {
            "observedGeneration": 1,
            "currentNumberScheduled": 3,
            "desiredNumberScheduled": 3,
            "updatedNumberScheduled": 3,
            "numberAvailable": 3,
            "numberReady": 3,
            "numberMisscheduled": 0,
        }
        | status,
    }


def owner(kind: str, name: str, **more: Any) -> Object:
    """An ownerReference of the controller of an object."""
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "1", "controller": True} | more


def pod(**metadata: Any) -> Object:
    """A running pod of the Deployment above; `metadata` replaces fields of its metadata."""
    return {
        "metadata": {
            "name": "web-5d4f8c7b9-x2x4z",
            "namespace": "shop",
            "labels": {"app": "web", "pod-template-hash": "5d4f8c7b9"},
            "ownerReferences": [owner("ReplicaSet", "web-5d4f8c7b9")],
        }
        | metadata,
        "spec": {
            "initContainers": [{"name": "migrate", "image": "quay.io/shop/migrate:2"}],
            "containers": [
                {"name": "web", "image": "nginx:1.25"},
                {"name": "sidecar", "image": "fluentd"},
            ],
            "ephemeralContainers": [{"name": "debugger", "image": "busybox"}],
        },
        "status": {
            "phase": "Running",
            "initContainerStatuses": [
                {
                    "name": "migrate",
                    "image": "quay.io/shop/migrate:2",
                    "imageID": f"quay.io/shop/migrate@{OTHER_DIGEST}",
                }
            ],
            "containerStatuses": [
                {
                    "name": "web",
                    "image": "docker.io/library/nginx:1.25",
                    "imageID": f"docker.io/library/nginx@{DIGEST}",
                },
                {"name": "sidecar", "image": "fluentd", "imageID": ""},
            ],
            "ephemeralContainerStatuses": [{"name": "debugger", "imageID": f"busybox@{DIGEST}"}],
        },
    }
