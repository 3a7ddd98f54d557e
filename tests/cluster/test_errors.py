"""What the API server's refusals become."""

import json

import pytest

from gitops_backup.cluster.errors import Forbidden, Gone, Invalid, NotFound, Unauthorized, refusal
from gitops_backup.cluster.permissions import Permission
from gitops_backup.cluster.resources import DEPLOYMENTS, PODS
from gitops_backup.errors import Conflict, GitopsBackupError, Transient


def refused(
    status: int, message: str = "no", *, retry_after: str | None = None, method: str = "GET", **more: object
) -> GitopsBackupError:
    body = json.dumps({"kind": "Status", "message": message, "code": status, **more}).encode()
    return refusal(status=status, body=body, retry_after=retry_after, method=method, path=DEPLOYMENTS.path())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (405, Invalid),
        (409, Conflict),
        (410, Gone),
        (422, Invalid),
        (429, Transient),
        (302, Invalid),
        (500, Transient),
        (503, Transient),
        (504, Transient),
    ],
)
def test_each_status_has_its_class(status: int, kind: type[GitopsBackupError]) -> None:
    """A class stands for what the caller does about it."""
    assert type(refused(status)) is kind


def test_what_is_forbidden_names_the_permission_and_the_service_account() -> None:
    """The message is enough to write the missing RBAC rule from."""
    error = refused(
        403,
        'deployments.apps is forbidden: User "system:serviceaccount:image-backup:controller" cannot list '
        'resource "deployments" in API group "apps" at the cluster scope',
    )
    assert isinstance(error, Forbidden)
    assert error.permission == Permission("list", DEPLOYMENTS)
    assert str(error) == (
        "the API server forbids to list deployments.apps in all namespaces "
        "(grant the ServiceAccount image-backup/controller that verb by RBAC)"
    )


def test_what_a_quota_forbids_is_not_blamed_on_rbac() -> None:
    """Admission says itself why it refuses."""
    body = b'{"message": "exceeded quota: pods", "code": 403}'
    error = refusal(status=403, body=body, retry_after=None, method="POST", path=PODS.path("shop"))
    assert str(error) == "the API server forbids to create pods in the namespace shop: exceeded quota: pods"


@pytest.mark.parametrize(
    ("header", "details", "expected"),
    [
        ("7", {}, 7.0),
        (None, {"retryAfterSeconds": 3}, 3.0),
        ("7", {"retryAfterSeconds": 3}, 7.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", {}, None),
        (None, {}, None),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_the_wait_that_is_asked_for_is_kept(
    status: int, header: str | None, details: dict[str, int], expected: float | None
) -> None:
    """Seconds come from the header or else from the Status; a date of some proxy is left alone."""
    error = refused(status, retry_after=header, details=details)
    assert isinstance(error, Transient)
    assert error.retry_after == expected


@pytest.mark.parametrize(
    "body", [b"", b"<html>\n<h1>Bad gateway</h1>", b"[1]", b"\xff\xfe", b'{"details": 5}']
)
def test_a_body_that_is_no_status_is_still_one_line(body: bytes) -> None:
    """A proxy in between may answer anything."""
    error = refusal(status=503, body=body, retry_after=None, method="GET", path="/version")
    assert isinstance(error, Transient)
    assert str(error).isprintable()
