"""Applications, reduced: where they come from, what they own, which branch they follow."""

from typing import Any

import pytest

from gitops_backup.domain.images import Reference
from gitops_backup.domain.workloads import Workload, WorkloadKey
from gitops_backup.sources.applications import (
    Application,
    PinnedRevision,
    normalised,
    writable_branch,
)
from gitops_backup.sources.directory import DirectoryOptions
from gitops_backup.sources.jsonnet.options import JsonnetBlock
from gitops_backup.sources.tracking import Tracking

HERE = {"server": "https://kubernetes.default.svc", "namespace": "shop"}
SOURCE = {"repoURL": "https://git.example/Shop.git", "path": "apps/web", "targetRevision": "main"}
WEB = WorkloadKey("Deployment", "shop", "web")
LISTED = [
    {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web"},
    {"group": "apps", "version": "v1", "kind": "StatefulSet", "namespace": "shop", "name": "db"},
    {"version": "v1", "kind": "Service", "namespace": "shop", "name": "web"},
    {"group": "example.com", "kind": "Deployment", "namespace": "shop", "name": "other"},
]


def test_what_is_needed_is_kept() -> None:
    """The projection has the sources, the owner's part of the status, and what Argo CD is about to do."""
    application = app(
        spec={
            "project": "team",
            "source": SOURCE | {"directory": {"recurse": True, "include": "*.yaml", "jsonnet": {}}},
            "syncPolicy": {"automated": {"selfHeal": True}},
        },
        status={
            "resources": LISTED,
            "sourceType": "Directory",
            "sync": {"status": "Synced", "revision": "abc"},
            "operationState": {"phase": "Running"},
        },
        annotations={"argocd.argoproj.io/refresh": "normal"},
    )
    (source,) = application.sources
    assert (source.path, source.target_revision, source.blocks) == ("apps/web", "main", ("directory",))
    assert source.directory == DirectoryOptions(
        recurse=True, include="*.yaml", jsonnet=JsonnetBlock(place="spec.source.directory.jsonnet")
    )
    assert source.repository == "https://git.example/Shop"
    assert application.source_type(source) == "Directory"
    assert application.workloads == {WEB}
    assert (application.namespace, application.name, application.instance) == ("argocd", "web", "web")
    assert (application.app_project, application.destination_namespace) == ("team", "shop")
    assert application.automated
    assert application.self_heal
    assert application.synced
    assert application.refresh_pending
    assert application.syncing
    assert application.revisions == ("abc",)


def test_what_is_missing_is_unset() -> None:
    """An Application that was just made, or a file with the least in it, reads as one with nothing set."""
    application = Application.project({"metadata": {"name": "web"}})
    assert application.sources == ()
    assert application.source_types + application.revisions == ()
    assert application.workloads == frozenset()
    assert not application.in_cluster
    assert not application.automated
    assert not application.self_heal
    assert not application.synced
    assert (application.namespace, application.app_project) == ("argocd", "default")


@pytest.mark.parametrize("odd", [None, [], "text", 3, [None, "x"], {"a": 1}])
def test_odd_values_are_no_error(odd: object) -> None:
    """One that is odd must not make the others unreadable: files in a repository may say anything."""
    for key in ("source", "sources", "sourceHydrator", "destination", "syncPolicy", "project"):
        Application.project({"metadata": {"name": "web"}, "spec": {key: odd}, "status": odd})
    for key in ("kustomize", "helm", "directory", "path", "repoURL"):
        Application.project({"metadata": odd, "spec": {"source": {key: odd}}})
    for key in ("resources", "sync", "sourceTypes", "operationState"):
        application = app(spec={"source": SOURCE}, status={key: odd})
        assert application.workloads == frozenset()


def test_sources_take_precedence_over_one_another() -> None:
    """A hydrator comes before several sources, and these before a single one."""
    many = [SOURCE | {"path": "a"}, SOURCE | {"path": "b"}, SOURCE | {"chart": "c"}]
    assert [s.path for s in app(spec={"source": SOURCE, "sources": []}).sources] == ["apps/web"]
    several = app(spec={"source": SOURCE, "sources": many}, status={"sourceTypes": ["Directory", "Helm"]})
    assert [(s.index, s.path, several.source_type(s)) for s in several.sources] == [
        (0, "a", "Directory"),
        (1, "b", "Helm"),
        (2, "apps/web", ""),
    ]
    hydrator = {"drySource": SOURCE | {"path": "dry"}, "syncSource": {"targetBranch": "env", "path": "x"}}
    hydrated = app(spec={"source": SOURCE, "sources": many, "sourceHydrator": hydrator})
    assert [s.path for s in hydrated.sources] == ["dry"]
    assert hydrated.hydrated
    assert not several.hydrated


@pytest.mark.parametrize(
    ("policy", "automated", "self_heal"),
    [
        (None, False, False),
        ({}, False, False),
        ({"automated": None}, False, False),
        ({"automated": {}}, True, False),
        ({"automated": {"selfHeal": True}}, True, True),
        ({"automated": {"enabled": False, "selfHeal": True}}, False, False),
        ({"automated": {"enabled": True, "selfHeal": False}}, True, False),
    ],
)
def test_self_heal_needs_automation(policy: object, automated: bool, self_heal: bool) -> None:
    """Automation that is switched off heals nothing."""
    application = app(spec={"source": SOURCE, "syncPolicy": policy})
    assert (application.automated, application.self_heal) == (automated, self_heal)


@pytest.mark.parametrize(
    ("destination", "here"),
    [
        ({"server": "https://kubernetes.default.svc"}, True),
        ({"name": "in-cluster"}, True),
        ({"server": "https://10.0.0.1"}, False),
        ({"name": "edge"}, False),
        ({}, False),
    ],
)
def test_what_is_deployed_elsewhere_owns_nothing_here(destination: object, here: bool) -> None:
    """The same name on another cluster is another workload."""
    application = app(spec={"source": SOURCE, "destination": destination}, status={"resources": LISTED})
    assert application.in_cluster == here
    assert (WEB in application.workloads) == here
    assert application.is_named_by(workload("web:apps/Deployment:shop/web"), Tracking()) == here


def test_instances_outside_of_argo_cds_namespace_have_two_names() -> None:
    """The instance in a tracking id has the namespace in front where it is not Argo CD's own."""
    assert app(namespace="team").instance == "team_web"
    assert app(namespace="team", status={"controllerNamespace": "team"}).instance == "web"
    moved = Application.project(
        {"metadata": {"name": "web", "namespace": "gitops"}}, argocd_namespace="gitops"
    )
    assert moved.instance == "web"
    assert app(namespace="team").is_named_by(workload("team_web:apps/Deployment:shop/web"), Tracking())


@pytest.mark.parametrize(
    ("revision", "branch"),
    [
        ("", None),
        ("HEAD", None),
        ("main", "main"),
        ("release-1.2", "release-1.2"),
        ("feature/x", "feature/x"),
        ("refs/heads/20240101", "20240101"),
        ("v1.2.3", "v1.2.3"),
        ("extra", "extra"),
        ("cafe", "cafe"),
    ],
)
def test_a_branch_can_be_written(revision: str, branch: str | None) -> None:
    """A name may be a branch; whether it is one only the repository knows."""
    assert writable_branch(revision) == branch


@pytest.mark.parametrize(
    "revision",
    [
        "a" * 40,
        "deadbeef",
        "refs/tags/v1",
        "refs/pull/1/head",
        "1.*",
        "1.x",
        "*",
        "x",
        "v1.2.X",
        ">=1.2",
        "~1.2",
        "^1",
        "1.2 - 1.4",
        ">1, <2",
        "1 || 2",
    ],
)
def test_a_revision_that_is_pinned_says_so(revision: str) -> None:
    """A commit, a tag and a range of versions cannot be pushed to, and the hint says what to do."""
    with pytest.raises(PinnedRevision, match="cannot be pushed to") as caught:
        writable_branch(revision)
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    ("url", "one_form"),
    [
        ("https://git.example/Team/shop.git", "https://git.example/Team/shop"),
        ("https://GIT.example/Team/shop/", "https://git.example/Team/shop"),
        (" https://user:secret@git.example/Team/shop.git ", "https://git.example/Team/shop"),
        ("git@git.example:Team/shop.git", "ssh://git@git.example/Team/shop"),
        ("ssh://git:secret@git.example/Team/shop", "ssh://git@git.example/Team/shop"),
        ("git.example:Team/shop", "ssh://git.example/Team/shop"),
        ("https://git.example:8443/shop?x=secret", "https://git.example:8443/shop"),
        ("file:///srv/git/shop.git", "file:///srv/git/shop"),
        ("/srv/git/shop.git", "/srv/git/shop"),
        ("http://user:secret@[broken/shop", "[broken/shop"),
        ("", ""),
    ],
)
def test_a_repository_has_one_name(url: str, one_form: str) -> None:
    """All ways to write a URL are one repository, and passwords are not part of it."""
    assert normalised(url) == one_form


