"""Workloads and pods as they are projected: ready or not, odd or not."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_backup.domain.workloads import (
    ANNOTATION,
    TRACKING_ANNOTATION,
    Container,
    Kind,
    Pod,
    Rollout,
    RunningImage,
    Workload,
    WorkloadKey,
    digest_of,
)
from tests.domain.objects import DIGEST, OTHER_DIGEST, Object, daemon_set, deployment, owner, pod

SHA512 = "sha512:" + "ef" * 64


def test_a_deployment_is_reduced_to_what_decisions_need() -> None:
    """The key, the containers with their places, and the readiness of a rolled out Deployment."""
    assert Workload.project("Deployment", deployment()) == Workload(
        key=WorkloadKey("Deployment", "shop", "web"),
        uid="6a1f",
        containers=(
            Container(name="migrate", image="quay.io/shop/migrate:2", init=True, index=0),
            Container(name="web", image="nginx:1.25", init=False, index=0),
            Container(name="sidecar", image="fluentd", init=False, index=1),
        ),
        rollout=Rollout.COMPLETE,
        available=True,
        scaled_to_zero=False,
        paused=False,
        deleting=False,
        owner=None,
        directive=None,
        tracking_id=None,
        annotated=True,
        version="812",
    )


def test_another_version_with_nothing_new_is_the_same_workload() -> None:
    """Others write to a workload all the time: what is not decided on, does not count."""
    before = Workload.project("Deployment", deployment())
    touched, scaled = deployment(), deployment()
    touched["metadata"]["resourceVersion"] = "813"
    scaled["spec"]["replicas"] = 0
    after = Workload.project("Deployment", touched)
    assert after != before
    assert after.same_as(before)
    assert not Workload.project("Deployment", scaled).same_as(before)
    assert not after.same_as(None)


def test_a_daemon_set_is_reduced_to_what_decisions_need() -> None:
    """The same for a DaemonSet, whose replicas are nodes."""
    workload = Workload.project("DaemonSet", daemon_set())
    assert workload.key == WorkloadKey(Kind.DAEMON_SET, "ops", "agent")
    assert (workload.rollout, workload.available, workload.scaled_to_zero) == (Rollout.COMPLETE, True, False)


DEPLOYMENTS: dict[str, tuple[Object, Rollout, bool]] = {
    "rolled out": ({}, Rollout.COMPLETE, True),
    "the newest generation was not looked at": ({"observedGeneration": 2}, Rollout.NOT_READY, False),
    "no pod is available": ({"availableReplicas": 0}, Rollout.NOT_READY, False),
    "the count of available pods is left out": (
        {"availableReplicas": 0, "replicas": 0, "updatedReplicas": 0},
        Rollout.NOT_READY,
        False,
    ),
    "half of the pods are updated": ({"updatedReplicas": 1}, Rollout.PROGRESSING, True),
    "old pods are still there": ({"replicas": 3}, Rollout.PROGRESSING, True),
    "half of the pods are available": ({"availableReplicas": 1}, Rollout.PROGRESSING, True),
    "scaled down, but not all that are left over are available": (
        {"replicas": 4, "updatedReplicas": 4, "availableReplicas": 3},
        Rollout.PROGRESSING,
        True,
    ),
    "the progress deadline was exceeded": (
        {"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]},
        Rollout.FAILED,
        True,
    ),
    "the progress deadline of an earlier generation was exceeded": (
        {
            "observedGeneration": 2,
            "conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}],
        },
        Rollout.NOT_READY,
        False,
    ),
    "conditions are null": ({"conditions": None}, Rollout.COMPLETE, True),
}


@pytest.mark.parametrize(("status", "rollout", "available"), DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_rollout_of_a_deployment(status: Object, rollout: Rollout, available: bool) -> None:
    """A Deployment is as far as `kubectl rollout status` says."""
    workload = Workload.project("Deployment", deployment(**status))
    assert (workload.rollout, workload.available) == (rollout, available)


DAEMON_SETS: dict[str, tuple[Object, str, Rollout, bool]] = {
    "rolled out": ({}, "RollingUpdate", Rollout.COMPLETE, True),
    "not looked at": ({"observedGeneration": 0}, "RollingUpdate", Rollout.NOT_READY, False),
    "one node is updated": ({"updatedNumberScheduled": 1}, "RollingUpdate", Rollout.PROGRESSING, True),
    "one node is unavailable": ({"numberAvailable": 2}, "RollingUpdate", Rollout.PROGRESSING, True),
    "no node is available": ({"numberAvailable": 0}, "RollingUpdate", Rollout.NOT_READY, False),
    "OnDelete, nothing updated": ({"updatedNumberScheduled": 0}, "OnDelete", Rollout.COMPLETE, True),
    "OnDelete, one is unavailable": ({"numberAvailable": 2}, "OnDelete", Rollout.PROGRESSING, True),
}


@pytest.mark.parametrize(
    ("status", "strategy", "rollout", "available"), DAEMON_SETS.values(), ids=DAEMON_SETS
)
def test_rollout_of_a_daemon_set(status: Object, strategy: str, rollout: Rollout, available: bool) -> None:
    """A DaemonSet is rolled out when every node is; with OnDelete, when every node has some pod."""
    obj = daemon_set(**status)
    obj["spec"]["updateStrategy"] = {"type": strategy}
    workload = Workload.project("DaemonSet", obj)
    assert (workload.rollout, workload.available) == (rollout, available)


def test_an_update_strategy_that_is_absent_is_a_rolling_one() -> None:
    """What the API's default is needs no mention."""
    obj = daemon_set(updatedNumberScheduled=1)
    del obj["spec"]["updateStrategy"]
    assert Workload.project("DaemonSet", obj).rollout == Rollout.PROGRESSING


