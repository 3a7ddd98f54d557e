"""AppProjects, reduced: whose signatures they want, and when they let Applications be synced."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gitops_backup.sources.projects import Destination, Project

KEY, OTHER = "4AEE18F83AFDEB23", "C31383ECF773C48B"
SHOP = "https://git.example/team/shop.git"
HERE = Destination("web", "https://kubernetes.default.svc", "in-cluster", "shop")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)  # a Sunday


def project(**spec: Any) -> Project:
    return Project.project({"metadata": {"namespace": "argocd", "name": "team"}, "spec": spec})


def git(*policies: dict[str, Any]) -> dict[str, Any]:
    return {"git": {"policies": list(policies)}}


def policy(*urls: str, keys: tuple[str, ...] = (KEY,), mode: str = "head") -> dict[str, Any]:
    return {"repos": [{"url": url} for url in urls], "gpg": {"mode": mode, "keys": list(keys)}}


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        ({}, None),
        ({"signatureKeys": []}, None),
        ({"signatureKeys": [{"keyID": KEY}, {"keyID": OTHER}]}, {KEY, OTHER}),
        ({"signatureKeys": [{"keyID": "A" * 24 + KEY}]}, {KEY}),
        ({"signatureKeys": [{"keyID": KEY[-8:]}]}, set()),
        ({"sourceIntegrity": git(policy("*"))}, {KEY}),
        ({"sourceIntegrity": git(policy("*", mode="strict"))}, {KEY}),
        ({"sourceIntegrity": git(policy("*", mode="none"))}, None),
        ({"sourceIntegrity": git({"repos": [{"url": "*"}]})}, None),
        ({"sourceIntegrity": git(policy("https://git.example/*"))}, {KEY}),
        ({"sourceIntegrity": git(policy("https://other.example/*"))}, None),
        ({"sourceIntegrity": git(policy("*", "!https://git.example/*"))}, None),
        ({"sourceIntegrity": git(policy("!https://other.example/*"))}, None),
        ({"sourceIntegrity": git(policy("*"), policy("https://git.example/*"))}, set()),
        ({"sourceIntegrity": git(policy("*", mode="none"), policy("https://*"))}, set()),
        (
            {"sourceIntegrity": git(policy("https://other.example/*")), "signatureKeys": [{"keyID": KEY}]},
            None,
        ),
        ({"sourceIntegrity": {}, "signatureKeys": [{"keyID": KEY}]}, {KEY}),
        ({"sourceIntegrity": git(policy("[", keys=()))}, None),
    ],
)
def test_whose_signatures_are_wanted(spec: dict[str, Any], wanted: set[str] | None) -> None:
    """The newer form outranks the older one; two policies for one repository let nothing pass."""
    assert project(**spec).signature_keys(SHOP) == wanted


def window(kind: str, schedule: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "schedule": schedule, "duration": "2h", "applications": ["*"], **more}


DENY, ALLOW = window("deny", "0 11 * * *"), window("allow", "0 11 * * *")
LATER = window("allow", "0 22 * * *")


@pytest.mark.parametrize(
    ("windows", "closed"),
    [
        ([], None),
        ([DENY], "deny"),
        ([ALLOW], None),
        ([LATER], "allow"),
        ([ALLOW, LATER], None),
        ([ALLOW, DENY], "deny"),
        ([window("deny", "0 22 * * *")], None),
        ([DENY | {"applications": ["api"]}], None),
        ([DENY | {"applications": [], "namespaces": ["sh?p"]}], "deny"),
        ([DENY | {"applications": [], "clusters": ["in-cluster"]}], "deny"),
        ([DENY | {"applications": [], "clusters": ["https://kubernetes.*"]}], "deny"),
        ([DENY | {"namespaces": ["other"]}], "deny"),
        ([DENY | {"namespaces": ["other"], "andOperator": True}], None),
        ([DENY | {"namespaces": ["shop"], "andOperator": True}], "deny"),
        ([DENY | {"applications": []}], None),
        ([DENY | {"schedule": "0 20 * * *", "timeZone": "Asia/Tokyo"}], "deny"),
        ([DENY | {"schedule": "0 11 * * *", "timeZone": "Asia/Tokyo"}], None),
        ([DENY | {"timeZone": "Nowhere/Else"}], "deny"),
        ([DENY | {"timeZone": "../etc/passwd"}], "deny"),
        ([DENY | {"schedule": "@daily"}], None),
    ],
)
def test_which_window_keeps_an_application_from_being_synced(
    windows: list[dict[str, Any]], closed: str | None
) -> None:
    """A deny window that is open, or allow windows of which none is."""
    found = project(syncWindows=windows).closed_by(HERE, manual=False, now=NOON)
    assert (found.kind if found else None) == closed


@pytest.mark.parametrize("base", [DENY, LATER])
def test_a_person_may_sync_where_all_windows_let_people(base: dict[str, Any]) -> None:
    """One window that does not is enough to stop them, too."""
    lenient = base | {"manualSync": True}
    assert project(syncWindows=[lenient]).closed_by(HERE, manual=True, now=NOON) is None
    assert project(syncWindows=[lenient]).closed_by(HERE, manual=False, now=NOON) is not None
    assert project(syncWindows=[lenient, base]).closed_by(HERE, manual=True, now=NOON) is not None


def test_a_window_says_when_it_is() -> None:
    """As a person would look for it in the project."""
    (made,) = project(syncWindows=[DENY | {"timeZone": "Asia/Tokyo"}]).windows
    assert str(made) == 'deny "0 11 * * *" for 2h (Asia/Tokyo)'


@pytest.mark.parametrize("odd", [None, [], "text", 3, [None, "x"], {"a": 1}])
def test_odd_values_are_no_error(odd: object) -> None:
    """One project that is odd must not make the others unreadable."""
    for key in ("syncWindows", "signatureKeys", "sourceIntegrity"):
        project(**{key: odd}).signature_keys(SHOP)
        project(**{key: [{"kind": odd, "applications": odd}]})
        project(**{key: {"git": odd}})
        project(**{key: {"git": {"policies": [{"repos": odd, "gpg": odd}]}}}).signature_keys(SHOP)
    assert Project.project({}).signature_keys(SHOP) is None
