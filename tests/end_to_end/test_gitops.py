"""GitOps mode: from a watch event to a verified copy to a commit that is rolled out."""

from textwrap import dedent

from gitops_backup.sandbox.waiting import until
from tests.end_to_end.harness import wait
from tests.end_to_end.repositories import Repository
from tests.end_to_end.scene import PREFIX, Scene, Workload

REDIS = "redis:7.2"
BACKUP = f"{PREFIX}/library_redis:7.2"

CRLF_AND_MORE = dedent(
    """\
    # Größe: klein — ein Kommentar vor dem ersten Dokument
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: settings, annotations: {note: "image: redis:7.2 bleibt hier stehen"}}
    data: {sidecar: 'redis:7.2'}
    ---
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: app   # no namespace
    spec:
      replicas:   1
      selector: {matchLabels: {app: app}}
      template:
        metadata: {labels: {app: app}}
        spec:
          containers:
          - name: "c0"
            image: 'redis:7.2'   # quoted
          - {name: c1, image: "docker.io/library/busybox:1.36"}
          initContainers:
          - image: &tool quay.io/prometheus/node-exporter:v1.8.0
            name: i0"""
).replace("\n", "\r\n")


def deployed(scene: Scene, name: str = "app") -> Workload:
    """A Deployment that an Application makes in this scene's namespace."""
    return Workload("Deployment", scene.namespace, name)


def one_app(scene: Scene, image: str = REDIS, *, manual: bool = False) -> tuple[Repository, Workload, str]:
    """A repository with one Deployment, its Application, synced, and the workload, rolled out."""
    repository = scene.repository({"app.yaml": scene.yaml("Deployment", "app", [image])})
    application = scene.application(f"app-{scene.namespace}", repository, manual=manual)
    if manual:
        until(lambda: "sync" in scene.api.get(application).get("status", {}), what="a first comparison")
        scene.sync(application)
    until(lambda: scene.api.find(deployed(scene).path), what="the Application to be synced")
    scene.wait_rolled_out(deployed(scene))
    return repository, deployed(scene), application


def test_an_application_ends_on_backups_by_a_commit_that_changes_images_alone(scene: Scene) -> None:
    """Quotes, comments, line endings, other documents and the missing last newline stay, byte for byte."""
    repository = scene.repository({"team/app.yaml": CRLF_AND_MORE.encode(), "README.md": b"# Team\n"})
    application = scene.application("plain", repository, path="team")
    app = deployed(scene)
    with scene.controller("gitops"):
        scene.wait_images(
            app,
            f"{PREFIX}/quay.io_prometheus_node-exporter:v1.8.0",
            BACKUP,
            f"{PREFIX}/library_busybox:1.36",
        )
        scene.wait_rolled_out(app)
        until(lambda: scene.is_synced(application), what="the Application to be Synced")
        assert scene.wait_event(app, "Committed")["type"] == "Normal"
    wanted = (
        CRLF_AND_MORE.replace("image: 'redis:7.2'", f"image: '{BACKUP}'")
        .replace('"docker.io/library/busybox:1.36"', f'"{PREFIX}/library_busybox:1.36"')
        .replace("quay.io/prometheus/node-exporter:v", f"{PREFIX}/quay.io_prometheus_node-exporter:v")
    )
    assert repository.file("team/app.yaml") == wanted.encode()
    assert repository.commits() == 2
    assert repository.file("README.md") == b"# Team\n"


def test_a_commit_names_itself(scene: Scene) -> None:
    """Title, a line per image, trailers, and the author from the settings; no password in it."""
    repository, app, _ = one_app(scene)
    author = {"git_author_name": "Backup Bot", "git_author_email": "bot@example.com"}
    with scene.controller("gitops", **author):
        scene.wait_images(app, BACKUP)
    shown = repository.show()
    record = scene.backup("docker.io/library/redis:7.2")["metadata"]["name"]
    assert "Author: Backup Bot <bot@example.com>" in shown
    assert "chore(images): use backups for 1 image in 1 application" in shown
    assert f"docker.io/library/redis:7.2 -> {BACKUP}" in shown
    assert str(scene.sandbox.digest(BACKUP)) in shown
    assert str(app) in shown
    assert f"Image-Backup: {record}" in shown
    assert not any(secret in shown for secret in scene.secrets())


