"""Direct mode: what is none of the controller's business, or not yet, and how it says so."""

import pytest

from gitops_backup.sandbox.waiting import until
from tests.end_to_end.harness import Controller
from tests.end_to_end.scene import ANNOTATION, NEVER_READY, PREFIX, Scene, Workload

NGINX = "nginx:1.14.0"
BACKUP = f"{PREFIX}/library_nginx:1.14.0"


def wait_blocked(controller: Controller, reason: str, count: int = 1) -> None:
    """Wait until the metrics say that so many containers are blocked for this reason."""
    until(lambda: controller.images("Blocked", reason) == count, what=f"{count} container to be {reason}")


def assert_untouched(scene: Scene, workload: Workload) -> None:
    """The workload was never changed since it was applied."""
    found = scene.api.get(workload.path)
    assert found["metadata"]["generation"] == 1
    assert "k8slab.io/original-images" not in (found["metadata"].get("annotations") or {})


def test_restricted_namespaces_are_left_alone(scene: Scene) -> None:
    """In kube-system nothing is copied and nothing is patched."""
    inside = scene.deployment("inside", "redis:7.2", namespace="kube-system")
    outside = scene.deployment("outside", NGINX)
    with scene.controller("direct") as controller:
        scene.wait_images(outside, BACKUP)
        wait_blocked(controller, "RestrictedNamespace")
    assert_untouched(scene, inside)
    assert list(scene.backups()) == ["docker.io/library/nginx:1.14.0"]


def test_what_is_annotated_to_be_ignored_is_left_alone_until_it_is_not(scene: Scene) -> None:
    """A workload's annotation and its namespace's: both are respected, and their removal is noticed."""
    ignored = scene.deployment("ignored", "redis:7.2", annotations={ANNOTATION: "ignore"})
    elsewhere = scene.deployment("elsewhere", "postgres:16", namespace=f"{scene.namespace}-ignored")
    scene.annotate_namespace(elsewhere.namespace, "ignore")
    outside = scene.deployment("outside", NGINX)
    with scene.controller("direct") as controller:
        scene.wait_images(outside, BACKUP)
        wait_blocked(controller, "Ignored", 2)
        assert_untouched(scene, ignored)
        assert_untouched(scene, elsewhere)
        assert list(scene.backups()) == ["docker.io/library/nginx:1.14.0"]
        scene.annotate(ignored, {ANNOTATION: None})
        scene.annotate_namespace(elsewhere.namespace, None)
        scene.wait_images(ignored, f"{PREFIX}/library_redis:7.2")
        scene.wait_images(elsewhere, f"{PREFIX}/library_postgres:16")


def test_nothing_is_copied_for_a_workload_that_never_got_ready_until_it_does(scene: Scene) -> None:
    """An image that never ran is not taken for one that works."""
    app = scene.deployment("app", "redis:7.2", annotations={NEVER_READY: "true"})
    other = scene.deployment("other", NGINX)
    with scene.controller("direct") as controller:
        scene.wait_images(other, BACKUP)
        wait_blocked(controller, "NotReady")
        assert_untouched(scene, app)
        assert list(scene.backups()) == ["docker.io/library/nginx:1.14.0"]
        scene.annotate(app, {NEVER_READY: None})
        scene.wait_images(app, f"{PREFIX}/library_redis:7.2")


def test_a_workload_that_another_controller_made_is_not_patched(scene: Scene) -> None:
    """Its image is backed up; the patch is refused, because its owner would undo it."""
    parent = scene.deployment("parent", NGINX)
    uid = scene.api.get(parent.path)["metadata"]["uid"]
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "parent", "uid": uid, "controller": True}
    child = scene.deployment("child", "redis:7.2", metadata={"ownerReferences": [owner]})
    with scene.controller("direct") as controller:
        scene.wait_images(parent, BACKUP)
        scene.wait_phase("docker.io/library/redis:7.2", "DONE")
        wait_blocked(controller, "OwnedByController")
    assert_untouched(scene, child)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [({"replicas": 0}, "ScaledToZero"), ({"paused": True}, "RolloutPaused")],
    ids=["scaled to zero", "paused"],
)
def test_a_workload_that_does_not_roll_out_is_not_patched(
    scene: Scene, spec: dict[str, object], reason: str
) -> None:
    """Scaled to zero or paused, it is left as it is, although the image's copy is there."""
    app = scene.deployment("app", NGINX)
    other = scene.deployment("other", NGINX)
    scene.wait_rolled_out(app, other)
    scene.api.merge(app.path, {"spec": spec})
    until(
        lambda: scene.api.get(app.path)["status"]["observedGeneration"] == 2, what="the change to be observed"
    )
    with scene.controller("direct") as controller:
        scene.wait_images(other, BACKUP)
        wait_blocked(controller, reason)
        assert scene.images(app) == [NGINX]
        scene.api.merge(app.path, {"spec": {"replicas": 1, "paused": False}})
        scene.wait_images(app, BACKUP)


