"""The stand-in for a kubelet: what a watcher of workloads and pods sees of it."""

import json
import secrets

import pytest

from gitops_backup.sandbox.rollouts import NEVER_READY
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from gitops_backup.sandbox.workloads import image_ids, live, pods, wait_until_rolled_out, workload


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_a_workload_is_rolled_out_and_its_pods_name_what_was_pulled(
    sandbox: Sandbox, namespace: str, kind: str
) -> None:
    """Statuses, owners, labels and image ids are those that a real cluster has."""
    thing = workload(kind, namespace, "nginx:1.14.0", init="quay.io/prometheus/node-exporter:v1.8.0")
    sandbox.apply(thing)
    uid = wait_until_rolled_out(sandbox.api, thing)["metadata"]["uid"]
    (pod,) = pods(sandbox.api, namespace)
    (owner,) = pod["metadata"]["ownerReferences"]
    if kind == "Deployment":
        owner_path = f"/apis/apps/v1/namespaces/{namespace}/replicasets/{owner['name']}"
        replica_set = sandbox.api.get(owner_path)
        assert (owner["kind"], owner["uid"]) == ("ReplicaSet", replica_set["metadata"]["uid"])
        assert pod["metadata"]["labels"]["pod-template-hash"] == owner["name"].removeprefix("app-")
        (owner,) = replica_set["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == (kind, uid, True)
    assert pod["metadata"]["labels"]["app"] == "app"
    (main,) = pod["status"]["containerStatuses"]
    (init,) = pod["status"]["initContainerStatuses"]
    nginx, exporter = (sandbox.digest(name) for name in ("nginx:1.14.0", init["image"]))
    assert main["imageID"] == f"docker.io/library/nginx@{nginx}"
    assert main["ready"]
    assert init["imageID"] == f"quay.io/prometheus/node-exporter@{exporter}"
    assert init["state"]["terminated"]["exitCode"] == 0


def test_a_changed_template_replaces_the_pods(sandbox: Sandbox, namespace: str) -> None:
    """With a rollout under way in between, and the old ReplicaSet scaled to nothing but kept."""
    thing = workload("Deployment", namespace, "nginx:1.14.0", replicas=2)
    sandbox.apply(thing)
    wait_until_rolled_out(sandbox.api, thing)
    before = {pod["metadata"]["name"] for pod in pods(sandbox.api, namespace)}
    assert len(before) == 2
    sandbox.apply(workload("Deployment", namespace, "nginx:1.14.2", replicas=2))
    wait_until_rolled_out(sandbox.api, thing)
    after = until(
        lambda: [pod for pod in pods(sandbox.api, namespace) if pod["metadata"]["name"] not in before],
        what="new pods",
    )
    until(lambda: len(pods(sandbox.api, namespace)) == 2, what="the old pods to go")
    assert len(after) == 2
    replicas = sandbox.api.items(f"/apis/apps/v1/namespaces/{namespace}/replicasets")
    assert sorted(each["spec"]["replicas"] for each in replicas) == [0, 2]


@pytest.mark.parametrize("kind", ["Deployment", "DaemonSet"])
def test_what_cannot_be_pulled_is_not_ready_until_it_can(sandbox: Sandbox, namespace: str, kind: str) -> None:
    """As when a copy arrives after the manifest that names it."""
    image = f"docker.io/marcosquesada/library_{secrets.token_hex(4)}:1"
    thing = workload(kind, namespace, image)
    sandbox.apply(thing)

    def waiting() -> str:
        statuses = [pod.get("status", {}).get("containerStatuses") for pod in pods(sandbox.api, namespace)]
        return statuses[0][0]["state"]["waiting"]["reason"] if statuses and statuses[0] else ""

    assert until(waiting, what="a pod that waits") == "ImagePullBackOff"
    status = live(sandbox.api, thing)["status"]
    assert status.get("availableReplicas", 0) == status.get("numberAvailable", 0) == 0
    digest = sandbox.push(image)
    wait_until_rolled_out(sandbox.api, thing)
    assert image_ids(sandbox.api, namespace) == {f"{image.removesuffix(':1')}@{digest}"}


def test_a_rollout_that_cannot_be_pulled_leaves_the_old_pods_running(
    sandbox: Sandbox, namespace: str
) -> None:
    """A Deployment stays available, with one pod more that waits, and is not rolled out."""
    thing = workload("Deployment", namespace, "nginx:1.14.0")
    sandbox.apply(thing)
    wait_until_rolled_out(sandbox.api, thing)
    sandbox.apply(workload("Deployment", namespace, "nginx:no-such-tag"))
    until(lambda: live(sandbox.api, thing)["status"]["replicas"] == 2, what="a second pod")
    status = live(sandbox.api, thing)["status"]
    assert (status["updatedReplicas"], status["availableReplicas"]) == (1, 1)
    conditions = {each["type"]: each["reason"] for each in status["conditions"]}
    assert conditions == {"Available": "MinimumReplicasAvailable", "Progressing": "ReplicaSetUpdated"}


def test_a_workload_that_is_told_so_never_gets_ready(sandbox: Sandbox, namespace: str) -> None:
    """Its pod runs, is not ready, and after the deadline the rollout counts as failed."""
    thing = workload("Deployment", namespace, "nginx:1.14.0", annotations={NEVER_READY: "true"})
    thing["spec"]["progressDeadlineSeconds"] = 1
    sandbox.apply(thing)

    def failed() -> bool:
        conditions = live(sandbox.api, thing).get("status", {}).get("conditions") or []
        return any(each.get("reason") == "ProgressDeadlineExceeded" for each in conditions)

    until(failed, what="the deadline")
    (pod,) = pods(sandbox.api, namespace)
    assert pod["status"]["phase"] == "Running"
    assert not pod["status"]["containerStatuses"][0]["ready"]


def test_a_daemon_set_on_delete_keeps_its_pod_until_somebody_deletes_it(
    sandbox: Sandbox, namespace: str
) -> None:
    """Available all the time, updated only then."""
    thing = workload("DaemonSet", namespace, "nginx:1.14.0", on_delete=True)
    sandbox.apply(thing)
    wait_until_rolled_out(sandbox.api, thing)
    sandbox.apply(workload("DaemonSet", namespace, "nginx:1.14.2", on_delete=True))

    def outdated() -> bool:
        seen = live(sandbox.api, thing)
        status = seen["status"]
        current = status["observedGeneration"] == seen["metadata"]["generation"]
        return current and not status.get("updatedNumberScheduled") and status["numberAvailable"] == 1

    until(outdated, what="the new template to be seen")
    (pod,) = pods(sandbox.api, namespace)
    assert image_ids(sandbox.api, namespace) == {f"docker.io/library/nginx@{sandbox.digest('nginx:1.14.0')}"}
    sandbox.api.delete(f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}")
    wait_until_rolled_out(sandbox.api, thing)
    wanted = {f"docker.io/library/nginx@{sandbox.digest('nginx:1.14.2')}"}
    until(lambda: image_ids(sandbox.api, namespace) == wanted, what="the new pod")


def test_pods_follow_their_workload(sandbox: Sandbox, namespace: str) -> None:
    """Scaled to nothing, scaled up, and deleted."""
    thing = workload("Deployment", namespace, "nginx:1.14.0")
    for replicas in (1, 0, 3):
        sandbox.apply(workload("Deployment", namespace, "nginx:1.14.0", replicas=replicas))
        wait_until_rolled_out(sandbox.api, thing)
        until(lambda wanted=replicas: len(pods(sandbox.api, namespace)) == wanted, what="pods")  # type: ignore[misc]
    sandbox.api.delete(sandbox.api.path_of(thing))
    until(lambda: not pods(sandbox.api, namespace), what="the pods to go")
    path = f"/apis/apps/v1/namespaces/{namespace}/replicasets"
    until(lambda: not sandbox.api.items(path), what="the ReplicaSet to go")


def test_a_workload_that_is_created_anew_gets_pods_of_its_own(sandbox: Sandbox, namespace: str) -> None:
    """Although it has the name and the template of one that was there a moment ago."""
    thing = workload("Deployment", namespace, "nginx:1.14.0")
    for _ in range(3):
        sandbox.apply(thing)
        uid = wait_until_rolled_out(sandbox.api, thing)["metadata"]["uid"]
        sandbox.api.delete(sandbox.api.path_of(thing))
        sandbox.apply(thing)
        assert wait_until_rolled_out(sandbox.api, thing)["metadata"]["uid"] != uid

    def owned() -> bool:
        uid = live(sandbox.api, thing)["metadata"]["uid"]
        (replica_set,) = sandbox.api.items(f"/apis/apps/v1/namespaces/{namespace}/replicasets")
        owners = [replica_set["metadata"]["ownerReferences"][0]["uid"]]
        owners += [pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods(sandbox.api, namespace)]
        return owners == [uid, replica_set["metadata"]["uid"]]

    until(owned, what="a pod of the last one alone")


def test_a_running_pod_does_not_care_what_becomes_of_its_image(sandbox: Sandbox, namespace: str) -> None:
    """The node has it; a tag that moves shows in new pods only."""
    image = f"docker.io/library/{namespace}:1"
    first = sandbox.push(image, content=b"first")
    thing = workload("Deployment", namespace, image)
    sandbox.apply(thing)
    wait_until_rolled_out(sandbox.api, thing)
    second = sandbox.push(image, content=b"second")
    sandbox.apply(workload("Deployment", namespace, image, replicas=2))
    wait_until_rolled_out(sandbox.api, thing)
    name = image.removesuffix(":1")
    assert image_ids(sandbox.api, namespace) == {f"{name}@{first}", f"{name}@{second}"}


def test_nothing_is_written_when_nothing_happens(sandbox: Sandbox, namespace: str) -> None:
    """A stand-in that is started over what is done already finds nothing to do."""
    kinds = ("Deployment", "DaemonSet")
    things = [workload(kind, namespace, "nginx:1.14.0", name=kind.lower()) for kind in kinds]
    sandbox.apply(*things)
    for thing in things:
        wait_until_rolled_out(sandbox.api, thing)

    def versions() -> str:
        objects = [*(live(sandbox.api, thing) for thing in things), *pods(sandbox.api, namespace)]
        return json.dumps([each["metadata"]["resourceVersion"] for each in objects])

    settled = until(lambda: versions() if len(pods(sandbox.api, namespace)) == 2 else "", what="two pods")
    probe = workload("Deployment", namespace, "nginx:1.14.0", name="probe")
    with sandbox.kubelet():
        sandbox.apply(probe)
        wait_until_rolled_out(sandbox.api, probe)
        sandbox.api.delete(sandbox.api.path_of(probe))
        until(lambda: len(pods(sandbox.api, namespace)) == 2, what="the probe's pod to go")
    assert versions() == settled


def test_without_pods_only_the_workload_is_marked(namespace: str) -> None:
    """For measurements with very many workloads; what cannot be pulled still is not ready."""
    with Sandbox.start(stand_ins=False) as own, own.kubelet(pods=False, delay=0):
        own.namespace(namespace)
        good = workload("Deployment", namespace, "nginx:1.14.0", name="good")
        bad = workload("DaemonSet", namespace, "nginx:no-such-tag", name="bad")
        own.apply(good, bad)
        wait_until_rolled_out(own.api, good)
        until(
            lambda: live(own.api, bad).get("status", {}).get("observedGeneration"), what="the other's status"
        )
        assert live(own.api, bad)["status"]["numberReady"] == 0
        assert pods(own.api, namespace) == []