def test_everything_that_is_due_on_a_branch_is_one_commit(scene: Scene) -> None:
    """Three Applications, of which two name the branch in different ways, and one more on another branch."""
    images = {"one": REDIS, "two": "nginx:1.14.0", "three": REDIS}
    files = {f"{name}/app.yaml": scene.yaml("Deployment", name, [image]) for name, image in images.items()}
    repository = scene.repository(files)
    repository.commit({"four/app.yaml": scene.yaml("Deployment", "four", [REDIS])}, branch="release")
    scene.application("one", repository, path="one")
    scene.application("two", repository, path="two", targetRevision="HEAD")
    scene.application("three", repository, path="three", targetRevision="main")
    scene.application("four", repository, path="four", targetRevision="release")
    apps = [deployed(scene, name) for name in (*images, "four")]
    until(lambda: all(scene.api.find(app.path) for app in apps), what="the Applications to be synced")
    scene.wait_rolled_out(*apps)
    with scene.controller("gitops"):
        for name in ("one", "three", "four"):
            scene.wait_images(deployed(scene, name), BACKUP)
        scene.wait_images(deployed(scene, "two"), f"{PREFIX}/library_nginx:1.14.0")
    assert repository.commits() == 2
    assert repository.commits("release") == 2
    assert "use backups for 2 images in 3 applications" in repository.show()


def test_argo_cd_is_asked_to_refresh_and_not_over_and_over(scene: Scene) -> None:
    """Where Argo CD does not answer with the new commit, it is asked again with patience at the most."""
    repository, app, application = untouched_by_argo_cd(scene)
    with scene.refreshes(application) as refreshes, scene.controller("gitops", resync=1) as controller:
        until(lambda: repository.commits() == 2, what="the commit")
        until(lambda: refreshes.count, what="a refresh to be asked for")
        scene.wait_event(app, "Committed")
        wait(4)
        assert refreshes.count <= 6, f"{refreshes.count} refreshes in 4 s"
        assert controller.running
    assert repository.commits() == 2


def untouched_by_argo_cd(scene: Scene) -> tuple[Repository, Workload, str]:
    """An Application whose workload and status are made by hand, as Argo CD would have left them."""
    repository = scene.repository({"app.yaml": scene.yaml("Deployment", "app", [REDIS])})
    application = scene.application("by-hand", repository, several=True)
    return repository, made_by_hand(scene, application, revisions=[repository.head]), application


def made_by_hand(scene: Scene, application: str, **sync: object) -> Workload:
    """A workload that the Application's status lists, though the stand-in for Argo CD did not make it."""
    app = scene.deployment("app", REDIS)
    until(lambda: "conditions" in scene.api.get(application).get("status", {}), what="the stand-in to pass")
    resource = {"group": "apps", "kind": "Deployment", "namespace": app.namespace, "name": app.name}
    scene.api.merge(application, {"status": {"resources": [resource], "sync": {"status": "Synced", **sync}}})
    scene.wait_rolled_out(app)
    return app


def test_a_revert_of_its_commit_is_respected(scene: Scene) -> None:
    """The original comes back and stays, for the next process too, until somebody writes another image."""
    repository, app, _ = one_app(scene)
    with scene.controller("gitops", resync=1) as controller:
        scene.wait_images(app, BACKUP)
        scene.wait_rolled_out(app)
        repository.revert()
        scene.wait_images(app, REDIS)
        until(lambda: controller.images("Blocked", "RolledBack") == 1, what="the revert to be respected")
        commits = repository.commits()
        image = "docker.io/library/redis:7.2"
        until(
            lambda: [r["state"] for r in scene.status(image)["rewrites"]] == ["Reverted"],
            what="the revert to be on record",
        )
        wait(2)
        assert repository.commits() == commits == 3
    with scene.controller("gitops", resync=1) as controller:
        until(lambda: controller.images("Blocked", "RolledBack") == 1, what="the revert to be respected")
        wait(2)
        assert repository.commits() == 3
        assert scene.images(app) == [REDIS]
        repository.replace("app.yaml", REDIS, "nginx:1.14.0")
        scene.wait_images(app, f"{PREFIX}/library_nginx:1.14.0")
    assert repository.commits() == 5


