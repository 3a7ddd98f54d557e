"""What an Application is said to wait for, when Git names the backup already."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gitops_backup.controller.parts import Part
from gitops_backup.controller.waiting import awaited, release_awaited, why_not_synced
from gitops_backup.domain.reasons import Reason
from gitops_backup.sources.applications import Application
from tests.controller.cluster import application, project, source

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
    ("waiting", "windows", "why"),
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
        (shop(automated=False), [DENY | {"manualSync": True}], "is synced by hand, and was not since"),
        (shop(), [DENY | {"applications": ["other"]}], "is not synced yet"),
    ],
)
def test_what_it_waits_for(waiting: Application, windows: list[dict[str, Any]], why: str) -> None:
    """A window first, as nothing else helps; then what failed; then a person."""
    assert why_not_synced(waiting, project(syncWindows=windows), now=NOON) == why


def test_where_something_hides_the_difference_a_person_has_to_sync() -> None:
    """As long as Argo CD takes the Application for Synced."""
    hiding = shop(ignoreDifferences=[HIDING])
    (own,) = hiding.ignored
    assert why_not_synced(hiding, None, hidden=own, now=NOON) == (
        "is Synced to Argo CD, as its spec.ignoreDifferences[0].jsonPointers[0] hides the difference:"
        " sync it by hand"
    )
    for_all = replace(own, field="resource.x.all", place="the ConfigMap argocd/argocd-cm")
    assert why_not_synced(hiding, None, hidden=for_all, now=NOON) == (
        "is Synced to Argo CD, as resource.x.all of the ConfigMap argocd/argocd-cm hides the difference:"
        " sync it by hand"
    )
    assert why_not_synced(hiding, None, now=NOON) == "is not synced yet"
    assert why_not_synced(replace(hiding, synced=False), None, hidden=own, now=NOON) == "is not synced yet"


def test_without_its_project_nothing_is_known_of_windows() -> None:
    """The project may not be seen."""
    assert why_not_synced(shop(), None, now=NOON) == "is not synced yet"


@pytest.mark.parametrize(
    ("revision", "released"),
    [
        ("v1.4.0", "v1.4.0"),
        ("1.4", "1.4"),
        ("0f1e2d3", "0f1e2d3"),
        ("refs/tags/x", "refs/tags/x"),
        ("1.x", "1.x"),
    ],
)
def test_a_source_is_seen_on_the_branch_that_its_releases_are_made_from(revision: str, released: str) -> None:
    """What is deployed of it waits for a release, and for no sync."""
    annotated = application(
        "shop",
        source("https://git.example/shop", revision=revision),
        annotations={"k8slab.io/image-backup-branch": "main"},
    )
    (seen,) = annotated.sources
    assert (seen.target_revision, seen.released) == ("refs/heads/main", released)
    part = Part(annotated, annotated.sources, ())
    assert (
        release_awaited(part) == f"the Application argocd/shop deploys {released} until somebody releases it"
    )
    assert awaited(Reason.AWAITING_SYNC, part) == Reason.AWAITING_RELEASE
    assert awaited(Reason.PROOF_FAILED, part) == Reason.PROOF_FAILED


@pytest.mark.parametrize("revision", ["", "HEAD", "main", "refs/heads/v1.4.0", "next"])
def test_a_source_that_follows_a_branch_stays_on_it(revision: str) -> None:
    """Whatever the Application says of other sources."""
    annotated = application(
        "shop",
        source("https://git.example/shop", revision=revision),
        source("https://charts.example", revision="1.2.3", chart="redis"),
        source("oci://registry.example/redis", revision="1.2.3"),
        annotations={"k8slab.io/image-backup-branch": "main"},
    )
    assert [each.released for each in annotated.sources] == ["", "", ""]
    assert annotated.sources[0].target_revision == revision
    part = Part(annotated, annotated.sources, ())
    assert release_awaited(part) is None
    assert awaited(Reason.AWAITING_SYNC, part) == Reason.AWAITING_SYNC
