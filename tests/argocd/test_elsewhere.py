"""Which version of a chart a real Argo CD deploys, and with which values, is what the report takes it for."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from tests.argocd.cases import workload
from tests.argocd.world import TEAM, backup_of
from tests.cli.command import command
from tests.downloads.repository import ChartRepository, tagged
from tests.end_to_end.harness import Controller
from tests.git.bare import run_git
from tests.registry.faulty import FaultyServer

_SECONDS_TO_COMPARE = 180.0
_APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
_VERSIONS = ("0.9.0", "1.0.0", "1.2.0", "1.2.3", "1.10.0", "2.0.0-rc.1", "2.0.0", "3.0.0-beta.2")
_TEMPLATE = workload(
    "{{ .Release.Name }}",
    '{{ .Values.image }}-{{ .Values.file | default "none" | trim }}:{{ .Chart.Version }}',
).encode()
_REVISIONS = {
    "exact": "1.2.0",
    "exact-v": "v1.2.0",
    "pre": "2.0.0-rc.1",
    "star": "1.*",
    "any": "*",
    "short": "1.2",
    "tilde": "~1.2.0",
    "caret": "^1.0.0",
    "range": ">=1.0.0 <2.0.0",
    "comma": ">= 1.0.0, < 1.10.0",
    "either": "0.9.x || 1.0.x",
    "hyphen": "1.0.0 - 1.2.2",
    "pre-range": ">=2.0.0-0",
    "gone": "4.x",
}
_VALUES = "$values/env/prod.yaml"
_SPREAD: Mapping[str, tuple[Json, bool]] = {
    "code-branch": ({"path": "chart", "helm": {"valueFiles": [_VALUES]}}, True),
    "code-tag": ({"path": "chart", "targetRevision": "v1", "helm": {"valueFiles": [_VALUES]}}, True),
    "code-tags": ({"path": "chart", "targetRevision": "1.x", "helm": {"valueFiles": [_VALUES]}}, True),
    "own-first": ({"path": "chart", "helm": {"valueFiles": [_VALUES, "/shared/own.yaml"]}}, True),
    "own-last": ({"path": "chart", "helm": {"valueFiles": ["../shared/own.yaml", _VALUES]}}, True),
    "file": (
        {
            "path": "chart",
            "helm": {
                "valueFiles": [_VALUES],
                "fileParameters": [{"name": "file", "path": "$values/env/file"}],
            },
        },
        True,
    ),
    "own-file": (
        {
            "path": "chart",
            "helm": {"valueFiles": [_VALUES], "fileParameters": [{"name": "file", "path": "files/own"}]},
        },
        True,
    ),
    "chart-file": ({"chart": "web", "targetRevision": "1.x", "helm": {"valueFiles": ["values.yaml"]}}, False),
    "url": ({"chart": "web", "targetRevision": "1.x", "helm": {"valueFiles": ["{url}/v.yaml"]}}, False),
}
_DEPENDENCIES: Mapping[str, Json] = {
    "exact": {"version": "1.0.0"},
    "tilde": {"version": "~1.2.0"},
    "any": {"version": ">=1.0.0"},
    "alias": {"version": "^1.0.0", "alias": "shop"},
    "gone": {"version": "4.x"},
}


@pytest.fixture(scope="module")
def charts() -> Iterator[ChartRepository]:
    """A chart repository, and a file of values beside it."""
    with FaultyServer() as server:
        made = ChartRepository(server, *_VERSIONS, template=_TEMPLATE)
        server.on("GET", "/charts/v.yaml", tagged(b"image: by-url\n"))
        yield made


@pytest.fixture(scope="module")
def applications(sandbox: Sandbox, charts: ChartRepository) -> Iterator[list[Json]]:
    """All of them, with values in a repository of their own."""
    git = sandbox.git
    values = git.create("elsewhere-values", {"env/prod.yaml": b"image: prod\n", "env/file": b"from-values\n"})
    own = {"Chart.yaml": b"apiVersion: v2\nname: web\nversion: 0.0.1\n", "files/own": b"own\n"}
    files = {**own, "values.yaml": b"image: x\n", "templates/a.yaml": _TEMPLATE}
    code = git.create("elsewhere-code", {f"chart/{path}": content for path, content in files.items()})
    git.commit("elsewhere-code", {"shared/own.yaml": b"image: shared\n"})
    for tag, version in (("v1", b"0.1.0"), ("1.4.0", b"0.2.0"), ("main-copy", b"0.3.0")):
        git.commit("elsewhere-code", {"chart/Chart.yaml": b"apiVersion: v2\nname: web\nversion: " + version})
        run_git(git.path("elsewhere-code"), "tag", tag, "main")
    sources: dict[str, list[Json]] = {}
    for name, wanted in _DEPENDENCIES.items():
        dependency = {"name": "web", "repository": charts.url, **wanted}
        git.commit("elsewhere-code", _dependent(name, dependency))
        sources[f"needs-{name}"] = [{"repoURL": code, "path": f"needs/{name}"}]
    for name, revision in _REVISIONS.items():
        chart = {"repoURL": charts.url, "chart": "web", "targetRevision": revision}
        sources[f"version-{name}"] = [{**chart, "helm": {"valueFiles": [_VALUES]}}]
    for name, (source, in_git) in _SPREAD.items():
        text = json.dumps(source).replace("{url}", charts.url)
        sources[f"spread-{name}"] = [{"repoURL": code if in_git else charts.url, **json.loads(text)}]
    ref = {"repoURL": values, "ref": "values"}
    applied = sandbox.apply(*(_application(name, [*some, ref]) for name, some in sources.items()))
    yield applied
    for each in applied:
        sandbox.api.delete(f"{_APPLICATIONS}/{each['metadata']['name']}")


@pytest.fixture(scope="module")
def report(
    sandbox: Sandbox,
    charts: ChartRepository,
    applications: list[Json],
    tmp_path_factory: pytest.TempPathFactory,
) -> Mapping[str, Any]:
    """What the program says of the repository with the values, with these Applications."""
    folder = tmp_path_factory.mktemp("report")
    path, settings = folder / "applications.yaml", folder / "settings.yaml"
    path.write_text(yaml.safe_dump_all(applications))
    known = yaml.safe_load(sandbox.settings_file.read_text())
    code = sandbox.git.url("elsewhere-code")
    settings.write_text(yaml.safe_dump({**known, "download_prefixes": [charts.url, code]}))
    answer = command(
        *("--config", settings, "report", "--output", "json"),
        *("--from", sandbox.git.url("elsewhere-values"), "--applications", path),
    )
    assert answer.code == 0, answer.err
    found: Mapping[str, Any] = json.loads(answer.out)
    return found


@pytest.mark.parametrize(
    "name",
    [
        *(f"version-{name}" for name in _REVISIONS),
        *(f"spread-{name}" for name in _SPREAD),
        *(f"needs-{name}" for name in _DEPENDENCIES),
    ],
)
def test_a_chart_from_elsewhere_is_the_one_that_argo_cd_deploys(
    sandbox: Sandbox, applications: list[Json], report: Mapping[str, Any], name: str
) -> None:
    """In the same version, with the same values; or neither knows what it is."""

    def compared() -> Json | None:
        application = sandbox.api.get(f"{_APPLICATIONS}/{name}")
        status = application.get("status", {})
        synced = status.get("sync", {}).get("status") == "Synced"
        return application if synced or status.get("conditions") else None

    live = until(compared, what=f"{name} to be synced", timeout=_SECONDS_TO_COMPARE)
    assert live is not None
    problems = [each for each in report["problems"] if each.startswith(f"argocd/{name}: ")]
    known = [
        container["image"]
        for each in report["workloads"]
        if each["application"] == f"argocd/{name}"
        for container in each["containers"]
    ]
    resources = live["status"].get("resources", [])
    assert bool(problems) == (not resources), (problems, live["status"].get("conditions"))
    path = f"/apis/apps/v1/namespaces/elsewhere/deployments/{name}"
    deployed = _images(sandbox.api.get(path)) if resources else []
    assert known == deployed


def test_a_chart_from_a_chart_repository_ends_on_backups(
    sandbox: Sandbox, charts: ChartRepository, tmp_path: Path
) -> None:
    """Its values are in Git, and get one commit; Argo CD brings it about, and is Synced."""
    name, upstream = "elsewhere-live", "quay.io/elsewhere/live"
    values = "# ours\nimage:   {} # ours\n"
    sandbox.push(f"{upstream}:1.2.0")
    url = sandbox.git.create(name, {"env/prod.yaml": values.format(upstream).encode()})
    with FaultyServer() as server:
        template = _TEMPLATE.replace(b"replicas: 0", b"replicas: 1").replace(
            b'-{{ .Values.file | default "none" | trim }}', b""
        )
        live = ChartRepository(server, "1.2.0", template=template)
        chart = {"repoURL": live.url, "chart": "web", "targetRevision": "~1.2"}
        helm: Json = {"helm": {"valueFiles": [_VALUES]}}
        sources: list[Json] = [{**chart, **helm}, {"repoURL": url, "ref": "values"}]
        sandbox.apply(_application(name, sources))

        def settled(image: str) -> bool:
            status = sandbox.api.get(f"{_APPLICATIONS}/{name}").get("status", {})
            found = sandbox.api.find(f"/apis/apps/v1/namespaces/elsewhere/deployments/{name}")
            healthy = status.get("health", {}).get("status") == "Healthy"
            synced = status.get("sync", {}).get("status") == "Synced"
            return healthy and synced and found is not None and _images(found) == [image]

        def wait_for(image: str) -> None:
            until(lambda: settled(image), what=f"Argo CD to run {image}", timeout=_SECONDS_TO_COMPARE)

        wait_for(f"{upstream}:1.2.0")
        with Controller(sandbox, "gitops", folder=tmp_path, download_prefixes=[live.url]):
            wait_for(backup_of(f"{upstream}:1.2.0"))
    sandbox.api.delete(f"{_APPLICATIONS}/{name}")
    copy = backup_of(f"{upstream}:1.2.0").rpartition(":")[0]
    assert sandbox.git.files(name) == {"env/prod.yaml": values.format(copy).encode()}
    assert len(sandbox.git.log(name)) == 2


def test_a_value_file_by_its_url_is_overruled_beside_the_chart(sandbox: Sandbox, tmp_path: Path) -> None:
    """Each Application gets a file that Argo CD reads for it alone, also one in a namespace of its own."""
    name, upstream = "beside-live", "quay.io/elsewhere/beside"
    sandbox.push(f"{upstream}:1.0.0")
    sandbox.namespace(TEAM)
    template = workload("{{ .Release.Name }}", "{{ .Values.image }}:1.0.0").replace(
        "replicas: 0", "replicas: 1"
    )
    chart = {
        "app/Chart.yaml": b"apiVersion: v2\nname: web\nversion: 0.0.1\n",
        "app/values.yaml": b"image: quay.io/elsewhere/other\n",
        "app/templates/a.yaml": template.encode(),
    }
    url = sandbox.git.create(name, chart)
    with FaultyServer() as server:
        server.on("GET", "/team.yaml", tagged(f"image: {upstream}\n".encode()))
        team = f"http://{server.host}/team.yaml"
        source = {"repoURL": url, "path": "app", "targetRevision": "main", "helm": {"valueFiles": [team]}}
        homes = {"argocd": "beside-one", TEAM: "beside-two"}
        applied = [_application(name, [source]) for _ in homes]
        for application, (home, namespace) in zip(applied, homes.items(), strict=True):
            application["metadata"]["namespace"] = home
            application["spec"]["destination"]["namespace"] = namespace
        sandbox.apply(*applied)

        def settled(image: str) -> bool:
            paths = [f"/apis/apps/v1/namespaces/{each}/deployments/{name}" for each in homes.values()]
            statuses = [sandbox.api.get(sandbox.api.path_of(each)).get("status", {}) for each in applied]
            synced = all(each.get("sync", {}).get("status") == "Synced" for each in statuses)
            found = [sandbox.api.find(path) for path in paths]
            return synced and all(each is not None and _images(each) == [image] for each in found)

        def wait_for(image: str) -> None:
            until(lambda: settled(image), what=f"Argo CD to run {image}", timeout=_SECONDS_TO_COMPARE)

        wait_for(f"{upstream}:1.0.0")
        settings = {"download_prefixes": [team], "argocd_namespaces": ["argocd", TEAM]}
        with Controller(sandbox, "gitops", folder=tmp_path, **settings):
            wait_for(backup_of(f"{upstream}:1.0.0"))
    for application in applied:
        sandbox.api.delete(sandbox.api.path_of(application))
    new = {path: content for path, content in sandbox.git.files(name).items() if path not in chart}
    assert new.keys() == {f"app/.argocd-source-{each}.yaml" for each in (name, f"{TEAM}_{name}")}
    copy = backup_of(f"{upstream}:1.0.0").rpartition(":")[0]
    assert {yaml.safe_load(each)["helm"]["valuesObject"]["image"] for each in new.values()} == {copy}
    assert {path: content for path, content in sandbox.git.files(name).items() if path in chart} == chart


def _dependent(name: str, dependency: Json) -> dict[str, bytes]:
    """A chart that needs another one, which is not in its folder, and has values for it."""
    described = {"apiVersion": "v2", "name": name, "version": "0.1.0", "dependencies": [dependency]}
    values = {dependency.get("alias", "web"): {"image": f"needs-{name}"}}
    files = {"Chart.yaml": json.dumps(described), "values.yaml": json.dumps(values)}
    return {f"needs/{name}/{path}": content.encode() for path, content in files.items()}


def _images(deployment: Json) -> list[str]:
    return [each["image"] for each in deployment["spec"]["template"]["spec"]["containers"]]


def _application(name: str, sources: list[Json]) -> Json:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "elsewhere"},
            "syncPolicy": {"automated": {}, "syncOptions": ["CreateNamespace=true"]},
            "sources": sources,
        },
    }
