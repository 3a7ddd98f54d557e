"""Permissions and kinds, as a real API server answers."""

from contextlib import closing

from gitops_backup.cluster.access import missing_permissions
from gitops_backup.cluster.connection import Connection, connect
from gitops_backup.cluster.discovery import serves
from gitops_backup.cluster.permissions import Permission
from gitops_backup.cluster.resources import (
    APPLICATIONS,
    DEPLOYMENTS,
    IMAGE_BACKUPS,
    LEASES,
    NAMESPACES,
    PODS,
    Resource,
)
from gitops_backup.sandbox.sandbox import Sandbox


def test_what_is_not_granted_is_found(connection: Connection, namespace: str, sandbox: Sandbox) -> None:
    """Exactly what RBAC does not give, in order; verbs, namespaces and subresources count."""
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rules = [
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "list"]},
        {"apiGroups": ["k8slab.io"], "resources": ["imagebackups/status"], "verbs": ["update"]},
    ]
    connection.create(f"{rbac}/roles", {"metadata": {"name": "some"}, "rules": rules})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "some"}
    subject = {"kind": "ServiceAccount", "namespace": namespace, "name": "controller"}
    binding = {"metadata": {"name": "some"}, "roleRef": role, "subjects": [subject]}
    connection.create(f"{rbac}/rolebindings", binding)
    kubeconfig = sandbox.kubeconfig_for("controller", namespace)
    granted = [
        Permission("list", DEPLOYMENTS, namespace),
        Permission("update", IMAGE_BACKUPS, namespace, "status"),
    ]
    missing = [
        Permission("list", DEPLOYMENTS),
        Permission("patch", DEPLOYMENTS, namespace),
        Permission("update", IMAGE_BACKUPS, namespace),
        Permission("watch", PODS, namespace),
    ]
    with closing(connect(kubeconfig=kubeconfig, context=None)) as limited:
        assert missing_permissions(limited, [*missing, *granted]) == missing


def test_an_admin_misses_nothing(connection: Connection) -> None:
    """Everything everywhere."""
    wanted = [Permission("list", NAMESPACES), Permission("create", LEASES, "image-backup")]
    assert missing_permissions(connection, wanted) == []


def test_kinds_that_are_not_installed_are_not_served(connection: Connection) -> None:
    """Neither a group, nor a version, nor a kind that the API server does not know."""
    assert serves(connection, PODS)
    assert serves(connection, DEPLOYMENTS)
    assert serves(connection, APPLICATIONS)
    assert not serves(connection, Resource("apps", "v1", "widgets", "Widget"))
    assert not serves(connection, Resource("apps", "v9", "deployments", "Deployment"))
    assert not serves(connection, Resource("widgets.example", "v1", "widgets", "Widget"))
