"""Paths of resources, and what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_backup.cluster import resources
from gitops_backup.cluster.permissions import Permission
from gitops_backup.cluster.resources import Location, Resource

RESOURCES = [value for value in vars(resources).values() if isinstance(value, Resource)]
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,20}[a-z0-9])?", fullmatch=True)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (resources.DEPLOYMENTS.path(), "/apis/apps/v1/deployments"),
        (resources.DEPLOYMENTS.path("shop"), "/apis/apps/v1/namespaces/shop/deployments"),
        (resources.PODS.path("shop", "cart"), "/api/v1/namespaces/shop/pods/cart"),
        (resources.NAMESPACES.path(name="shop"), "/api/v1/namespaces/shop"),
        (resources.NODES.path(), "/api/v1/nodes"),
        (
            resources.IMAGE_BACKUPS.path("image-backup", "nginx", "status"),
            "/apis/k8slab.io/v1alpha1/namespaces/image-backup/imagebackups/nginx/status",
        ),
    ],
)
def test_a_path_is_where_the_api_server_has_the_resource(path: str, expected: str) -> None:
    """Collections of all or one namespace, objects and subresources each have their place."""
    assert path == expected


@given(resource=st.sampled_from(RESOURCES), namespace=NAMES, name=NAMES, subresource=st.none() | NAMES)
def test_a_path_gives_its_parts_back(
    resource: Resource, namespace: str, name: str, subresource: str | None
) -> None:
    """Every path of a known resource is located again."""
    where = namespace if resource.namespaced else None
    for given_name, given_subresource in ((name, subresource), (None, None)):
        path = resource.path(where, given_name, given_subresource)
        assert Location.of(path) == Location(resource, where, given_name, given_subresource)


@pytest.mark.parametrize("path", ["/version", "/", "/apis/batch/v1/jobs", "/api/v1", "/api/v1/services"])
def test_a_path_of_no_known_resource_is_nowhere(path: str) -> None:
    """Other paths are not guessed at."""
    assert Location.of(path) is None


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        (Permission("list", resources.DEPLOYMENTS), "list deployments.apps in all namespaces"),
        (
            Permission("create", resources.EVENTS, "shop"),
            "create events.events.k8s.io in the namespace shop",
        ),
        (Permission("list", resources.NAMESPACES), "list namespaces"),
        (
            Permission("patch", resources.IMAGE_BACKUPS, "image-backup", "status"),
            "patch imagebackups.k8slab.io/status in the namespace image-backup",
        ),
    ],
)
def test_a_permission_reads_as_rbac_would_grant_it(permission: Permission, text: str) -> None:
    """The verb, the resource with its group, and where."""
    assert str(permission) == text


@pytest.mark.parametrize(
    ("method", "path", "watching", "expected"),
    [
        ("GET", resources.PODS.path(), False, Permission("list", resources.PODS)),
        ("GET", resources.PODS.path("shop"), True, Permission("watch", resources.PODS, "shop")),
        ("GET", resources.PODS.path("shop", "cart"), False, Permission("get", resources.PODS, "shop")),
        ("PUT", resources.LEASES.path("a", "b"), False, Permission("update", resources.LEASES, "a")),
        ("DELETE", resources.PODS.path("a", "b"), False, Permission("delete", resources.PODS, "a")),
        (
            "PATCH",
            resources.PODS.path("a", "b", "status"),
            False,
            Permission("patch", resources.PODS, "a", "status"),
        ),
        ("GET", "/version", False, None),
    ],
)
def test_a_request_needs_the_permission_that_rbac_checks_for_it(
    method: str, path: str, watching: bool, expected: Permission | None
) -> None:
    """HTTP methods become the verbs of RBAC."""
    assert Permission.of_request(method=method, path=path, watching=watching) == expected
