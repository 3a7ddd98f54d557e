"""`gitops-backup report --from`: the same report of a Git repository alone, with no cluster."""

import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from jsonschema import Draft202012Validator

from gitops_backup.process import run
from gitops_backup.sandbox.githost import GitHost
from gitops_backup.sandbox.registry import Registry
from tests.cli.command import PROJECT, SECONDS, Answer, command, path_with, refused, which
from tests.cli.worktree import URL, application, application_set, commit_all, deployment, work_tree
from tests.downloads.repository import ChartRepository
from tests.git.bare import BareRepository, run_git
from tests.registry.faulty import FaultyServer

_PREFIX = "bak.example/m"
_BASE = deployment("web", "redis:7")
_FILES = {
    "apps/plain.yaml": application("plain", "plain", targetRevision="HEAD"),
    "apps/clusters.yaml": b"---\n".join(
        application(
            name,
            f"overlays/{name}",
            url="git@git.example.com:acme/shop.git",
            cluster={"name": name},
            targetRevision="main",
        )
        + b"\n"
        for name in ("dev", "prod")
    ),
    "apps/chart.yaml": application("chart", "chart", helm={"valuesObject": {"replicas": 2}}),
    "plain/api.yaml": deployment("api", '"nginx:1.25" # pinned'),
    "base/web.yaml": _BASE,
    "base/kustomization.yaml": b"resources: [web.yaml]\nnamespace: web\n",
    "overlays/dev/kustomization.yaml": b"resources:\n- ../../base\n",
    "overlays/prod/kustomization.yaml": b"resources:\n- ../../base\n",
    "chart/Chart.yaml": b"apiVersion: v2\nname: chart\nversion: 0.1.0\n",
    "chart/values.yaml": b'image:\n  repository: quay.io/acme/tool\n  tag: "1.0"\n',
    "chart/templates/tool.yaml": deployment("tool", "{{ .Values.image.repository }}:{{ .Values.image.tag }}"),
}
_ROWS = {
    "plain/api main": "Commit to [1] plain/api.yaml:10",
    "web/web main": "Commit to [1] overlays/dev/kustomization.yaml:5",
    "web/web main 2": "Commit to [1] overlays/prod/kustomization.yaml:5",
    "chart/tool main": "Commit to [1] chart/values.yaml:2",
}

_SECRET = "registry.example/secret:1"
_BOMB = b"a0: &a0 [x, x]\n" + b"".join(
    b"a%d: &a%d [*a%d, *a%d]\n" % (n, n, n - 1, n - 1) for n in range(1, 30)
)

Report = dict[str, Any]


