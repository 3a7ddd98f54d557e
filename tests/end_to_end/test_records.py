"""Direct mode: the ImageBackup as the record of its copy: kept, restored, migrated, expired."""

from gitops_backup.sandbox.waiting import until
from tests.end_to_end.gates import Gate, before_backup, pushed_digests, registries
from tests.end_to_end.harness import wait
from tests.end_to_end.installation import NAMESPACE
from tests.end_to_end.scene import PREFIX, Scene
from tests.registry.faulty import FaultyServer

NGINX = "docker.io/library/nginx:1.14.0"
BACKUP = f"{PREFIX}/library_nginx:1.14.0"


def test_a_record_that_was_deleted_by_hand_comes_back(scene: Scene) -> None:
    """While the backup is in use its record is made again from what the registry has, with no second push."""
    app = scene.deployment("app", "nginx:1.14.0")
    with scene.controller("direct"):
        scene.wait_images(app, BACKUP)
        scene.wait_rolled_out(app)
        before = scene.backup(NGINX)["metadata"]["uid"]
        scene.delete_backup(NGINX)
        status = scene.wait_phase(NGINX, "DONE")
        assert scene.backup(NGINX)["metadata"]["uid"] != before
        assert status["digest"] == scene.sandbox.digest(NGINX)
        assert scene.condition(NGINX, "Verified")["status"] == "True"
    assert scene.images(app) == [BACKUP]
    assert scene.api.get(app.path)["metadata"]["generation"] == 2


def test_a_record_that_is_deleted_in_the_middle_of_its_copy_comes_back(scene: Scene) -> None:
    """The copy ends without a record to write to; the next one finds it, and all goes on."""
    scene.may_push_again = True
    scene.sandbox.push("acme/deleted:1")
    gate = Gate()
    with FaultyServer(behind=scene.sandbox.backup.address) as backup:
        backup.on("PUT", "/acme_deleted/manifests/1$", gate, times=1)
        app = scene.deployment("app", "acme/deleted:1")
        with scene.controller("direct", registries=registries(scene, before_backup(scene, backup))):
            gate.wait()
            scene.delete_backup("docker.io/acme/deleted:1")
            gate.open()
            scene.wait_images(app, f"{PREFIX}/acme_deleted:1")
            status = scene.wait_phase("docker.io/acme/deleted:1", "DONE")
        assert pushed_digests(backup)["marcosquesada/acme_deleted:1"] == {status["digest"]}


def test_a_record_whose_source_is_gone_comes_back_unverified(scene: Scene) -> None:
    """What cannot be compared is on record as `Verified: Unknown`, and stays in use."""
    digest = scene.sandbox.push("acme/away:1")
    app = scene.deployment("app", "acme/away:1")
    image = "docker.io/acme/away:1"
    with scene.controller("direct"):
        scene.wait_images(app, f"{PREFIX}/acme_away:1")
        scene.wait_rolled_out(app)
        scene.sandbox.upstream.delete("docker.io/acme/away", digest)
        scene.delete_backup(image)
        scene.wait_phase(image, "DONE")
        assert scene.condition(image, "Verified")["status"] == "Unknown"
        assert digest in scene.condition(image, "Verified")["message"]
    assert scene.images(app) == [f"{PREFIX}/acme_away:1"]


def test_a_record_expires_after_the_last_use_and_its_backup_stays(scene: Scene) -> None:
    """One that is still in use does not; the registry keeps both."""
    kept = scene.deployment("kept", "nginx:1.14.0")
    removed = scene.deployment("removed", "redis:7.2")
    with scene.controller("direct", expiry=1):
        scene.wait_images(kept, BACKUP)
        scene.wait_images(removed, f"{PREFIX}/library_redis:7.2")
        scene.wait_rolled_out(kept, removed)
        scene.delete(removed)
        until(lambda: list(scene.backups()) == [NGINX], what="the other record to expire")
    assert scene.sandbox.digest(f"{PREFIX}/library_redis:7.2")


