"""What an ApplicationSet is taken to generate is what a real ApplicationSet controller makes of it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from gitops_backup.sources.applicationsets.clusters import LABEL
from tests.cli.command import command
from tests.end_to_end.harness import Controller
from tests.end_to_end.repositories import Repository
from tests.sources.applicationsets import GOLDEN, REPOSITORY, pruned

_APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
_SECONDS_TO_GENERATE = 180.0
# the controller makes no Application for a cluster or a project that it does not know
_HERE = ("https://kubernetes.default.svc", "default")


def _expected(folder: Path) -> list[Json]:
    return list(yaml.safe_load_all((folder / "applications.yaml").read_bytes()))


def _is_fit(folder: Path) -> bool:
    specs = [each["spec"] for each in _expected(folder)]
    known = all((s["destination"].get("server"), s.get("project")) == _HERE for s in specs)
    return known and bool(specs) and not (folder / "clusters.yaml").exists()


_CHART = {
    "chart/Chart.yaml": b"apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/values.yaml": b"image: none\n",
    "chart/templates/web.yaml": b"""\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec: {containers: [{name: main, image: "{{ .Values.image }}:1.0.0"}]}
""",
}
_SET = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: of-sets}
spec:
  generators:
  - list:
      elements:
      - {name: listed, image: quay.io/of-sets/listed}
  - git:
      repoURL: https://git.example/shop
      revision: HEAD
      requeueAfterSeconds: 5
      files: [{path: env/*.json}]
  template:
    metadata: {name: "{{name}}"}
    spec:
      project: default
      source:
        repoURL: https://git.example/shop
        targetRevision: HEAD
        path: chart
        helm: {parameters: [{name: image, value: "{{image}}"}]}
      destination: {server: https://kubernetes.default.svc, namespace: of-sets}
      syncPolicy: {automated: {selfHeal: true}}
"""
_SET_OF_CLUSTERS = """\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: of-clusters}
spec:
  goTemplate: true
  generators:
  - matrix:
      generators:
      - clusters:
          selector: {matchLabels: {of: sets}}
      - git:
          repoURL: https://git.example/shop
          revision: HEAD
          requeueAfterSeconds: 5
          files: [{path: "clusters/{{ .metadata.labels.tier }}/*.yaml"}]
  template:
    metadata: {name: "{{ .app }}-{{ .nameNormalized }}"}
    spec:
      project: default
      source:
        repoURL: https://git.example/shop
        targetRevision: HEAD
        path: chart
        helm:
          valuesObject: {image: "{{ .image }}"}
      destination: {server: "{{ .server }}", namespace: of-sets}
      syncPolicy: {automated: {selfHeal: true}}
"""
# nothing is deployed to the second, as nobody is there
_CLUSTERS = [
    {"name": "here", "server": _HERE[0], "labels": {"of": "sets", "tier": "dev"}},
    {"name": "There", "server": "https://127.0.0.1:1", "labels": {"of": "sets", "tier": "dev"}},
]

