"""Direct mode: registries that fail, lie, or hold something else than was expected."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_backup.sandbox.waiting import until
from tests.end_to_end.gates import Gate, before_backup, before_upstream, registries
from tests.end_to_end.harness import wait
from tests.end_to_end.scene import PREFIX, Scene
from tests.registry.faulty import FaultyServer, changes, error, resets


@pytest.fixture
def upstream(scene: Scene) -> Iterator[FaultyServer]:
    """A server before Docker Hub that fails as it is told to."""
    with FaultyServer(behind=scene.sandbox.upstream.address) as server:
        yield server


@pytest.fixture
def backup(scene: Scene) -> Iterator[FaultyServer]:
    """A server before the backup registry that fails as it is told to."""
    with FaultyServer(behind=scene.sandbox.backup.address) as server:
        yield server


def test_a_registry_that_fails_for_a_while_is_asked_again(scene: Scene, upstream: FaultyServer) -> None:
    """An error of the server, one in the middle of the copy, a reset connection: each passes by itself."""
    for name in ("error", "blob", "reset"):
        scene.sandbox.push(f"acme/{name}:1")
    upstream.on("HEAD|GET", "/acme/error/manifests/", error(500, "UNKNOWN"), times=1)
    upstream.on("GET", "/acme/blob/blobs/", error(503, "UNAVAILABLE"), times=1)
    upstream.on("HEAD|GET", "/acme/reset/manifests/", resets, times=1)
    apps = {name: scene.deployment(name, f"acme/{name}:1") for name in ("error", "blob", "reset")}
    with scene.controller("direct", registries=registries(scene, before_upstream(scene, upstream))):
        for name, app in apps.items():
            image = f"docker.io/acme/{name}:1"
            assert scene.wait_event(image, "SourceUnavailable")["type"] == "Warning"
            assert scene.wait_event(app, "SourceUnavailable")["type"] == "Warning"
        for name, app in apps.items():
            scene.wait_images(app, f"{PREFIX}/acme_{name}:1", timeout=40)
            assert scene.status(f"docker.io/acme/{name}:1")["attempts"] == 0


def test_a_registry_that_asks_for_fewer_requests_is_left_in_peace(
    scene: Scene, upstream: FaultyServer
) -> None:
    """After a 429 nobody asks it for anything until the time that it named; then all goes on."""
    for name in ("first", "second"):
        scene.sandbox.push(f"acme/limited-{name}:1")
    limited = error(429, "TOOMANYREQUESTS", {"Retry-After": "4"})
    upstream.on("HEAD|GET", "/acme/limited-first/", limited, times=1)
    first = scene.deployment("first", "acme/limited-first:1")
    with scene.controller("direct", registries=registries(scene, before_upstream(scene, upstream))):
        status = scene.wait_phase("docker.io/acme/limited-first:1", "FAILED")
        assert scene.condition("docker.io/acme/limited-first:1", "Copied")["reason"] == "RateLimited"
        assert status["next_attempt"] > status["create_at"]
        upstream.forget()
        second = scene.deployment("second", "acme/limited-second:1")
        scene.wait_phase("docker.io/acme/limited-second:1", "FAILED")
        assert scene.condition("docker.io/acme/limited-second:1", "Copied")["reason"] == "RateLimited"
        assert not upstream.asked()
        scene.wait_images(first, f"{PREFIX}/acme_limited-first:1")
        scene.wait_images(second, f"{PREFIX}/acme_limited-second:1")


def test_a_slow_registry_keeps_images_of_others_from_nothing(scene: Scene, upstream: FaultyServer) -> None:
    """It takes one copy at a time, and more wait for it than there are workers; all get their turn."""
    slow = [f"acme/slow-{number}:1" for number in range(4)]
    for image in slow:
        scene.sandbox.push(image)
    scene.sandbox.push("quay.io/acme/quick:1")
    gate = Gate()
    upstream.on("GET", "/acme/slow-[0-9]/blobs/", gate)
    one_at_a_time = {"docker.io": before_upstream(scene, upstream)["docker.io"] | {"concurrency": 1}}
    with scene.controller("direct", registries=registries(scene, one_at_a_time), copies=2):
        apps = [scene.deployment(f"slow-{number}", image) for number, image in enumerate(slow)]
        gate.wait()
        names = [f"docker.io/{image}" for image in slow]
        until(
            lambda: sorted(map(scene.phase, names)) == ["PENDING", "PENDING", "PENDING", "RUNNING"],
            what="one copy to run, and the others to wait",
        )
        quick = scene.deployment("quick", "quay.io/acme/quick:1")
        scene.wait_images(quick, f"{PREFIX}/quay.io_acme_quick:1")
        assert len({seen.path for seen in upstream.asked("GET", "/blobs/")}) == 1
        gate.open()
        for number, app in enumerate(apps):
            scene.wait_images(app, f"{PREFIX}/acme_slow-{number}:1")


def test_a_registry_that_never_answers_is_given_up_in_time(scene: Scene, upstream: FaultyServer) -> None:
    """The copy is ended after its limit, with a reason, and tried again."""
    scene.sandbox.push("acme/hangs:1")
    gate = Gate()
    upstream.on("GET", "/acme/hangs/blobs/", gate, times=1)
    app = scene.deployment("app", "acme/hangs:1")
    image = "docker.io/acme/hangs:1"
    through = registries(scene, before_upstream(scene, upstream))
    with scene.controller("direct", registries=through, copy_timeout=1):
        gate.wait()
        scene.wait_phase(image, "FAILED")
        assert scene.condition(image, "Copied")["reason"] == "SourceUnavailable"
        assert "took more than 1 s" in scene.condition(image, "Copied")["message"]
        scene.wait_images(app, f"{PREFIX}/acme_hangs:1")
        gate.open()


def test_a_registry_that_sends_something_else_than_it_promised_is_not_believed(
    scene: Scene, upstream: FaultyServer
) -> None:
    """It is asked once more, then given up; nothing is rewritten, and no tag is pushed."""
    scene.sandbox.push("acme/liar:1")
    changed = changes(lambda answer: replace(answer, body=answer.body + b" "))
    upstream.on("GET", "/acme/liar/manifests/", changed)
    app = scene.deployment("app", "acme/liar:1")
    image = "docker.io/acme/liar:1"
    with scene.controller("direct", registries=registries(scene, before_upstream(scene, upstream))):
        scene.wait_phase(image, "FAILED")
        assert scene.condition(image, "Copied")["reason"] == "DigestMismatch"
        until(lambda: scene.status(image)["attempts"] == 2, what="a second attempt")
        until(lambda: scene.phase(image) == "FAILED", what="the second attempt to fail")
        assert "next_attempt" not in scene.status(image)
        upstream.forget()
        wait(1)
        assert not upstream.asked()
    assert scene.images(app) == ["acme/liar:1"]
    assert not scene.pushed()


def test_a_backup_registry_that_fails_for_a_while_is_tried_again(scene: Scene, backup: FaultyServer) -> None:
    """The push fails once, with the reason, and succeeds at the next attempt."""
    scene.sandbox.push("acme/refused:1")
    backup.on("PUT", "/manifests/1$", error(503, "UNAVAILABLE"), times=1)
    app = scene.deployment("app", "acme/refused:1")
    with scene.controller("direct", registries=registries(scene, before_backup(scene, backup))):
        assert scene.wait_event("docker.io/acme/refused:1", "DestinationUnavailable")
        scene.wait_images(app, f"{PREFIX}/acme_refused:1")


def test_credentials_that_the_backup_registry_refuses_are_a_reason(scene: Scene) -> None:
    """The controller goes on; the ImageBackup and the workload's events say what to do."""
    scene.sandbox.push("acme/locked-out:1")
    app = scene.deployment("app", "acme/locked-out:1")
    with scene.controller("direct", backup_repository_password="not-the-password") as controller:
        scene.wait_phase("docker.io/acme/locked-out:1", "FAILED")
        condition = scene.condition("docker.io/acme/locked-out:1", "Copied")
        assert condition["reason"] == "DestinationAuthFailed"
        assert "not-the-password" not in json.dumps(scene.backups())
        assert "not-the-password" not in controller.log_text
        assert scene.wait_event(app, "DestinationAuthFailed")
    assert scene.images(app) == ["acme/locked-out:1"]