def test_a_revert_before_the_sync_is_respected(scene: Scene) -> None:
    """A person undoes the commit before Argo CD ever deployed it: that is their word, too."""
    repository, app, _ = one_app(scene, manual=True)
    with scene.controller("gitops", resync=1) as controller:
        until(lambda: repository.commits() == 2, what="the commit")
        repository.revert()
        until(lambda: controller.images("Blocked", "RolledBack") == 1, what="the revert to be respected")
        wait(2)
    assert repository.commits() == 3
    assert repository.file("app.yaml").count(REDIS.encode()) == 1
    assert scene.images(app) == [REDIS]


def test_what_waits_for_a_sync_is_not_committed_again(scene: Scene) -> None:
    """With manual sync the commit waits, the reason is told, and the sync brings the rollout."""
    repository, app, application = one_app(scene, manual=True)
    with scene.controller("gitops", resync=1):
        until(lambda: repository.commits() == 2, what="the commit")
        assert scene.wait_event(app, "AwaitingSync")
        wait(3)
        assert repository.commits() == 2
        assert scene.images(app) == [REDIS]
        scene.sync(application)
        scene.wait_images(app, BACKUP)
        scene.wait_rolled_out(app)
    assert repository.commits() == 2


def test_an_image_that_only_git_knows_is_not_published_before_it_is_copied(scene: Scene) -> None:
    """The cluster runs 1, Git says 2 already: no commit until 2 runs and is copied, then one for 2."""
    scene.sandbox.push("acme/ahead:1")
    scene.sandbox.push("acme/ahead:2")
    repository, app, application = one_app(scene, "acme/ahead:1", manual=True)
    repository.replace("app.yaml", "acme/ahead:1", "acme/ahead:2")
    with scene.controller("gitops", resync=1):
        scene.wait_phase("docker.io/acme/ahead:1", "DONE")
        assert scene.wait_event(app, "AwaitingSync")
        wait(2)
        assert repository.commits() == 2
        assert scene.sandbox.digest(f"{PREFIX}/acme_ahead:2") is None
        scene.sync(application)
        until(lambda: repository.commits() == 3, what="the commit")
        assert f"{PREFIX}/acme_ahead:2".encode() in repository.file("app.yaml")
        assert scene.sandbox.digest(f"{PREFIX}/acme_ahead:2") == scene.sandbox.digest("acme/ahead:2")


def test_no_commit_names_a_copy_that_the_registry_has_lost(scene: Scene) -> None:
    """The record says DONE and the registry was wiped: it is copied again before the push."""
    repository, app, _ = one_app(scene)
    scene.annotate_namespace("image-backup", "pause")
    held: list[str | None] = []
    with scene.controller("gitops") as controller:
        scene.wait_phase("docker.io/library/redis:7.2", "DONE")
        until(lambda: controller.images("Blocked", "ControllerPaused") == 1, what="the pause to be seen")
        scene.sandbox.backup.interrupt()
        scene.sandbox.backup.resume()
        scene.may_push_again = True
        with repository.before_push(lambda: held.append(scene.sandbox.digest(BACKUP))):
            scene.annotate_namespace("image-backup", None)
            scene.wait_images(app, BACKUP)
    assert held == [scene.sandbox.digest(f"docker.io/library/{REDIS}")]
    assert repository.commits() == 2


def test_a_tag_that_is_bumped_in_git_after_the_rewrite_rolls_out(scene: Scene) -> None:
    """A bot writes the next tag of the backup: it is copied at once, and nothing is committed for it."""
    scene.sandbox.push("acme/bot:1")
    scene.sandbox.push("acme/bot:2")
    repository, app, _ = one_app(scene, "acme/bot:1")
    with scene.controller("gitops"):
        scene.wait_images(app, f"{PREFIX}/acme_bot:1")
        scene.wait_rolled_out(app)
        repository.replace("app.yaml", "acme_bot:1", "acme_bot:2")
        scene.wait_images(app, f"{PREFIX}/acme_bot:2")
        scene.wait_phase("docker.io/acme/bot:2", "DONE")
        scene.wait_rolled_out(app)
    assert repository.commits() == 3


