"""GitOps mode where Argo CD renders: kustomizations and charts."""

from textwrap import dedent

from gitops_backup.sandbox.waiting import until
from tests.end_to_end.repositories import Repository
from tests.end_to_end.scene import PREFIX, Scene, Workload

_BACKUP = f"{PREFIX}/library_redis"
_TEMPLATE = dedent(
    """\
    apiVersion: apps/v1
    kind: Deployment
    metadata:
      name: {{ .Release.Name }}
    spec:
      replicas: 1
      selector: {matchLabels: {app: {{ .Release.Name }}}}
      template:
        metadata: {labels: {app: {{ .Release.Name }}}}
        spec:
          containers:
            - name: main
              image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
    """
)
_VALUES = "# what runs\nimage:\n  repository: redis   # ours\n  tag: '7.2'\nreplicas:  1"


def _deployed(scene: Scene, name: str) -> Workload:
    return Workload("Deployment", scene.namespace, name)


def _ends_on(scene: Scene, repository: Repository, application: str, name: str, image: str) -> None:
    scene.wait_images(_deployed(scene, name), image)
    scene.wait_rolled_out(_deployed(scene, name))
    until(lambda: scene.is_synced(application), what="the Application to be Synced")


def test_an_overlay_gets_an_entry_and_its_base_stays(scene: Scene) -> None:
    """The base is of several overlays; the one that is deployed says which images it uses."""
    files = {
        "base/app.yaml": scene.yaml("Deployment", "app", ["redis:7.2"]),
        "base/kustomization.yaml": b"resources: [app.yaml]\n",
        "top/kustomization.yaml": b"# ours\nresources:\n  - ../base\nnamePrefix: top-\n",
    }
    repository = scene.repository(files)
    application = scene.application("overlay", repository, path="top")
    with scene.controller("gitops"):
        _ends_on(scene, repository, application, "top-app", f"{_BACKUP}:7.2")
    assert repository.commits() == 2
    assert repository.file("base/app.yaml") == files["base/app.yaml"]
    wanted = files["top/kustomization.yaml"] + f"images:\n  - name: redis\n    newName: {_BACKUP}\n".encode()
    assert repository.file("top/kustomization.yaml") == wanted


def test_a_chart_gets_another_repository_in_its_values(scene: Scene) -> None:
    """And when somebody bumps the tag after that, what it names is copied and rolled out."""
    chart = b"apiVersion: v2\nname: app\nversion: 1.0.0\n"
    files = {
        "chart/Chart.yaml": chart,
        "chart/templates/app.yaml": _TEMPLATE.encode(),
        "chart/values.yaml": b"image: {repository: other, tag: '1'}\n",
        "chart/production.yaml": _VALUES.encode(),
    }
    repository = scene.repository(files)
    values = {"valueFiles": ["production.yaml"]}
    application = scene.application("charted", repository, path="chart", helm=values)
    with scene.controller("gitops"):
        _ends_on(scene, repository, application, "charted", f"{_BACKUP}:7.2")
        wanted = _VALUES.replace("repository: redis ", f"repository: {_BACKUP} ")
        assert repository.file("chart/production.yaml") == wanted.encode()
        assert repository.commits() == 2
        scene.sandbox.push("redis:7.4")
        repository.replace("chart/production.yaml", "'7.2'", "'7.4'")
        _ends_on(scene, repository, application, "charted", f"{_BACKUP}:7.4")
    assert repository.commits() == 3


def test_a_chart_that_two_applications_share_is_edited_once(scene: Scene) -> None:
    """Both run the image, and both are rendered before the commit."""
    files = {
        "chart/Chart.yaml": b"apiVersion: v2\nname: app\nversion: 1.0.0\n",
        "chart/templates/app.yaml": _TEMPLATE.encode(),
        "chart/values.yaml": _VALUES.encode(),
    }
    repository = scene.repository(files)
    applications = {name: scene.application(name, repository, path="chart") for name in ("one", "two")}
    with scene.controller("gitops"):
        for name, application in applications.items():
            _ends_on(scene, repository, application, name, f"{_BACKUP}:7.2")
    assert repository.commits() == 2
