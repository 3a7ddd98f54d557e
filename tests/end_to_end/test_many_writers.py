"""GitOps mode: one repository, written by two controllers, an image updater and people, all at once.

One API server is the hub: Argo CD's Applications are there, some of which deploy to the other cluster, whose
controller reads them there. What Argo CD would do in the other cluster, the tests do.
"""

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from threading import Thread

import pytest
import yaml

from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from tests.end_to_end.harness import Controller, wait
from tests.end_to_end.installation import grant
from tests.end_to_end.repositories import Repository
from tests.end_to_end.scene import PREFIX, Scene, Workload

THERE = "cluster-b"
_SECONDS = 120.0


@pytest.fixture(scope="module")
def second() -> Iterator[Sandbox]:
    """Another cluster, with registries of its own."""
    with Sandbox.start() as running:
        yield running


@pytest.fixture
def elsewhere(second: Sandbox, tmp_path: Path) -> Iterator[Scene]:
    """The scene in the other cluster."""
    second.reset()
    second.backup.forget_requests()
    made = Scene(second, tmp_path / "elsewhere")
    yield made
    made.check()


def controller_elsewhere(scene: Scene, elsewhere: Scene) -> Controller:
    """The controller of the other cluster, which writes to the same Git host."""
    git = {name: scene.sandbox.settings[name] for name in ("git_username", "git_password", "git_prefix")}
    hub = str(grant(scene.sandbox, "gitops"))
    return elsewhere.controller("gitops", resync=1, argocd_kubeconfig=hub, argocd_destinations=[THERE], **git)


def deployed_elsewhere(scene: Scene, elsewhere: Scene, repository: Repository, name: str) -> Workload:
    """A workload of the other cluster, and its Application, as Argo CD would have left them."""
    app = elsewhere.apply(yaml.safe_load(repository.file(f"{name}/app.yaml")))
    application = scene.application(name, repository, path=name)
    listed = {"group": "apps", "kind": "Deployment", "namespace": app.namespace, "name": app.name}
    status = {
        "resources": [listed],
        "sourceType": "Directory",
        "sync": {"status": "Synced", "revision": repository.head},
    }
    destination = {"name": THERE, "server": None, "namespace": app.namespace}
    scene.api.merge(application, {"spec": {"destination": destination}, "status": status})
    return app


def contents(repository: Repository, path: str) -> list[bytes]:
    """What a file held, one commit after the other; the same once."""
    commits = reversed(repository.host.log(repository.name))
    held = (repository.host.files(repository.name, commit).get(path, b"") for commit in commits)
    return [content for content, _ in groupby(held)]


def wait_settled(repository: Repository, seconds: float = 4.0) -> int:
    """Wait until nobody commits any more; returns how many commits there are."""
    while True:
        before = repository.head
        wait(seconds)
        if repository.head == before:
            return repository.commits()


