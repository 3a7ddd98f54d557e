"""Direct mode: from a watch event to a verified copy to a patched workload."""

import json
from collections.abc import Iterator

import pytest

from gitops_backup.sandbox.catalogue import DEEP_BACKUP_REPOSITORY
from gitops_backup.sandbox.waiting import until
from tests.end_to_end.gates import Gate, before_backup, registries
from tests.end_to_end.scene import ANNOTATION, PREFIX, Scene
from tests.registry.faulty import FaultyServer

NGINX = "docker.io/library/nginx:1.14.0"
FLUENTD = "docker.io/library/fluentd:latest"


@pytest.fixture
def backup(scene: Scene) -> Iterator[FaultyServer]:
    """A server before the backup registry."""
    with FaultyServer(behind=scene.sandbox.backup.address) as server:
        yield server


def test_the_earlier_systems_samples_end_where_they_did(scene: Scene) -> None:
    """The Deployment in nginx and the DaemonSet in fluentd use the backups, by the names that users know."""
    nginx = scene.deployment("nginx", "nginx:1.14.0", namespace="nginx", replicas=2)
    fluentd = scene.daemon_set("fluentd", "fluentd:latest", namespace="fluentd")
    with scene.controller("direct"):
        scene.wait_images(nginx, "docker.io/marcosquesada/library_nginx:1.14.0")
        scene.wait_images(fluentd, "docker.io/marcosquesada/library_fluentd:latest")
        scene.wait_rolled_out(nginx, fluentd)
        for image, workload in ((NGINX, nginx), (FLUENTD, fluentd)):
            assert scene.wait_event(workload, "Rewritten")["type"] == "Normal"
            assert scene.wait_event(image, "Copied")["type"] == "Normal"
    assert scene.pushed() == {
        "marcosquesada/library_nginx:1.14.0": 1,
        "marcosquesada/library_fluentd:latest": 1,
    }


def test_names_may_be_nested(scene: Scene) -> None:
    """Below a registry that takes them, backups are called what their sources are, and bumped like them."""
    scene.sandbox.push("acme/tools/web:1")
    scene.sandbox.push("acme/tools/web:2")
    web = scene.deployment("web", "acme/tools/web:1")
    naming = {"backup_repository": DEEP_BACKUP_REPOSITORY, "backup_names": "nested"}
    with scene.controller("direct", **naming):
        scene.wait_images(web, f"{DEEP_BACKUP_REPOSITORY}/docker.io/acme/tools/web:1")
        scene.wait_rolled_out(web)
        scene.set_image(web, f"{DEEP_BACKUP_REPOSITORY}/docker.io/acme/tools/web:2")
        scene.wait_phase("docker.io/acme/tools/web:2", "DONE")
        scene.wait_rolled_out(web)
    assert scene.pushed() == {"all/docker.io/acme/tools/web:1": 1, "all/docker.io/acme/tools/web:2": 1}


def test_an_image_backup_tells_what_was_copied_and_what_became_of_it(scene: Scene) -> None:
    """Phase, digest, platforms, size, times, conditions and rewrites are in the status, all consistent."""
    nginx = scene.deployment("web", "nginx:1.14.0")
    with scene.controller("direct"):
        until(
            lambda: scene.condition(NGINX, "RolledOut").get("status") == "True",
            what="the ImageBackup to say that all is rolled out",
        )
    status = scene.status(NGINX)
    assert status["phase"] == "DONE"
    assert status["backup"] == f"{PREFIX}/library_nginx:1.14.0"
    assert status["digest"] == scene.sandbox.digest(NGINX) == scene.sandbox.digest(status["backup"])
    assert status["platforms"] == ["linux/amd64", "linux/arm64"]
    assert status["size"] > 1000
    assert status["duration"].endswith("s")
    assert status["create_at"] <= status["completed_at"]
    assert status["attempts"] == 0
    assert {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]} == {
        "Copied": ("True", "Verified"),
        "Verified": ("True", "Verified"),
        "RolledOut": ("True", "BackupInUse"),
    }
    assert status["users"] == {"count": 0}
    rewrite = status["rewrites"][0]
    assert (rewrite["workload"], rewrite["container"]) == (str(nginx), "c0")
    assert (rewrite["state"], rewrite["was_healthy"]) == ("Healthy", True)


def test_all_containers_of_a_workload_change_in_one_patch(scene: Scene) -> None:
    """Init containers and containers, from several registries, make one new generation of the workload."""
    images = ["docker.io/grafana/grafana:10.4.2", "quay.io/prometheus/node-exporter:v1.8.0"]
    app = scene.deployment("app", *images, init=["busybox:1.36"])
    with scene.controller("direct"):
        scene.wait_images(
            app,
            f"{PREFIX}/library_busybox:1.36",
            f"{PREFIX}/grafana_grafana:10.4.2",
            f"{PREFIX}/quay.io_prometheus_node-exporter:v1.8.0",
        )
        scene.wait_rolled_out(app)
    metadata = scene.api.get(app.path)["metadata"]
    assert metadata["generation"] == 2
    assert json.loads(metadata["annotations"]["k8slab.io/original-images"]) == {
        "i0": "busybox:1.36",
        "c0": images[0],
        "c1": images[1],
    }


