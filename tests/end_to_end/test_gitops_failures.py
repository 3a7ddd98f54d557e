"""GitOps mode: servers that refuse, other writers, processes that die, and a damaged cache."""

import random
from pathlib import Path

from gitops_backup.sandbox.waiting import until
from tests.end_to_end.harness import wait
from tests.end_to_end.scene import PREFIX, Scene
from tests.end_to_end.test_gitops import BACKUP, REDIS, deployed, one_app, untouched_by_argo_cd


def test_a_git_server_that_refuses_the_first_pushes_gets_the_commit_later(scene: Scene) -> None:
    """A hook declines once, then the server is away once: each is told, and tried again."""
    repository, app, _ = one_app(scene)
    scene.sandbox.git.refuse_pushes(repository.name, 1)
    scene.sandbox.git.answer_unavailable(1)
    with scene.controller("gitops"):
        assert scene.wait_event(app, "RepositoryUnavailable")["type"] == "Warning"
        scene.wait_images(app, BACKUP)
    assert repository.commits() == 2


def test_who_pushes_at_the_same_time_is_not_overrun(scene: Scene) -> None:
    """Somebody is first, twice: the change is planned again on theirs, and nothing is lost."""
    repository, app, _ = one_app(scene)
    others = iter(range(10))
    with (
        repository.before_push(lambda: repository.commit({f"other-{next(others)}": b"x"}), times=2),
        scene.controller("gitops"),
    ):
        scene.wait_images(app, BACKUP)
    assert repository.commits() == 4
    assert repository.file("other-0") == repository.file("other-1") == b"x"


def test_killed_between_push_and_refresh_it_asks_for_the_refresh_later(scene: Scene) -> None:
    """The push arrives, its process does not live to know: the next one asks Argo CD, and commits nothing."""
    scene.may_push_again = True
    repository, _, application = untouched_by_argo_cd(scene)
    with scene.controller("gitops") as controller, repository.before_push(controller.kill):
        until(lambda: repository.commits() == 2, what="the commit")
        assert not controller.running
    scene.release_lease()
    with scene.refreshes(application) as refreshes, scene.controller("gitops"):
        until(lambda: refreshes.count, what="a refresh to be asked for")
        wait(1)
    assert repository.commits() == 2


def test_killed_before_the_push_it_commits_once(scene: Scene) -> None:
    """What was on record about a commit that never arrived does not pass for a revert."""
    scene.may_push_again = True
    repository, app, _ = one_app(scene)
    scene.sandbox.git.refuse_pushes(repository.name, 1)
    with scene.controller("gitops") as controller, repository.before_push(controller.kill):
        until(lambda: not controller.running, what="the end of the process")
    wait(0.5)
    assert repository.commits() == 1
    scene.release_lease()
    with scene.controller("gitops"):
        scene.wait_images(app, BACKUP)
    assert repository.commits() == 2


def test_killed_again_and_again_it_commits_each_change_once(scene: Scene) -> None:
    """Applications come in while processes die at random moments; all end on backups, no commit is empty."""
    scene.may_push_again = True
    moments = random.Random(8)  # noqa: S311, no secret
    repository = scene.repository({"README.md": b"# Team\n"})
    names = [f"app-{number}" for number in range(8)]
    for name in names:
        scene.sandbox.push(f"acme/{name}:1")
        repository.commit({f"{name}/app.yaml": scene.yaml("Deployment", name, [f"acme/{name}:1"])})
        scene.application(name, repository, path=name)
        until(lambda n=name: scene.api.find(deployed(scene, n).path), what="the sync")  # type: ignore[misc]
        with scene.controller("gitops") as controller:
            wait(moments.uniform(0, 2))
            controller.kill()
        scene.release_lease()
    with scene.controller("gitops"):
        for name in names:
            scene.wait_images(deployed(scene, name), f"{PREFIX}/acme_{name}:1")
        scene.wait_rolled_out(*(deployed(scene, name) for name in names))
    ours = [text for text in repository.history() if "chore(images)" in text]
    changed = [line for text in ours for line in text.splitlines() if line.startswith("+ ")]
    assert len(changed) == len(names), changed


