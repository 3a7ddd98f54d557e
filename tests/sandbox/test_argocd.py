"""The stand-in for Argo CD: what a reader of Applications sees of it."""

import json
import secrets
from collections.abc import Callable

import pytest
import yaml

from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.argocd import NAMESPACE, REFRESH, TRACKING
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from gitops_backup.sandbox.workloads import live, workload

_AUTOMATED: Json = {"automated": {}}


def _application(sandbox: Sandbox, repository: str, namespace: str, **spec: object) -> Json:
    source = {"repoURL": sandbox.git.url(repository), "path": "app", "targetRevision": "HEAD"}
    destination = {"server": "https://kubernetes.default.svc", "namespace": namespace}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": f"app-{secrets.token_hex(4)}", "namespace": NAMESPACE},
        "spec": {"project": "default", "source": source, "destination": destination, **spec},
    }


def _manifest(image: str, *, namespace: str | None = None, name: str = "app") -> bytes:
    thing = workload("Deployment", namespace or "", image, name=name)
    if namespace is None:
        del thing["metadata"]["namespace"]
    return yaml.safe_dump(thing).encode()


def _wait_for(sandbox: Sandbox, application: Json, check: Callable[[Json], object]) -> Json:
    return until(
        lambda: next((s for s in [live(sandbox.api, application).get("status", {})] if check(s)), None),
        what="the Application's status",
    )


def _synced_at(revision: str) -> Callable[[Json], object]:
    return lambda status: (
        status.get("sync", {}).get("status") == "Synced"
        and status["sync"]["revision"] == revision
        and status["health"]["status"] == "Healthy"
    )


def _image(sandbox: Sandbox, namespace: str, name: str = "app") -> str | None:
    found = sandbox.api.find(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"]) if found else None


def test_a_commit_is_applied_and_the_status_tells_so(
    sandbox: Sandbox, repository: str, namespace: str
) -> None:
    """With the tracking annotation on the workload and the workload among the resources."""
    first = sandbox.git.commit(repository, {"app/app.yaml": _manifest("nginx:1.14.0")})
    application = _application(sandbox, repository, namespace, syncPolicy=_AUTOMATED)
    sandbox.apply(application)
    status = _wait_for(sandbox, application, _synced_at(first))
    name = application["metadata"]["name"]
    deployment = sandbox.api.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/app")
    tracking = deployment["metadata"]["annotations"][TRACKING]
    assert tracking == f"{name}:apps/Deployment:{namespace}/app"
    managers = {each["manager"] for each in deployment["metadata"]["managedFields"]}
    assert "argocd-controller" in managers
    assert status["sourceType"] == "Directory"
    assert status["sync"]["comparedTo"]["source"] == application["spec"]["source"]
    assert status["operationState"]["phase"] == "Succeeded"
    assert status["resources"] == [
        {
            "group": "apps",
            "version": "v1",
            "kind": "Deployment",
            "namespace": namespace,
            "name": "app",
            "status": "Synced",
            "health": {"status": "Healthy"},
        }
    ]
    second = sandbox.git.commit(repository, {"app/app.yaml": _manifest("nginx:1.14.2")})
    _wait_for(sandbox, application, _synced_at(second))
    assert _image(sandbox, namespace) == "nginx:1.14.2"


def test_a_refresh_is_done_and_its_annotation_removed(
    sandbox: Sandbox, repository: str, namespace: str
) -> None:
    """`reconciledAt` says when; nothing else changes."""
    revision = sandbox.git.commit(repository, {"app/app.yaml": _manifest("nginx:1.14.0")})
    application = _application(sandbox, repository, namespace, syncPolicy=_AUTOMATED)
    sandbox.apply(application)
    before = _wait_for(sandbox, application, _synced_at(revision))
    path = sandbox.api.path_of(application)
    sandbox.api.merge(path, {"metadata": {"annotations": {REFRESH: "normal"}}})
    until(
        lambda: REFRESH not in live(sandbox.api, application)["metadata"].get("annotations", {}),
        what="the annotation to go",
    )
    after = live(sandbox.api, application)["status"]
    assert {**after, "reconciledAt": ""} == {**before, "reconciledAt": ""}


def test_without_automation_a_commit_waits_for_somebody_to_sync(
    sandbox: Sandbox, repository: str, namespace: str
) -> None:
    """Out of sync, until an operation asks for it."""
    revision = sandbox.git.commit(repository, {"app/app.yaml": _manifest("nginx:1.14.0")})
    application = _application(sandbox, repository, namespace)
    sandbox.apply(application)
    status = _wait_for(sandbox, application, lambda status: "sync" in status)
    assert (status["sync"]["status"], status["sync"]["revision"]) == ("OutOfSync", revision)
    assert status["health"]["status"] == status["resources"][0]["health"]["status"] == "Missing"
    assert _image(sandbox, namespace) is None
    sandbox.api.merge(sandbox.api.path_of(application), {"operation": {"sync": {}}})
    _wait_for(sandbox, application, _synced_at(revision))
    assert "operation" not in live(sandbox.api, application)


@pytest.mark.parametrize("heals", [False, True])
def test_drift_is_undone_with_self_heal_only(
    sandbox: Sandbox, repository: str, namespace: str, heals: bool
) -> None:
    """Without it, a workload that was patched stays, and is out of sync."""
    revision = sandbox.git.commit(repository, {"app/app.yaml": _manifest("nginx:1.14.0")})
    policy = {"automated": {"selfHeal": heals}}
    application = _application(sandbox, repository, namespace, syncPolicy=policy)
    sandbox.apply(application)
    _wait_for(sandbox, application, _synced_at(revision))
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/app"
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "nginx:1.25"}]
    sandbox.api.request("PATCH", path, patch, content_type="application/json-patch+json")
    if heals:
        until(lambda: _image(sandbox, namespace) == "nginx:1.14.0", what="the drift to be undone")
        _wait_for(sandbox, application, _synced_at(revision))
    else:
        _wait_for(sandbox, application, lambda status: status["sync"]["status"] == "OutOfSync")
        assert _image(sandbox, namespace) == "nginx:1.25"