FOLDERS = sorted(path.parent for path in GOLDEN.glob("*/set.yaml") if _is_fit(path.parent))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_the_controller_generates_the_same(sandbox: Sandbox, folder: Path) -> None:
    """The same Applications, field by field, but for their names, which are prefixed here."""
    name, tree = f"sets-{folder.name}", folder / "tree"
    files = {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    url = sandbox.git.create(name, files or {"none": b""})
    text = re.sub(rf"{re.escape(REPOSITORY)}(?:\.git)?", url, (folder / "set.yaml").read_text())
    made: Json = yaml.safe_load(text.replace("revision: main", "revision: HEAD"))
    made["metadata"] = {"name": name, "namespace": "argocd"}
    template = made["spec"]["template"]["metadata"]
    template["name"] = f"{name}-{template['name']}"
    template.setdefault("labels", {})["of-set"] = name
    sandbox.apply(made)
    expected = _expected(folder)

    def generated() -> list[Json]:
        found = sandbox.api.get(f"{_APPLICATIONS}?labelSelector=of-set%3D{name}")["items"]
        return found if len(found) == len(expected) else []

    found = until(generated, what=f"the Applications of {name}", timeout=_SECONDS_TO_GENERATE)
    shown = sorted(
        (_shown(each, name, url) for each in found), key=lambda each: str(each["metadata"]["name"])
    )
    assert shown == [pruned(each) for each in expected]


def _shown(application: Json, name: str, url: str) -> Any:
    metadata = application["metadata"]
    metadata["labels"].pop("of-set")
    kept = {key: metadata[key] for key in ("name", "namespace", "labels", "annotations") if key in metadata}
    kept["name"] = kept["name"].removeprefix(f"{name}-")
    spec = yaml.safe_load(yaml.safe_dump(application["spec"]).replace(url, REPOSITORY))
    return pruned(
        {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": kept, "spec": spec}
    )


@pytest.fixture
def clusters(sandbox: Sandbox) -> Iterator[list[Json]]:
    """Clusters that Argo CD knows while a test runs."""
    secrets = [_secret(each) for each in _CLUSTERS]
    sandbox.apply(*secrets)
    yield _CLUSTERS
    for secret in secrets:
        sandbox.api.delete(sandbox.api.path_of(secret))


def test_what_a_set_says_ends_on_backups(sandbox: Sandbox, clusters: list[Json], tmp_path: Path) -> None:
    """By one commit, in a set's manifest and in files of generators; no Application is written to."""
    names = ("listed", "filed", "combined")
    for name in names:
        sandbox.push(f"quay.io/of-sets/{name}:1.0.0")
    url = sandbox.git.create("of-sets")
    files = {
        **_CHART,
        "sets/set.yaml": _SET.replace(REPOSITORY, url).encode(),
        "sets/of-clusters.yaml": _SET_OF_CLUSTERS.replace(REPOSITORY, url).encode(),
        "env/filed.json": b'{"name": "filed", "image": "quay.io/of-sets/filed"}\n',
        "clusters/dev/web.yaml": b"app: combined\nimage: quay.io/of-sets/combined # for all\n",
    }
    repository = Repository(sandbox.git, "of-sets")
    repository.commit(files)
    sandbox.namespace("of-sets")
    sandbox.apply(_root(url))

    def run(prefix: str) -> None:
        wanted = {f"{prefix}{name}:1.0.0" for name in names}
        what = f"{', '.join(sorted(wanted))} to run"
        until(lambda: _running(sandbox) == wanted, what=what, timeout=_SECONDS_TO_GENERATE)

    run("quay.io/of-sets/")
    assert _foreseen(sandbox, []) == {"env/filed.json:1", "sets/set.yaml:8", "ClustersDiffer"}
    assert _foreseen(sandbox, clusters) == {"env/filed.json:1", "sets/set.yaml:8", "clusters/dev/web.yaml:2"}
    before = repository.commits()
    with Controller(sandbox, "gitops", folder=tmp_path, argocd_clusters=clusters):
        run(f"{Sandbox.backup_repository}/quay.io_of-sets_")
    after = sandbox.git.files("of-sets", "main")
    changed = {path for path, content in after.items() if content != files.get(path)}
    assert changed == {"sets/set.yaml", "env/filed.json", "clusters/dev/web.yaml"}
    assert repository.commits() == before + 1


def _secret(cluster: Json) -> Json:
    """What Argo CD knows a cluster by."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": f"of-sets-{cluster['name'].lower()}",
            "namespace": "argocd",
            "labels": {LABEL: "cluster", **cluster["labels"]},
        },
        "stringData": {"name": cluster["name"], "server": cluster["server"], "config": "{}"},
    }


def _foreseen(sandbox: Sandbox, clusters: list[Json]) -> set[str]:
    """Where the dry run would write, or why not, with these clusters listed."""
    answer = command(
        *("--config", sandbox.settings_file, "report", "--namespace", "of-sets", "--output", "json"),
        env={
            "KUBECONFIG": str(sandbox.kubeconfig),
            "GITOPS_BACKUP_ARGOCD_CLUSTERS": json.dumps(clusters),
        },
    )
    assert answer.code == 0, answer.err
    found = [use for each in json.loads(answer.out)["workloads"] for use in each["containers"]]
    places = ((use["place"], use["reason"]) for use in found)
    return {reason if place is None else f"{place['path']}:{place['line']}" for place, reason in places}


def _root(url: str) -> Json:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "of-sets", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "targetRevision": "HEAD", "path": "sets"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "argocd"},
            "syncPolicy": {"automated": {}},
        },
    }


def _running(sandbox: Sandbox) -> set[str]:
    """The images of Deployments that are rolled out."""
    found = sandbox.api.items("/apis/apps/v1/namespaces/of-sets/deployments")
    ready = (each for each in found if each.get("status", {}).get("availableReplicas") == 1)
    return {each["spec"]["template"]["spec"]["containers"][0]["image"] for each in ready}