@pytest.mark.parametrize(
    ("kind", "obj", "zero"),
    [
        ("Deployment", deployment(), False),
        ("Deployment", deployment() | {"spec": {"replicas": 0}}, True),
        ("Deployment", deployment(observedGeneration=2) | {"spec": {"replicas": 0}}, False),
        ("Deployment", deployment() | {"spec": {}}, False),
        ("DaemonSet", daemon_set(desiredNumberScheduled=0, numberAvailable=0), True),
        ("DaemonSet", daemon_set(observedGeneration=0, desiredNumberScheduled=0), False),
    ],
)
def test_scaled_to_zero(kind: str, obj: Object, zero: bool) -> None:
    """A workload that is to have no pods is told from one that has none yet."""
    assert Workload.project(kind, obj).scaled_to_zero is zero


def test_replicas_that_are_left_out_are_one() -> None:
    """The API's default for a Deployment is one replica."""
    obj = deployment(replicas=1, updatedReplicas=1, availableReplicas=1)
    del obj["spec"]["replicas"]
    assert Workload.project("Deployment", obj).rollout == Rollout.COMPLETE


def test_what_metadata_and_spec_say() -> None:
    """Deletion, pause, annotations and the owning controller."""
    obj = deployment()
    obj["spec"]["paused"] = True
    obj["metadata"] |= {
        "deletionTimestamp": "2024-05-01T11:00:00Z",
        "annotations": {ANNOTATION: "ignore", TRACKING_ANNOTATION: "shop:apps/Deployment:shop/web"},
        "ownerReferences": [
            {"kind": "ConfigMap", "name": "note"},
            owner("Operator", "shop", controller=False),
            owner("Shop", "main"),
        ],
    }
    workload = Workload.project("Deployment", obj)
    assert workload.paused
    assert workload.deleting
    assert workload.directive == "ignore"
    assert workload.tracking_id == "shop:apps/Deployment:shop/web"
    assert workload.owner == "Shop/main"


BARE: list[Object] = [
    {"metadata": {"name": "a"}},
    {"metadata": {"name": "a", "annotations": None, "ownerReferences": None}, "spec": None, "status": None},
    {"metadata": {"name": "a", "generation": 1}, "spec": {"template": None}, "status": {}},
    {"metadata": {"name": "a", "generation": 1}, "spec": {"template": {"spec": None}}},
    {
        "metadata": {"name": "a", "generation": 1},
        "spec": {"template": {"spec": {"containers": None, "initContainers": None}}, "updateStrategy": None},
    },
]


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("obj", BARE)
def test_odd_objects_are_readable(kind: Kind, obj: Object) -> None:
    """What is missing or null reads as the API's default, and as not ready."""
    workload = Workload.project(kind, obj)
    assert workload.containers == ()
    assert workload.rollout == Rollout.NOT_READY
    assert not workload.available
    assert workload.key == WorkloadKey(kind, "", "a")