def test_credentials_that_are_replaced_are_used_soon(scene: Scene, tmp_path: Path) -> None:
    """As a mounted Secret is, behind links; what was refused is copied long before its next attempt."""
    sandbox = scene.sandbox

    def publish(version: str, password: str) -> None:
        (tmp_path / version).mkdir()
        (tmp_path / version / "username").write_text(sandbox.backup.username or "")
        (tmp_path / version / "password").write_text(password)
        (tmp_path / "new").symlink_to(version)
        (tmp_path / "new").rename(tmp_path / "secret")

    publish("1", "not-the-password")
    sandbox.push("acme/rotated:1")
    app = scene.deployment("app", "acme/rotated:1")
    with scene.controller("direct", backup_credentials=str(tmp_path / "secret")) as controller:
        status = scene.wait_phase("docker.io/acme/rotated:1", "FAILED")
        assert scene.condition("docker.io/acme/rotated:1", "Copied")["reason"] == "DestinationAuthFailed"
        assert status["next_attempt"] > status["create_at"]
        publish("2", sandbox.backup.password or "")
        scene.wait_images(app, f"{PREFIX}/acme_rotated:1")
        assert controller.said("credentials have changed")
        assert (sandbox.backup.password or "") not in controller.log_text


def test_what_runs_is_what_is_copied_when_the_tag_has_moved(scene: Scene) -> None:
    """The running digest gets the tag; who runs the other one has it kept, and is not rewritten."""
    running = scene.sandbox.push("acme/moving:1", content=b"the first")
    early = scene.deployment("early", "acme/moving:1")
    scene.wait_rolled_out(early)
    moved = scene.sandbox.push("acme/moving:1", content=b"the second")
    image = "docker.io/acme/moving:1"
    with scene.controller("direct") as controller:
        scene.wait_images(early, f"{PREFIX}/acme_moving:1")
        assert scene.status(image)["digest"] == running
        late = scene.deployment("late", "acme/moving:1")
        until(lambda: controller.images("Blocked", "TagMoved") == 1, what="the other one to be blocked")
        until(
            lambda: (
                {d["digest"]: d["verified"] for d in scene.status(image)["digests"]}
                == {running: True, moved: True}
            ),
            what="both digests to be kept",
        )
        assert scene.condition(image, "TagMoved")["status"] == "True"
        anchor = next(d["tag"] for d in scene.status(image)["digests"] if d["digest"] == moved)
        assert scene.sandbox.digest(f"{PREFIX}/acme_moving:{anchor}") == moved
    assert scene.sandbox.digest(f"{PREFIX}/acme_moving:1") == running
    assert scene.images(late) == ["acme/moving:1"]


def test_somebody_elses_image_on_the_backups_tag_is_left_there(scene: Scene) -> None:
    """It is a conflict with a name: nothing is pushed over it, and no workload is sent there."""
    scene.sandbox.push("acme/conflict:1")
    theirs = scene.sandbox.push(f"{PREFIX}/acme_conflict:1", content=b"somebody else's")
    app = scene.deployment("app", "acme/conflict:1")
    with scene.controller("direct") as controller:
        scene.wait_phase("docker.io/acme/conflict:1", "FAILED")
        assert scene.condition("docker.io/acme/conflict:1", "Copied")["reason"] == "NameConflict"
        until(
            lambda: controller.images("Blocked", "NameConflict") == 1, what="the metrics to name the reason"
        )
    assert scene.images(app) == ["acme/conflict:1"]
    assert scene.sandbox.digest(f"{PREFIX}/acme_conflict:1") == theirs
    assert not scene.pushed()
