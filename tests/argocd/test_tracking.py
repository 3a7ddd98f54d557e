"""What a real Argo CD writes on what it deploys says here whose it is, however Argo CD is set up.

The Deployment has a label that Argo CD may go by itself, as charts have it, with the name of another
Application.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml

from gitops_backup.domain.workloads import Workload
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from gitops_backup.sources.applications import Application, owner_of
from gitops_backup.sources.argocd import ArgoCd
from gitops_backup.sources.tracking import Tracking
from tests.end_to_end.scene import manifest

_SECONDS = 180.0
_CONFIG_MAP = "/api/v1/namespaces/argocd/configmaps/argocd-cm"
_DEPLOYMENTS = "/apis/apps/v1/namespaces/tracking/deployments"
_LABEL = "app.kubernetes.io/instance"
_METHOD, _KEY = "application.resourceTrackingMethod", "application.instanceLabelKey"
_BY_LABEL = Tracking(_LABEL)
_SETTINGS: dict[str, tuple[dict[str, str], list[Tracking]]] = {
    "by-default": ({}, [_BY_LABEL, Tracking(installation_id="other")]),
    "by-both": ({_METHOD: "annotation+label", _KEY: "example.com/app"}, [_BY_LABEL]),
    "by-label": ({_METHOD: "label"}, [Tracking()]),
    "by-its-label": ({_METHOD: "label", _KEY: "example.com/app"}, [Tracking(), _BY_LABEL]),
    "by-id": ({"installationID": "ours"}, [Tracking(), Tracking(installation_id="other"), _BY_LABEL]),
}
"""Settings of Argo CD, and what is not how it goes by then."""


@pytest.fixture
def settings(sandbox: Sandbox, request: pytest.FixtureRequest) -> Iterator[ArgoCd]:
    """Argo CD, set up as the case has it; then again as it was."""
    data, _ = _SETTINGS[request.param]
    sandbox.api.merge(_CONFIG_MAP, {"data": data})
    yield ArgoCd.project(sandbox.api.get(_CONFIG_MAP))
    sandbox.api.merge(_CONFIG_MAP, {"data": dict.fromkeys(data)})


@pytest.mark.parametrize(("name", "settings"), [(name, name) for name in _SETTINGS], indirect=["settings"])
def test_what_stands_on_a_workload_tells_its_application(
    sandbox: Sandbox, settings: ArgoCd, name: str
) -> None:
    """Before any status lists it; read in another way, it tells nothing."""
    sandbox.push("acme/tracked:1")
    sandbox.namespace("tracking")
    thing = manifest("Deployment", name, ["acme/tracked:1"], namespace="tracking")
    thing["metadata"]["labels"] = {_LABEL: "another"}
    url = sandbox.git.create(f"tracking-{name}", {"app.yaml": yaml.safe_dump(thing).encode()})
    (applied,) = sandbox.apply(_application(name, url))
    path = sandbox.api.path_of(applied)
    until(
        lambda: sandbox.api.get(path).get("status", {}).get("sync", {}).get("status") == "Synced",
        what="the first sync",
        timeout=_SECONDS,
    )
    application = replace(Application.project(sandbox.api.get(path)), workloads=frozenset())
    workload = Workload.project("Deployment", sandbox.api.get(f"{_DEPLOYMENTS}/{name}"))
    others = [replace(application, name=each, instance=each) for each in ("another", "one-more")]

    def owner(tracking: Tracking) -> Application | None:
        return owner_of(workload, [*others, application], tracking=lambda each: tracking)

    assert owner(settings.tracking) == application
    _, wrong = _SETTINGS[name]
    assert [owner(each) for each in wrong].count(application) == 0
    sandbox.api.delete(path)


def _application(name: str, url: str) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "path": "."},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "tracking"},
            "syncPolicy": {"automated": {}},
        },
    }