def test_the_directory_s_options_choose_the_files(sandbox: Sandbox, repository: str, namespace: str) -> None:
    """Recursion, inclusion, exclusion, lists, JSON, several documents, and namespaces of their own."""
    other = sandbox.namespace(f"{namespace}-other")
    two = (
        _manifest("nginx:1.14.0", name="one")
        + b"---\n# nothing\n---\n"
        + _manifest("nginx:1.14.0", name="two")
    )
    listed = {
        "apiVersion": "v1",
        "kind": "List",
        "items": [yaml.safe_load(_manifest("nginx:1.14.0", name="listed"))],
    }
    revision = sandbox.git.commit(
        repository,
        {
            "app/several.yml": two,
            "app/deep/list.json": json.dumps(listed).encode(),
            "app/deep/other.yaml": _manifest("nginx:1.14.0", namespace=other, name="elsewhere"),
            "app/deep/drafts/x.yaml": b"not: [a manifest",
            "app/skipped.yaml": b"# +argocd:skip-file-rendering\n{{ nonsense",
            "app/README.md": b"# no manifest",
            "outside.yaml": _manifest("nginx:1.14.0", name="outside"),
        },
    )
    source = {
        "repoURL": sandbox.git.url(repository),
        "path": "app",
        "targetRevision": "main",
        "directory": {"recurse": True, "exclude": "{deep/drafts/*,*.md}"},
    }
    application = _application(sandbox, repository, namespace, source=source, syncPolicy=_AUTOMATED)
    sandbox.apply(application)
    status = _wait_for(sandbox, application, _synced_at(revision))
    assert [(each["namespace"], each["name"]) for each in status["resources"]] == [
        (namespace, "listed"),
        (namespace, "one"),
        (namespace, "two"),
        (other, "elsewhere"),
    ]


@pytest.mark.parametrize(
    ("files", "expected", "kind"),
    [
        ({"app/app.yaml": b"a: [b"}, "app/app.yaml: while parsing", None),
        ({"app/app.yaml": b"just: data"}, "not a Kubernetes object", None),
        ({"app/kustomization.yaml": b"resources: [gone.yaml]"}, "kustomize: ", None),
        ({"app/Chart.yaml": b"name: x"}, "helm: ", None),
    ],
)
def test_what_cannot_be_compared_is_unknown_and_says_why(
    sandbox: Sandbox,
    repository: str,
    namespace: str,
    files: dict[str, bytes],
    expected: str,
    kind: str | None,
) -> None:
    """A condition `ComparisonError`, as Argo CD has it."""
    sandbox.git.commit(repository, dict(files))
    application = _application(sandbox, repository, namespace, syncPolicy=_AUTOMATED)
    sandbox.apply(application)
    status = _wait_for(sandbox, application, lambda status: status.get("conditions"))
    (condition,) = status["conditions"]
    assert condition["type"] == "ComparisonError"
    assert expected in condition["message"]
    assert status["sync"]["status"] == "Unknown"
    assert status.get("sourceType") == kind


