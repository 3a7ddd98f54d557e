"""Apps of apps: what an Application says itself is written where another one deploys it from."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import yaml

from gitops_backup.controller.declaring import with_declarations
from gitops_backup.controller.foresight import Future, foresee
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.controller.parts import Part
from gitops_backup.domain.planning import plan
from gitops_backup.domain.workloads import Workload
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application, Declarer
from gitops_backup.sources.declarations import Declaration
from tests.controller.cluster import NOW, backup, inventory, policy, source, workload
from tests.controller.memory import COMMIT, MemoryBranch, MemoryGit, manifest
from tests.controller.test_drafting_elsewhere import MemoryElsewhere

APPS, SHOP, CHARTS = "https://git.example/apps", "https://git.example/shop", "https://charts.example"
WEB = workload("web", "nginx:1.25")
CHART = {
    "Chart.yaml": b"apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "values.yaml": b"image: other\n",
    "templates/web.yaml": manifest("web", "{{ .Values.image }}:1.25"),
}
COPY = "bak.example/m/library_nginx"


def child(url: str = APPS, *, values: str = "image: nginx\n", **more: Any) -> dict[str, Any]:
    """The manifest of an Application that deploys `web` from a chart, with values of its own."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "argocd"},
        "spec": {
            "source": {"repoURL": url, "path": "chart", "helm": {"values": values}, **more},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
        },
    }


def live(said: Mapping[str, Any], *, tracking: str = "") -> Application:
    """The Application as it is in the cluster, with its workload."""
    resource = {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"}
    annotations = {"argocd.argoproj.io/tracking-id": tracking} if tracking else {}
    metadata = {**said["metadata"], "annotations": annotations}
    return Application.project({**said, "metadata": metadata, "status": {"resources": [resource]}})


def root(
    url: str = APPS, path: str = "apps", *, name: str = "root", listed: Sequence[str] = ("web",), **more: Any
) -> Application:
    """An Application that deploys others."""
    resources = [
        {"group": "argoproj.io", "kind": "Application", "namespace": "argocd", "name": each}
        for each in listed
    ]
    spec = {
        "source": source(url, path, **more),
        "destination": {"server": "https://kubernetes.default.svc", "namespace": "argocd"},
    }
    status = {"resources": resources, "sync": {"status": "Synced"}}
    return Application.project(
        {"metadata": {"name": name, "namespace": "argocd"}, "spec": spec, "status": status}
    )


def foreseen(
    renderer: LocalRenderer,
    applications: Sequence[Application],
    files: Mapping[str, Mapping[str, bytes]],
    *,
    elsewhere: Mapping[str, Mapping[str, bytes]] | None = None,
    web: Workload = WEB,
) -> Future:
    """What would be written to these repositories."""
    known = inventory(web, backup("nginx:1.25"), *applications)
    git = MemoryGit({url: [MemoryBranch(dict(contents))] for url, contents in files.items()})
    places = MemoryElsewhere(dict(elsewhere or {}))
    return foresee(plan(known, policy()), known, git, renderer=renderer, now=NOW, elsewhere=places)


def diffs(future: Future) -> dict[str, list[str]]:
    """The lines that change, by file."""
    return {
        f"{change.target.repository if change.target else ''} {change.path}": [
            line for line in change.diff.splitlines()[3:] if line[0] in "+-"
        ]
        for change in future.changes
    }


def obstacles(future: Future) -> list[str]:
    """What is in the way."""
    return [f"{why.reason}: {why.message}" for why in future.obstacles.values()]


def chart(folder: str = "chart") -> dict[str, bytes]:
    """The chart in a folder of a repository."""
    return {f"{folder}/{path}": content for path, content in CHART.items()}


def as_yaml(said: Mapping[str, Any]) -> bytes:
    """A manifest, as people write it."""
    return yaml.dump(said, Dumper=_Blocks, sort_keys=False).encode()


class _Blocks(yaml.SafeDumper):
    """Texts of several lines as blocks."""


_Blocks.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style="|" if "\n" in text else None
    ),
)


