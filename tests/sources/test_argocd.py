"""What the ConfigMap argocd-cm makes of an Argo CD."""

from typing import Any

import pytest
import yaml

from gitops_backup.domain.workloads import Container, Kind, WorkloadKey
from gitops_backup.sources.argocd import ArgoCd
from gitops_backup.sources.tracking import Tracking

LABEL = "app.kubernetes.io/instance"
KEY = "resource.customizations.ignoreDifferences."
WEB = WorkloadKey("Deployment", "shop", "web")
AGENT = WorkloadKey("DaemonSet", "shop", "agent")
IMAGES = "jsonPointers: [/spec/template/spec/containers/0/image]"
UPDATER = "managedFieldsManagers: [updater]"
CONTAINER = Container("c0", "a:1", False, 0, managers=("updater",))


@pytest.mark.parametrize(
    ("data", "tracking"),
    [
        ({}, Tracking()),
        ({"application.resourceTrackingMethod": "annotation"}, Tracking()),
        ({"application.resourceTrackingMethod": "annotation+label"}, Tracking()),
        ({"application.resourceTrackingMethod": "no such method"}, Tracking()),
        ({"application.resourceTrackingMethod": "label"}, Tracking(LABEL)),
        (
            {
                "application.resourceTrackingMethod": "label",
                "application.instanceLabelKey": "example.com/app",
            },
            Tracking("example.com/app"),
        ),
        (
            {"application.resourceTrackingMethod": "label", "application.instanceLabelKey": ""},
            Tracking(LABEL),
        ),
        ({"application.instanceLabelKey": "example.com/app"}, Tracking()),
        ({"installationID": "ours"}, Tracking(None, "ours")),
    ],
)
def test_how_it_knows_what_it_deployed(data: dict[str, str], tracking: Tracking) -> None:
    """By an annotation, as long as it is not told to go by a label alone."""
    assert ArgoCd.project({"data": data}).tracking == tracking


def ignoring(data: dict[str, str]) -> list[str]:
    """The kinds of workload of which an image is ignored, each with the field that says so first."""
    argocd = ArgoCd.project({"metadata": {"namespace": "argocd"}, "data": data})
    assert {each.place for each in argocd.ignored} <= {"the ConfigMap argocd/argocd-cm"}
    found = []
    for key in (WEB, AGENT):
        fields = [each.field for each in argocd.ignored if each.covers(key, CONTAINER)]
        found += [f"{key.kind} {field}" for field in fields[:1]]
    return found


def _block(said: dict[str, Any]) -> dict[str, str]:
    return {"resource.customizations": yaml.safe_dump(said)}


@pytest.mark.parametrize(
    "said", [IMAGES, UPDATER, 'jqPathExpressions: [".spec.template.spec.containers[].image"]']
)
def test_differences_are_ignored_for_a_kind_or_for_all(said: str) -> None:
    """Whichever of the three ways says what of them."""
    which = f"{said.partition(':')[0]}[0]"
    one, all_of_them = f"{KEY}apps_Deployment", f"{KEY}all"
    assert ignoring({one: said}) == [f"Deployment {one}.{which}"]
    assert ignoring({all_of_them: said}) == [f"{kind} {all_of_them}.{which}" for kind in Kind]
    assert ignoring({f"{KEY}apps_StatefulSet": said, f"{KEY}Deployment": said, f"{KEY}batch_Job": said}) == []
    assert ignoring({KEY: said, f"{KEY}a_b_c": said, "resource.customizations.health.all": said}) == []


def test_group_and_kind_are_patterns_but_not_where_managers_are_named() -> None:
    """As Argo CD looks them up."""
    said = {"apps/D*": {"ignoreDifferences": f"{IMAGES}\n{UPDATER}"}}
    field = "resource.customizations[apps/D*].ignoreDifferences.jsonPointers[0]"
    assert ignoring(_block(said)) == [f"{kind} {field}" for kind in Kind]
    assert ignoring(_block({"apps/D*": {"ignoreDifferences": UPDATER}})) == []


def test_the_one_block_counts_where_no_key_of_its_own_does() -> None:
    """It is how all of them were written once."""
    data = _block(
        {
            "apps/Deployment": {"ignoreDifferences": IMAGES, "health.lua": "return {}"},
            "apps/DaemonSet": {"ignoreDifferences": UPDATER},
            "example.com/Widget": {"actions": "x"},
        }
    )
    assert ignoring(data) == [
        "Deployment resource.customizations[apps/Deployment].ignoreDifferences.jsonPointers[0]",
        "DaemonSet resource.customizations[apps/DaemonSet].ignoreDifferences.managedFieldsManagers[0]",
    ]
    data[f"{KEY}apps_Deployment"] = "jsonPointers: [/spec/replicas]"
    assert ignoring(data) == [
        "DaemonSet resource.customizations[apps/DaemonSet].ignoreDifferences.managedFieldsManagers[0]"
    ]
    assert len(ignoring(_block({"*/*": {"ignoreDifferences": UPDATER}}))) == 2


@pytest.mark.parametrize(
    "odd", ["", "[", "3", "[1]", "a: &a [*a]", "x: !!python/object:os.system {}", "{}: 1"]
)
def test_what_makes_no_sense_does_not_count(odd: str) -> None:
    """And hides nothing of the rest."""
    data = {f"{KEY}all": odd, "resource.customizations": odd, f"{KEY}apps_Deployment": IMAGES}
    assert ignoring(data) == [f"Deployment {KEY}apps_Deployment.jsonPointers[0]"]
    assert ignoring(_block({"apps/Deployment": {"ignoreDifferences": odd}})) == []


@pytest.mark.parametrize("odd", [{}, {"data": None}, {"data": ["x"]}, {"data": {"installationID": 3}}])
def test_what_says_nothing_is_as_by_default(odd: dict[str, Any]) -> None:
    """Nothing is set there."""
    assert ArgoCd.project(odd) == ArgoCd()
