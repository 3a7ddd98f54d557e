"""What an Application is said to wait for, when Git names the backup already."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gitops_backup.controller.waiting import why_not_synced
from gitops_backup.sources.applications import Application
from tests.controller.cluster import project

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DENY = {"kind": "deny", "schedule": "0 11 * * *", "duration": "2h", "applications": ["shop"]}

HIDING = {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/template/spec/containers/0/image"]}


def shop(*, automated: bool = True, phase: str = "Succeeded", **spec: Any) -> Application:
    policy: dict[str, Any] = {"automated": {}} if automated else {}
    return Application.project(
        {
            "metadata": {"namespace": "argocd", "name": "shop"},
            "spec": {"destination": {"namespace": "shop"}, "syncPolicy": policy, **spec},
            "status": {
                "sync": {"status": "Synced"},
                "operationState": {"phase": phase, "message": "one\ntwo"},
            },
        }
    )


@pytest.mark.parametrize(
    ("application", "windows", "why"),
    [
        (shop(), [], "is not synced yet"),
        (shop(automated=False), [], "is synced by hand, and was not since"),
        (shop(phase="Failed"), [], "could not be synced: one two"),
        (shop(phase="Error", automated=False), [], "could not be synced: one two"),
        (
            shop(phase="Failed"),
            [DENY],
            'cannot be synced now: the window deny "0 11 * * *" for 2h (UTC) of the project default is open',
        ),
        (
            shop(),
            [DENY | {"kind": "allow", "schedule": "0 20 * * *"}],
            (
                'cannot be synced now: the window allow "0 20 * * *" for 2h (UTC) of the project default'
                " is not open"
            ),
        ),
        (
            shop(ignoreDifferences=[HIDING]),
            [],
            (
                "is Synced to Argo CD, as its spec.ignoreDifferences[0].jsonPointers[0] hides the difference:"
                " sync it by hand"
            ),
        ),
        (shop(automated=False), [DENY | {"manualSync": True}], "is synced by hand, and was not since"),
        (shop(), [DENY | {"applications": ["other"]}], "is not synced yet"),
    ],
)
def test_what_it_waits_for(application: Application, windows: list[dict[str, Any]], why: str) -> None:
    """A window first, as nothing else helps; then what failed; then a person."""
    assert why_not_synced(application, project(syncWindows=windows), now=NOON) == why


def test_without_its_project_nothing_is_known_of_windows() -> None:
    """The project may not be seen."""
    assert why_not_synced(shop(), None, now=NOON) == "is not synced yet"