def test_a_password_is_not_printed() -> None:
    """What an Application shows of itself has no URL in it, which may hold a password."""
    assert "secret" not in repr(app(spec={"source": SOURCE | {"repoURL": "https://u:secret@git.example/x"}}))


@pytest.mark.parametrize(
    ("source", "field"),
    [
        ({"kustomize": {"images": ["busybox:1", "nginx=bak.example/nginx:2"]}}, "kustomize.images[1]"),
        ({"kustomize": {"images": ["docker.io/library/nginx:1.26"]}}, "kustomize.images[0]"),
        ({"kustomize": {"images": ["web=nginx:1.26"]}}, "kustomize.images[0]"),
        ({"helm": {"parameters": [{"name": "image", "value": "nginx:1.26"}]}}, "helm.parameters[image]"),
        (
            {"helm": {"parameters": [{"name": "image.repository", "value": "nginx"}]}},
            "helm.parameters[image.repository]",
        ),
        ({"helm": {"parameters": [{"name": "tag", "value": "1.26"}, {"name": "debug"}]}}, None),
        ({"kustomize": {"images": ["quay.io/library/nginx:1"]}}, None),
        ({}, None),
    ],
)
def test_an_override_of_the_live_application_is_named(source: dict[str, Any], field: str | None) -> None:
    """An image that the Application sets itself is found by its name, whatever its tag."""
    one: dict[str, Any] = {"source": SOURCE | source}
    for number, spec in enumerate([one, {"sources": [SOURCE, SOURCE | source]}]):
        override = app(spec=spec).sources[number].overriding(Reference.parse("nginx:1.25"))
        place = f"spec.sources[{number}]" if number else "spec.source"
        assert (override.place if override else None) == (f"{place}.{field}" if field else None)


