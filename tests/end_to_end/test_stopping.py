"""Direct mode: the controller is stopped, killed, paused, or not alone, at every step of its work."""

import contextlib
import gc
import random
from collections.abc import Iterator

import pytest

from gitops_backup.sandbox.waiting import until
from tests.end_to_end.gates import Gate, before_backup, before_upstream, pushed_digests, registries
from tests.end_to_end.harness import Controller, wait
from tests.end_to_end.scene import PREFIX, Scene
from tests.registry.faulty import FaultyServer, delays


@pytest.fixture
def upstream(scene: Scene) -> Iterator[FaultyServer]:
    """A server before Docker Hub."""
    with FaultyServer(behind=scene.sandbox.upstream.address) as server:
        yield server


@pytest.fixture
def backup(scene: Scene) -> Iterator[FaultyServer]:
    """A server before the backup registry, which remembers every push with its content."""
    with FaultyServer(behind=scene.sandbox.backup.address) as server:
        yield server


def assert_one_digest_per_tag(server: FaultyServer) -> None:
    """Whatever was pushed, and however often: no tag was ever given a second digest."""
    several = {tag: digests for tag, digests in pushed_digests(server).items() if len(digests) > 1}
    assert not several


def test_a_stop_in_the_middle_of_a_copy_comes_in_time(scene: Scene, upstream: FaultyServer) -> None:
    """SIGTERM ends the program that copies, too; the next process makes the copy."""
    scene.sandbox.push("acme/slow:1")
    gate = Gate()
    upstream.on("GET", "/acme/slow/blobs/", gate, times=1)
    app = scene.deployment("app", "acme/slow:1")
    through = registries(scene, before_upstream(scene, upstream))
    with scene.controller("direct", registries=through) as controller:
        gate.wait()
        running = controller.programs()
        assert any("skopeo" in line for line in running.values())
        for secret in scene.secrets():
            assert not any(secret in line for line in running.values())
        controller.stop()
        until(lambda: not controller.still_there(running), what="the programs that it started to end")
        gate.open()
    assert scene.images(app) == ["acme/slow:1"]
    with scene.controller("direct", registries=through):
        scene.wait_images(app, f"{PREFIX}/acme_slow:1")


def test_the_next_replica_takes_over_at_once_when_the_leader_is_stopped(scene: Scene) -> None:
    """Of two, one leads and works; on SIGTERM it hands the Lease over, and the other goes on."""
    first = scene.deployment("first", "nginx:1.14.0")
    with scene.controller("direct") as one, scene.controller("direct") as other:
        scene.wait_images(first, f"{PREFIX}/library_nginx:1.14.0")
        assert [one.leads, other.leads] == [True, False]
        assert (one.metric("gitops_backup_leading"), other.metric("gitops_backup_leading")) == (1, 0)
        one.stop()
        until(lambda: other.leads, what="the other replica to lead", timeout=6)
        second = scene.deployment("second", "redis:7.2")
        scene.wait_images(second, f"{PREFIX}/library_redis:7.2")
    assert scene.api.get(first.path)["metadata"]["generation"] == 2


def test_the_next_replica_takes_over_when_the_leader_is_killed(scene: Scene, upstream: FaultyServer) -> None:
    """The Lease runs out, and what the dead one had begun is brought to its end."""
    scene.may_push_again = True
    scene.sandbox.push("acme/taken-over:1")
    gate = Gate()
    upstream.on("GET", "/acme/taken-over/blobs/", gate, times=1)
    app = scene.deployment("app", "acme/taken-over:1")
    through = registries(scene, before_upstream(scene, upstream))
    with (
        scene.controller("direct", registries=through) as one,
        scene.controller("direct", registries=through) as other,
    ):
        gate.wait()
        one.kill()
        scene.wait_images(app, f"{PREFIX}/acme_taken-over:1")
        assert other.leads
        gate.open()


def test_killed_twenty_times_it_ends_right(
    scene: Scene, upstream: FaultyServer, backup: FaultyServer
) -> None:
    """Each process is killed at a random moment while work comes in; the last one finishes it all."""
    scene.may_push_again = True
    moments = random.Random(20)  # noqa: S311, no secret
    upstream.on("GET", "/blobs/", delays(0.1))
    through = registries(scene, before_upstream(scene, upstream), before_backup(scene, backup))
    apps = {}
    for number in range(20):
        name = f"acme/killed-{number}:1"
        scene.sandbox.push(name)
        apps[name] = scene.deployment(f"app-{number}", name)
        with scene.controller("direct", registries=through) as controller:
            wait(moments.uniform(0, 1.2))
            controller.kill()
        scene.release_lease()
    with scene.controller("direct", registries=through):
        for name, app in apps.items():
            scene.wait_images(app, f"{PREFIX}/{name.replace('/', '_')}", timeout=60)
        for name, app in apps.items():
            image = f"docker.io/{name}"
            assert scene.wait_phase(image, "DONE")["digest"] == scene.sandbox.digest(image)
            assert scene.api.get(app.path)["metadata"]["generation"] == 2, f"{app} was patched twice"
        until(
            lambda: [n for n in apps if not scene.status(f"docker.io/{n}").get("rewrites")] == [],
            what="every rewrite to be on record",
        )
    assert_one_digest_per_tag(backup)