def test_two_clusters_an_updater_and_a_person_write_one_repository(scene: Scene, elsewhere: Scene) -> None:
    """All get what they want, nobody's commit is undone, and then it is quiet."""
    for image in ("acme/many-a:1", "acme/many-c:1", "acme/many-c:2"):
        scene.sandbox.push(image)
    elsewhere.sandbox.push("acme/many-b:1")
    files = {
        f"{name}/app.yaml": at.yaml("Deployment", name, [f"acme/{name}:1"])
        for name, at in (("many-a", scene), ("many-b", elsewhere), ("many-c", scene))
    }
    repository = scene.repository(files)
    here = [Workload("Deployment", scene.namespace, name) for name in ("many-a", "many-c")]
    for app in here:
        scene.application(app.name, repository, path=app.name)
    scene.wait_rolled_out(*here)
    there = deployed_elsewhere(scene, elsewhere, repository, "many-b")
    elsewhere.wait_rolled_out(there)

    def write() -> None:
        for number in range(12):
            repository.commit({"notes.txt": f"note {number}\n".encode()})
            if number == 6:  # the updater changes the tag, whatever the image is called by now
                before = repository.file("many-c/app.yaml")
                after = re.sub(rb"(many-c):1", rb"\1:2", before)
                repository.commit({"many-c/app.yaml": after})
            wait(0.4)

    writer = Thread(target=write)
    with scene.controller("gitops", resync=1), controller_elsewhere(scene, elsewhere) as other:
        writer.start()
        scene.wait_images(here[0], f"{PREFIX}/acme_many-a:1", timeout=_SECONDS)
        writer.join()
        scene.wait_images(here[1], f"{PREFIX}/acme_many-c:2", timeout=_SECONDS)
        backup = f"{PREFIX}/acme_many-b:1"
        until(
            lambda: backup.encode() in repository.file("many-b/app.yaml"),
            what="the other controller's commit",
            timeout=_SECONDS,
        )
        elsewhere.apply(yaml.safe_load(repository.file("many-b/app.yaml")))
        elsewhere.wait_images(there, backup)
        until(lambda: other.images("Keep") == 1, what="the other controller to be content")
        commits = wait_settled(repository)
        assert wait_settled(repository) == commits
    assert repository.file("notes.txt") == b"note 11\n"
    for path in (*files, "notes.txt"):
        seen = contents(repository, path)
        assert len(seen) == len(set(seen)), f"{path} went back to what it was: {seen}"
    assert scene.images(here[0]) == [f"{PREFIX}/acme_many-a:1"]
    # neither of the two knows the other's images
    assert not any("many-b" in image for image in scene.backups())
    assert list(elsewhere.backups()) == ["docker.io/acme/many-b:1"]


def test_a_controller_leaves_the_workloads_of_other_clusters_alone(scene: Scene, elsewhere: Scene) -> None:
    """An Application for the other cluster is none for a workload here that is called the same."""
    scene.sandbox.push("acme/many-d:1")
    elsewhere.sandbox.push("acme/many-d:1")
    # the same namespace and name in both clusters
    repository = scene.repository(
        {"many-d/app.yaml": elsewhere.yaml("Deployment", "many-d", ["acme/many-d:1"])}
    )
    there = deployed_elsewhere(scene, elsewhere, repository, "many-d")
    tracking = {"argocd.argoproj.io/tracking-id": f"many-d:apps/Deployment:{there.namespace}/many-d"}
    here = scene.deployment("many-d", "acme/many-d:1", namespace=there.namespace, annotations=tracking)
    scene.wait_rolled_out(here)
    with scene.controller("gitops", resync=1) as controller:
        until(lambda: controller.images("Blocked", "NotInGit") == 1, what="the workload to be nobody's")
        assert repository.commits() == 1
    with controller_elsewhere(scene, elsewhere):
        backup = f"{PREFIX}/acme_many-d:1".encode()
        until(lambda: backup in repository.file("many-d/app.yaml"), what="the commit", timeout=_SECONDS)
    assert scene.images(here) == ["acme/many-d:1"]


def test_a_writer_that_insists_on_the_original_has_the_last_word(scene: Scene) -> None:
    """The first time that it writes it back is a person's word: there is a reason, and no second commit."""
    for image in ("acme/many-e:1", "acme/many-e:2"):
        scene.sandbox.push(image)
    repository = scene.repository({"app.yaml": scene.yaml("Deployment", "many-e", ["acme/many-e:1"])})
    scene.application("many-e", repository)
    app = Workload("Deployment", scene.namespace, "many-e")
    scene.wait_rolled_out(app)
    with scene.controller("gitops", resync=1) as controller:
        scene.wait_images(app, f"{PREFIX}/acme_many-e:1", timeout=_SECONDS)
        repository.replace("app.yaml", f"{PREFIX}/acme_many-e:1", "acme/many-e:1")
        until(lambda: controller.images("Blocked", "RolledBack") == 1, what="the writer to be respected")
        assert wait_settled(repository) == 3
        # an upgrade, by the original's name, is another image: it goes to its backup
        repository.replace("app.yaml", "acme/many-e:1", "acme/many-e:2")
        scene.wait_images(app, f"{PREFIX}/acme_many-e:2", timeout=_SECONDS)
        assert wait_settled(repository) == 5