def test_values_are_written_beside_the_chart_that_they_are_for(both_renderers: LocalRenderer) -> None:
    """The Application that deploys the other one lists it in its status."""
    files = {"apps/web.yaml": as_yaml(child()), **chart()}
    future = foreseen(both_renderers, [root(), live(child())], {APPS: files})
    assert obstacles(future) == []
    assert diffs(future) == {f"{APPS} apps/web.yaml": ["-        image: nginx", f"+        image: {COPY}"]}
    (place,) = future.places.values()
    assert (place.path, place.line) == ("apps/web.yaml", 12)


def test_an_application_that_is_nobodys_stays_overridden(both_renderers: LocalRenderer) -> None:
    """Its values are in no file."""
    future = foreseen(both_renderers, [root(listed=()), live(child())], {APPS: chart()})
    (why,) = obstacles(future)
    assert why == ("Overridden: spec.source.helm.values.image of the live Application sets nginx")


def test_the_tracking_id_tells_the_parent_too(both_renderers: LocalRenderer) -> None:
    """One that was inherited from another object counts for nothing."""
    files = {"apps/web.yaml": as_yaml(child()), **chart()}
    own = "root:argoproj.io/Application:argocd/web"
    future = foreseen(both_renderers, [root(listed=()), live(child(), tracking=own)], {APPS: files})
    assert list(diffs(future)) == [f"{APPS} apps/web.yaml"]
    inherited = own.replace("argocd/web", "argocd/other")
    future = foreseen(both_renderers, [root(listed=()), live(child(), tracking=inherited)], {APPS: files})
    assert diffs(future) == {}


def test_an_application_that_deploys_from_elsewhere_is_written_where_it_is(
    both_renderers: LocalRenderer,
) -> None:
    """The chart is in another repository, which is read and not written."""
    said = child(SHOP)
    future = foreseen(
        both_renderers,
        [root(), live(said)],
        {APPS: {"apps/web.yaml": as_yaml(said)}, SHOP: chart()},
        elsewhere={SHOP: chart(), APPS: {}},
    )
    assert obstacles(future) == []
    assert diffs(future) == {f"{APPS} apps/web.yaml": ["-        image: nginx", f"+        image: {COPY}"]}


def test_what_files_say_is_written_there_and_not_in_the_application(both_renderers: LocalRenderer) -> None:
    """The Application's own values are of something else."""
    said = child(SHOP, values="replicas: 1\n")
    shop = {**chart(), "chart/values.yaml": b"image: nginx\n"}
    future = foreseen(
        both_renderers,
        [root(), live(said)],
        {APPS: {"apps/web.yaml": as_yaml(said)}, SHOP: shop},
        elsewhere={SHOP: shop, APPS: {}},
    )
    assert obstacles(future) == []
    assert diffs(future) == {f"{SHOP} chart/values.yaml": ["-image: nginx", f"+image: {COPY}"]}


@pytest.mark.parametrize("block", [{"valuesObject": {"image": "nginx"}}, {"values": "replicas: 1\n"}, None])
def test_values_of_a_chart_from_a_chart_repository_are_the_applications(
    block: dict[str, Any] | None, both_renderers: LocalRenderer
) -> None:
    """They are the one place in Git; a key that only the chart says is added there."""
    files = dict(CHART) if block and "valuesObject" in block else {**CHART, "values.yaml": b"image: nginx\n"}
    said = child(CHARTS)
    said["spec"]["source"] = {"repoURL": CHARTS, "chart": "web", "targetRevision": "1.0.0"}
    if block is not None:
        said["spec"]["source"]["helm"] = block
    future = foreseen(
        both_renderers,
        [root(), live(said)],
        {APPS: {"apps/web.yaml": as_yaml(said)}},
        elsewhere={CHARTS: files},
    )
    assert obstacles(future) == []
    ((_, lines),) = diffs(future).items()
    assert lines[-1].strip("+ ") == f"image: {COPY}"


def test_apps_of_apps_of_apps(both_renderers: LocalRenderer) -> None:
    """Whoever deploys the one in the middle does not matter."""
    middle = root(path="middle", name="middle")
    files = {"middle/web.yaml": as_yaml(child()), **chart()}
    future = foreseen(both_renderers, [root(listed=("middle",)), middle, live(child())], {APPS: files})
    assert list(diffs(future)) == [f"{APPS} middle/web.yaml"]


