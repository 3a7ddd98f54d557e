"""GitOps mode where Applications come from Git themselves, or deploy what a hydrator makes."""

from typing import Any

import yaml

from gitops_backup.sandbox.waiting import until
from tests.end_to_end.repositories import Repository
from tests.end_to_end.scene import PREFIX, Scene, Workload

_BACKUP = f"{PREFIX}/library_redis"
_VALUES = "# ours\nimage:\n  repository: redis  # as tested\n  tag: '7.2'\n"
_HYDRATE = "argocd.argoproj.io/hydrate"
_PATH = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"


def _chart(scene: Scene) -> dict[str, bytes]:
    made = scene.yaml("Deployment", "app", ["IMAGE"]).decode()
    return {
        "chart/Chart.yaml": b"apiVersion: v2\nname: app\nversion: 1.0.0\n",
        "chart/values.yaml": b"image: {repository: other, tag: '1'}\n",
        "chart/templates/app.yaml": made.replace(
            "IMAGE", "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
        ).encode(),
    }


def _manifest(name: str, url: str, path: str, namespace: str, **source: Any) -> bytes:
    head = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
            "syncPolicy": {"automated": {}},
            "source": {"repoURL": url, "path": path},
        },
    }
    text = yaml.safe_dump(head, sort_keys=False)
    if "values" in source:
        text += "    helm:\n      values: |\n"
        text += "".join(f"        {line}\n" for line in source["values"].splitlines())
    return text.encode()


def _root(scene: Scene, name: str, repository: Repository) -> str:
    """An Application that deploys to Argo CD's namespace."""
    thing = yaml.safe_load(_manifest(name, repository.url, "apps", "argocd"))
    return scene.api.path_of(scene.api.apply(thing))


def test_the_values_of_an_application_are_written_where_another_one_deploys_it_from(scene: Scene) -> None:
    """The one that deploys it is asked to look, and brings them to the cluster; one commit does it."""
    name = f"{scene.namespace}-web"
    charts = scene.repository(_chart(scene))
    manifest = _manifest(name, charts.url, "chart", scene.namespace, values=_VALUES)
    apps = scene.repository({"apps/web.yaml": manifest})
    root = _root(scene, f"{scene.namespace}-root", apps)
    app = Workload("Deployment", scene.namespace, "app")
    scene.wait_images(app, "redis:7.2")
    with scene.controller("gitops"):
        scene.wait_images(app, f"{_BACKUP}:7.2", timeout=90)
        scene.wait_rolled_out(app)
        for application in (root, f"{_PATH}/{name}"):
            until(lambda at=application: scene.is_synced(at), what="the Applications to be Synced")  # type: ignore[misc]
    wanted = manifest.replace(b"repository: redis ", f"repository: {_BACKUP} ".encode())
    assert apps.file("apps/web.yaml") == wanted
    assert (apps.commits(), charts.commits()) == (2, 1)


def test_what_a_hydrator_renders_from_is_edited_and_the_hydrator_told(scene: Scene) -> None:
    """What it made of it is in another branch, and left alone."""
    manifest = scene.yaml("Deployment", "app", ["redis:7.2"])
    repository = scene.repository({"dry/app.yaml": manifest, "wet/app.yaml": manifest})
    name = f"{scene.namespace}-dry"
    tracking = {"argocd.argoproj.io/tracking-id": f"{name}:apps/Deployment:{scene.namespace}/app"}
    app = scene.deployment("app", "redis:7.2", annotations=tracking)
    thing = yaml.safe_load(_manifest(name, repository.url, "dry", scene.namespace))
    dry = {**thing["spec"].pop("source"), "targetRevision": "HEAD"}
    synced = {"targetBranch": "wet", "path": "wet"}
    thing["spec"]["sourceHydrator"] = {"drySource": dry, "syncSource": synced}
    application = scene.api.path_of(scene.api.apply(thing))
    scene.wait_rolled_out(app)
    with scene.controller("gitops"):
        until(
            lambda: _HYDRATE in scene.api.get(application)["metadata"].get("annotations", {}),
            what="the hydrator to be asked",
            timeout=90,
        )
    wanted = manifest.replace(b"redis:7.2", f"{_BACKUP}:7.2".encode())
    assert (repository.file("dry/app.yaml"), repository.file("wet/app.yaml")) == (wanted, manifest)
    assert repository.commits() == 2
