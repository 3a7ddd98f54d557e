"""What controllers and kubelets write about a workload: pods, ReplicaSets and statuses, as plain functions.

The fields are those of the `apps/v1` and `core/v1` APIs that readers of a rollout look at (`kubectl rollout
status`, Argo CD's health checks); what nobody looks at is left out.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.pulling import NotPulled, Pulled

NEVER_READY = "sandbox.example/never-ready"
NODE = "sandbox-node"
HASH_LABELS = {"Deployment": "pod-template-hash", "DaemonSet": "controller-revision-hash"}

Work: TypeAlias = tuple[str, str, str]

_HASH_DIGITS = 10
_POD_DIGITS = 5
_SECONDS_FOR_PROGRESS = 600
_TIMES = frozenset({"lastTransitionTime", "lastUpdateTime", "startTime", "startedAt", "finishedAt"})


@dataclass(frozen=True, slots=True)
class Count:
    """How far a rollout is, in pods: `wanted`, `total`, `updated` to the current template, `ready`.

    `updated_ready` counts those that are both.
    """

    wanted: int
    total: int
    updated: int
    ready: int
    updated_ready: int

    @property
    def complete(self) -> bool:
        """Whether every pod is of the current template and ready."""
        return self.updated_ready == self.ready == self.total == self.wanted


def counted(workload: Json) -> Count:
    """How far the workload's own status says that it is, for its current generation."""
    wanted = wanted_pods(workload)
    status = workload.get("status") or {}
    daemon = workload["kind"] == "DaemonSet"
    ready = status.get("numberAvailable" if daemon else "availableReplicas", 0)
    updated = status.get("updatedNumberScheduled" if daemon else "updatedReplicas", 0)
    if status.get("observedGeneration") != workload["metadata"]["generation"]:
        updated = 0
    total = wanted if daemon else status.get("replicas", 0)
    return Count(wanted, total, updated=updated, ready=min(ready, wanted), updated_ready=min(ready, updated))


def finished(workload: Json) -> Count:
    """The end of every rollout that succeeds."""
    wanted = wanted_pods(workload)
    return Count(wanted, wanted, updated=wanted, ready=wanted, updated_ready=wanted)


def work_of(workload: Json) -> Work:
    """Kind, namespace and name."""
    return workload["kind"], workload["metadata"]["namespace"], workload["metadata"]["name"]


def owner_of(pod: Json) -> Work:
    """Kind, namespace and name of the pod's controller; empty where it has none."""
    references = pod.get("metadata", {}).get("ownerReferences") or []
    owner: Json = next((each for each in references if each.get("controller")), {})
    return owner.get("kind", ""), pod["metadata"]["namespace"], owner.get("name", "")


def hash_of(pod: Json) -> str:
    """The `template_hash` of the template that the pod was made from; empty for a pod of somebody else's."""
    labels = pod["metadata"].get("labels") or {}
    return next((labels[label] for label in HASH_LABELS.values() if label in labels), "")


def workload_of(pod: Json) -> Work | None:
    """The Deployment or DaemonSet that the pod belongs to, directly or not; None where there is none."""
    kind, namespace, name = owner_of(pod)
    if kind == "ReplicaSet":
        return "Deployment", namespace, name.removesuffix(f"-{hash_of(pod)}")
    return (kind, namespace, name) if kind == "DaemonSet" else None


def says_the_same(status: Json, wanted: Json) -> bool:
    """Whether writing `wanted` into the status would change nothing but times."""
    return _timeless({name: status.get(name) for name in wanted}) == _timeless(wanted)


def is_replaced_by_hand(workload: Json) -> bool:
    """Whether the workload keeps its pods until somebody deletes them: a DaemonSet with `OnDelete`."""
    return bool(workload["spec"].get("updateStrategy", {}).get("type") == "OnDelete")


def is_never_ready(workload: Json) -> bool:
    """Whether the workload asks not to get ready."""
    return str((workload["metadata"].get("annotations") or {}).get(NEVER_READY, "")).lower() == "true"


def wanted_pods(workload: Json) -> int:
    """How many pods there should be; a DaemonSet has one, as there is one node."""
    return int(workload["spec"].get("replicas", 1)) if workload["kind"] == "Deployment" else 1


def template_hash(workload: Json) -> str:
    """What tells the pods of one template from those of another."""
    return _digits(json.dumps(workload["spec"]["template"], sort_keys=True), _HASH_DIGITS)


def images(workload: Json) -> list[str]:
    """Every image of the template, as it is written there."""
    spec = workload["spec"]["template"]["spec"]
    return [each["image"] for each in (*(spec.get("initContainers") or []), *spec["containers"])]


def replica_set(deployment: Json, replicas: int) -> Json:
    """The ReplicaSet between a Deployment and its pods."""
    current = template_hash(deployment)
    meta = deployment["metadata"]
    template = deployment["spec"]["template"]
    added = {HASH_LABELS["Deployment"]: current}
    labels = {**(template["metadata"].get("labels") or {}), **added}
    selector = {"matchLabels": {**deployment["spec"]["selector"].get("matchLabels", {}), **added}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{meta['name']}-{current}",
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [_owner(deployment)],
        },
        "spec": {
            "replicas": replicas,
            "selector": selector,
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }


