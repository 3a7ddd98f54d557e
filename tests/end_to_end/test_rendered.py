"""GitOps mode where Argo CD renders: kustomizations and charts."""

from collections.abc import Iterator
from textwrap import dedent

import pytest

from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.waiting import until
from tests.downloads.repository import ChartRepository
from tests.end_to_end.repositories import Repository
from tests.end_to_end.scene import PREFIX, Scene, Workload
from tests.registry.faulty import FaultyServer

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


@pytest.fixture
def charts() -> Iterator[ChartRepository]:
    """A chart repository with a chart that runs an image of its values."""
    with FaultyServer() as server:
        yield ChartRepository(server, "1.2.3", template=_TEMPLATE.encode())


def _spread(scene: Scene, name: str, chart: Json, values: Repository) -> str:
    helm = {"valueFiles": ["$values/env/prod.yaml"]}
    return scene.several(name, {**chart, "helm": helm}, {"repoURL": values.url, "ref": "values"})


def test_a_chart_from_a_chart_repository_gets_values_in_git(scene: Scene, charts: ChartRepository) -> None:
    """It is downloaded, because a setting lists it, and nothing of it is in the repository."""
    repository = scene.repository({"env/prod.yaml": _VALUES.encode()})
    chart = {"repoURL": charts.url, "chart": "web", "targetRevision": "1.2.3"}
    application = _spread(scene, "external", chart, repository)
    with scene.controller("gitops", download_prefixes=[charts.url]):
        _ends_on(scene, repository, application, "external", f"{_BACKUP}:7.2")
    wanted = _VALUES.replace("repository: redis ", f"repository: {_BACKUP} ")
    assert (repository.file("env/prod.yaml"), repository.commits()) == (wanted.encode(), 2)


def test_a_chart_from_another_repository_gets_values_in_git(scene: Scene) -> None:
    """The chart's repository is read, and stays as it is."""
    chart = {
        "chart/Chart.yaml": b"apiVersion: v2\nname: app\nversion: 1.0.0\n",
        "chart/templates/app.yaml": _TEMPLATE.encode(),
        "chart/values.yaml": _VALUES.encode(),
    }
    code, repository = scene.repository(chart), scene.repository({"env/prod.yaml": b"replicas: 1\n"})
    application = _spread(scene, "other", {"repoURL": code.url, "path": "chart"}, repository)
    with scene.controller("gitops"):
        _ends_on(scene, repository, application, "other", f"{_BACKUP}:7.2")
    assert code.commits() == 1
    wanted = f"replicas: 1\nimage:\n  repository: {_BACKUP}\n"
    assert (repository.file("env/prod.yaml"), repository.commits()) == (wanted.encode(), 2)


def test_a_chart_that_may_not_be_downloaded_is_a_reason(scene: Scene, charts: ChartRepository) -> None:
    """It names the setting, and no edit is made that nobody could prove."""
    repository = scene.repository({"env/prod.yaml": _VALUES.encode()})
    chart = {"repoURL": charts.url, "chart": "web", "targetRevision": "1.2.3"}
    application = _spread(scene, "unlisted", chart, repository)
    until(lambda: scene.is_synced(application), what="the Application to be Synced")
    charts.server.forget()
    with scene.controller("gitops"):
        workload = _deployed(scene, "unlisted")
        until(
            lambda: any("download_prefixes" in each["note"] for each in scene.events_in_full(workload)),
            what="an event that names the setting",
        )
    assert (repository.commits(), charts.asked()) == (1, [])