def test_a_container_without_an_image_has_an_empty_one() -> None:
    """Kubernetes lets other controllers fill images in."""
    obj = deployment()
    obj["spec"]["template"]["spec"]["containers"] = [{"name": "late"}]
    assert (
        Container(name="late", image="", init=False, index=0)
        in Workload.project("Deployment", obj).containers
    )


def test_who_owns_an_image_is_known() -> None:
    """By the container's name; who owns something else of it, or the container as such, does not count."""
    obj = deployment()
    obj["metadata"]["managedFields"] = [
        _managed("argocd-controller", containers={"web": ["image", "name"], "sidecar": ["image"]}),
        _managed("updater", containers={"web": ["image"]}, initContainers={"migrate": ["image"]}),
        _managed("webhook", containers={"web": ["resources"]}),
        _managed("kube-controller-manager"),
        _managed("updater", containers={"web": ["image"]}),
        {"manager": "odd"},
    ]
    workload = Workload.project("Deployment", obj)
    assert {each.name: each.managers for each in workload.containers} == {
        "migrate": ("updater",),
        "web": ("argocd-controller", "updater"),
        "sidecar": ("argocd-controller",),
    }


def _managed(manager: str, **lists: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What `metadata.managedFields` says of a manager's fields of containers."""
    owned: dict[str, Any] = {
        f"f:{part}": {
            f'k:{{"name":"{name}"}}': {".": {}, **{f"f:{field}": {} for field in fields}}
            for name, fields in containers.items()
        }
        for part, containers in lists.items()
    }
    fields = {"f:template": {"f:spec": owned}} if owned else {"f:replicas": {}}
    return {
        "manager": manager,
        "operation": "Update",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": fields},
    }


counts = st.integers(0, 4)


@settings(max_examples=200)
@given(
    st.sampled_from(list(Kind)),
    st.fixed_dictionaries(
        {},
        optional={
            "observedGeneration": counts,
            "replicas": counts,
            "updatedReplicas": counts,
            "availableReplicas": counts,
            "desiredNumberScheduled": counts,
            "updatedNumberScheduled": counts,
            "numberAvailable": counts,
        },
    ),
    counts,
    st.none() | counts,
)
def test_complete_means_what_kubectl_means(
    kind: Kind, status: dict[str, int], generation: int, replicas: int | None
) -> None:
    """What is called complete is complete for kubectl as well, and has an available pod."""
    # only nodes that shall run the daemon are counted as updated
    status["desiredNumberScheduled"] = max(
        status.get("desiredNumberScheduled", 0), status.get("updatedNumberScheduled", 0)
    )
    spec = {} if replicas is None else {"replicas": replicas}
    obj = {"metadata": {"name": "a", "generation": generation}, "spec": spec, "status": status}
    workload = Workload.project(kind, obj)
    kubectl = _deployment_is_done(obj) if kind == Kind.DEPLOYMENT else _daemon_set_is_done(obj)
    assert (workload.rollout == Rollout.COMPLETE) == (kubectl and workload.available)
    assert workload.available == (workload.rollout in {Rollout.COMPLETE, Rollout.PROGRESSING})


def _deployment_is_done(obj: Any) -> bool:
    status = obj["status"]
    updated = status.get("updatedReplicas", 0)
    return (
        obj["metadata"]["generation"] <= status.get("observedGeneration", 0)
        and not updated < obj["spec"].get("replicas", 1)
        and not status.get("replicas", 0) > updated
        and not status.get("availableReplicas", 0) < updated
    )


def _daemon_set_is_done(obj: Any) -> bool:
    status = obj["status"]
    desired = status.get("desiredNumberScheduled", 0)
    return (
        obj["metadata"]["generation"] <= status.get("observedGeneration", 0)
        and not status.get("updatedNumberScheduled", 0) < desired
        and not status.get("numberAvailable", 0) < desired
    )


def test_a_pod_tells_what_runs() -> None:
    """Images as the spec names them, digests as they were pulled; no ephemeral container, none not pulled."""
    assert Pod.project(pod()) == Pod(
        WorkloadKey("Deployment", "shop", "web"),
        (
            RunningImage("migrate", "quay.io/shop/migrate:2", OTHER_DIGEST),
            RunningImage("web", "nginx:1.25", DIGEST),
        ),
    )


POD_OWNERS: dict[str, tuple[Object, WorkloadKey | None]] = {
    "a DaemonSet": (
        {"ownerReferences": [owner("DaemonSet", "agent")]},
        WorkloadKey("DaemonSet", "shop", "agent"),
    ),
    "a Deployment with a dash": (
        {
            "ownerReferences": [owner("ReplicaSet", "my-web-77")],
            "labels": {"pod-template-hash": "77"},
        },
        WorkloadKey("Deployment", "shop", "my-web"),
    ),
    "a Deployment named like a hash": (
        {"ownerReferences": [owner("ReplicaSet", "77-77")], "labels": {"pod-template-hash": "77"}},
        WorkloadKey("Deployment", "shop", "77"),
    ),
    "a ReplicaSet by itself": ({"ownerReferences": [owner("ReplicaSet", "web-1")], "labels": {}}, None),
    "a ReplicaSet with another hash": (
        {"ownerReferences": [owner("ReplicaSet", "web-1")], "labels": {"pod-template-hash": "2"}},
        None,
    ),
    "a ReplicaSet without labels": (
        {"ownerReferences": [owner("ReplicaSet", "web-1")], "labels": None},
        None,
    ),
    "a StatefulSet": ({"ownerReferences": [owner("StatefulSet", "db")]}, None),
    "a Job": ({"ownerReferences": [owner("Job", "once")]}, None),
    "nobody": ({"ownerReferences": None}, None),
    "an owner that is no controller": (
        {"ownerReferences": [owner("DaemonSet", "agent", controller=False)]},
        None,
    ),
}


@pytest.mark.parametrize(("metadata", "workload"), POD_OWNERS.values(), ids=POD_OWNERS)
def test_the_workload_of_a_pod(metadata: Object, workload: WorkloadKey | None) -> None:
    """A pod belongs to the Deployment behind its ReplicaSet, to its DaemonSet, or to nobody of interest."""
    projected = Pod.project(pod(**metadata))
    assert (projected.workload if projected else None) == workload


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        {"containerStatuses": None, "initContainerStatuses": None},
        {"containerStatuses": [{"name": "web", "imageID": ""}, {"name": "sidecar"}]},
        {"containerStatuses": [{"name": "stranger", "imageID": f"a@{DIGEST}"}, {}]},
        {"containerStatuses": [{"name": "web", "imageID": None}]},
    ],
)
def test_a_pod_that_runs_nothing_known_is_nothing(status: Object | None) -> None:
    """A pod whose images were not pulled yet shows nothing."""
    obj = pod()
    obj["status"] = status
    assert Pod.project(obj) is None