def app(
    *,
    name: str = "web",
    namespace: str = "argocd",
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
) -> Application:
    """An Application of this cluster, from what the API would say."""
    return Application.project(
        {
            "metadata": {"name": name, "namespace": namespace, "annotations": annotations or {}},
            "spec": {"destination": HERE} | (spec or {"source": SOURCE}),
            "status": status or {},
        }
    )


def workload(tracking_id: str | None) -> Workload:
    """The Deployment web in the namespace shop."""
    annotations = {} if tracking_id is None else {"argocd.argoproj.io/tracking-id": tracking_id}
    metadata = {"name": "web", "namespace": "shop", "annotations": annotations}
    return Workload.project("Deployment", {"metadata": metadata})


@pytest.mark.parametrize(
    ("block", "blocks"),
    [
        ({"directory": {}}, ()),
        ({"directory": {"recurse": False, "jsonnet": {"tlas": []}}}, ()),
        ({"directory": {"include": "*.yaml"}}, ("directory",)),
        ({"kustomize": {"images": [], "forceCommonLabels": True}}, ()),
        ({"helm": {"values": "", "parameters": []}}, ()),
        ({"helm": {"valuesObject": {}}}, ("helm",)),
        ({"plugin": {}}, ("plugin",)),
    ],
)
def test_a_block_that_says_nothing_does_not_count(block: dict[str, Any], blocks: tuple[str, ...]) -> None:
    """Argo CD takes it away, and looks what the folder holds."""
    (source,) = app(spec={"source": SOURCE | block}).sources
    assert source.blocks == blocks


@pytest.mark.parametrize(
    ("destination", "here"),
    [
        ({"server": "https://10.0.0.1:6443"}, True),
        ({"name": "prod"}, True),
        ({"name": "in-cluster"}, False),
        ({"server": "https://kubernetes.default.svc"}, False),
        ({"name": ""}, False),
        ({}, False),
    ],
)
def test_an_application_deploys_here_where_it_names_this_cluster(
    destination: dict[str, str], here: bool
) -> None:
    """By a name or an address that Argo CD has for it; what it deploys elsewhere is nobody's here."""
    application = Application.project(
        {
            "metadata": {"name": "web"},
            "spec": {"destination": destination},
            "status": {"resources": LISTED},
        },
        destinations=["prod", "https://10.0.0.1:6443"],
    )
    assert application.in_cluster is here
    assert (WEB in application.workloads) is here


def test_what_a_hydrator_has_seen_are_the_commits_that_it_renders_from() -> None:
    """Its own refresh is asked for by an annotation of its own."""
    status = {
        "sync": {"revision": "hydrated"},
        "sourceHydrator": {
            "currentOperation": {"drySHA": "newer", "phase": "Hydrating"},
            "lastSuccessfulOperation": {"drySHA": "seen"},
        },
    }
    spec = {"sourceHydrator": {"drySource": {"repoURL": "https://git.example/x", "path": "app"}}}
    metadata = {"name": "web", "annotations": {"argocd.argoproj.io/refresh": "normal"}}
    made = Application.project({"metadata": metadata, "spec": spec, "status": status})
    assert (made.revisions, made.refresh_pending) == (("seen",), False)
    metadata["annotations"] = {"argocd.argoproj.io/hydrate": "normal"}
    assert Application.project({"metadata": metadata, "spec": spec}).refresh_pending
