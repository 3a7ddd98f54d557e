"""Applications that others render, deployed by a real Argo CD, from upstream to backups."""

from pathlib import Path

import pytest

from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from tests.argocd.world import backup_of, changes
from tests.end_to_end.harness import Controller
from tests.end_to_end.repositories import Repository

_NAMESPACE = "apps-of-apps"
_IMAGES = tuple(f"rendered/{name}:1" for name in ("value", "literal", "patch", "prefix"))
_APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
_SECONDS = 300.0
_APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: NAME
  namespace: argocd
spec:
  project: default
  destination: {server: https://kubernetes.default.svc, namespace: apps-of-apps}
  syncPolicy: {automated: {selfHeal: true}}
  source:
    repoURL: ADDRESS
    path: web
    helm:
      valuesObject:
        image: IMAGE
"""
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec: {containers: [{name: main, image: "{{ .Values.image }}:1"}]}
"""
_PATCH = """\
- op: replace
  path: /spec/source/helm/valuesObject/image
  value: rendered/patch  # ours
"""


def _application(name: str, image: str, url: str = "{{ .Values.repoURL }}") -> str:
    return _APPLICATION.replace("NAME", name).replace("IMAGE", image).replace("ADDRESS", url)


def _files(url: str) -> dict[str, bytes]:
    """A chart of Applications, and a kustomization of some; all deploy one chart."""
    patches = "patches:\n- {path: patch.yaml, target: {kind: Application, name: patched}}\n"
    files = {
        "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 0.1.0\n",
        "web/templates/web.yaml": _DEPLOYMENT,
        "chart/Chart.yaml": "apiVersion: v2\nname: apps\nversion: 0.1.0\n",
        "chart/values.yaml": f"repoURL: {url}\napplications:\n- {{name: value, image: rendered/value}}\n",
        "chart/templates/each.yaml": "{{- range .Values.applications }}\n---\n"
        + _application("{{ .name }}", "{{ .image }}", "{{ $.Values.repoURL }}")
        + "{{- end }}\n",
        "chart/templates/literal.yaml": _application("literal", "rendered/literal"),
        "overlay/kustomization.yaml": f"resources: [../base]\nnameSuffix: -here\n{patches}",
        "overlay/patch.yaml": _PATCH,
        "base/kustomization.yaml": "resources: [patched.yaml, prefix.yaml]\n",
        "base/patched.yaml": _application("patched", "rendered/other", url),
        "base/prefix.yaml": _application("prefix", "rendered/prefix", url),
    }
    return {path: content.encode() for path, content in files.items()}


@pytest.mark.timeout(900)
def test_what_is_rendered_ends_on_backups(sandbox: Sandbox, tmp_path: Path) -> None:
    """By one commit, in values, a template, a patch and a manifest; in Applications images alone change."""
    for image in _IMAGES:
        sandbox.push(image)
    sandbox.namespace(_NAMESPACE)
    name = "apps-of-apps"
    url = sandbox.git.create(name, {"README.md": b"\n"})
    repository = Repository(sandbox.git, name)
    repository.commit(_files(url))
    sandbox.apply(*(_root(f"apps-of-{path}", url, path) for path in ("chart", "overlay")))
    until(lambda: _running(sandbox) == {*_IMAGES}, what="the first rollout", timeout=_SECONDS)
    before, commits, files = _live(sandbox), repository.commits(), sandbox.git.files(name, "main")
    controller = Controller(
        sandbox, "gitops", folder=tmp_path / "controller", rights=(), argocd_namespaces=["argocd"]
    )
    backups = {image: backup_of(image) for image in _IMAGES}
    with controller:
        until(lambda: _running(sandbox) == {*backups.values()}, what="all backups", timeout=_SECONDS)
    assert repository.commits() == commits + 1
    after = sandbox.git.files(name, "main")
    changed = sorted(path for path, content in after.items() if content != files[path])
    assert changed == [
        "base/prefix.yaml",
        "chart/templates/literal.yaml",
        "chart/values.yaml",
        "overlay/patch.yaml",
    ]
    names = {image.removesuffix(":1"): backup.removesuffix(":1") for image, backup in backups.items()}
    said = changes(before, _live(sandbox)).values()
    assert {str(each.before): each.after for each in said} == names


def _root(name: str, url: str, path: str) -> Json:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "path": path, "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "argocd"},
            "syncPolicy": {"automated": {"selfHeal": True}},
        },
    }


def _live(sandbox: Sandbox) -> dict[str, Json]:
    """What the Applications that deploy to the namespace of this test say, by their names."""
    return {
        each["metadata"]["name"]: {"spec": each["spec"]}
        for each in sandbox.api.items(_APPLICATIONS)
        if each["spec"]["destination"]["namespace"] == _NAMESPACE
    }


def _running(sandbox: Sandbox) -> set[str]:
    """The images of Deployments that are rolled out."""
    return {
        container["image"]
        for each in sandbox.api.items(f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments")
        if each.get("status", {}).get("updatedReplicas")
        == each.get("status", {}).get("availableReplicas")
        == 1
        for container in each["spec"]["template"]["spec"]["containers"]
    }