STEPS = {
    "while it asks what the tag stands for": (
        "upstream",
        "HEAD",
        "/acme/paused/manifests/1$",
        ("", "PENDING"),
    ),
    "in the middle of the copy": ("upstream", "GET", "/acme/paused/blobs/", ("RUNNING",)),
    "just before the tag is pushed": ("backup", "PUT", "/acme_paused/manifests/1$", ("RUNNING",)),
    "while the copy is verified": ("backup", "GET", "/acme_paused/manifests/1$", ("RUNNING",)),
    "just before the workload is patched": ("backup", "HEAD", "/acme_paused/manifests/1$", ("DONE",)),
}


@pytest.mark.parametrize("step", STEPS)
def test_a_leader_that_is_continued_after_another_took_over_does_no_harm(
    scene: Scene, upstream: FaultyServer, backup: FaultyServer, step: str
) -> None:
    """It finds out by itself that it does not lead any more, and ends; the state is what one alone makes."""
    side, method, path, phases = STEPS[step]
    image = "docker.io/acme/paused:1"
    digest = scene.sandbox.push("acme/paused:1")
    gate = Gate(when=lambda: scene.phase(image) in phases)
    server = upstream if side == "upstream" else backup
    server.on(method, path, gate)
    scene.may_push_again = True
    # the gate holds back the first replica alone; the other has a way of its own
    with FaultyServer(behind=scene.sandbox.backup.address) as others:
        first = registries(scene, before_upstream(scene, upstream), before_backup(scene, backup))
        second = registries(scene, before_backup(scene, others))
        with scene.controller("direct", registries=first) as one:
            until(lambda: one.leads, what="the first replica to lead")
            with scene.controller("direct", registries=second) as other:
                app = scene.deployment("app", "acme/paused:1")
                gate.wait()
                with paused(one):
                    scene.release_lease()
                    scene.wait_images(app, f"{PREFIX}/acme_paused:1")
                    assert other.leads
                gate.open()
                assert one.ended_by_itself() == 1
                scene.wait_phase(image, "DONE")
        pushed = [pushed_digests(each).get("marcosquesada/acme_paused:1", set()) for each in (backup, others)]
        assert set.union(*pushed) == {digest}
    assert scene.sandbox.digest(f"{PREFIX}/acme_paused:1") == digest
    assert scene.images(app) == [f"{PREFIX}/acme_paused:1"]
    assert scene.api.get(app.path)["metadata"]["generation"] == 2


@contextlib.contextmanager
def paused(controller: Controller) -> Iterator[None]:
    """Stop the process and the programs that it started, and continue them afterwards."""
    controller.pause()
    try:
        yield
    finally:
        controller.resume()


def test_the_digest_on_record_holds_when_the_tag_moves_while_leaders_change(
    scene: Scene, upstream: FaultyServer, backup: FaultyServer
) -> None:
    """The first wrote down what it was about to push; whoever goes on pushes that, whatever runs by then."""
    scene.may_push_again = True
    claimed = scene.sandbox.push("acme/claimed:1", content=b"the first")
    gate = Gate()
    backup.on("PUT", "/acme_claimed/manifests/1$", gate, times=1)
    through = registries(scene, before_upstream(scene, upstream), before_backup(scene, backup))
    image = "docker.io/acme/claimed:1"
    with scene.controller("direct", registries=through) as one:
        until(lambda: one.leads, what="the first replica to lead")
        with scene.controller("direct", registries=through) as other:
            app = scene.deployment("app", "acme/claimed:1")
            gate.wait()
            with paused(one):
                moved = scene.sandbox.push("acme/claimed:1", content=b"the second")
                scene.api.delete(f"/api/v1/namespaces/{scene.namespace}/pods")
                until(lambda: scene.running(app) == {moved}, what="the new image to run")
                scene.release_lease()
                scene.wait_phase(image, "DONE")
                assert scene.status(image)["digest"] == claimed
                until(lambda: other.images("Blocked", "TagMoved") == 1, what="the workload to be blocked")
            gate.open()
            assert one.ended_by_itself() == 1
    assert_one_digest_per_tag(backup)
    assert scene.sandbox.digest(f"{PREFIX}/acme_claimed:1") == claimed
    assert scene.images(app) == ["acme/claimed:1"]


# where a server dies between accept and handshake, Python's ssl leaves the socket of the sandbox's own client
# to the collector, and to its warning
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_api_server_that_goes_away_for_a_moment_is_waited_for(scene: Scene) -> None:
    """The process stays, follows again, and sees what came in meanwhile."""
    scene.deployment("first", "nginx:1.14.0")
    with scene.controller("report", resync=1) as controller:
        until(lambda: controller.images("Copy") == 1, what="the first workload to be seen")
        scene.sandbox.control_plane.interrupt()
        wait(1)
        scene.sandbox.control_plane.resume()
        scene.deployment("second", "redis:7.2")
        until(lambda: controller.images("Copy") == 2, what="the second workload to be seen")
    gc.collect()