def test_a_workload_in_the_middle_of_a_rollout_is_backed_up_and_not_patched(scene: Scene) -> None:
    """What a node has pulled is copied; the patch waits until the rollout is through."""
    app = scene.deployment("app", "redis:7.2")
    scene.wait_rolled_out(app)
    scene.annotate(app, {NEVER_READY: "true"})
    scene.set_image(app, NGINX)
    with scene.controller("direct") as controller:
        scene.wait_phase("docker.io/library/nginx:1.14.0", "DONE")
        wait_blocked(controller, "RollingOut")
        assert scene.images(app) == [NGINX]
        scene.annotate(app, {NEVER_READY: None})
        scene.wait_images(app, BACKUP)


def test_images_in_a_trusted_registry_and_what_is_no_image_are_left_alone(scene: Scene) -> None:
    """Another cluster's backups are not copied again; a name that is none is told, and does no harm."""
    trusted = scene.deployment("trusted", "ghcr.io/stefanprodan/podinfo:6.6.0")
    wrong = scene.deployment("wrong", "not an image")
    other = scene.deployment("other", NGINX)
    with scene.controller("direct", trusted_prefixes=["ghcr.io/stefanprodan"]) as controller:
        scene.wait_images(other, BACKUP)
        wait_blocked(controller, "InvalidReference")
        assert list(scene.backups()) == ["docker.io/library/nginx:1.14.0"]
    assert_untouched(scene, trusted)
    assert_untouched(scene, wrong)


def test_a_daemon_set_that_is_replaced_by_hand_is_patched_when_it_is_available(scene: Scene) -> None:
    """With OnDelete no rollout ever completes by itself, and it is patched once all the same."""
    agent = scene.daemon_set("agent", "fluentd:latest", updateStrategy={"type": "OnDelete"})
    with scene.controller("direct"):
        scene.wait_images(agent, f"{PREFIX}/library_fluentd:latest")
        pods = f"/api/v1/namespaces/{scene.namespace}/pods"
        scene.api.delete(pods)
        until(
            lambda: (
                [c["image"] for p in scene.api.items(pods) for c in p["spec"]["containers"]]
                == [f"{PREFIX}/library_fluentd:latest"]
            ),
            what="a pod with the backup",
        )
        scene.wait_rolled_out(agent)
    assert scene.api.get(agent.path)["metadata"]["generation"] == 2


def test_the_pause_switch_stops_patches_and_not_copies(scene: Scene) -> None:
    """While the namespace of the backups is annotated, images are backed up and workloads stay."""
    app = scene.deployment("app", NGINX)
    scene.annotate_namespace("image-backup", "pause")
    with scene.controller("direct") as controller:
        scene.wait_phase("docker.io/library/nginx:1.14.0", "DONE")
        wait_blocked(controller, "ControllerPaused")
        assert_untouched(scene, app)
        scene.annotate_namespace("image-backup", None)
        scene.wait_images(app, BACKUP)
        scene.annotate_namespace("image-backup", "pause")
        later = scene.deployment("later", NGINX)
        wait_blocked(controller, "ControllerPaused")
        assert_untouched(scene, later)


def test_a_workload_that_argo_cd_heals_is_not_patched(scene: Scene) -> None:
    """With selfHeal a patch would be undone within seconds: it is backed up, and refused with the reason."""
    repository = scene.repository({"app.yaml": scene.yaml("Deployment", "app", ["redis:7.2"])})
    app = Workload("Deployment", scene.namespace, "app")
    scene.application("healed", repository, automated={"selfHeal": True})
    other = scene.deployment("other", NGINX)
    scene.wait_rolled_out(app)
    with scene.controller("direct") as controller:
        scene.wait_images(other, BACKUP)
        scene.wait_phase("docker.io/library/redis:7.2", "DONE")
        wait_blocked(controller, "SelfHeal")
    assert_untouched(scene, app)
