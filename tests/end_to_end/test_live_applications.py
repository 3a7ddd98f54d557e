"""GitOps mode: what stands between a commit and a rollout, as the live Application and its project say it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gitops_backup.sandbox.waiting import until
from tests.end_to_end.repositories import Repository
from tests.end_to_end.scene import PREFIX, Scene, Workload
from tests.git.keys import OpenPgpKey

REDIS = "redis:7.2"
BACKUP = f"{PREFIX}/library_redis:7.2"


@pytest.fixture
def key() -> Iterator[OpenPgpKey]:
    """An OpenPGP key; gpg's agent wants a short path."""
    folder = Path(tempfile.mkdtemp(prefix="gb-"))
    made = OpenPgpKey(folder / "key")
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)


def project(scene: Scene, **spec: Any) -> str:
    """An AppProject that lets anything be deployed; returns its name."""
    name = f"project-{scene.namespace}"
    thing = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}], **spec},
    }
    scene.sandbox.namespace("argocd")
    scene.api.apply(thing)
    return name


def one_app(scene: Scene, *, in_project: str, manual: bool = False) -> tuple[Repository, Workload, str]:
    """A repository with one Deployment, its Application, in a project, and the workload, rolled out."""
    repository = scene.repository({"app.yaml": scene.yaml("Deployment", "app", [REDIS])})
    application = scene.application(f"app-{scene.namespace}", repository, manual=manual)
    scene.api.merge(application, {"spec": {"project": in_project}})
    if manual:
        until(lambda: "sync" in scene.api.get(application).get("status", {}), what="a first comparison")
        scene.sync(application)
    app = Workload("Deployment", scene.namespace, "app")
    scene.wait_rolled_out(app)
    return repository, app, application


@pytest.mark.usefixtures("gpg")
def test_a_project_that_wants_signatures_gets_them_or_no_commit(scene: Scene, key: OpenPgpKey) -> None:
    """Without the key, the reason names project and setting; with it, the commit is signed and rolled out."""
    strict = project(scene, signatureKeys=[{"keyID": key.key_id}])
    repository, app, _ = one_app(scene, in_project=strict)
    with scene.controller("gitops") as controller:
        until(
            lambda: controller.images("Blocked", "SignatureRequired") == 1, what="the signature to be missed"
        )
    assert repository.commits() == 1
    with scene.controller("gitops", git_signing_key=str(key.file)) as controller:
        scene.wait_images(app, BACKUP)
        scene.wait_rolled_out(app)
        assert controller.images("Blocked", "SignatureRequired") == 0
    assert repository.commits() == 2
    assert key.verify(scene.sandbox.git.path(repository.name), "main").returncode == 0
    assert "PRIVATE" not in "".join(each.log_text for each in scene.controllers)


@pytest.mark.usefixtures("gpg")
def test_no_unsigned_commit_reaches_a_branch_that_a_strict_project_follows(
    scene: Scene, key: OpenPgpKey
) -> None:
    """It would change another project's Application, and stop the syncs of the strict one."""
    repository, app, _ = one_app(scene, in_project="default")
    strict = project(scene, signatureKeys=[{"keyID": key.key_id}])
    follower = scene.application(f"follower-{scene.namespace}", repository, path="elsewhere")
    scene.api.merge(follower, {"spec": {"project": strict}})
    with scene.controller("gitops"):
        event = scene.wait_event(app, "SignatureRequired")
        assert strict in event["note"]
        assert repository.commits() == 1
        scene.api.merge(follower, {"spec": {"project": "default"}})
        scene.wait_images(app, BACKUP, timeout=90)