def test_a_kustomization_of_applications_is_shown_to_change_in_them_alone(
    both_renderers: LocalRenderer,
) -> None:
    """What it lists as it is can be written."""
    files = {
        "apps/kustomization.yaml": b"resources: [web.yaml]\nnamespace: argocd\n",
        "apps/web.yaml": as_yaml(child()),
        **chart(),
    }
    future = foreseen(both_renderers, [root(), live(child())], {APPS: files})
    assert obstacles(future) == []
    assert list(diffs(future)) == [f"{APPS} apps/web.yaml"]


def test_another_overlay_of_the_same_file_speaks_against_it(both_renderers: LocalRenderer) -> None:
    """What it makes of it is an Application that was not shown to change in images alone."""
    files = {
        "base/kustomization.yaml": b"resources: [web.yaml]\n",
        "base/web.yaml": as_yaml(child()),
        "apps/kustomization.yaml": b"resources: [../base]\n",
        "other/kustomization.yaml": b"resources: [../base]\nnamePrefix: other-\n",
        **chart(),
    }
    other = root(path="other", name="other", listed=("other-web",))
    future = foreseen(both_renderers, [root(), other, live(child())], {APPS: files})
    assert diffs(future) == {}
    (why,) = obstacles(future)
    assert "base/web.yaml, line 12, is read for the Application argocd/other, too: " in why


def test_what_git_says_already_waits_for_the_parent(both_renderers: LocalRenderer) -> None:
    """The live Application is behind its file: that is no override."""
    files = {"apps/web.yaml": as_yaml(child(values=f"image: {COPY}\n")), **chart()}
    future = foreseen(both_renderers, [root(), live(child())], {APPS: files})
    (why,) = obstacles(future)
    assert why.startswith("AwaitingSync: main names the backup already")


def test_a_field_that_somebody_set_in_the_cluster_is_named(both_renderers: LocalRenderer) -> None:
    """As image updaters do."""
    said = child()
    set_there = child()
    set_there["spec"]["source"]["helm"]["parameters"] = [{"name": "image", "value": "nginx"}]
    files = {"apps/web.yaml": as_yaml(said), **chart()}
    future = foreseen(both_renderers, [root(), live(set_there)], {APPS: files})
    (why,) = obstacles(future)
    assert why == (
        "Overridden: spec.source.helm.parameters[image] of the live Application is not what apps/web.yaml"
        " says, from line 8 on"
    )


def test_the_workloads_of_a_child_are_looked_at_again_when_its_parent_changes() -> None:
    """Where its manifest is may be another place then."""
    known = inventory(WEB, live(child()))
    parent = root()
    assert known.put_application(("argocd", "root"), parent).workloads == {WEB.key}
    assert known.put_application(("argocd", "root"), replace(parent, synced=False)).workloads == set()
    moved = root(path="other")
    assert known.put_application(("argocd", "root"), moved).workloads == {WEB.key}
    assert known.put_application(("argocd", "root"), None).workloads == {WEB.key}


def test_parents_are_read_again_where_their_files_have_changed() -> None:
    """One that comes to be there is a change of them, in whatever folder it is."""
    parent, web = root(directory={"recurse": True}), live(child())
    part = Part(web, web.sources, (), declarers=(Declarer(parent, parent.sources[0]),))
    files, outcomes = {"apps/other.yaml": manifest("other", "nginx")}, Outcomes()

    def declared(branch: MemoryBranch) -> Declaration | None:
        (found,) = with_declarations(branch, COMMIT, [part], elsewhere=None, outcomes=outcomes)
        return found.sources[0].declared

    assert declared(MemoryBranch(files)) is None
    more = {**files, "apps/below/web.yaml": as_yaml(child())}
    written = declared(MemoryBranch(more))
    assert written is not None
    assert written.path == "apps/below/web.yaml"
    again = MemoryBranch(more)
    assert (declared(again), again.asked_for) == (written, set())
