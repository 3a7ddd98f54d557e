"""Whose a workload is, by what stands on it and by how Argo CD is set up."""

from typing import Any

import pytest

from gitops_backup.domain.workloads import Workload
from gitops_backup.sources.applications import Application, owner_of
from gitops_backup.sources.replacements import ObjectId
from gitops_backup.sources.tracking import Tracking, TrackingId

OWN = "web:apps/Deployment:shop/web"
BY_ANNOTATION, BY_LABEL = Tracking(), Tracking(label="app.kubernetes.io/instance")
OURS = Tracking(installation_id="ours")
LISTED = [{"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"}]


def app(name: str = "web", *, lists: bool = False) -> Application:
    """An Application of this cluster; its status lists the Deployment web in the namespace shop, or not."""
    return Application.project(
        {
            "metadata": {"name": name, "namespace": "argocd"},
            "spec": {"destination": {"server": "https://kubernetes.default.svc"}},
            "status": {"resources": LISTED if lists else []},
        }
    )


def workload(
    tracking_id: str | None = None, *, installation: str | None = None, **labels: str | None
) -> Workload:
    """That Deployment; of the labels, `instance` and `team` are those of these names."""
    said = {"argocd.argoproj.io/tracking-id": tracking_id, "argocd.argoproj.io/installation-id": installation}
    annotations = {key: value for key, value in said.items() if value is not None}
    keys = {"instance": "app.kubernetes.io/instance", "team": "example.com/team"}
    metadata: dict[str, Any] = {
        "name": "web",
        "namespace": "shop",
        "annotations": annotations,
        "labels": {keys[name]: value for name, value in labels.items()},
    }
    return Workload.project("Deployment", {"metadata": metadata})


def owner(of: Workload, *applications: Application, tracking: Tracking = BY_ANNOTATION) -> Application | None:
    return owner_of(of, applications, tracking=lambda application: tracking)


@pytest.mark.parametrize(
    ("tracking", "claimed"),
    [
        (OWN, True),
        ("other:apps/Deployment:shop/web", False),
        ("web:apps/Deployment:shop/parent", False),
        ("web:example.com/Deployment:shop/web", False),
        ("web:apps/StatefulSet:shop/web", False),
        ("web:apps/Deployment:blog/web", False),
        ("web", False),
        ("", False),
        (None, False),
    ],
)
def test_an_annotation_counts_only_on_the_object_that_it_names(tracking: str | None, claimed: bool) -> None:
    """Parents hand their annotations down to their children."""
    assert app().is_named_by(workload(tracking), BY_ANNOTATION) == claimed


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("a:apps/Deployment:n/w", TrackingId("a", ObjectId("apps", "Deployment", "n", "w"))),
        ("a:/Service:n/w", TrackingId("a", ObjectId("", "Service", "n", "w"))),
        ("a:rbac/ClusterRole:/r:x", TrackingId("a", ObjectId("rbac", "ClusterRole", "", "r:x"))),
        ("a:apps/Deployment", None),
        ("a:apps:n/w", None),
        ("a:apps/Deployment:w", None),
        ("a:apps/Deployment:n/w/x", None),
    ],
)
def test_a_tracking_id_is_parsed(text: str, parsed: TrackingId | None) -> None:
    """Three parts, of which the second and the third have two each."""
    assert TrackingId.parse(text) == parsed


def test_a_workload_belongs_to_the_application_that_it_names() -> None:
    """Of several that list it the one that it names itself; without a name the first; else nobody."""
    one, two, new = app("one", lists=True), app("two", lists=True), app("new")
    assert owner(workload("two:apps/Deployment:shop/web"), one, two, new) is two
    assert owner(workload("new:apps/Deployment:shop/web"), one, two, new) is new
    assert owner(workload("gone:apps/Deployment:shop/web"), two, one) is one
    assert owner(workload(), new) is None
    assert owner(workload("two:apps/Deployment:shop/web")) is None


def test_a_label_counts_where_argo_cd_goes_by_it_and_nowhere_else() -> None:
    """Charts set it to what they like; and an annotation may be left from another time."""
    ours, others = app("web"), app("web-chart")
    labelled = workload(OWN, instance="web-chart")
    assert owner(labelled, ours, others) is ours
    assert owner(labelled, ours, others, tracking=BY_LABEL) is others
    assert owner(workload(OWN), ours, others, tracking=BY_LABEL) is None
    assert owner(workload(instance="web-chart"), ours, others) is None


def test_the_label_may_be_another_one() -> None:
    """Then the usual one says nothing."""
    by_team = Tracking(label="example.com/team")
    assert owner(workload(team="web", instance="other"), app("web"), app("other"), tracking=by_team) == app()
    assert owner(workload(instance="other"), app("other"), tracking=by_team) is None


@pytest.mark.parametrize("tracking", [BY_ANNOTATION, BY_LABEL, OURS])
def test_a_status_that_lists_a_workload_counts_with_every_method(tracking: Tracking) -> None:
    """It is what Argo CD itself makes of them."""
    listing = app(lists=True)
    assert owner(workload(), listing, tracking=tracking) is listing
    assert owner(workload("gone:apps/Deployment:shop/web"), listing, tracking=tracking) is listing


def test_a_workload_of_another_argo_cd_is_not_taken_for_one_of_an_application_of_the_same_name() -> None:
    """Where several Argo CDs deploy to a cluster, their objects say which; then the status decides."""
    plain, theirs = workload(OWN), workload(OWN, installation="theirs")
    listing = app("listing", lists=True)
    assert owner(plain, app()) == app()
    assert owner(theirs, app()) is None
    assert owner(theirs, app(), listing) == listing


def test_an_argo_cd_that_knows_its_id_goes_by_it() -> None:
    """What says that another one made it is that one's, whoever lists it; what says nothing, is nobody's."""
    listing = app(lists=True)
    assert owner(workload(OWN, installation="ours"), app(), tracking=OURS) == app()
    assert owner(workload(OWN), app(), tracking=OURS) is None
    assert owner(workload(OWN), listing, tracking=OURS) is listing
    assert owner(workload(OWN, installation="theirs"), listing, tracking=OURS) is None


def test_an_id_says_nothing_where_argo_cd_goes_by_labels() -> None:
    """It is not written there, and may be left from another time."""
    by_label = Tracking(label="app.kubernetes.io/instance", installation_id="ours")
    assert owner(workload(instance="web", installation="theirs"), app(), tracking=by_label) == app()
    assert owner(workload(installation="theirs"), app(lists=True), tracking=by_label) is not None