def pods(workload: Json, owner: Json, count: int) -> list[Json]:
    """The pods of the current template; `owner` is the ReplicaSet, or the DaemonSet itself."""
    template = owner["spec"]["template"]
    current = template_hash(workload)
    base = owner["metadata"]["name"]
    labels = {**(template["metadata"].get("labels") or {}), HASH_LABELS[workload["kind"]]: current}
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{base}-{_digits(f'{current} {number}', _POD_DIGITS)}",
                "namespace": owner["metadata"]["namespace"],
                "labels": labels,
                "annotations": template["metadata"].get("annotations") or {},
                "ownerReferences": [_owner(owner)],
            },
            "spec": {**template["spec"], "nodeName": NODE},
        }
        for number in range(count)
    ]


def pod_status(pod: Json, pulled: Mapping[str, Pulled | NotPulled], *, ready: bool, now: str) -> Json:
    """The status of a pod whose images were pulled or not."""
    spec = pod["spec"]
    stuck = any(isinstance(each, NotPulled) for each in pulled.values())
    is_ready = ready and not stuck
    status = "True" if is_ready else "False"
    return {
        "phase": "Pending" if stuck else "Running",
        "startTime": now,
        "conditions": [
            {"type": kind, "status": state, "lastTransitionTime": now}
            for kind, state in (
                ("PodScheduled", "True"),
                ("Initialized", "False" if stuck else "True"),
                ("ContainersReady", status),
                ("Ready", status),
            )
        ],
        "initContainerStatuses": [
            _container(each, pulled[each["image"]], ready=True, started={"terminated": _ended(now)})
            for each in spec.get("initContainers") or []
        ],
        "containerStatuses": [
            _container(each, pulled[each["image"]], ready=is_ready, started={"running": {"startedAt": now}})
            for each in spec["containers"]
        ],
    }


def is_pod_ready(pod: Json) -> bool:
    """Whether the pod's condition `Ready` is true."""
    conditions = pod.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def workload_status(workload: Json, count: Count, *, overdue: bool, now: str) -> Json:
    """The status of a Deployment or a DaemonSet; conditions keep their times when nothing changed."""
    generation = workload["metadata"]["generation"]
    if workload["kind"] == "DaemonSet":
        return {
            "observedGeneration": generation,
            "currentNumberScheduled": count.wanted,
            "desiredNumberScheduled": count.wanted,
            "numberMisscheduled": 0,
            "updatedNumberScheduled": count.updated,
            "numberReady": count.ready,
            "numberAvailable": count.ready,
            "numberUnavailable": count.wanted - count.ready,
        }
    before = workload.get("status", {}).get("conditions") or []
    return {
        "observedGeneration": generation,
        "replicas": count.total,
        "updatedReplicas": count.updated,
        "readyReplicas": count.ready,
        "availableReplicas": count.ready,
        "unavailableReplicas": count.wanted - count.ready,
        "conditions": [
            _condition("Available", *_availability(count), before=before, now=now),
            _condition("Progressing", *_progress(count, overdue=overdue), before=before, now=now),
        ],
    }


def seconds_for_progress(workload: Json) -> float:
    """How long a rollout may take before it counts as failed."""
    return float(workload["spec"].get("progressDeadlineSeconds", _SECONDS_FOR_PROGRESS))


def _availability(count: Count) -> tuple[str, str]:
    if count.ready >= count.wanted:
        return "True", "MinimumReplicasAvailable"
    return "False", "MinimumReplicasUnavailable"


def _progress(count: Count, *, overdue: bool) -> tuple[str, str]:
    if count.complete:
        return "True", "NewReplicaSetAvailable"
    return ("False", "ProgressDeadlineExceeded") if overdue else ("True", "ReplicaSetUpdated")


def _condition(kind: str, status: str, reason: str, *, before: Sequence[Json], now: str) -> Json:
    fresh = {
        "type": kind,
        "status": status,
        "reason": reason,
        "lastTransitionTime": now,
        "lastUpdateTime": now,
        "message": f"{reason}, says the sandbox's stand-in for a kubelet",
    }
    same = ("type", "status", "reason")
    return next((each for each in before if all(each.get(name) == fresh[name] for name in same)), fresh)


def _container(container: Json, result: Pulled | NotPulled, *, ready: bool, started: Json) -> Json:
    common = {"name": container["name"], "image": result.image, "restartCount": 0}
    if isinstance(result, NotPulled):
        waiting = {"reason": result.reason, "message": result.message}
        return {**common, "imageID": "", "ready": False, "started": False, "state": {"waiting": waiting}}
    return {**common, "imageID": result.image_id, "ready": ready, "started": True, "state": started}


def _ended(now: str) -> Json:
    return {"exitCode": 0, "reason": "Completed", "startedAt": now, "finishedAt": now}


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {name: _timeless(each) for name, each in value.items() if name not in _TIMES and each}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def _owner(thing: Json) -> Json:
    return {
        "apiVersion": "apps/v1",
        "kind": thing["kind"],
        "name": thing["metadata"]["name"],
        "uid": thing["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _digits(text: str, count: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:count]
