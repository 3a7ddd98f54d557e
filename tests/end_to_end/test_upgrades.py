"""Direct mode: somebody bumps a tag below the backup prefix."""

from gitops_backup.sandbox.waiting import until
from tests.end_to_end.scene import PREFIX, Scene


def test_a_bumped_tag_is_copied_though_the_workload_cannot_be_ready(scene: Scene) -> None:
    """The backup of the next version, which nobody made, appears, and the rollout goes through."""
    scene.sandbox.push("acme/bumped:1")
    scene.sandbox.push("acme/bumped:2")
    app = scene.deployment("app", "acme/bumped:1")
    with scene.controller("direct"):
        scene.wait_images(app, f"{PREFIX}/acme_bumped:1")
        scene.wait_rolled_out(app)
        scene.set_image(app, f"{PREFIX}/acme_bumped:2")
        status = scene.wait_phase("docker.io/acme/bumped:2", "DONE")
        assert status["digest"] == scene.sandbox.digest(f"{PREFIX}/acme_bumped:2")
        scene.wait_rolled_out(app)
    assert scene.images(app) == [f"{PREFIX}/acme_bumped:2"]


def test_somebodys_own_image_below_the_prefix_is_not_taken_for_a_backup(scene: Scene) -> None:
    """`my_app:2` reads like the backup of `my/app:2`; no record says that it is, so that is not copied."""
    scene.sandbox.push("my/app:2")
    scene.sandbox.push("acme/other:1")
    mine = scene.deployment("mine", f"{PREFIX}/my_app:2")
    with scene.controller("direct", resync=1) as controller:
        until(lambda: controller.images("Adopt") == 1, what="the workload to be seen")
        other = scene.deployment("other", "acme/other:1")
        scene.wait_images(other, f"{PREFIX}/acme_other:1")
        assert list(scene.backups()) == ["docker.io/acme/other:1"]
    assert scene.images(mine) == [f"{PREFIX}/my_app:2"]
    assert scene.sandbox.digest(f"{PREFIX}/my_app:2") is None


def test_where_the_prefix_is_exclusive_every_missing_backup_is_copied(scene: Scene) -> None:
    """With the prefix declared to be the controller's alone, a first installation from backups works."""
    scene.sandbox.push("acme/exclusive:2")
    app = scene.deployment("app", f"{PREFIX}/acme_exclusive:2")
    with scene.controller("direct", exclusive=True):
        scene.wait_phase("docker.io/acme/exclusive:2", "DONE")
        scene.wait_rolled_out(app)


def test_a_backup_from_an_earlier_time_is_put_on_record_again(scene: Scene) -> None:
    """The registry has what the workload names, and the cluster knows nothing of it, as after a move."""
    digest = scene.sandbox.push("acme/moved-in:1")
    scene.sandbox.push(f"{PREFIX}/acme_moved-in:1", content=b"docker.io/acme/moved-in:1")
    assert scene.sandbox.digest(f"{PREFIX}/acme_moved-in:1") == digest
    scene.deployment("app", f"{PREFIX}/acme_moved-in:1")
    with scene.controller("direct"):
        status = scene.wait_phase("docker.io/acme/moved-in:1", "DONE")
    assert status["digest"] == digest
    assert not scene.pushed()
