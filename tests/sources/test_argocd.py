"""What the ConfigMap argocd-cm makes of an Argo CD."""

from typing import Any

import pytest

from gitops_backup.sources.argocd import ArgoCd
from gitops_backup.sources.tracking import Tracking

LABEL = "app.kubernetes.io/instance"


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


@pytest.mark.parametrize("odd", [{}, {"data": None}, {"data": ["x"]}, {"data": {"installationID": 3}}])
def test_what_says_nothing_is_as_by_default(odd: dict[str, Any]) -> None:
    """Nothing is set there."""
    assert ArgoCd.project(odd) == ArgoCd()