def test_a_sync_that_fails_is_not_tried_again_for_the_same_revision(
    sandbox: Sandbox, repository: str
) -> None:
    """The next commit is."""
    missing = f"test-{secrets.token_hex(4)}"
    sandbox.git.commit(repository, {"app/app.yaml": _manifest("nginx:1.14.0")})
    application = _application(sandbox, repository, missing, syncPolicy=_AUTOMATED)
    sandbox.apply(application)
    status = _wait_for(sandbox, application, lambda status: "operationState" in status)
    assert status["operationState"]["phase"] == "Failed"
    assert missing in status["operationState"]["message"]
    finished = status["operationState"]["finishedAt"]
    sandbox.namespace(missing)
    sandbox.api.merge(sandbox.api.path_of(application), {"metadata": {"annotations": {REFRESH: "normal"}}})
    until(
        lambda: REFRESH not in live(sandbox.api, application)["metadata"].get("annotations", {}),
        what="the refresh",
    )
    assert live(sandbox.api, application)["status"]["operationState"]["finishedAt"] == finished
    second = sandbox.git.commit(repository, {"app/app.yaml": _manifest("nginx:1.14.2")})
    _wait_for(sandbox, application, _synced_at(second))


def test_namespaces_are_created_on_request(sandbox: Sandbox, repository: str) -> None:
    """The sync option CreateNamespace."""
    missing = f"test-{secrets.token_hex(4)}"
    revision = sandbox.git.commit(repository, {"app/app.yaml": _manifest("nginx:1.14.0")})
    policy = {**_AUTOMATED, "syncOptions": ["CreateNamespace=true"]}
    application = _application(sandbox, repository, missing, syncPolicy=policy)
    sandbox.apply(application)
    _wait_for(sandbox, application, _synced_at(revision))


def test_what_happens_elsewhere_is_left_alone(sandbox: Sandbox, repository: str, namespace: str) -> None:
    """An Application for another cluster gets no status."""
    sandbox.git.commit(repository, {"app/app.yaml": _manifest("nginx:1.14.0")})
    destination = {"server": "https://other.example", "namespace": namespace}
    remote = _application(sandbox, repository, namespace, destination=destination, syncPolicy=_AUTOMATED)
    here = _application(sandbox, repository, namespace)
    sandbox.apply(remote)
    sandbox.apply(here)
    _wait_for(sandbox, here, lambda status: "sync" in status)
    assert "status" not in live(sandbox.api, remote)


def test_a_deleted_application_takes_its_workloads_with_it(
    sandbox: Sandbox, repository: str, namespace: str
) -> None:
    """When it has Argo CD's finalizer."""
    revision = sandbox.git.commit(repository, {"app/app.yaml": _manifest("nginx:1.14.0")})
    application = _application(sandbox, repository, namespace, syncPolicy=_AUTOMATED)
    application["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
    sandbox.apply(application)
    _wait_for(sandbox, application, _synced_at(revision))
    path = sandbox.api.path_of(application)
    sandbox.api.delete(path)
    until(lambda: sandbox.api.find(path) is None, what="the Application to go")
    assert _image(sandbox, namespace) is None


def test_an_application_outside_of_argo_cd_s_namespace_has_it_in_its_tracking_id(
    sandbox: Sandbox, repository: str, namespace: str
) -> None:
    """Its instance name is the namespace and the name."""
    revision = sandbox.git.commit(repository, {"app/app.yaml": _manifest("nginx:1.14.0")})
    application = _application(sandbox, repository, namespace, syncPolicy={"automated": {"selfHeal": True}})
    application["metadata"]["namespace"] = namespace
    sandbox.apply(application)
    _wait_for(sandbox, application, _synced_at(revision))
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/app"
    instance = f"{namespace}_{application['metadata']['name']}"
    tracking = sandbox.api.get(path)["metadata"]["annotations"][TRACKING]
    assert tracking == f"{instance}:apps/Deployment:{namespace}/app"
    sandbox.api.delete(path)
    until(lambda: _image(sandbox, namespace), what="the workload to be made again")


def test_nothing_is_written_when_nothing_happens(sandbox: Sandbox, repository: str, namespace: str) -> None:
    """Another stand-in over the same Applications finds nothing to do."""
    revision = sandbox.git.commit(repository, {"app/app.yaml": _manifest("nginx:1.14.0")})
    application = _application(sandbox, repository, namespace, syncPolicy=_AUTOMATED)
    probe = _application(sandbox, repository, namespace)
    sandbox.apply(application)
    _wait_for(sandbox, application, _synced_at(revision))
    settled = live(sandbox.api, application)["metadata"]["resourceVersion"]
    with sandbox.argocd():
        sandbox.apply(probe)
        _wait_for(sandbox, probe, lambda status: "sync" in status)
    assert live(sandbox.api, application)["metadata"]["resourceVersion"] == settled