@pytest.fixture(scope="module")
def environment(
    kustomize: Path, helm: Path, jsonnet: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """What a pipeline sets, and no cluster."""
    return {
        "BACKUP_REPOSITORY": _PREFIX,
        "GITOPS_BACKUP_KUSTOMIZE": str(kustomize),
        "GITOPS_BACKUP_HELM": str(helm),
        "GITOPS_BACKUP_JSONNET": str(jsonnet),
        "GITOPS_BACKUP_CACHE": str(tmp_path_factory.mktemp("cache")),
        "KUBECONFIG": "/nonexistent",
    }


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A work tree with each shape of source."""
    return work_tree(tmp_path / "shop", _FILES)


def _report(environment: Mapping[str, str], repository: Path | str, *arguments: str | Path) -> Answer:
    return command("report", "--from", repository, *arguments, env=environment)


def _refused(environment: Mapping[str, str], *arguments: str | Path) -> str:
    return refused("report", *arguments, env=environment)


def _json(environment: Mapping[str, str], repository: Path | str, *arguments: str | Path) -> Report:
    answer = _report(environment, repository, "-o", "json", *arguments)
    assert answer.code == 0, answer
    report: Report = json.loads(answer.out)
    Draft202012Validator(json.loads((PROJECT / "docs" / "report.schema.json").read_bytes())).validate(report)
    return report


def _rows(answer: Answer) -> dict[str, str]:
    """What stands under NEXT, by workload and container; of those of one name the second has a number."""
    rows: dict[str, str] = {}
    for line in answer.out.partition("\n\n")[0].splitlines()[1:]:
        workload, container, _, following = re.split(" {3,}", line)
        name = f"{workload.partition('/')[2]} {container}"
        rows[name if name not in rows else f"{name} 2"] = following
    return rows


def _problem(tmp_path: Path, environment: Mapping[str, str], files: Mapping[str, bytes]) -> str:
    """What could not be looked at, in a repository with an Application of the folder `app`."""
    tree = work_tree(tmp_path / "tree", {"application.yaml": application("app", "app"), **files})
    report = _json(environment, tree)
    assert _SECRET not in json.dumps(report)
    (problem,) = report["problems"]
    return str(problem)


def test_what_an_application_says_itself_is_changed_where_it_is(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """In a block of text, too; and the patch that is shown is one that Git takes."""
    values = {"values": "# ours\nimage:\n  repository: redis\n  tag: '7'\n"}
    files = {path: _FILES[path] for path in _FILES if path.startswith("chart/")}
    both = yaml.safe_load(application("chart", "chart", helm=values)), {"kind": "ConfigMap", "a": "é"}
    files["apps/all.yaml"] = yaml.safe_dump_all(both, sort_keys=False).encode()
    tree = work_tree(tmp_path / "tree", files)
    answer = _report(environment, tree, "--diff")
    assert answer.code == 0, answer
    before = (tree / "apps/all.yaml").read_text()
    run_git(tree, "apply", "-", given=answer.out.encode())
    assert (tree / "apps/all.yaml").read_text() == before.replace(": redis", f": {_PREFIX}/library_redis")


def test_what_follows_and_what_speaks_against_an_edit_is_shown(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """A StatefulSet of the same value is named; a sum that would differ is shown, but not in a Secret."""
    image = "{{ .Values.image }}:1.0"
    config = "apiVersion: v1\nkind: %s\nmetadata: {name: sum}\ndata: {sum: {{ .Values.image | sha256sum }}}\n"
    files: dict[str, bytes] = {}
    for name, more in {
        "along": deployment("db", image).replace(b"Deployment", b"StatefulSet"),
        "config": (config % "ConfigMap").encode(),
        "secret": (config % "Secret").encode(),
    }.items():
        files |= {
            f"apps/{name}.yaml": application(name, name),
            f"{name}/Chart.yaml": b"apiVersion: v2\nname: %s\nversion: 0.1.0\n" % name.encode(),
            f"{name}/values.yaml": b"image: quay.io/acme/tool\n",
            f"{name}/templates/all.yaml": deployment("web", image) + b"---\n" + more,
        }
    tree = work_tree(tmp_path / "shop", files)
    report = _json(environment, tree, "--diff")
    assert [(each["kind"], each["name"], each["place"], each["image"]) for each in report["along"]] == [
        ("StatefulSet", "db", "container main", "quay.io/acme/tool:1.0")
    ]
    told = {
        workload["namespace"]: (container["reason"], container["difference"])
        for workload in report["workloads"]
        for container in workload["containers"]
    }
    assert told["along"] == (None, "")
    before, after = (
        hashlib.sha256(name).hexdigest()
        for name in (b"quay.io/acme/tool", b"bak.example/m/quay.io_acme_tool")
    )
    diff = f"--- ConfigMap config/sum\n+++ ConfigMap config/sum\n@@ data.sum @@\n-{before}\n+{after}\n"
    assert told["config"] == ("ProofFailed", diff)
    assert told["secret"][0] == "ProofFailed"
    text = _report(environment, tree, "--diff").out
    assert f"#   -{before}\n#   +{after}\n" in text
    assert "#   @@ data.sum @@\n#   -a value that is not shown\n" in text
    assert _json(environment, tree)["workloads"][1]["containers"][0]["difference"] == ""


def test_every_image_is_found_where_it_is_written(environment: dict[str, str], shop: Path) -> None:
    """In manifests, overlays of two clusters, and values; by whatever URL the repository is named."""
    answer = _report(environment, shop)
    assert (answer.code, answer.err) == (0, "")
    assert _rows(answer) == _ROWS
    assert f"\n[1] {URL} HEAD at {run_git(shop, 'rev-parse', 'HEAD').decode()[:12]}\n" in answer.out
    assert (
        "docker.io/library/redis:7      Assumed   2           bak.example/m/library_redis:7\n" in answer.out
    )


def test_git_applies_the_diff_and_then_there_is_nothing_to_do(
    environment: dict[str, str], shop: Path
) -> None:
    """What is printed for people is the patch; the exit code says whether one is needed."""
    before = _report(environment, shop, "--diff", "--exit-code")
    assert before.code == 1
    run_git(shop, "apply", "-", given=before.out.encode())
    changed = run_git(shop, "diff", "--unified=0").decode().splitlines()
    assert [line for line in changed if re.match(r"[-+](?!-- |\+\+ )", line)] == [
        "-  repository: quay.io/acme/tool",
        f"+  repository: {_PREFIX}/quay.io_acme_tool",
        *("+images:", "+- name: redis", f"+  newName: {_PREFIX}/library_redis") * 2,
        '-        image: "nginx:1.25" # pinned',
        f'+        image: "{_PREFIX}/library_nginx:1.25" # pinned',
    ]
    commit_all(shop)
    after = _report(environment, shop, "--exit-code")
    assert after.code == 0
    assert set(_rows(after).values()) == {"Keep"}
    assert after.out.splitlines()[-1].endswith("4 of 4 containers in scope, 100%; in use already: 4.")


def test_what_is_not_committed_does_not_count(environment: dict[str, str], shop: Path) -> None:
    """The report is of a commit, which it names."""
    (shop / "plain" / "api.yaml").write_bytes(deployment("api", "busybox:1"))
    assert _rows(_report(environment, shop)) == _ROWS


@pytest.mark.parametrize("way", ["folder", "bare", "detached and shallow", "further work tree"])
def test_a_repository_is_read_as_it_is_found(
    environment: dict[str, str], shop: Path, tmp_path: Path, way: str
) -> None:
    """As pipelines check it out; nothing in it changes."""
    found = tmp_path / "found"
    if way == "folder":
        found = shop / "overlays"
    elif way == "bare":
        run_git(tmp_path, "clone", "--quiet", "--bare", str(shop), str(found))
    elif way == "further work tree":
        run_git(shop, "worktree", "add", "--quiet", "--detach", str(found))
    else:
        run_git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{shop}", str(found))
        run_git(found, "checkout", "--quiet", "--detach")
    if way in {"bare", "detached and shallow"}:
        run_git(found, "remote", "set-url", "origin", "https://token@GIT.example.com/acme/shop.git")
    assert _rows(_report(environment, found)) == _ROWS
    assert run_git(shop, "status", "--porcelain") == b""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHost]:
    """A Git server."""
    with closing(GitHost(tmp_path / "host")) as host:
        yield host


def test_a_repository_may_be_on_a_server(environment: dict[str, str], host: GitHost) -> None:
    """Its default branch is looked at; its Applications name it by that URL."""
    url = host.create("shop")
    host.commit("shop", {"app.yaml": application("app", "plain", url=url), "plain/a.yaml": _BASE})
    assert _rows(_report(environment, url)) == {"app/web main": "Commit to [1] plain/a.yaml:10"}


def test_applications_may_be_handed_in(environment: dict[str, str], tmp_path: Path) -> None:
    """From a file and a folder; the repository that they name is the one at hand, whatever its remote is."""
    tree = work_tree(tmp_path / "tree", {"a/web.yaml": _BASE, "b/api.yaml": deployment("api", "nginx:1")})
    run_git(tree, "remote", "set-url", "origin", "https://mirror.example/x")
    apps = tmp_path / "apps"
    (apps / "below").mkdir(parents=True)
    (apps / "below" / "one.yml").write_bytes(application("one", "a"))
    (tmp_path / "two.json").write_bytes(application("two", "b"))
    answer = _report(environment, tree, "--applications", apps, "--applications", tmp_path / "two.json")
    assert _rows(answer) == {
        "one/web main": "Commit to [1] a/web.yaml:10",
        "two/api main": "Commit to [1] b/api.yaml:10",
    }


def test_one_registry_of_all_images_is_changed_where_names_are_nested(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """With flat names it is said that nested ones would do."""
    image = "{{ .Values.registry }}/acme/%s:1"
    files = {
        "app.yaml": application("shop", "chart"),
        "chart/Chart.yaml": b"apiVersion: v2\nname: shop\nversion: 0.1.0\n",
        "chart/values.yaml": b"registry: quay.io # of all\n",
        **{f"chart/templates/{name}.yaml": deployment(name, image % name) for name in ("api", "web")},
    }
    repository = work_tree(tmp_path / "shop", files)
    flat = _report(environment, repository).out
    assert flat.count("with nested names (backup_names) it could be written") == 2, flat
    nested = _report({**environment, "GITOPS_BACKUP_BACKUP_NAMES": "nested"}, repository, "--diff")
    assert set(_rows(nested).values()) == {"Commit to [1] chart/values.yaml:1"}
    changed = [line for line in nested.out.splitlines() if re.match(r"[-+][^-+]", line)]
    assert changed == ["-registry: quay.io # of all", f"+registry: {_PREFIX}/quay.io # of all"]


def test_what_is_left_out_is_said_in_a_line_each(environment: dict[str, str], tmp_path: Path) -> None:
    """On standard error: other repositories, clusters, other namespaces, templates."""
    elsewhere = json.loads(application("elsewhere", "app"))
    elsewhere["metadata"]["namespace"] = "team"
    files = {
        "a.yaml": application("app", "app"),
        "b.yaml": application("foreign", "app", url="https://git.example.com/acme/other"),
        "c.yaml": json.dumps(elsewhere).encode(),
        "d/set.yaml": application_set({"clusters": {"selector": {"matchLabels": {"env": "dev"}}}}),
        "t/e.yaml": b"apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: {{ .x }}-y}\n",
        "app/web.yaml": _BASE,
    }
    tree = work_tree(tmp_path / "tree", files)
    answer = _report(environment, tree)
    assert _rows(answer) == {"app/web main": "Commit to [1] app/web.yaml:10"}
    clusters, outside, unreadable, others = answer.err.splitlines()
    told = "no Secrets of clusters found, and none in argocd_clusters, so there is only in-cluster"
    assert clusters == f"{told} for the ApplicationSet argocd/set"
    assert outside == "1 Application in namespaces where Argo CD does not look left out"
    assert unreadable.startswith("no Application can be read from t/e.yaml, line 3, column ")
    assert others == f"1 Application without a source in {tree} left out"


def test_applications_that_sets_generate_are_planned_for(environment: dict[str, str], tmp_path: Path) -> None:
    """Of folders, of files and of clusters, with both kinds of templates; what cannot be told is said."""
    git = {"repoURL": f"{URL}.git", "revision": "HEAD"}
    files = {
        "sets/folders.yaml": application_set(
            {"git": {**git, "directories": [{"path": "apps/*"}]}}, name="one"
        ),
        "sets/files.json": application_set(
            {"git": {**git, "files": [{"path": "env/*.yaml"}]}},
            {"git": {**git, "revision": "refs/tags/v1", "files": [{"path": "env/*.yaml"}]}},
            {"pullRequest": {"github": {}}},
            name="two",
            path="{{ .folder }}",
            last="{{ .some.name }}",
            go=True,
        ),
        "sets/clusters.yaml": application_set(
            {"clusters": {}}, name="three", path="apps/{{name}}", last="{{name}}"
        ),
        "sets/dev.yaml": b"""\
apiVersion: v1
kind: Secret
metadata: {name: dev, labels: {argocd.argoproj.io/secret-type: cluster}}
stringData: {name: b, server: https://dev.example}
""",
        "apps/a/web.yaml": _BASE,
        "apps/b/web.yaml": deployment("api", "redis:8"),
        "env/b.yaml": b"folder: apps/a\nsome: {name: b}\n",
    }
    tree = work_tree(tmp_path / "tree", files)
    report = _json(environment, tree)
    rows = [(w["application"], w["containers"][0]["place"]["path"]) for w in report["workloads"]]
    assert rows == [
        ("argocd/one-b", "apps/b/web.yaml"),
        ("argocd/three-b", "apps/b/web.yaml"),
        ("argocd/one-a", "apps/a/web.yaml"),
        ("argocd/two-b", "apps/a/web.yaml"),
    ]
    pinned, unknown, missing = report["problems"]
    assert pinned.endswith(f"two: spec.generators[1].git reads {URL}.git, refs/tags/v1, which is not at hand")
    assert unknown.endswith(
        "spec.generators[2].pullRequest: what this generator makes is known to Argo CD alone"
    )
    assert missing == "argocd/three-in-cluster: there is no folder apps/in-cluster"


def test_clusters_that_are_listed_are_generated_for(environment: dict[str, str], tmp_path: Path) -> None:
    """Beside those whose Secrets are in the repository, and in place of one of the same name."""
    files = {
        "set.yaml": application_set(
            {"clusters": {"selector": {"matchLabels": {"env": "x"}}}},
            name="web",
            path="apps/{{metadata.annotations.folder}}",
            last="{{name}}",
        ),
        "secrets.yaml": b"".join(
            b"""\
apiVersion: v1
kind: Secret
metadata:
  name: %s
  labels: {argocd.argoproj.io/secret-type: cluster, env: x}
  annotations: {folder: a}
stringData: {name: %s, server: "https://%s.example"}
---
"""
            % (name, name, name)
            for name in (b"one", b"two")
        ),
        "apps/a/web.yaml": _BASE,
        "apps/b/web.yaml": deployment("api", "redis:8"),
    }
    tree = work_tree(tmp_path / "tree", files)
    shared = {"server": "https://x.example", "annotations": {"folder": "b"}, "labels": {"env": "x"}}
    clusters = [{**shared, "name": name} for name in ("two", "three")]
    environment["GITOPS_BACKUP_ARGOCD_CLUSTERS"] = json.dumps(clusters)
    found = {
        w["application"]: w["containers"][0]["place"]["path"] for w in _json(environment, tree)["workloads"]
    }
    assert found == {
        "argocd/web-one": "apps/a/web.yaml",
        "argocd/web-two": "apps/b/web.yaml",
        "argocd/web-three": "apps/b/web.yaml",
    }


def test_an_empty_list_of_clusters_says_that_there_is_one(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """The one that Argo CD runs in, which is not remarked on then."""
    files = {
        "set.yaml": application_set({"clusters": {}}, name="web", path="app", last="{{name}}"),
        "app/web.yaml": _BASE,
    }
    tree = work_tree(tmp_path / "tree", files)
    answer = _report({**environment, "GITOPS_BACKUP_ARGOCD_CLUSTERS": "[]"}, tree)
    assert _rows(answer) == {"default/web main": "Commit to [1] app/web.yaml:10"}
    assert answer.err == ""


_SET = b"""\
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: web}
spec:
  generators:
  - git:
      repoURL: https://git.example.com/acme/shop
      revision: HEAD
      files: [{path: "env/*.json"}]
  - list:
      elements:
      - {name: test, image: quay.io/acme/tool, tag: "2.0"}  # from here
  template:
    metadata: {name: "web-{{name}}"}
    spec:
      project: default
      source:
        repoURL: https://git.example.com/acme/shop
        path: chart
        helm:
          parameters:
          - {name: image.tag, value: "{{tag}}"}
          - {name: image.repository, value: "{{image}}"}
      destination: {server: https://kubernetes.default.svc, namespace: "{{name}}"}
"""


def test_images_that_sets_say_are_changed_there(environment: dict[str, str], tmp_path: Path) -> None:
    """In a generator's file and in an element of a list; the patch that is printed does it."""
    files = {
        "sets.yaml": _SET,
        "env/dev.json": b'{\n  "name": "dev",\n  "image": "quay.io/acme/tool",\n  "tag": "1.0"}',
        "env/prod.json": b'{"name": "prod", "tag": "1.0",\n\t"image": "quay.io/acme/other"}\r\n',
        "chart/Chart.yaml": _FILES["chart/Chart.yaml"],
        "chart/values.yaml": _FILES["chart/values.yaml"],
        "chart/templates/tool.yaml": _FILES["chart/templates/tool.yaml"],
    }
    tree = work_tree(tmp_path / "tree", files)
    assert _rows(_report(environment, tree)) == {
        "dev/tool main": "Commit to [1] env/dev.json:3",
        "prod/tool main": "Commit to [1] env/prod.json:2",
        "test/tool main": "Commit to [1] sets.yaml:12",
    }
    changes = {each["path"]: each["diff"] for each in _json(environment, tree, "--diff")["files"]}
    assert sorted(changes) == ["env/dev.json", "env/prod.json", "sets.yaml"]
    for diff in changes.values():
        run_git(tree, "apply", "-", given=diff.encode())
    assert (tree / "env" / "prod.json").read_bytes() == (
        b'{"name": "prod", "tag": "1.0",\n\t"image": "bak.example/m/quay.io_acme_other"}\r\n'
    )
    commit_all(tree)
    assert set(_rows(_report(environment, tree)).values()) == {"Keep"}


def test_what_generated_applications_share_is_changed_for_all(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """In their source, where that says it."""
    files = {
        "sets.yaml": application_set(
            {"list": {"elements": [{"name": "dev"}, {"name": "prod"}]}},
            name="one",
            path="chart",
            last="{{name}}",
        ),
        "chart/Chart.yaml": _FILES["chart/Chart.yaml"],
        "chart/values.yaml": _FILES["chart/values.yaml"],
        "chart/templates/tool.yaml": _FILES["chart/templates/tool.yaml"],
    }
    report = _json(environment, work_tree(tmp_path / "tree", files))
    assert [(w["application"], w["containers"][0]["place"]["path"]) for w in report["workloads"]] == [
        ("argocd/one-dev", "chart/values.yaml"),
        ("argocd/one-prod", "chart/values.yaml"),
    ]


def test_descriptions_for_several_argo_cds_are_told_apart(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Two files may describe an Application of one name; one that is there twice is there once."""
    files = {
        f"clusters/{name}/app.yaml": application("app", path)
        for name, path in (("a", "one"), ("b", "two"), ("c", "one"))
    }
    files |= {"one/web.yaml": _BASE, "two/web.yaml": deployment("web", "redis:8")}
    report = _json(environment, work_tree(tmp_path / "tree", files))
    assert [(w["application"], w["containers"][0]["place"]["path"]) for w in report["workloads"]] == [
        ("argocd/app", "one/web.yaml"),
        ("clusters/b/app.yaml: argocd/app", "two/web.yaml"),
    ]


def test_annotations_and_namespaces_count_as_ever(environment: dict[str, str], tmp_path: Path) -> None:
    """What is annotated to be ignored, and what is in a namespace that is left alone."""
    ignore = {"annotations": {"k8slab.io/image-backup": "ignore"}}
    quiet = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "quiet", **ignore}}
    files = {
        "application.yaml": application("app", "app"),
        "app/a.yaml": deployment("a", "nginx:1", **ignore),
        "app/b.yaml": deployment("b", "nginx:1", namespace="kube-system"),
        "app/c.yaml": deployment("c", "nginx:1", namespace="quiet"),
        "app/d.yaml": deployment("d", "nginx:1"),
        "app/quiet.json": json.dumps(quiet).encode(),
    }
    tree = work_tree(tmp_path / "tree", files)
    assert _rows(_report(environment, tree)) == {
        "app/a main": "Left alone: Ignored",
        "kube-system/b main": "Left alone: RestrictedNamespace",
        "quiet/c main": "Left alone: Ignored",
        "app/d main": "Commit to [1] app/d.yaml:10",
    }
    assert set(_rows(_report(environment, tree, "-n", "app"))) == {"app/a main", "app/d main"}


def test_the_registry_is_asked_only_when_that_is_wanted(
    environment: dict[str, str], registry: Registry, tmp_path: Path
) -> None:
    """Then those copies count that are there."""
    files = {
        "application.yaml": application("app", "app"),
        "app/a.yaml": deployment("a", "nginx:1"),
        "app/b.yaml": deployment("b", "redis:7"),
        "app/c.yaml": deployment("c", f"{_PREFIX}/library_busybox:1"),
    }
    tree = work_tree(tmp_path / "tree", files)
    digest = registry.push_image("library_nginx", "1")
    locations = {_PREFIX: {"location": registry.address, "insecure": True}}
    env = {**environment, "GITOPS_BACKUP_REGISTRIES": json.dumps(locations)}
    registry.forget_requests()
    assumed = _json(env, tree)
    assert registry.requests() == []
    assert {image["state"] for image in assumed["images"]} == {"Assumed"}
    asked = _report(env, tree, "--check-registry")
    assert _rows(asked) == {
        "app/a main": "Commit to [1] app/a.yaml:10",
        "app/b main": "Copy, then commit to [1] app/b.yaml:10",
        "app/c main": "Adopt",
    }
    assert {request.method for request in registry.requests()} == {"HEAD"}
    first = _json(env, tree, "--check-registry")["workloads"][0]["containers"][0]
    assert (first["digest"], first["protected"]) == (digest, True)


@pytest.mark.parametrize("form", ["markdown", "sarif", "junit"])
def test_forms_for_pipelines(environment: dict[str, str], shop: Path, form: str) -> None:
    """Each says where the four images are."""
    answer = _report(environment, shop, "-o", form)
    assert (answer.code, answer.err) == (0, "")
    if form == "markdown":
        assert "`overlays/dev/kustomization.yaml:2`, `overlays/prod/kustomization.yaml:2`" in answer.out
        return
    if form == "junit":
        root = ET.fromstring(answer.out)  # noqa: S314, it is our own
        names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
        assert names == [
            ("argocd/chart", "Deployment/chart/tool"),
            ("argocd/plain", "Deployment/plain/api"),
            ("argocd/dev", "Deployment/web/web"),
            ("argocd/prod", "Deployment/web/web"),
        ]
        assert len(root.findall(".//failure")) == 4
        return
    (run,) = json.loads(answer.out)["runs"]
    places = [each["locations"][0]["physicalLocation"] for each in run["results"]]
    assert [(p["artifactLocation"]["uri"], p["region"]["startLine"]) for p in places] == [
        ("chart/values.yaml", 2),
        ("overlays/dev/kustomization.yaml", 2),
        ("overlays/prod/kustomization.yaml", 2),
        ("plain/api.yaml", 10),
    ]


def test_a_source_that_is_elsewhere_is_no_success(environment: dict[str, str], tmp_path: Path) -> None:
    """The values are here, and the chart is not: what it deploys is not known."""
    app = json.loads(application("app", ""))
    app["spec"]["sources"] = [
        {"repoURL": "https://charts.example", "chart": "redis", "targetRevision": "1.0.0"},
        {"repoURL": URL, "ref": "values"},
    ]
    tree = work_tree(tmp_path / "tree", {"app.yaml": json.dumps(app).encode()})
    answer = _report(environment, tree, "--exit-code")
    assert answer.code == 1
    assert (
        "! argocd/app: the chart redis 1.0.0 of https://charts.example may not be downloaded:"
        " https://charts.example is below none of the setting download_prefixes"
        " (add https://charts.example, or a path there, to download_prefixes)\n"
    ) in answer.out


def test_a_chart_from_elsewhere_is_downloaded_where_that_is_allowed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Its values are here, and are changed; those of a chart that has no file here are its Application's."""
    template = deployment("tool", "{{ .Values.image }}:1.0")
    helm = {"valueFiles": ["$values/env/prod.yaml"]}
    with FaultyServer() as server:
        charts = ChartRepository(server, "1.0.0", template=template)
        chart = {"repoURL": charts.url, "chart": "web", "targetRevision": "1.x"}
        files = {"env/prod.yaml": b"# ours\nreplicas: 1\n"}
        for name, source in (("app", {**chart, "helm": helm}), ("bare", chart)):
            manifest = json.loads(application(name, ""))
            manifest["spec"]["sources"] = [source, {"repoURL": URL, "ref": "values"}]
            files[f"{name}.yaml"] = json.dumps(manifest).encode()
        tree = work_tree(tmp_path / "tree", files)
        allowed = {**environment, "GITOPS_BACKUP_DOWNLOAD_PREFIXES": charts.url}
        answer = _report(allowed, tree, "--diff")
    rows = _rows(answer)
    assert rows["app/tool main"] == "Commit to [1] env/prod.yaml:3"
    assert "image: bak.example/m/library_nginx" in answer.out
    assert rows["bare/tool main"] == "Commit to [1] bare.yaml:1"
    assert "problems" not in answer.err


def test_an_overlay_that_follows_its_base_is_changed_where_that_is(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """The base is deployed by itself, too; by then there is nothing to add to the overlay."""
    files = {
        "base.yaml": application("base", "base"),
        "web.yaml": application("web", "overlays/web"),
        "base/web.yaml": _BASE,
        "base/kustomization.yaml": b"resources: [web.yaml]\n",
        "overlays/web/kustomization.yaml": b"resources: [../../base]\n",
    }
    rows = _rows(_report(environment, work_tree(tmp_path / "tree", files), "--diff"))
    assert set(rows.values()) == {"Commit to [1] base/kustomization.yaml:4"}
    assert rows.keys() == {"base/web main", "web/web main"}


def test_a_value_file_that_is_shared_gets_a_key_where_that_is_right_for_all(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """One chart for several clusters is; beside another chart that knows the key, it is not."""
    template = deployment("tool", "{{ .Values.image }}:1.0")
    with FaultyServer() as server:
        charts = ChartRepository(server, "1.0.0", template=template)
        helm = {"valueFiles": ["$values/env/all.yaml"]}
        chart = {"repoURL": charts.url, "chart": "web", "targetRevision": "1.x", "helm": helm}
        files = {"env/all.yaml": b"replicas: 1\n"}
        for name in ("dev", "prod"):
            manifest = json.loads(application(name, ""))
            manifest["spec"]["sources"] = [chart, {"repoURL": URL, "ref": "values"}]
            files[f"{name}.yaml"] = json.dumps(manifest).encode()
        other = {
            "other.yaml": application("other", "other", helm={"valueFiles": ["../env/all.yaml"]}),
            "other/Chart.yaml": _FILES["chart/Chart.yaml"],
            "other/values.yaml": b"image: redis\n",
            "other/templates/tool.yaml": template,
        }
        allowed = {**environment, "GITOPS_BACKUP_DOWNLOAD_PREFIXES": charts.url}
        rows = _rows(_report(allowed, work_tree(tmp_path / "alike", files)))
        assert set(rows.values()) == {"Commit to [1] env/all.yaml:2"}
        rows = _rows(_report(allowed, work_tree(tmp_path / "other", files | other)))
    assert rows["dev/tool main"] == rows["prod/tool main"] == "Blocked: ProofFailed"
    assert rows["other/tool main"] == "Commit to [1] other/values.yaml:1"


def test_what_a_chart_depends_on_is_downloaded_where_that_is_allowed(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """As Argo CD has Helm do where it is not in the repository; elsewhere the setting is named."""
    with FaultyServer() as server:
        charts = ChartRepository(server, "1.0.0", template=deployment("tool", "{{ .Values.image }}:1.0"))
        dependency = {"name": "web", "alias": "shop", "version": "~1.0", "repository": charts.url}
        described = {"apiVersion": "v2", "name": "app", "version": "0.1.0", "dependencies": [dependency]}
        files = {
            "app.yaml": application("app", "chart"),
            "chart/Chart.yaml": json.dumps(described).encode(),
            "chart/values.yaml": b"shop:\n  replicas: 1\n",
        }
        tree = work_tree(tmp_path / "tree", files)
        refused = _report(environment, tree)
        allowed = {**environment, "GITOPS_BACKUP_DOWNLOAD_PREFIXES": charts.url}
        answer = _report(allowed, tree, "--diff")
    assert "or a path there, to download_prefixes)" in refused.out
    assert _rows(answer)["app/tool main"] == "Commit to [1] chart/values.yaml:3"
    assert "+  image: bak.example/m/library_nginx\n" in answer.out


@pytest.mark.parametrize("url", ["https://git.example/acme/values", "git@git.example:acme/values.git"])
def test_another_repository_is_asked_only_where_that_is_allowed(
    environment: dict[str, str], tmp_path: Path, url: str
) -> None:
    """A check in a pipeline talks to nobody whom nobody named."""
    app = json.loads(application("app", "chart", helm={"valueFiles": ["$values/prod.yaml"]}))
    app["spec"]["sources"] = [app["spec"].pop("source"), {"repoURL": url, "ref": "values"}]
    chart = {path: content for path, content in _FILES.items() if path.startswith("chart/")}
    tree = work_tree(tmp_path / "tree", {"app.yaml": json.dumps(app).encode(), **chart})
    (problem,) = _json(environment, tree)["problems"]
    assert "git.example/acme/values may not be downloaded: " in problem
    assert "is below none of the setting download_prefixes" in problem


def test_a_program_that_is_missing_is_a_problem_of_what_needs_it(
    environment: dict[str, str], shop: Path
) -> None:
    """And of nothing else."""
    env = {name: value for name, value in environment.items() if name != "GITOPS_BACKUP_HELM"}
    answer = _report(env, shop)
    assert _rows(answer) == {key: row for key, row in _ROWS.items() if "chart" not in key}
    assert "! argocd/chart: helm is not installed (install helm)\n" in answer.out


def test_programs_of_jsonnet_are_evaluated(environment: dict[str, str], tmp_path: Path) -> None:
    """Beside the manifests of their folder; of an object that several files have, the last holds."""
    program = (
        b"local image = 'nginx:1.25';\n"
        b"local web(name, image) = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: name },\n"
        b"  spec: { template: { spec: { containers: [{ name: 'main', image: image }] } } } };\n"
        b"[web('web', image), web('api', 'redis:7')]\n"
    )
    tree = work_tree(
        tmp_path / "tree",
        {
            "application.yaml": application("app", "app"),
            "app/all.jsonnet": program,
            "app/api.yaml": deployment("api", "redis:7"),
        },
    )
    answer = _report(environment, tree, "--diff")
    assert {key: row.partition(" to ")[2] for key, row in _rows(answer).items()} == {
        "app/api main": "[1] app/api.yaml:10",
        "app/web main": "[1] app/all.jsonnet:1",
    }
    assert (
        "\n-local image = 'nginx:1.25';\n+local image = 'bak.example/m/library_nginx:1.25';\n" in answer.out
    )


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"app/kustomization.yaml": b"resources: [../../outside]\n"}, "outside"),
        ({"app/kustomization.yaml": b"resources: [/etc/hostname]\n"}, "/etc/hostname"),
        ({"app/kustomization.yaml": b"resources: ['https://evil.example/x?ref=1']\n"}, "evil.example"),
        ({"app/a.yaml": b"[" * 5000}, "nested too deeply"),
        ({"app/a.yaml": _BOMB}, "aliases stand for more than"),
        ({"app/a.yaml": b"x: {y\n"}, "app/a.yaml, line 2"),
        ({"app/a.jsonnet": b"{}"}, "app/a.jsonnet cannot be evaluated: what it evaluates to is no object"),
        ({"app/a.yaml": b"#" * (10 * 1024 * 1024 + 1)}, "app/a.yaml has 10485761 bytes"),
        ({"other/a.yaml": b""}, "there is no folder app"),
    ],
    ids=["up", "absolute", "remote", "deep", "bomb", "broken", "jsonnet", "huge", "missing"],
)
def test_what_cannot_be_looked_at_is_said(
    environment: dict[str, str], tmp_path: Path, files: dict[str, bytes], why: str
) -> None:
    """And nothing outside of the repository is read."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    (tmp_path / "outside" / "a.yaml").write_bytes(deployment("x", _SECRET))
    problem = _problem(tmp_path, environment, files)
    assert problem.startswith("argocd/app: ")
    assert why in problem


def test_symbolic_links_are_not_followed(environment: dict[str, str], tmp_path: Path) -> None:
    """Neither to a file nor to a folder, neither within nor out of the repository."""
    (tmp_path / "secret.yaml").write_bytes(deployment("x", _SECRET))
    repository = BareRepository(tmp_path / "bare.git")
    repository.commit(
        {
            "application.yaml": application("one", "one"),
            "two.yaml": application("two", "link"),
            "three.yaml": application("three", "../.."),
            "one/a.yaml": str(tmp_path / "secret.yaml").encode(),
            "link": str(tmp_path).encode(),
        },
        modes={"one/a.yaml": "120000", "link": "120000"},
    )
    report = _json(environment, repository.path)
    assert report["problems"] == [
        "argocd/one: one/a.yaml is a symbolic link, which is not followed",
        "argocd/three: the path ../.. leads out of the repository",
        "argocd/two: link is a symbolic link, which is not followed",
    ]
    assert report["workloads"] == []


def test_names_that_are_none_are_no_applications(environment: dict[str, str], tmp_path: Path) -> None:
    """They would end in arguments and messages."""
    files = {"a.yaml": application("--x\n", "app"), "b.yaml": application("app", "app"), "app/a.yaml": _BASE}
    report = _json(environment, work_tree(tmp_path / "tree", files))
    assert [each["application"] for each in report["workloads"]] == ["argocd/app"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--applications", "."], "--applications and --check-registry say more of what --from names"),
        (["--check-registry"], "--applications and --check-registry say more of what --from names"),
        (["--from", ".", "-l", "a=b"], "labels are selected by an API server"),
        (["--from", ".", "--mode", "direct"], "mode direct patches a cluster"),
        (["--from", "/nonexistent"], "/nonexistent is no folder here, and no URL of a repository"),
        (["--from", "file:///nonexistent"], "file:///nonexistent is on this machine"),
        (["--from", "ext::sh -c x"], "a repository URL has blanks"),
    ],
)
def test_what_cannot_begin(environment: dict[str, str], arguments: list[str], told: str) -> None:
    """Is said in a line, with exit code 2."""
    assert _refused(environment, *arguments).startswith(told)


def test_a_folder_that_is_no_repository(environment: dict[str, str], tmp_path: Path) -> None:
    """Whatever a file in it says."""
    assert _refused(environment, "--from", tmp_path) == (
        f"{tmp_path} is no Git repository (name a work tree, a bare repository or a URL)"
    )
    (tmp_path / ".git").write_text("gitdir: elsewhere\n")
    assert _refused(environment, "--from", tmp_path) == f"{tmp_path}/.git points at no Git repository"


def test_a_repository_without_a_commit(environment: dict[str, str], tmp_path: Path) -> None:
    """There is nothing to look at."""
    repository = BareRepository(tmp_path / "bare.git")
    assert _refused(environment, "--from", repository.path) == (
        f"{repository.path} has no commit at HEAD (commit first)"
    )


def test_a_repository_without_an_application(environment: dict[str, str], tmp_path: Path) -> None:
    """What was looked for is said."""
    tree = work_tree(tmp_path / "tree", {"a.yaml": _BASE})
    assert _refused(environment, "--from", tree) == (
        f"no Application found in {tree}: looked for documents of kind Application (argoproj.io) in files"
        " *.yaml, *.yml and *.json (name files or folders that have them with --applications)"
    )


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        (
            "https://user:password@mirror.example/x.git",
            "no Application deploys from the repository, whose remote is https://mirror.example/x; they",
        ),
        (None, f"the Applications deploy from {URL}, {URL}-2, and the repository has no remote"),
    ],
)
def test_nothing_says_which_repository_it_is(
    environment: dict[str, str], tmp_path: Path, remote: str | None, told: str
) -> None:
    """Then it is not guessed."""
    files = {"a.yaml": application("a", "a"), "b.yaml": application("b", "b", url=f"{URL}-2")}
    tree = work_tree(tmp_path / "tree", files, remote=remote)
    assert _refused(environment, "--from", tree).startswith(told)


def test_the_pipeline_of_the_documentation_works(
    environment: dict[str, str], shop: Path, tmp_path: Path
) -> None:
    """Its job fails with the patch, and leaves a report that a forge can show."""
    page = (PROJECT / "docs" / "command.md").read_text()
    (block,) = re.findall(r"```yaml\n(images:\n.*?)```", page, re.DOTALL)
    job = yaml.safe_load(block)["images"]
    python = f'cd {shop} && PYTHONPATH={PROJECT} exec {sys.executable} -m gitops_backup "$@"'
    programs = path_with(tmp_path / "bin", {"gitops-backup": python, **{p: which(p) for p in ("git", "sh")}})
    env = {**environment, **job["variables"], **programs}
    codes = [run(["sh", "-c", line], timeout=SECONDS, env=env, cwd=shop).returncode for line in job["script"]]
    assert codes == [0, 1]
    written = ET.parse(shop / job["artifacts"]["reports"]["junit"])  # noqa: S314, it is our own
    assert len(written.findall(".//failure")) == 4


_APPS = {
    "root.yaml": application("argocd", "apps", targetRevision="main"),
    "apps/Chart.yaml": b"apiVersion: v2\nname: apps\nversion: 0.1.0\n",
    "apps/values.yaml": b"applications:\n- name: web\n  image: docker.io/library/redis\n",
    "apps/templates/all.yaml": b"""\
{{- range .Values.applications }}
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {{ .name }}
spec:
  source:
    repoURL: https://git.example.com/acme/shop.git
    targetRevision: main
    path: chart
    helm:
      parameters:
      - name: image.repository
        value: {{ .image }}
  destination:
    server: https://kubernetes.default.svc
    namespace: {{ .name }}
{{- end }}
""",
    **{path: content for path, content in _FILES.items() if path.startswith("chart/")},
}


def test_applications_that_others_render_are_planned_for(environment: dict[str, str], tmp_path: Path) -> None:
    """Templates are no files that cannot be read then; what they say of images is changed in the values."""
    files = {
        **_APPS,
        "apps/templates/web.yaml": application("own", "plain"),
        "plain/api.yaml": _BASE,
        "apps/beside.yaml": application("beside", "plain"),
    }
    answer = _report(environment, work_tree(tmp_path / "tree", files))
    assert answer.err == ""
    assert _rows(answer) == {
        "beside/web main": "Commit to [1] plain/api.yaml:10",
        "own/web main": "Commit to [1] plain/api.yaml:10",
        "web/tool main": "Commit to [1] apps/values.yaml:3",
    }


def test_each_cluster_may_have_its_values_of_what_others_render(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """In a value file of its parent, or in that Application itself; both are called alike."""
    image = "applications:\n- {name: web, image: redis}\n"
    dev = application("argocd", "apps", helm={"valueFiles": ["dev.yaml"]})
    prod = application(
        "argocd", "apps", helm={"valuesObject": yaml.safe_load(image)}, cluster={"name": "prod"}
    )
    files = {
        **_APPS,
        "root.yaml": b"---\n".join(
            each.replace(b'"name": "argocd"', b'"name": "%s"' % name) + b"\n"
            for name, each in ((b"dev", dev), (b"prod", prod))
        ),
        "apps/dev.yaml": image.encode(),
    }
    tree = work_tree(tmp_path / "tree", files)
    answer = _report(environment, tree, "--diff")
    run_git(tree, "apply", "-", given=answer.out.encode())
    for path in ("root.yaml", "apps/dev.yaml"):
        assert (tree / path).read_bytes() == files[path].replace(
            b"redis", f"{_PREFIX}/library_redis".encode()
        )


def test_overlays_of_applications_are_what_is_deployed(environment: dict[str, str], tmp_path: Path) -> None:
    """Each is planned for as its parent makes it, and their base is not; that is changed once."""
    root = json.loads(application("argocd", "overlays/dev"))
    prod = json.loads(application("argocd", "overlays/prod"))
    root["metadata"]["name"], prod["metadata"]["name"] = "dev", "prod"
    image = {"parameters": [{"name": "image.repository", "value": "redis"}]}
    files = {
        "roots.yaml": yaml.safe_dump_all([root, prod]).encode(),
        "base/web.yaml": application("web", "chart", helm=image),
        "base/kustomization.yaml": b"resources: [web.yaml]\n",
        "overlays/dev/kustomization.yaml": b"resources: [../../base]\nnamePrefix: dev-\n",
        "overlays/prod/kustomization.yaml": b"resources: [../../base]\nnamePrefix: prod-\n",
        **{path: content for path, content in _FILES.items() if path.startswith("chart/")},
    }
    tree = work_tree(tmp_path / "tree", files)
    report = _json(environment, tree)
    assert [each["application"] for each in report["workloads"]] == [
        "argocd/dev-web",
        "argocd/prod-web",
    ]
    answer = _report(environment, tree, "--diff")
    run_git(tree, "apply", "-", given=answer.out.encode())
    assert (tree / "base/web.yaml").read_bytes() == files["base/web.yaml"].replace(
        b'"redis"', f'"{_PREFIX}/library_redis"'.encode()
    )
    commit_all(tree)
    assert _report(environment, tree, "--exit-code").code == 0


def test_applications_that_render_others_again(environment: dict[str, str], tmp_path: Path) -> None:
    """Sets among them; each is looked at once, and a chain that never ends is cut."""
    chain = b"""\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: "a{{ .Release.Name }}"}
spec:
  source: {repoURL: "https://git.example.com/acme/shop", path: chain}
  destination: {server: "https://kubernetes.default.svc", namespace: argocd}
"""
    root = json.loads(application("argocd", "apps"))
    files = {
        "apps/kustomization.yaml": b"resources: [root.yaml, middle.yaml]\n",
        "apps/root.yaml": json.dumps(root).encode(),
        "apps/middle.yaml": application("argocd", "middle").replace(b'"name": "argocd"', b'"name": "middle"'),
        "middle/Chart.yaml": _FILES["chart/Chart.yaml"],
        "middle/templates/set.yaml": application_set(
            {"list": {"elements": [{"folder": "plain"}]}},
            path="{{ `{{folder}}` }}",
            last="{{ `{{folder}}` }}",
        ),
        "plain/api.yaml": _FILES["plain/api.yaml"],
        "chain.yaml": application("argocd", "chain").replace(b'"name": "argocd"', b'"name": "chain"'),
        "chain/Chart.yaml": _FILES["chart/Chart.yaml"],
        "chain/templates/next.yaml": chain,
    }
    answer = _report(environment, work_tree(tmp_path / "tree", files), "-o", "json")
    assert answer.err == "what aaaaaaaachain may render, 8 Applications deep, left out\n"
    report = json.loads(answer.out)
    assert [each["application"] for each in report["workloads"]] == ["argocd/set-plain"]
    assert report["problems"] == []
