"""What keeps a commit from being rolled out is what a real Argo CD holds back for, and nothing else.

One commit changes the image, and the number of replicas, of every Deployment; each Application has its own
reason not to roll it out, but one.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from gitops_backup.controller.waiting import why_not_synced
from gitops_backup.domain.workloads import Workload
from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from gitops_backup.sources.applications import Application
from gitops_backup.sources.argocd import ArgoCd
from gitops_backup.sources.differences import ignored_on
from gitops_backup.sources.projects import Project
from tests.end_to_end.repositories import Repository
from tests.end_to_end.scene import manifest

_SECONDS = 180.0
_OLD, _NEW = "acme/held:1", "acme/held:2"
_NAMESPACE = "holding-back"
_APPLICATIONS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
_CONFIG_MAP = "/api/v1/namespaces/argocd/configmaps/argocd-cm"
_PROJECTS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/appprojects"
_IN_HALF_A_YEAR = (datetime.now(UTC).month + 5) % 12 + 1
_WINDOWS = {
    "denied": {"kind": "deny", "schedule": "* * * * *"},
    "not-allowed": {"kind": "allow", "schedule": f"0 0 1 {_IN_HALF_A_YEAR} *"},
}
_IGNORED = {
    "pointed-at": {"jsonPointers": ["/spec/template/spec/containers/0/image"]},
    "queried": {"jqPathExpressions": ['.spec.template.spec.containers[] | select(.name == "c0").image']},
    "every": {"jqPathExpressions": [".spec.template.spec.containers[].image"]},
    "beside": {"jqPathExpressions": [".spec.template.spec.containers[].imagePullPolicy"]},
    "owned": {"managedFieldsManagers": ["owned"]},
    "owned-by-another": {"managedFieldsManagers": ["nobody"]},
}
_SETTINGS = {
    "resource.customizations.ignoreDifferences.apps_Deployment": """
jqPathExpressions: ['.spec.template.spec.containers[] | select(.name == "of-a-kind").image']
""",
    "resource.customizations.ignoreDifferences.all": "managedFieldsManagers: [owned-anywhere]",
    "resource.customizations": """
apps/D*:
  ignoreDifferences: |
    jqPathExpressions: ['.spec.template.spec.containers[] | select(.name == "of-a-pattern").image']
    managedFieldsManagers: [owned-of-a-pattern]
