"""Sets that generate from clusters: edited where the clusters that are listed make what is in the cluster."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gitops_backup.controller.foresight import Future, foresee
from gitops_backup.domain.planning import plan
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.applicationsets.clusters import Cluster
from tests.controller.cluster import NOW, backup, inventory, policy, source
from tests.controller.memory import MemoryBranch, MemoryGit
from tests.controller.test_declared import APPS, WEB, as_yaml, chart, diffs, obstacles
from tests.controller.test_drafting_elsewhere import MemoryElsewhere

_IN_CLUSTER, _PROD = "https://kubernetes.default.svc", "https://prod.example"
_FROM, _TO = "nginx", "bak.example/m/library_nginx"
_GIT = {"git": {"repoURL": APPS, "revision": "HEAD", "files": [{"path": "env/*.json"}]}}
_MATRIX = {"matrix": {"generators": [{"clusters": {"selector": {"matchLabels": {"tier": "shop"}}}}, _GIT]}}
_FILES = {"env/web.json": b'{"app": "web", "image": "nginx"}\n'}
_SAID = "spec.source.helm.parameters[image] of the live Application sets nginx"
_LEFT = f"ClustersDiffer: {_SAID}: the ApplicationSet argocd/shop is left as it is, as"
_REMEDY = "correct argocd_clusters, or, where Git has changed, wait for Argo CD to generate it anew"


def _cluster(name: str, server: str, **labels: str) -> Cluster:
    return Cluster.of(
        name=name, server=server, project="", labels={"tier": "shop", **labels}, annotations={"path": "chart"}
    )


_CLUSTERS = (_cluster("in-cluster", _IN_CLUSTER), _cluster("prod", _PROD))


def _set(generator: Any, *, path: str = "chart", image: str = "{{image}}") -> bytes:
    """A set whose Applications deploy `web` from a chart, to a cluster each."""
    made = source(APPS, path, helm={"parameters": [{"name": "image", "value": image}]})
    template = {
        "metadata": {"name": "web-{{name}}"},
        "spec": {
            "project": "default",
            "source": made,
            "destination": {"server": "{{server}}", "namespace": "shop"},
        },
    }
    return as_yaml(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "ApplicationSet",
            "metadata": {"name": "shop", "namespace": "argocd"},
            "spec": {"generators": [generator], "template": template},
        }
    )


def _live(
    name: str, server: str, *, image: str = "nginx", path: str = "chart", parameter: str = "image"
) -> Application:
    """An Application that the set has generated; in this cluster it has a workload."""
    resource = {"group": "apps", "kind": "Deployment", "namespace": "shop", "name": "web"}
    owner = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "name": "shop",
        "controller": True,
    }
    made = source(APPS, path, helm={"parameters": [{"name": parameter, "value": image}]})
    return Application.project(
        {
            "metadata": {"name": name, "namespace": "argocd", "ownerReferences": [owner]},
            "spec": {"source": made, "destination": {"server": server, "namespace": "shop"}},
            "status": {"resources": [resource]},
        }
    )


_HERE, _THERE = _live("web-in-cluster", _IN_CLUSTER), _live("web-prod", _PROD)
_BOTH = (_HERE, _THERE)


def _root() -> Application:
    """The Application that deploys the set."""
    resource = {"group": "argoproj.io", "kind": "ApplicationSet", "namespace": "argocd", "name": "shop"}
    return Application.project(
        {
            "metadata": {"name": "root", "namespace": "argocd"},
            "spec": {
                "source": source(APPS, "sets"),
                "destination": {"server": _IN_CLUSTER, "namespace": "argocd"},
            },
            "status": {"resources": [resource], "sync": {"status": "Synced"}},
        }
    )


def _foreseen(
    renderer: LocalRenderer,
    manifest: bytes,
    *,
    files: Mapping[str, bytes] | None = None,
    live: Sequence[Application] = _BOTH,
    clusters: Sequence[Cluster] | None = _CLUSTERS,
) -> Future:
    known = inventory(WEB, backup("nginx:1.25"), _root(), *live)
    git = MemoryGit({APPS: [MemoryBranch({**chart(), "sets/set.yaml": manifest, **(files or _FILES)})]})
    return foresee(
        plan(known, policy()),
        known,
        git,
        renderer=renderer,
        now=NOW,
        elsewhere=MemoryElsewhere({}),
        clusters=clusters,
    )


_LISTED = {"list": {"elements": [{"image": "nginx"}]}}
_MERGED = {
    "merge": {
        "mergeKeys": ["name"],
        "generators": [
            {"clusters": {"values": {"image": "other"}}},
            {
                "list": {
                    "elements": [{"name": each, "values.image": "nginx"} for each in ("in-cluster", "prod")]
                }
            },
        ],
    }
}


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        (_set(_MATRIX), "env/web.json"),
        (_set({"matrix": {"generators": [{"clusters": {}}, _LISTED]}}), "sets/set.yaml"),
        (_set({"clusters": {"values": {"image": "nginx"}}}, image="{{values.image}}"), "sets/set.yaml"),
        (_set({"clusters": {}}, image="nginx"), "sets/set.yaml"),
        (_set(_MERGED, image="{{values.image}}"), "sets/set.yaml"),
    ],
    ids=["file", "element", "own values", "template", "merged"],
)
def test_what_a_set_says_for_its_clusters_is_written(
    both_renderers: LocalRenderer, manifest: bytes, path: str
) -> None:
    """Wherever it says it: for all clusters together."""
    future = _foreseen(both_renderers, manifest)
    assert obstacles(future) == []
    ((where, lines),) = diffs(future).items()
    assert where == f"{APPS} {path}"
    old, new = [line for line in lines if line[0] == "-"], [line for line in lines if line[0] == "+"]
    assert new == [line.replace(_FROM, _TO).replace("-", "+", 1) for line in old]


@pytest.mark.parametrize(
    ("clusters", "live", "why"),
    [
        (
            _CLUSTERS[:1],
            _BOTH,
            "Argo CD has generated the Application web-prod, which the listed clusters do not make",
        ),
        (
            (*_CLUSTERS, _cluster("test", "https://test.example")),
            _BOTH,
            "the listed clusters make an Application web-test, which Argo CD has not generated",
        ),
        (
            (_CLUSTERS[0], _cluster("prod", "https://other.example")),
            _BOTH,
            "the listed clusters make spec.destination.server of the Application web-prod another than it is",
        ),
        (
            _CLUSTERS,
            (_HERE, _live("web-prod", _PROD, path="other")),
            "the listed clusters make spec.source.path of the Application web-prod another than it is",
        ),
        (
            _CLUSTERS,
            (_HERE, _live("web-prod", _PROD, image="redis")),
            "the listed clusters make spec.source.helm.parameters[image] of the Application web-prod another",
        ),
        (
            _CLUSTERS[1:],
            _BOTH,
            "Argo CD has generated the Application web-in-cluster, which the listed clusters do not make",
        ),
        ((), _BOTH, "Argo CD has generated the Application web-in-cluster"),
    ],
    ids=["one missing", "one more", "another server", "another path", "another image", "itself", "none"],
)
def test_with_a_list_that_is_stale_nothing_of_a_set_is_written(
    both_renderers: LocalRenderer, clusters: Sequence[Cluster], live: Sequence[Application], why: str
) -> None:
    """It is said what differs, and what to do."""
    future = _foreseen(both_renderers, _set(_MATRIX), clusters=clusters, live=live)
    assert diffs(future) == {}
    (told,) = obstacles(future)
    assert told.startswith(f"{_LEFT} {why}")
    assert told.endswith(f"; {_REMEDY}")


def test_without_a_list_the_setting_is_named(both_renderers: LocalRenderer) -> None:
    """Nobody knows which clusters there are."""
    future = _foreseen(both_renderers, _set(_MATRIX), clusters=None)
    assert diffs(future) == {}
    (told,) = obstacles(future)
    assert told.endswith("which clusters there are is known to Argo CD alone; list them in argocd_clusters")


def test_what_git_says_already_waits_for_the_set_of_clusters(both_renderers: LocalRenderer) -> None:
    """Until its Applications are generated anew they differ, and that is no fault of the list."""
    files = {"env/web.json": b'{"app": "web", "image": "bak.example/m/library_nginx"}\n'}
    future = _foreseen(both_renderers, _set(_MATRIX), files=files)
    assert diffs(future) == {}
    (told,) = obstacles(future)
    assert told.startswith("AwaitingSync: ")


def test_a_set_without_clusters_is_not_compared(both_renderers: LocalRenderer) -> None:
    """What else is in the cluster of it does not matter, as nobody lists it."""
    element = {"name": "in-cluster", "server": _IN_CLUSTER, "image": "nginx"}
    future = _foreseen(both_renderers, _set({"list": {"elements": [element]}}))
    assert obstacles(future) == []
    assert list(diffs(future)) == [f"{APPS} sets/set.yaml"]


def test_sources_are_edited_whatever_is_listed(both_renderers: LocalRenderer) -> None:
    """An image that the chart says is no matter of the set."""
    files = {"chart/values.yaml": b"image: nginx\n"}
    live = [_live("web-in-cluster", _IN_CLUSTER, image="x", parameter="unused")]
    manifest = _set(_MATRIX).replace(b"name: image", b"name: unused")
    future = _foreseen(both_renderers, manifest, files=files, live=live, clusters=())
    assert obstacles(future) == []
    assert list(diffs(future)) == [f"{APPS} chart/values.yaml"]