IMAGE_IDS = {
    f"docker.io/library/nginx@{DIGEST}": DIGEST,
    f"docker-pullable://nginx@{DIGEST}": DIGEST,
    f"docker://{DIGEST}": DIGEST,
    f"registry:5000/a/b@{DIGEST}": DIGEST,
    f"nginx:1.25@{DIGEST}": DIGEST,
    f"nginx@{SHA512}": SHA512,
    DIGEST: DIGEST,
    "": None,
    "ab" * 32: None,
    "docker.io/library/nginx:1.25": None,
    DIGEST[:-1]: None,
    f"{DIGEST}0": None,
    f"{DIGEST}\n": None,
    DIGEST.upper(): None,
    "nginx@sha256:" + "z" * 64: None,
    "nginx@sha256:" + "/.." * 21 + "/": None,
    "nginx@sha256:" + "\u0663" * 64: None,
}


@pytest.mark.parametrize(("image_id", "digest"), IMAGE_IDS.items())
def test_the_digest_in_an_image_id(image_id: str, digest: str | None) -> None:
    """Each container runtime writes its own form, of which only the digest is of interest."""
    assert digest_of(image_id) == digest


def test_a_key_is_read_back_from_its_text() -> None:
    """Records name workloads by this text."""
    key = WorkloadKey("Deployment", "shop", "web")
    assert str(key) == "Deployment/shop/web"
    assert WorkloadKey.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "web", "shop/web", "a/b/c/d"])
def test_what_is_no_key_is_refused(text: str) -> None:
    """A record that somebody edited is not mistaken for a workload."""
    with pytest.raises(ValueError, match="unpack"):
        WorkloadKey.parse(text)
