"""No way to the API server, or too few rights there: one line that says what is missing."""

import re
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import yaml

from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from gitops_backup.sandbox.workloads import wait_until_rolled_out, workload
from tests.cli.command import PROJECT, command, refused
from tests.cli.conftest import Options

_ENV = {"BACKUP_REPOSITORY": "docker.io/acme"}
_CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/imagebackups.k8slab.io"


def write_kubeconfig(path: Path, server: str) -> Path:
    """A kubeconfig for a server; returns its path."""
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"token": "hunter2"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture
def no_image_backups(sandbox: Sandbox) -> Iterator[None]:
    """The sandbox without the CustomResourceDefinition."""
    sandbox.api.delete(_CRD)
    served = "/apis/k8slab.io/v1alpha1"
    until(lambda: sandbox.api.find(served) is None, what="the API server to forget ImageBackups")
    yield
    sandbox.apply(PROJECT / "crds")
    until(lambda: sandbox.api.find(served) is not None, what="the API server to know ImageBackups again")


@pytest.mark.parametrize("name", ["run", "report"])
def test_no_kubeconfig(tmp_path: Path, name: str) -> None:
    """The line says where it was looked for, and how to name one."""
    told = refused(name, "--mode", "report", env={**_ENV, "HOME": str(tmp_path)})
    assert told == (
        f"no kubeconfig: not in a cluster, KUBECONFIG is not set and {tmp_path}/.kube/config is not there"
        " (name one with --kubeconfig)"
    )


def test_a_kubeconfig_that_is_not_there(tmp_path: Path) -> None:
    """The file is named."""
    file = tmp_path / "config"
    assert refused("--kubeconfig", file, "report", env=_ENV) == f"no kubeconfig at {file}"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            "contexts: [\n",
            "is no YAML in line 2, column 1: expected the node content, but found '<stream end>'",
        ),
        ("[]", "is malformed: expected a mapping"),
        ("contexts: [{name: here}]", "is malformed: here in contexts has no context"),
        ("{}", "has no current context (choose one of: none)"),
    ],
)
def test_a_malformed_kubeconfig(tmp_path: Path, content: str, told: str) -> None:
    """The file is named, and what is wrong in it."""
    file = tmp_path / "config"
    file.write_text(content)
    assert refused("--kubeconfig", file, "report", env=_ENV) == f"kubeconfig {file} {told}"


def test_no_such_context(options: Options, sandbox: Sandbox) -> None:
    """The line has those that there are."""
    told = refused(*options, "--context", "nope", "report")
    assert told == f"no context nope in kubeconfig {sandbox.kubeconfig} (there are: sandbox)"


