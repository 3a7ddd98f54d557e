"""What this process may do, as the API server itself answers it (SelfSubjectAccessReview)."""

from collections.abc import Iterable

from gitops_backup.cluster.connection import Connection
from gitops_backup.cluster.permissions import Permission
from gitops_backup.cluster.resources import SELF_SUBJECT_ACCESS_REVIEWS


def missing_permissions(connection: Connection, wanted: Iterable[Permission]) -> list[Permission]:
    """Those of `wanted` that are not granted, in the same order; raises what `Connection.create` raises."""
    return [permission for permission in wanted if not _granted(connection, permission)]


def _granted(connection: Connection, permission: Permission) -> bool:
    attributes = {
        "verb": permission.verb,
        "group": permission.resource.group,
        "version": permission.resource.version,
        "resource": permission.resource.plural,
        "subresource": permission.subresource or "",
        "namespace": permission.namespace or "",
    }
    review = connection.create(
        SELF_SUBJECT_ACCESS_REVIEWS.path(),
        {
            "apiVersion": SELF_SUBJECT_ACCESS_REVIEWS.api_version,
            "kind": SELF_SUBJECT_ACCESS_REVIEWS.kind,
            "spec": {"resourceAttributes": attributes},
        },
    )
    return bool(review["status"]["allowed"])
