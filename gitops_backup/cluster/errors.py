"""What the API server's refusals are to a caller, one class for each thing that a caller does about them.

`Conflict` (409: look again) and `Transient` (429, 5xx, no answer: try later) are the project's own. The body
of a refusal is a `Status` object (Kubernetes API conventions, "Response Status Kind").
"""

import json
import re
from typing import Any

from gitops_backup.cluster.permissions import Permission
from gitops_backup.errors import Conflict, GitopsBackupError, Transient, one_line


class NotFound(GitopsBackupError):
    """404: the object, its namespace or its kind is not there."""


class Gone(GitopsBackupError):
    """410: a resource version or a page token is too old; list again."""


class Invalid(GitopsBackupError):
    """422 and the other refusals of a request as it stands, a failed `test` of a JSON patch among them."""


class Unauthorized(GitopsBackupError):
    """401: the API server does not know who asks."""


class Forbidden(GitopsBackupError):
    """403: `permission` is what is missing, where the path tells."""

    def __init__(self, message: str, *, hint: str | None = None, permission: Permission | None) -> None:
        super().__init__(message, hint=hint)
        self.permission = permission


def refusal(
    *, status: int, body: bytes, retry_after: str | None, method: str, path: str, watching: bool = False
) -> GitopsBackupError:
    """The error for an answer that is no success, or for an ERROR in a watch, which has no header.

    `status` is the code, `body` a Status object or whatever came, `retry_after` the header of that name.
    """
    details = _parsed(body)
    said = one_line(str(details.get("message") or body.decode("utf-8", "replace") or "no reason given"))
    permission = Permission.of_request(method=method, path=path, watching=watching)
    attempt = str(permission) if permission else f"{method} {path}"
    match status:
        case 401:
            return Unauthorized(
                "the API server does not accept the credentials", hint="renew the token or the certificate"
            )
        case 403:
            return _forbidden(said, attempt, permission)
        case 404:
            return NotFound(f"{path} is not there: {said}")
        case 409:
            return Conflict(f"cannot {attempt}: {said}")
        case 410:
            return Gone(f"cannot {attempt}: {said}")
        case 429:
            wait = _seconds(retry_after, details)
            return Transient(f"the API server is busy: cannot {attempt}: {said}", retry_after=wait)
        case _ if status >= 500:
            wait = _seconds(retry_after, details)
            return Transient(f"the API server failed ({status}) to {attempt}: {said}", retry_after=wait)
        case _:
            return Invalid(f"the API server refuses to {attempt} ({status}): {said}")


def _forbidden(said: str, attempt: str, permission: Permission | None) -> Forbidden:
    message = f"the API server forbids to {attempt}"
    # quotas and admission answer 403 as well, and for these no grant helps
    user = re.search(r'User "([^"]+)" cannot ', said)
    if user is None:
        return Forbidden(f"{message}: {said}", permission=permission)
    account = user[1].removeprefix("system:serviceaccount:")
    who = user[1] if account == user[1] else f"the ServiceAccount {account.replace(':', '/')}"
    return Forbidden(message, hint=f"grant {who} that verb by RBAC", permission=permission)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _seconds(header: str | None, status: dict[str, Any]) -> float | None:
    details = status.get("details")
    value = header or (details.get("retryAfterSeconds") if isinstance(details, dict) else None)
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None
