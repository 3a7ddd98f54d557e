"""What `kubectl apply -k argocd/overlays/MODE` grants, and nothing beside it, on the sandbox's API server.

The kustomizations are followed by hand, as the sandbox has no kustomize: of what they name, the namespace,
the ServiceAccount and the RBAC objects are applied. No pod runs there, so the rest is left out.
"""

from collections.abc import Iterator
from pathlib import Path

import yaml

from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until

NAMESPACE = "image-backup"
SERVICE_ACCOUNT = "gitops-backup"

_ARGOCD = Path(__file__).resolve().parents[2] / "argocd"
_OVERLAYS = {
    "report": _ARGOCD,
    "direct": _ARGOCD / "overlays" / "direct",
    "gitops": _ARGOCD / "overlays" / "gitops",
}
_ROLES = ("Role", "ClusterRole")
_BINDINGS = ("RoleBinding", "ClusterRoleBinding")


def grant(sandbox: Sandbox, mode: str, *more: str) -> Path:
    """Give the ServiceAccount the rights of this mode alone, and return a kubeconfig with its token.

    `more` names what an overlay may add to its mode: folders in argocd/rights.
    """
    folders = [_OVERLAYS[mode], *(_ARGOCD / "rights" / each for each in more)]
    wanted = [thing for folder in folders for thing in _installed(folder)]
    paths = {sandbox.api.path_of(thing) for thing in wanted if thing["kind"] in (*_ROLES, *_BINDINGS)}
    elsewhere = [thing for other in _OVERLAYS.values() for thing in _installed(other)]
    for thing in elsewhere:
        path = sandbox.api.path_of(thing)
        if thing["kind"] in _BINDINGS and path not in paths:
            sandbox.api.delete(path)
    for thing in wanted:
        sandbox.api.apply(thing, manager="installation")
    until(lambda: _is_in_force(sandbox, wanted, elsewhere), what=f"the rights of mode {mode} to be in force")
    return sandbox.control_plane.kubeconfig_for(SERVICE_ACCOUNT, NAMESPACE)


def _installed(folder: Path) -> Iterator[Json]:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    for resource in kustomization["resources"]:
        path = (folder / resource).resolve()
        if path.is_dir():
            yield from _installed(path) if (path / "kustomization.yaml").exists() else ()
            continue
        for thing in yaml.safe_load_all(path.read_text()):
            if thing["kind"] in ("Namespace", "ServiceAccount", *_ROLES, *_BINDINGS):
                yield thing


def _is_in_force(sandbox: Sandbox, wanted: list[Json], elsewhere: list[Json]) -> bool:
    """Whether the API server, which reads roles with a delay, has all of them and none of the others."""
    may = {_question(role) for role in wanted if role["kind"] in _ROLES}
    may_not = {_question(role) for role in elsewhere if role["kind"] in _ROLES} - may
    return all(_may(sandbox, *each) for each in may) and not any(_may(sandbox, *each) for each in may_not)


def _question(role: Json) -> tuple[str, str, str, str]:
    rule = role["rules"][0]
    namespace = role["metadata"].get("namespace", "")
    return rule["verbs"][0], rule["apiGroups"][0], rule["resources"][0], namespace


def _may(sandbox: Sandbox, verb: str, group: str, resource: str, namespace: str) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{NAMESPACE}:{SERVICE_ACCOUNT}",
            "resourceAttributes": {
                "verb": verb,
                "group": group,
                "resource": resource,
                **({"namespace": namespace} if namespace else {}),
            },
        },
    }
    path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
    return bool(sandbox.api.request("POST", path, review)["status"]["allowed"])