def test_a_window_that_keeps_an_application_from_being_synced_is_named(scene: Scene) -> None:
    """The commit is pushed at once; who waits for the rollout reads which window it waits for."""
    deny = {"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}
    frozen = project(scene, syncWindows=[deny])
    repository, app, application = one_app(scene, in_project=frozen, manual=True)
    with scene.controller("gitops", resync=1):
        until(lambda: repository.commits() == 2, what="the commit")
        event = scene.wait_event(app, "AwaitingSync")
        assert f'the window deny "* * * * *" for 1h (UTC) of the project {frozen} is open' in event["note"]
        scene.sync(application)
        scene.wait_images(app, BACKUP)
    assert repository.commits() == 2


def test_what_is_deployed_from_a_tag_waits_for_a_release_of_the_branch(scene: Scene) -> None:
    """A tag cannot be changed; the branch that the Application names is, once, and the next tag brings it."""
    repository = scene.repository({"app.yaml": scene.yaml("Deployment", "app", [REDIS])})
    app = scene.deployment("app", REDIS)
    repository.tag("v1.0.0")
    application = scene.application(
        f"app-{scene.namespace}", repository, several=True, targetRevision="v1.0.0"
    )
    listed = {"group": "apps", "kind": "Deployment", "namespace": scene.namespace, "name": "app"}
    status = {"sync": {"status": "Synced", "revisions": [repository.head]}, "resources": [listed]}
    scene.api.merge(application, {"status": status})
    scene.wait_rolled_out(app)
    with scene.refreshes(application) as refreshes, scene.controller("gitops", resync=1):
        assert "v1.0.0 is a tag of" in scene.wait_event(app, "PinnedRevision")["note"]
        assert repository.commits() == 1
        branch = {"metadata": {"annotations": {"k8slab.io/image-backup-branch": "main"}}}
        scene.api.merge(application, branch)
        event = scene.wait_event(app, "AwaitingRelease")
        assert "deploys v1.0.0 until somebody releases it" in event["note"]
        assert refreshes.count == 0
    assert repository.commits() == 2
    assert BACKUP.encode() in repository.file("app.yaml")


def test_an_application_outside_of_argo_cds_namespace_is_found_and_refreshed(scene: Scene) -> None:
    """Where the settings say that Argo CD looks for Applications there; elsewhere they do not count."""
    team = scene.sandbox.namespace(f"team-{scene.namespace}")
    repository = scene.repository({"app.yaml": scene.yaml("Deployment", "app", [REDIS])})
    tracking = {"argocd.argoproj.io/tracking-id": f"{team}_shop:apps/Deployment:{scene.namespace}/app"}
    app = scene.deployment("app", REDIS, annotations=tracking)
    thing = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": team},
        "spec": {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": scene.namespace},
            "sources": [{"repoURL": repository.url, "path": "."}],
        },
    }
    application = scene.api.path_of(scene.api.apply(thing))
    status = {"controllerNamespace": "argocd", "sync": {"status": "Synced", "revisions": [repository.head]}}
    scene.api.merge(application, {"status": status})
    scene.wait_rolled_out(app)
    with scene.controller("gitops") as controller:
        until(lambda: controller.images("Blocked", "NotInGit") == 1, what="the Application not to count")
    with (
        scene.refreshes(application) as refreshes,
        scene.controller("gitops", argocd_namespaces=["argocd", team]),
    ):
        until(lambda: BACKUP.encode() in repository.file("app.yaml"), what="the commit")
        until(lambda: refreshes.count > 0, what="a refresh to be asked for")
    assert repository.commits() == 2


def test_a_label_tells_the_application_where_argo_cd_is_set_to_go_by_it(scene: Scene) -> None:
    """With the rights of the mode, in whichever namespace Argo CD is; before that, the label says nothing."""
    home = scene.sandbox.namespace(f"argocd-{scene.namespace}")
    repository = scene.repository({"app.yaml": scene.yaml("Deployment", "app", [REDIS])})
    app = scene.deployment("app", REDIS)
    scene.api.merge(app.path, {"metadata": {"labels": {"example.com/application": "shop"}}})
    thing = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": home},
        "spec": {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": scene.namespace},
            "sources": [{"repoURL": repository.url, "path": "."}],
        },
        "status": {
            "controllerNamespace": home,
            "sync": {"status": "Synced", "revisions": [repository.head]},
        },
    }
    scene.api.apply(thing)
    scene.wait_rolled_out(app)
    settings = {
        "application.resourceTrackingMethod": "label",
        "application.instanceLabelKey": "example.com/application",
    }
    with scene.controller("gitops", argocd_namespaces=[home]) as controller:
        until(lambda: controller.images("Blocked", "NotInGit") == 1, what="the label not to count")
        (said,) = controller.said("Argo CD's settings cannot be read, its defaults are assumed")
        assert said["namespace"] == home
        assert "argocd-cm" in said["why"]
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": home},
    }
    scene.api.apply({**config_map, "data": settings})
    with scene.controller("gitops", argocd_namespaces=[home]) as controller:
        until(lambda: BACKUP.encode() in repository.file("app.yaml"), what="the commit")
        assert not controller.said("Argo CD's settings cannot be read, its defaults are assumed")
    assert repository.commits() == 2