def test_a_reference_by_digest_keeps_its_digest_and_gets_an_anchor_tag(scene: Scene) -> None:
    """By digest alone and by tag and digest: the same digest is named afterwards, and a tag keeps it."""
    one = scene.sandbox.push("acme/by-digest:1", content=b"one")
    two = scene.sandbox.push("acme/by-both:1", content=b"two", platforms=("linux/amd64", "linux/arm64"))
    app = scene.deployment("app", f"acme/by-digest@{one}", f"acme/by-both:1@{two}")
    with scene.controller("direct"):
        scene.wait_images(app, f"{PREFIX}/acme_by-digest@{one}", f"{PREFIX}/acme_by-both:1@{two}")
        scene.wait_rolled_out(app)
    for repository, digest in (("acme_by-digest", one), ("acme_by-both", two)):
        tags = scene.sandbox.backup.tags(f"marcosquesada/{repository}")
        assert tags, f"{repository} has no tag"
        assert [scene.sandbox.digest(f"{PREFIX}/{repository}:{tag}") for tag in tags] == [digest]


def test_an_index_is_copied_whole_byte_for_byte(scene: Scene) -> None:
    """The index and the manifests of both platforms are the source's own bytes."""
    scene.sandbox.push("acme/multi:1", platforms=("linux/amd64", "linux/arm64"))
    app = scene.deployment("app", "acme/multi:1")
    with scene.controller("direct"):
        scene.wait_images(app, f"{PREFIX}/acme_multi:1")
    upstream, backup = scene.sandbox.upstream, scene.sandbox.backup
    index = upstream.manifest("docker.io/acme/multi", "1")
    assert index is not None
    assert backup.manifest("marcosquesada/acme_multi", "1") == index
    parts = [each["digest"] for each in json.loads(index)["manifests"]]
    assert len(parts) == 2
    for part in parts:
        manifest = upstream.manifest("docker.io/acme/multi", part)
        assert manifest is not None
        assert backup.manifest("marcosquesada/acme_multi", part) == manifest


def test_fifty_workloads_that_share_five_images_make_five_copies(scene: Scene) -> None:
    """Each image is pushed once, as the backup registry's log tells, and every workload uses it."""
    names = [f"acme/shared-{number}:1" for number in range(5)]
    for name in names:
        scene.sandbox.push(name)
    apps = [scene.deployment(f"app-{number}", names[number % 5]) for number in range(50)]
    with scene.controller("direct"):
        for number, app in enumerate(apps):
            scene.wait_images(app, f"{PREFIX}/acme_shared-{number % 5}:1", timeout=60)
    assert scene.pushed() == {f"marcosquesada/acme_shared-{number}:1": 1 for number in range(5)}
    assert len(scene.backups()) == 5


def test_an_image_that_cannot_be_copied_does_not_hold_back_the_others(scene: Scene) -> None:
    """Of two images one is gone from its registry: the other is rewritten, and the reason is told."""
    gone = scene.sandbox.push("acme/gone:1")
    scene.sandbox.push("acme/there:1")
    app = scene.deployment("app", "acme/gone:1", "acme/there:1")
    scene.wait_rolled_out(app)
    scene.sandbox.upstream.delete("docker.io/acme/gone", gone)
    with scene.controller("direct") as controller:
        scene.wait_images(app, "acme/gone:1", f"{PREFIX}/acme_there:1")
        status = scene.wait_phase("docker.io/acme/gone:1", "FAILED")
        assert scene.condition("docker.io/acme/gone:1", "Copied")["reason"] == "SourceNotFound"
        assert status["attempts"] == 1
        assert status["next_attempt"] > status["create_at"]
        assert scene.wait_event("docker.io/acme/gone:1", "SourceNotFound")["type"] == "Warning"
        assert scene.wait_event(app, "SourceNotFound")["type"] == "Warning"
        until(
            lambda: controller.images("Blocked", "SourceNotFound") == 1,
            what="the metrics to name the reason",
        )


def test_what_changed_just_before_the_patch_is_respected(scene: Scene, backup: FaultyServer) -> None:
    """While the registry is asked for the last time, one gets another image, one is to be ignored."""
    scene.sandbox.push("acme/late:1")
    scene.sandbox.push("acme/late:2")
    gate = Gate()
    backup.on("HEAD", "/acme_late/manifests/1$", gate)
    changed = scene.deployment("changed", "acme/late:1")
    ignored = scene.deployment("ignored", "acme/late:1")
    scene.wait_rolled_out(changed, ignored)
    through = registries(scene, before_backup(scene, backup))
    with scene.controller("direct", registries=through) as controller:
        gate.wait()
        scene.set_image(changed, "acme/late:2")
        scene.annotate(ignored, {ANNOTATION: "ignore"})
        gate.open()
        scene.wait_images(changed, f"{PREFIX}/acme_late:2")
        until(lambda: controller.images("Blocked", "Ignored") == 1, what="the annotation to be seen")
    assert scene.images(ignored) == ["acme/late:1"]
    assert scene.api.get(changed.path)["metadata"]["generation"] == 3