def test_locks_that_a_dead_process_left_in_the_cache_are_no_obstacle(scene: Scene) -> None:
    """The clone is repaired or made again, and the next change is committed."""
    repository, app, _ = one_app(scene)
    cache = scene.folder / "cache"
    with scene.controller("gitops", cache=str(cache)):
        scene.wait_images(app, BACKUP)
    clones = clones_in(cache)
    assert clones
    for clone in clones:
        for lock in ("shallow.lock", "config.lock", "packed-refs.lock", "HEAD.lock", "index.lock"):
            (clone / lock).touch()
    repository.commit({"other.yaml": scene.yaml("Deployment", "other", ["nginx:1.14.0"])})
    with scene.controller("gitops", cache=str(cache)):
        scene.wait_images(deployed(scene, "other"), f"{PREFIX}/library_nginx:1.14.0")
    assert repository.commits() == 4


def clones_in(cache: Path) -> list[Path]:
    """The bare repositories below the cache folder."""
    return [head.parent for head in cache.rglob("HEAD") if (head.parent / "objects").is_dir()]


def test_a_damaged_cache_is_thrown_away(scene: Scene) -> None:
    """Objects are gone from the clone: it is made again."""
    repository, app, _ = one_app(scene)
    cache = scene.folder / "cache"
    with scene.controller("gitops", cache=str(cache)):
        scene.wait_images(app, BACKUP)
    for clone in clones_in(cache):
        for file in (clone / "objects").rglob("*"):
            if file.is_file():
                file.chmod(0o600)
                file.write_bytes(b"damaged")
    repository.commit({"other.yaml": scene.yaml("Deployment", "other", ["nginx:1.14.0"])})
    with scene.controller("gitops", cache=str(cache)):
        scene.wait_images(deployed(scene, "other"), f"{PREFIX}/library_nginx:1.14.0")


def test_two_replicas_make_one_commit(scene: Scene) -> None:
    """One leads and commits; when it is stopped the other goes on, and commits nothing again."""
    repository, app, _ = one_app(scene)
    with scene.controller("gitops") as one, scene.controller("gitops", resync=1) as other:
        scene.wait_images(app, BACKUP)
        assert [one.leads, other.leads] == [True, False]
        one.stop()
        until(lambda: other.leads, what="the other replica to lead", timeout=6)
        repository.commit({"other.yaml": scene.yaml("Deployment", "other", ["nginx:1.14.0"])})
        scene.wait_images(deployed(scene, "other"), f"{PREFIX}/library_nginx:1.14.0")
    assert repository.commits() == 4


def test_a_leader_that_is_continued_in_the_middle_of_its_push_does_no_harm(scene: Scene) -> None:
    """Another took over and pushed: the late push is refused, and one commit has it all."""
    scene.may_push_again = True
    repository, app, _ = one_app(scene)
    scene.annotate_namespace("image-backup", "pause")
    with scene.controller("gitops") as one:
        until(lambda: one.leads, what="the first replica to lead")
        with scene.controller("gitops") as other:

            def take_over() -> None:
                one.pause()
                scene.release_lease()
                until(lambda: repository.commits() == 2, what="the other's commit")

            with repository.before_push(take_over):
                scene.annotate_namespace("image-backup", None)
                scene.wait_images(app, BACKUP)
            assert other.leads
            one.resume()
            assert one.ended_by_itself() == 1
    assert repository.commits() == 2


def test_a_repository_that_cannot_be_cloned_does_not_hold_back_the_others(scene: Scene) -> None:
    """Its workload is told why; the other repository's Application goes on."""
    _, app, _ = one_app(scene)
    away = scene.repository({"app.yaml": scene.yaml("Deployment", "away", ["nginx:1.14.0"])})
    scene.application("away", away)
    until(lambda: scene.api.find(deployed(scene, "away").path), what="the sync")
    away.host.path(away.name).rename(scene.folder / "moved-away")
    with scene.controller("gitops"):
        told = scene.wait_event(deployed(scene, "away"), "RepositoryUnavailable")
        scene.wait_images(app, BACKUP)
    assert told["type"] == "Warning"
    assert REDIS not in told["note"]


def test_a_stop_in_the_middle_of_a_push_comes_in_time(scene: Scene) -> None:
    """SIGTERM while the Git server takes its time: the process ends; the next one finishes the work."""
    scene.may_push_again = True
    repository, app, _ = one_app(scene)
    with scene.controller("gitops") as controller:

        def stop_and_be_slow() -> None:
            controller.stop()

        with repository.before_push(stop_and_be_slow):
            until(lambda: not controller.running, what="the end of the process")
    with scene.controller("gitops"):
        scene.wait_images(app, BACKUP)
    assert repository.commits() == 2
