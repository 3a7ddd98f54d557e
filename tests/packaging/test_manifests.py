"""The installation: built by kustomize, accepted by an API server, with exactly the rights that are used."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup import __version__
from gitops_backup.cli.wiring import permissions
from gitops_backup.cluster.access import missing_permissions
from gitops_backup.cluster.connection import connect
from gitops_backup.cluster.permissions import Permission
from gitops_backup.cluster.resources import SECRETS
from gitops_backup.domain.policy import Mode, Policy, Unmanaged
from gitops_backup.process import run
from gitops_backup.sandbox.api import APPLY, ApiError
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.settings import Settings, load

Json = dict[str, Any]
Build = Callable[[Path], list[Json]]
Right = tuple[str, str, str, str]
"""A verb, a resource with its group and subresource, a namespace or `*`, and an object's name or `*`."""

ROOT = Path(__file__).parents[2]
FOLDERS = {
    Mode.REPORT: ROOT / "argocd",
    Mode.GITOPS: ROOT / "argocd" / "overlays" / "gitops",
    Mode.DIRECT: ROOT / "argocd" / "overlays" / "direct",
}
HOME = "image-backup"
ACCOUNT = "gitops-backup"

every_mode = pytest.mark.parametrize("mode", list(Mode))


def only(objects: Iterable[Json], kind: str) -> Json:
    """The one object of this kind."""
    (found,) = [each for each in objects if each["kind"] == kind]
    return found