def test_a_person_goes_back_to_another_version_of_the_original(scene: Scene) -> None:
    """Not a revert but an upgrade, by somebody who does not know of backups: it is rewritten as well."""
    scene.sandbox.push("acme/upgraded:1")
    scene.sandbox.push("acme/upgraded:2")
    repository, app, _ = one_app(scene, "acme/upgraded:1")
    with scene.controller("gitops"):
        scene.wait_images(app, f"{PREFIX}/acme_upgraded:1")
        scene.wait_rolled_out(app)
        repository.replace("app.yaml", f"{PREFIX}/acme_upgraded:1", "acme/upgraded:2")
        scene.wait_images(app, f"{PREFIX}/acme_upgraded:2")
    assert repository.commits() == 4


def test_one_file_that_is_no_yaml_does_not_hold_back_the_others(scene: Scene) -> None:
    """The broken file's workload is told file, line and column; the other Application goes on."""
    good = scene.yaml("Deployment", "good", [REDIS])
    broken = scene.yaml("Deployment", "broken", [REDIS])
    repository = scene.repository({"good/app.yaml": good, "broken/app.yaml": broken})
    scene.application("good", repository, path="good")
    scene.application("broken", repository, path="broken", manual=True)
    application = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications/broken"
    until(lambda: "sync" in scene.api.get(application).get("status", {}), what="a first comparison")
    scene.sync(application)
    apps = [deployed(scene, "good"), deployed(scene, "broken")]
    scene.wait_rolled_out(*apps)
    repository.commit({"broken/app.yaml": broken + b"what: [is, this\n"})
    with scene.controller("gitops"):
        scene.wait_images(apps[0], BACKUP)
        told = scene.wait_event(apps[1], "InvalidManifest")
    assert told["type"] == "Warning"
    assert "broken/app.yaml" in told["note"]
    assert "line" in told["note"]
    assert "column" in told["note"]
    assert repository.commits() == 3


def test_a_source_that_cannot_be_edited_is_named(scene: Scene) -> None:
    """Nothing is committed; the workload's event says what the source is."""
    manifests = {"team/app.yaml": scene.yaml("Deployment", "app", [REDIS])}
    repository = scene.repository({**manifests, "team/.argocd-source.yaml": b"plugin: {}\n"})
    application = scene.application("unsupported", repository, path="team")
    app = made_by_hand(scene, application)
    with scene.controller("gitops"):
        told = scene.wait_event(app, "UnsupportedSource")
        assert told["type"] == "Warning"
        assert "rendered by a config management plugin from team" in told["note"]
        scene.wait_phase("docker.io/library/redis:7.2", "DONE")
    assert repository.commits() == 1
    assert scene.images(app) == [REDIS]


def test_a_workload_that_is_not_in_git_is_reported_or_patched(scene: Scene) -> None:
    """`NotInGit` by default; with `unmanaged: patch`, and the rights for it, patched directly."""
    app = scene.deployment("app", REDIS)
    with scene.controller("gitops") as controller:
        scene.wait_phase("docker.io/library/redis:7.2", "DONE")
        until(lambda: controller.images("Blocked", "NotInGit") == 1, what="the metrics to name the reason")
    assert scene.images(app) == [REDIS]
    with scene.controller("gitops", unmanaged="patch", rights=["workloads"]):
        scene.wait_images(app, BACKUP)


def test_nothing_is_written_while_nothing_happens(scene: Scene) -> None:
    """With everything looked at once a second, no object and no branch changes, whatever waits."""
    repository, app, _ = one_app(scene)
    waiting = scene.repository({"app.yaml": scene.yaml("Deployment", "waiting", [REDIS])})
    application = scene.application("waiting", waiting, manual=True)
    until(lambda: "sync" in scene.api.get(application).get("status", {}), what="a first comparison")
    scene.sync(application)
    scene.deployment("unmanaged", REDIS)
    scene.wait_rolled_out(deployed(scene, "waiting"), deployed(scene, "unmanaged"))
    with scene.controller("gitops", resync=1) as controller:
        scene.wait_images(app, BACKUP)
        until(lambda: waiting.commits() == 2, what="the commit that waits for a sync")
        scene.wait_event(deployed(scene, "waiting"), "AwaitingSync")
        before, heads = scene.wait_quiet(16), (repository.head, waiting.head)
        steps = controller.metric("gitops_backup_reconciles_total", reconciler="repositories")
        wait(5)
        assert scene.versions() == before
        assert (repository.head, waiting.head) == heads
        again = controller.metric("gitops_backup_reconciles_total", reconciler="repositories")
        assert again >= steps + 3, "the repository was not looked at again"