@pytest.mark.parametrize("name", ["run", "report"])
def test_an_api_server_that_is_away(tmp_path: Path, name: str) -> None:
    """Its address is named; the token is not."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    kubeconfig = write_kubeconfig(tmp_path / "config", f"https://127.0.0.1:{port}")
    told = refused("--kubeconfig", kubeconfig, name, "--mode", "report", env=_ENV)
    assert told == f"https://127.0.0.1:{port}: the API server does not answer: Connection refused"


def test_credentials_that_the_api_server_does_not_know(tmp_path: Path, sandbox: Sandbox) -> None:
    """The line says what to renew."""
    content = yaml.safe_load(sandbox.kubeconfig.read_text())
    content["users"][0]["user"]["token"] = "hunter2"
    kubeconfig = tmp_path / "config"
    kubeconfig.write_text(yaml.safe_dump(content))
    told = refused("--kubeconfig", kubeconfig, "report", env=_ENV)
    assert "does not accept the credentials (renew the token or the certificate)" in told


def test_a_server_that_is_no_api_server(tmp_path: Path, sandbox: Sandbox) -> None:
    """What it says is in the line."""
    kubeconfig = write_kubeconfig(tmp_path / "config", f"http://{sandbox.upstream.address}")
    assert "/version is not there: " in refused("--kubeconfig", kubeconfig, "report", env=_ENV)


@pytest.mark.usefixtures("no_image_backups")
def test_the_resource_definition_is_missing(options: Options, sandbox: Sandbox) -> None:
    """The controller says how to install it."""
    assert refused(*options, "run", "--mode", "report") == (
        f"the API server at {sandbox.api.server} does not know ImageBackups"
        " (make install, or kubectl apply -k crds, teaches it)"
    )


@pytest.mark.usefixtures("no_image_backups")
def test_a_dry_run_comes_before_the_installation(options: Options, sandbox: Sandbox, namespace: str) -> None:
    """Nothing is backed up yet, and what would be is what a new user wants to know."""
    sandbox.apply(workload("Deployment", namespace, "nginx:1.14.0", name="web"))
    wait_until_rolled_out(sandbox.api, workload("Deployment", namespace, "nginx:1.14.0", name="web"))
    for only in ((), ("-n", namespace)):
        answer = command(*options, "report", "--mode", "direct", *only)
        assert (answer.code, answer.err) == (
            0,
            "the CustomResourceDefinition of ImageBackups is not installed: no image is backed up yet\n",
        )
        assert re.search(rf"^Deployment/{namespace}/web .* Copy, then patch$", answer.out, re.MULTILINE)


def test_there_is_no_namespace_for_image_backups(options: Options) -> None:
    """A controller that writes says how to create it; one that does not needs none."""
    told = refused(*options, "run", "--mode", "direct", "--backup-namespace", "not-yet")
    assert told == ("there is no namespace not-yet for the ImageBackups (kubectl create namespace not-yet)")


def test_rights_are_missing_for_the_controller(sandbox: Sandbox) -> None:
    """Every verb and resource that this mode needs is named, at once."""
    kubeconfig = sandbox.kubeconfig_for("nobody", "default")
    options = ("--kubeconfig", kubeconfig, "--config", sandbox.settings_file)
    told = refused(*options, "run", "--mode", "direct")
    assert told.startswith("these credentials may not list deployments.apps in all namespaces; watch dep")
    for what in (
        "list imagebackups.k8slab.io in the namespace image-backup",
        "update imagebackups.k8slab.io/status in the namespace image-backup",
        "patch daemonsets.apps in all namespaces",
        "create events.events.k8s.io in all namespaces",
    ):
        assert what in told
    assert told.endswith("(see argocd/ for the rights of each mode)")
    assert "create" not in refused(*options, "run", "--mode", "report")


def test_rights_are_missing_for_the_report(sandbox: Sandbox) -> None:
    """All of them are named at once; the exit code is not 1, which says that something is due."""
    options = _as("nobody", sandbox)
    assert refused(*options, "report", "--exit-code") == (
        "these credentials may not list deployments.apps in all namespaces;"
        " list daemonsets.apps in all namespaces; list namespaces;"
        " list appprojects.argoproj.io in all namespaces; list applications.argoproj.io in all namespaces;"
        " list pods in all namespaces;"
        " list imagebackups.k8slab.io in the namespace image-backup (grant that by RBAC)"
    )


def test_for_one_namespace_rights_in_it_are_enough(sandbox: Sandbox, namespace: str) -> None:
    """Beyond it, with those to list what says which images have a copy, and what deploys them."""
    options = _as("somebody", sandbox)
    _allow("somebody", sandbox, namespace, {"apps": ["deployments", "daemonsets"], "": ["pods"]})
    assert refused(*options, "report", "-n", namespace) == (
        "these credentials may not list appprojects.argoproj.io in the namespace argocd;"
        " list applications.argoproj.io in the namespace argocd;"
        " list imagebackups.k8slab.io in the namespace image-backup (grant that by RBAC)"
    )
    _allow("somebody", sandbox, "argocd", {"argoproj.io": ["applications", "appprojects"]})
    _allow("somebody", sandbox, "image-backup", {"k8slab.io": ["imagebackups"]})
    answer = command(*options, "report", "-n", namespace)
    assert (answer.code, answer.out[:16]) == (0, "0 containers in ")
    assert answer.err.splitlines()[0] == (
        "these credentials may not get namespaces: no annotation is known of"
        f" {' and '.join(sorted(['image-backup', namespace]))}"
    )


def test_where_argo_cds_settings_may_not_be_read_its_defaults_are_assumed(
    sandbox: Sandbox, namespace: str, request: pytest.FixtureRequest
) -> None:
    """Which the report says; with the right to get the one ConfigMap it does not."""
    options = _as("reader", sandbox)
    _allow("reader", sandbox, namespace, {"apps": ["deployments", "daemonsets"], "": ["pods"]})
    _allow("reader", sandbox, "argocd", {"argoproj.io": ["applications", "appprojects"]})
    _allow("reader", sandbox, "image-backup", {"k8slab.io": ["imagebackups"]})
    thing = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": f"empty-{namespace}", "namespace": "argocd"},
        "spec": {"project": "default", "destination": {"name": "elsewhere"}},
    }
    request.addfinalizer(lambda: sandbox.api.delete(sandbox.api.path_of(thing)))
    sandbox.apply(thing)
    told = (
        "these credentials may not get the ConfigMap argocd-cm in the namespace argocd:"
        " Argo CD's defaults are assumed"
    )
    assert told in command(*options, "report", "-n", namespace).err.splitlines()
    role = "/apis/rbac.authorization.k8s.io/v1/namespaces/argocd/roles/reader"
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["argocd-cm"], "verbs": ["get"]}
    sandbox.api.merge(role, {"rules": [*sandbox.api.get(role)["rules"], rule]})
    until(
        lambda: "argocd-cm" not in command(*options, "report", "-n", namespace).err,
        what="the right to be in force",
    )


def test_the_annotations_of_namespaces_count_where_one_is_asked_for(
    options: Options, sandbox: Sandbox, namespace: str
) -> None:
    """As they do where all of them are."""
    sandbox.apply(workload("Deployment", namespace, "nginx:1.14.0", name="web"))
    path = f"/api/v1/namespaces/{namespace}"
    sandbox.api.merge(path, {"metadata": {"annotations": {"k8slab.io/image-backup": "ignore"}}})
    answer = command(*options, "report", "-n", namespace)
    assert re.search("Left alone: Ignored$", answer.out, re.MULTILINE)


@pytest.mark.parametrize("name", ["", "../pods", "a b", "Shop"])
def test_a_namespace_that_cannot_be_one(options: Options, name: str) -> None:
    """It would be part of a path."""
    assert f"{name!r} cannot name a namespace" in refused(*options, "report", "-n", name)


def _as(account: str, sandbox: Sandbox) -> Options:
    kubeconfig = sandbox.kubeconfig_for(account, "default")
    return ("--kubeconfig", kubeconfig, "--config", sandbox.settings_file)


def _allow(account: str, sandbox: Sandbox, namespace: str, resources: Mapping[str, list[str]]) -> None:
    """Let a ServiceAccount list these resources, by their groups, in a namespace."""
    rbac = "rbac.authorization.k8s.io"
    metadata = {"name": account, "namespace": sandbox.namespace(namespace)}
    rules = [{"apiGroups": [each], "resources": resources[each], "verbs": ["list"]} for each in resources]
    sandbox.apply(
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": account},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "default"}],
        },
    )


def test_a_selector_that_is_none(options: Options) -> None:
    """What the API server says about it is in the line."""
    assert "unable to parse requirement" in refused(*options, "report", "-l", "a in (")
    # the second is what Python makes of a byte that is no UTF-8
    for text in ("é=x", "\udcff=x"):
        assert f"{text!r} has characters that no label has" in refused(*options, "report", "-l", text)