def container(objects: Iterable[Json]) -> Json:
    """The controller's container."""
    (found,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def environment(objects: Iterable[Json]) -> dict[str, str]:
    """The variables that the manifests set for the controller."""
    return {each["name"]: each["value"] for each in container(objects)["env"]}


def rules(objects: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    """Each rule that is bound to the controller, with the namespace that it holds in."""
    by_name = {(each["kind"], each["metadata"]["name"]): each for each in objects}
    for each in objects:
        if each["kind"] not in {"RoleBinding", "ClusterRoleBinding"}:
            continue
        (subject,) = each["subjects"]
        assert (subject["kind"], subject["namespace"], subject["name"]) == ("ServiceAccount", HOME, ACCOUNT)
        where = each["metadata"].get("namespace", "*")
        role = by_name[each["roleRef"]["kind"], each["roleRef"]["name"]]
        assert role["metadata"].get("namespace", "*") == where
        for rule in role["rules"]:
            yield where, rule


def granted(objects: Iterable[Json]) -> set[Right]:
    """Every right that the manifests grant."""
    return {
        (verb, f"{resource}.{group}".rstrip("."), where, name)
        for where, rule in rules(list(objects))
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", ["*"])
    }


def used(policy: Policy) -> set[Right]:
    """Every right that a controller with this policy uses: what its start checks, and what it cannot."""
    # Argo CD's settings, in whichever namespace it is, which may as well be out of sight
    rights = {("get", "configmaps", "*", "argocd-cm")}
    for each in permissions(policy, applications=True):
        group = each.resource.group
        resource = each.resource.plural + (f"/{each.subresource}" if each.subresource else "")
        rights.add((each.verb, f"{resource}.{group}".rstrip("."), each.namespace or "*", "*"))
    if policy.mode != Mode.REPORT:
        # the Lease by its name, and events that go on as a series
        rights |= {(verb, "leases.coordination.k8s.io", HOME, ACCOUNT) for verb in ("get", "update")}
        rights.add(("patch", "events.events.k8s.io", "*", "*"))
    return rights


def policy(mode: Mode, *, unmanaged: Unmanaged = Unmanaged.REPORT) -> Policy:
    """The rules of decision in this mode."""
    return Settings(backup_repository="registry.example.com/backups", unmanaged=unmanaged).policy(mode=mode)


@every_mode
def test_a_mode_has_exactly_the_rights_that_the_controller_uses_in_it(build: Build, mode: Mode) -> None:
    """Nothing that the controller does is missing, and nothing is granted that it does not do."""
    assert granted(build(FOLDERS[mode])) == used(policy(mode))


def test_patching_what_no_application_tracks_needs_one_more_right(build: Build, tmp_path: Path) -> None:
    """The overlay that the installation guide has for `unmanaged: patch` grants what that needs."""
    overlay(tmp_path, resources=[FOLDERS[Mode.GITOPS], ROOT / "argocd" / "rights" / "workloads"])
    assert granted(build(tmp_path)) == used(policy(Mode.GITOPS, unmanaged=Unmanaged.PATCH))


@every_mode
def test_no_right_is_a_wildcard_and_none_is_about_secrets(build: Build, mode: Mode) -> None:
    """RBAC names every group, resource and verb, and leaves Secrets alone."""
    found = list(rules(build(FOLDERS[mode])))
    assert found
    for _, rule in found:
        assert rule.keys() <= {"apiGroups", "resources", "resourceNames", "verbs"}
        assert not [word for values in rule.values() for word in values if "*" in word]
        assert "secrets" not in rule["resources"]


@every_mode
def test_the_manifests_hold_no_secret(build: Build, mode: Mode) -> None:
    """Secrets are named, and made by whoever installs."""
    assert "Secret" not in {each["kind"] for each in build(FOLDERS[mode])}


@every_mode
def test_a_secret_that_changes_reaches_the_controller(build: Build, mode: Mode) -> None:
    """It is mounted as a folder: a variable, or a file by a `subPath`, would stay as it was at the start."""
    objects = build(FOLDERS[mode])
    assert not [each for each in container(objects)["env"] if "valueFrom" in each]
    assert "envFrom" not in container(objects)
    volumes = only(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
    secrets = {each["name"] for each in volumes if "secret" in each}
    mounts = [each for each in container(objects)["volumeMounts"] if each["name"] in secrets]
    assert {each["name"] for each in mounts} == secrets
    assert not [each for each in mounts if "subPath" in each or "subPathExpr" in each]


def test_reading_is_all_that_mode_report_may_do(build: Build) -> None:
    """The base writes nothing."""
    assert {verb for verb, *_ in granted(build(FOLDERS[Mode.REPORT]))} == {"get", "list", "watch"}


@every_mode
def test_the_settings_are_known_and_name_the_mode(build: Build, mode: Mode, tmp_path: Path) -> None:
    """The controller can begin with the ConfigMap and the variables that it is given."""
    objects = build(FOLDERS[mode])
    file = tmp_path / "config.yaml"
    file.write_text(only(objects, "ConfigMap")["data"]["config.yaml"])
    settings = load(file=file, environment=environment(objects), flags={})
    assert settings.mode == mode
    assert settings.policy(mode=mode).backup_namespace == only(objects, "Namespace")["metadata"]["name"]


def test_the_settings_that_are_commented_out_are_known_too(build: Build, tmp_path: Path) -> None:
    """Without its comment sign, each of them is a setting, and its folder is there."""
    objects = build(FOLDERS[Mode.GITOPS])
    text = re.sub(r"(?m)^# (?=[a-z_]+: \S)", "", only(objects, "ConfigMap")["data"]["config.yaml"])
    file = tmp_path / "config.yaml"
    file.write_text(text)
    settings = load(file=file, environment={}, flags={})
    mounts = {Path(each["mountPath"]) for each in container(objects)["volumeMounts"]}
    assert settings.source_authfile is not None
    folders = {settings.backup_credentials, settings.git_credentials, settings.source_authfile.parent}
    assert {*folders, settings.cache} <= mounts
    assert settings.source_prefixes
    assert settings.git_prefix


@every_mode
def test_the_command_line_is_understood(build: Build, mode: Mode) -> None:
    """The program knows the arguments that the manifests give it."""
    arguments = container(build(FOLDERS[mode]))["args"]
    done = run([sys.executable, "-m", "gitops_backup", *arguments, "--help"], timeout=60, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"Usage: ")


def test_the_ports_are_those_that_the_program_listens_on(build: Build) -> None:
    """Probes and metrics are asked for where they are."""
    objects = build(FOLDERS[Mode.REPORT])
    ports = {each["name"]: each["containerPort"] for each in container(objects)["ports"]}
    settings = Settings()
    assert ports == {"metrics": settings.metrics_port, "probes": settings.probes_port}
    for probe, path in (("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container(objects)[probe]["httpGet"] == {"path": path, "port": "probes"}
    assert only(objects, "Service")["spec"]["ports"] == [
        {"name": "metrics", "port": settings.metrics_port, "targetPort": "metrics"}
    ]


def test_the_image_is_this_version(build: Build) -> None:
    """What is installed is what lies here."""
    assert container(build(FOLDERS[Mode.REPORT]))["image"] == f"gitops-backup:{__version__}"


def test_an_overlay_of_ones_own_needs_no_change_of_these_files(build: Build, tmp_path: Path) -> None:
    """As the installation guide has it: another image, other settings, and pods that start anew with them."""
    overlay(
        tmp_path,
        resources=[FOLDERS[Mode.DIRECT]],
        images=[
            {"name": "gitops-backup", "newName": "registry.example.com/tools/gitops-backup", "newTag": "7"}
        ],
        configMapGenerator=[
            {
                "name": "gitops-backup-settings",
                "namespace": HOME,
                "behavior": "replace",
                "files": ["config.yaml"],
            }
        ],
    )
    (tmp_path / "config.yaml").write_text("backup_repository: registry.example.com/mine\n")
    mine, original = build(tmp_path), build(FOLDERS[Mode.DIRECT])
    assert container(mine)["image"] == "registry.example.com/tools/gitops-backup:7"
    config = only(mine, "ConfigMap")
    assert config["data"] == {"config.yaml": "backup_repository: registry.example.com/mine\n"}
    assert config["metadata"]["name"] != only(original, "ConfigMap")["metadata"]["name"]
    volumes = only(mine, "Deployment")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "config", "configMap": {"name": config["metadata"]["name"]}} in volumes


@every_mode
def test_the_api_server_accepts_every_object_and_knows_every_field(
    sandbox: Sandbox, build: Build, mode: Mode
) -> None:
    """Nothing is misspelt: what kubectl would apply, with strict validation, would be applied."""
    sandbox.namespace(HOME)
    for each in build(FOLDERS[mode]):
        applied = sandbox.api.request(
            "PATCH",
            sandbox.api.path_of(each),
            each,
            query={"fieldManager": "kubectl", "force": "true", "fieldValidation": "Strict", "dryRun": "All"},
            content_type=APPLY,
        )
        assert applied["metadata"]["name"] == each["metadata"]["name"]


@every_mode
def test_the_service_account_may_do_what_the_controller_checks_at_its_start(
    sandbox: Sandbox, build: Build, mode: Mode
) -> None:
    """The API server itself says that nothing is missing, and that Secrets are out of reach."""
    sandbox.namespace(HOME)
    sandbox.apply(*(each for each in build(FOLDERS[mode]) if each["apiVersion"].startswith("rbac.")))
    account = connect(kubeconfig=sandbox.kubeconfig_for(ACCOUNT, HOME), context=None)
    assert missing_permissions(account, permissions(policy(mode), applications=True)) == []
    secrets = Permission("list", SECRETS, HOME)
    assert missing_permissions(account, [secrets]) == [secrets]


@every_mode
def test_the_pods_fit_the_strictest_pod_security_standard(sandbox: Sandbox, build: Build, mode: Mode) -> None:
    """The namespace enforces `restricted`, and admission lets the controller's pod in."""
    objects = build(FOLDERS[mode])
    sandbox.apply(only(objects, "Namespace"))
    template = only(objects, "Deployment")["spec"]["template"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": "probe", "namespace": HOME},
        "spec": template["spec"],
    }
    pods, trial = f"/api/v1/namespaces/{HOME}/pods", {"dryRun": "All"}
    assert sandbox.api.request("POST", pods, pod, query=trial)["metadata"]["name"] == "probe"
    pod["spec"] = {**pod["spec"], "hostNetwork": True}
    with pytest.raises(ApiError, match="PodSecurity"):
        sandbox.api.request("POST", pods, pod, query=trial)


def test_argo_cd_is_pointed_at_a_folder_that_is_there(sandbox: Sandbox) -> None:
    """The Application is one, and its path can be installed."""
    application = yaml.safe_load((ROOT / "argocd" / "application.yaml").read_bytes())
    sandbox.namespace("argocd")
    path, trial = sandbox.api.path_of(application), {"fieldManager": "kubectl", "dryRun": "All"}
    sandbox.api.request("PATCH", path, application, query=trial, content_type=APPLY)
    assert (ROOT / application["spec"]["source"]["path"] / "kustomization.yaml").is_file()
    assert application["spec"]["destination"]["namespace"] == HOME


def overlay(folder: Path, *, resources: list[Path], **more: object) -> None:
    """Write a kustomization of somebody who uses these manifests as they are."""
    # kustomize wants relative paths
    relative = [os.path.relpath(path.resolve(), folder.resolve()) for path in resources]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({"resources": relative, **more}))