""",
}
_BY_SETTINGS = ("of-a-kind", "of-a-pattern", "owned-anywhere", "owned-of-a-pattern")
_BY_ITSELF = "annotated"
_NOT_KEPT = ("beside", "owned-by-another", "owned-of-a-pattern")
_NAMES = (*_WINDOWS, *_IGNORED, *_BY_SETTINGS, _BY_ITSELF)


@pytest.fixture(scope="module")
def repository(sandbox: Sandbox) -> Iterator[Repository]:
    """The repository, and its Applications, of which all have seen its second commit."""
    for image in (_OLD, _NEW):
        sandbox.push(image)
    sandbox.api.merge(_CONFIG_MAP, {"data": _SETTINGS})
    sandbox.namespace(_NAMESPACE)
    url = sandbox.git.create("holding-back", _files(_OLD, replicas=1))
    made = Repository(sandbox.git, "holding-back")
    sandbox.apply(*(_project(name) for name in _WINDOWS))
    applications = [_application(url, name, project=name) for name in _WINDOWS]
    for name, fields in _IGNORED.items():
        ignored = [{"group": "apps", "kind": "Deployment", **fields}]
        applications.append(_application(url, name, ignoreDifferences=ignored))
    applications += [_application(url, name) for name in (*_BY_SETTINGS, _BY_ITSELF)]
    paths = [sandbox.api.path_of(each) for each in sandbox.apply(*applications)]
    _wait_until_seen(sandbox, paths, made.head, synced=True)
    for name in _NAMES:
        if name.startswith("owned"):
            sandbox.api.apply(_image_alone(name, _OLD), manager=name)
    # only now, as they would hold the first sync back, too
    for name, window in _WINDOWS.items():
        sandbox.apply(_project(name, syncWindows=[{**window, "duration": "1h", "applications": ["*"]}]))
    made.commit(dict(_files(_NEW, replicas=2)))
    for path in paths:
        sandbox.api.merge(path, {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}})
    _wait_until_seen(sandbox, paths, made.head, synced=False)
    yield made
    for path in paths:  # other tests want to see all Applications synced
        sandbox.api.delete(path)
    sandbox.api.merge(_CONFIG_MAP, {"data": dict.fromkeys(_SETTINGS)})


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("name", _WINDOWS)
def test_a_window_that_is_closed_holds_everything_back(sandbox: Sandbox, name: str) -> None:
    """The Application stays OutOfSync, and the window is named as the reason."""
    application = _told(sandbox, name)
    project = Project.project(sandbox.api.get(f"{_PROJECTS}/{name}"))
    why = why_not_synced(application, project, now=datetime.now(UTC))
    assert f"the window {_WINDOWS[name]['kind']}" in why
    assert not application.synced
    assert _live(sandbox, name)["spec"]["replicas"] == 1


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("name", [*_IGNORED, *_BY_SETTINGS, _BY_ITSELF])
def test_an_image_that_is_kept_is_held_back_alone(sandbox: Sandbox, name: str) -> None:
    """The replicas come with the sync, and so does the image where what is ignored is something else.

    It does not matter whether the Application says so, Argo CD's settings, or the workload itself.
    """
    until(lambda: _live(sandbox, name)["spec"]["replicas"] == 2, what="the sync", timeout=_SECONDS)
    workload = Workload.project("Deployment", _live(sandbox, name))
    application = _told(sandbox, name)
    argocd = ArgoCd.project(sandbox.api.get(_CONFIG_MAP))
    ignored = (*application.ignored, *argocd.ignored, *ignored_on(workload))
    kept = any(each.covers(workload.key, workload.containers[0]) for each in ignored)
    assert application.keeps_ignored
    assert kept is (name not in _NOT_KEPT)
    assert workload.containers[0].image == (_OLD if kept else _NEW)


def _files(image: str, *, replicas: int) -> dict[str, bytes]:
    """A Deployment in a folder for each Application."""
    made = {
        name: manifest("Deployment", name, [image], namespace=_NAMESPACE, replicas=replicas)
        for name in _NAMES
    }
    for name in _BY_SETTINGS:
        made[name]["spec"]["template"]["spec"]["containers"][0]["name"] = name
    pointing = yaml.safe_dump(_IGNORED["pointed-at"])
    made[_BY_ITSELF]["metadata"]["annotations"] = {"argocd.argoproj.io/ignore-differences": pointing}
    return {f"{name}/app.yaml": yaml.safe_dump(thing).encode() for name, thing in made.items()}


def _image_alone(name: str, image: str) -> Json:
    """A Deployment as somebody applies it who sets the image, and nothing else."""
    containers = [{"name": name if name in _BY_SETTINGS else "c0", "image": image}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": _NAMESPACE},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


def _project(name: str, **spec: Any) -> Json:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {"sourceRepos": ["*"], "destinations": [{"server": "*", "namespace": "*"}], **spec},
    }


def _application(url: str, name: str, *, project: str = "default", **spec: Any) -> Json:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": project,
            "source": {"repoURL": url, "path": name},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": _NAMESPACE},
            "syncPolicy": {"automated": {}, "syncOptions": ["RespectIgnoreDifferences=true"]},
            **spec,
        },
    }


def _wait_until_seen(sandbox: Sandbox, paths: Sequence[str], head: str, *, synced: bool) -> None:
    """Wait until Argo CD has compared all of these with a commit, or also synced them."""

    def seen(path: str) -> bool:
        sync = sandbox.api.get(path).get("status", {}).get("sync", {})
        return sync.get("revision") == head and (not synced or sync.get("status") == "Synced")

    until(lambda: all(map(seen, paths)), what="Argo CD to look at the commit", timeout=_SECONDS)


def _live(sandbox: Sandbox, name: str) -> Json:
    return sandbox.api.get(f"/apis/apps/v1/namespaces/{_NAMESPACE}/deployments/{name}")


def _told(sandbox: Sandbox, name: str) -> Application:
    return Application.project(sandbox.api.get(f"{_APPLICATIONS}/{name}"))