def test_an_image_that_comes_back_before_its_record_expires_keeps_it(scene: Scene) -> None:
    """`unused_since` is taken back, and the copy is not made again."""
    app = scene.deployment("app", "nginx:1.14.0")
    with scene.controller("direct", expiry=60):
        scene.wait_images(app, BACKUP)
        scene.wait_rolled_out(app)
        scene.delete(app)
        until(lambda: "unused_since" in scene.status(NGINX), what="the end of the last use to be on record")
        again = scene.deployment("again", "nginx:1.14.0")
        scene.wait_images(again, BACKUP)
        until(lambda: "unused_since" not in scene.status(NGINX), what="the new use to be on record")


def test_a_record_of_the_earlier_system_is_brought_up_to_date(scene: Scene) -> None:
    """It says DONE and no digest: the copy is compared, put on record, and used."""
    scene.sandbox.push(f"{PREFIX}/acme_earlier:1", content=b"docker.io/acme/earlier:1")
    digest = scene.sandbox.push("acme/earlier:1")
    made = scene.api.create(
        {
            "apiVersion": "k8slab.io/v1alpha1",
            "kind": "ImageBackup",
            "metadata": {"name": "acme-earlier-1", "namespace": NAMESPACE},
            "spec": {"image": "acme/earlier:1"},
        }
    )
    earlier = {"phase": "DONE", "create_at": "2021-09-01T10:00:00Z", "duration": "3.1s"}
    scene.api.merge(f"{scene.api.path_of(made)}/status", {"status": earlier})
    app = scene.deployment("app", "acme/earlier:1")
    with scene.controller("direct", expiry=1):
        scene.wait_images(app, f"{PREFIX}/acme_earlier:1")
        until(
            lambda: [b["spec"]["image"] for b in scene.backups().values()] == ["docker.io/acme/earlier:1"],
            what="one record, in normal form, to be left",
        )
        status = scene.wait_phase("docker.io/acme/earlier:1", "DONE")
    assert status["digest"] == digest
    assert not scene.pushed()


def test_a_lost_backup_is_found_out_before_anything_names_it(scene: Scene) -> None:
    """The registry was wiped while its record says DONE: the next workload waits for a new copy."""
    first = scene.deployment("first", "nginx:1.14.0")
    with scene.controller("direct") as controller:
        scene.wait_images(first, BACKUP)
        scene.wait_rolled_out(first)
        scene.sandbox.backup.interrupt()
        scene.sandbox.backup.resume()
        scene.may_push_again = True
        second = scene.deployment("second", "nginx:1.14.0")
        scene.wait_images(second, BACKUP)
        assert scene.sandbox.digest(BACKUP) == scene.sandbox.digest(NGINX)
        assert scene.wait_event(NGINX, "Lost")["type"] == "Warning"
        assert controller.running


def test_nothing_is_written_while_nothing_happens(scene: Scene) -> None:
    """With everything looked at once a second, only the Lease is renewed: no object, no push."""
    app = scene.deployment("app", "nginx:1.14.0", "redis:7.2")
    waiting = scene.deployment("waiting", "postgres:16", annotations={"sandbox.example/never-ready": "true"})
    scene.sandbox.push("acme/taken:1")
    scene.sandbox.push(f"{PREFIX}/acme_taken:1", content=b"somebody else's")
    blocked = scene.deployment("blocked", "acme/taken:1")
    with scene.controller("direct", resync=1) as controller:
        scene.wait_images(app, BACKUP, f"{PREFIX}/library_redis:7.2")
        scene.wait_rolled_out(app)
        scene.wait_phase("docker.io/acme/taken:1", "FAILED")
        for image in (NGINX, "docker.io/library/redis:7.2"):
            until(
                lambda i=image: scene.condition(i, "RolledOut").get("status") == "True",  # type: ignore[misc]
                what=f"the record of {image} to be complete",
            )
        before, pushes = scene.wait_quiet(16), scene.pushed()
        steps = controller.metric("gitops_backup_reconciles_total", reconciler="workloads")
        wait(6)
        assert scene.versions() == before
        assert scene.pushed() == pushes
        again = controller.metric("gitops_backup_reconciles_total", reconciler="workloads")
        assert again >= steps + 3 * 3, "the workloads were not looked at again"
    assert scene.images(waiting) == ["postgres:16"]
    assert scene.images(blocked) == ["acme/taken:1"]
