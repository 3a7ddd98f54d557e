"""Direct mode: somebody brings the original image back."""

from gitops_backup.sandbox.waiting import until
from tests.end_to_end.scene import ANNOTATION, NEVER_READY, PREFIX, Scene, manifest

REDIS = "redis:7.2"
BACKUP = f"{PREFIX}/library_redis:7.2"


def test_a_pipeline_that_applies_the_original_manifest_again_is_answered(scene: Scene) -> None:
    """Each release brings the source back with a change of its own, and each is rewritten."""
    app = scene.deployment("app", REDIS)
    with scene.controller("direct") as controller:
        scene.wait_images(app, BACKUP)
        scene.wait_rolled_out(app)
        release = manifest("Deployment", "app", [REDIS], namespace=scene.namespace, replicas=2)
        scene.apply(release)
        scene.wait_images(app, BACKUP)
        scene.wait_rolled_out(app)
        assert controller.metric("gitops_backup_rewrites_total", route="Patch") == 2
    assert scene.api.get(app.path)["spec"]["replicas"] == 2


def test_a_rollback_of_a_rollout_that_never_got_healthy_is_respected(scene: Scene) -> None:
    """It stays on its source until it is annotated to be rewritten."""
    app = scene.deployment("app", REDIS)
    scene.wait_rolled_out(app)
    # the pods that run stay ready, those of the next template will not be
    scene.annotate(app, {NEVER_READY: "true"})
    with scene.controller("direct", resync=1) as controller:
        scene.wait_images(app, BACKUP)
        scene.set_image(app, REDIS)
        until(lambda: controller.images("Blocked", "RolledBack") == 1, what="the rollback to be respected")
        scene.wait_rolled_out(app)
        other = scene.deployment("other", REDIS)
        scene.wait_images(other, BACKUP)
        assert scene.images(app) == [REDIS]
        scene.annotate(app, {ANNOTATION: "rewrite", NEVER_READY: None})
        scene.wait_images(app, BACKUP)


def test_a_rollback_is_respected_by_the_next_process_too(scene: Scene) -> None:
    """The record of it outlives the controller."""
    app = scene.deployment("app", REDIS)
    scene.wait_rolled_out(app)
    scene.annotate(app, {NEVER_READY: "true"})
    with scene.controller("direct") as controller:
        scene.wait_images(app, BACKUP)
        scene.set_image(app, REDIS)
        until(lambda: controller.images("Blocked", "RolledBack") == 1, what="the rollback to be respected")
        image = "docker.io/library/redis:7.2"
        until(
            lambda: [r["state"] for r in scene.status(image).get("rewrites", [])] == ["Reverted"],
            what="the rollback to be on record",
        )
    with scene.controller("direct") as controller:
        until(lambda: controller.images("Blocked", "RolledBack") == 1, what="the rollback to be respected")
        other = scene.deployment("other", REDIS)
        scene.wait_images(other, BACKUP)
    assert scene.images(app) == [REDIS]


def test_a_tug_of_war_ends(scene: Scene) -> None:
    """Undone three times within an hour, it is left alone, with an event and in the metrics."""
    app = scene.deployment("app", REDIS)
    with scene.controller("direct", resync=1) as controller:
        for _ in range(3):
            scene.wait_images(app, BACKUP)
            scene.wait_rolled_out(app)
            scene.set_image(app, REDIS)
        until(lambda: controller.images("Blocked", "Contested") == 1, what="the controller to give in")
        scene.wait_rolled_out(app)
        other = scene.deployment("other", REDIS)
        scene.wait_images(other, BACKUP)
        assert scene.images(app) == [REDIS]
        assert scene.wait_event(app, "Contested")["type"] == "Warning"
        assert controller.metric("gitops_backup_reversals_total") == 3
