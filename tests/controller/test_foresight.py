"""Foresight: what would be written in Git and in the cluster, and what is in the way of it."""

from collections.abc import Mapping, Sequence

import pytest

from gitops_backup.controller.foresight import Future, foresee
from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.planning import plan
from gitops_backup.domain.policy import Mode, Policy
from gitops_backup.domain.workloads import Workload
from gitops_backup.sources.applications import Application
from tests.controller.cluster import (
    NOW,
    application,
    backup,
    inventory,
    policy,
    project,
    source,
    workload,
)
from tests.controller.memory import COMMIT, NO_RENDERER, MemoryBranch, MemoryGit, manifest

Thing = Workload | ImageBackup | Application

_URL = "https://git.example/shop.git"
_OTHER = "https://git.example/other"


def _foreseen(
    things: Sequence[Thing],
    repositories: Mapping[str, Sequence[MemoryBranch]],
    rules: Policy | None = None,
) -> Future:
    rules = rules or policy()
    known = inventory(*things, rules=rules)
    git = MemoryGit({url: list(b) for url, b in repositories.items()})
    return foresee(plan(known, rules), known, git, renderer=NO_RENDERER, now=NOW)


def _obstacles(future: Future) -> dict[str, str]:
    return {
        f"{key.name} {container}": f"{why[0]}: {why[1]}"
        for (_, key, container), why in future.obstacles.items()
    }


def _places(future: Future) -> dict[str, str]:
    return {
        f"{key.name} {container}": f"{place.target} {place.commit == COMMIT} {place.path}:{place.line}"
        for (_, key, container), place in future.places.items()
    }


def test_an_image_that_is_to_be_copied_is_shown_where_it_is_written() -> None:
    """As if its copy was there."""
    web = workload("web", "nginx:1.25")
    branch = MemoryBranch({"apps/web.yaml": manifest("web", "nginx:1.25")})
    future = _foreseen([web, application("shop", source(_URL, "apps"), of=[web])], {_URL: [branch]})
    assert _places(future) == {"web c0": "https://git.example/shop main True apps/web.yaml:10"}
    (change,) = future.changes
    assert (change.path, change.branch, change.commit) == ("apps/web.yaml", "main", COMMIT)
    assert "+          image: bak.example/m/library_nginx:1.25\n" in change.diff
    assert (future.obstacles, future.problems) == ({}, ())


def test_the_default_branch_and_its_name_are_one_branch() -> None:
    """Two Applications that share a file on it make one diff of it; each name is looked up once."""
    web, api = workload("web", "nginx:1.25"), workload("api", "redis:7")
    both = manifest("web", "nginx:1.25") + b"---\n" + manifest("api", "redis:7")
    git = MemoryGit({_URL: [MemoryBranch({"all.yaml": both})], "https://git.example/shop": []})
    known = inventory(
        web,
        api,
        application("a", source(_URL), of=[web]),
        application("b", source(_URL, revision="main"), of=[api]),
    )
    future = foresee(plan(known, policy()), known, git, renderer=NO_RENDERER, now=NOW)
    (change,) = future.changes
    assert change.diff.count("\n+ ") == 2
    assert git.opened == [(_URL, None), (_URL, "main")]


def test_a_repository_that_cannot_be_opened_stops_no_other() -> None:
    """It is one problem, and the obstacle of each of its workloads."""
    web, lost, gone = workload("web", "nginx:1.25"), workload("lost", "redis:7"), workload("gone", "redis:7")
    things: list[Thing] = [
        *(web, lost, gone),
        application("a", source(_OTHER), of=[lost]),
        application("b", source(_OTHER), of=[gone]),
        application("c", source(_URL), of=[web]),
    ]
    future = _foreseen(things, {_URL: [MemoryBranch({"web.yaml": manifest("web", "nginx:1.25")})]})
    why = "https://git.example/other has no branch None"
    assert future.problems == (why,)
    assert _obstacles(future) == {f"{n} c0": f"RepositoryUnavailable: {why}" for n in ("lost", "gone")}
    assert list(_places(future)) == ["web c0"]


def test_a_repository_that_cannot_be_fetched_stops_no_other() -> None:
    """As one that cannot be opened; the place is named where the error does not name it."""
    web, lost = workload("web", "nginx:1.25"), workload("lost", "redis:7")
    things: list[Thing] = [
        web,
        lost,
        application("a", source(_OTHER), of=[lost]),
        application("b", source(_URL), of=[web]),
    ]
    branches = {
        _OTHER: [MemoryBranch({}, away=True)],
        _URL: [MemoryBranch({"web.yaml": manifest("web", "nginx:1.25")})],
    }
    future = _foreseen(things, branches)
    why = "https://git.example/other main: https://git.example/away cannot be reached"
    assert future.problems == (why,)
    assert _obstacles(future) == {"lost c0": f"RepositoryUnavailable: {why}"}
    assert list(_places(future)) == ["web c0"]


def test_what_one_of_several_sources_has_is_not_held_against_the_others() -> None:
    """A chart, a pinned revision, a repository that is away beside the one with the manifest."""
    web = workload("web", "nginx:1.25")
    sources = [
        source(_URL, "chart"),
        source(_URL, "apps"),
        source(_URL, revision="refs/tags/v1"),
        source("https://charts.example", chart="redis"),
        source(_OTHER),
    ]
    files = {"apps/web.yaml": manifest("web", "nginx:1.25"), "chart/Chart.yaml": b"name: chart\n"}
    future = _foreseen([web, application("shop", *sources, of=[web])], {_URL: [MemoryBranch(files)]})
    assert list(_places(future)) == ["web c0"]
    assert future.obstacles == {}


def test_what_none_of_several_sources_has_is_told_by_the_most_telling_of_them() -> None:
    """What cannot be looked into comes before what was looked into in vain."""
    web = workload("web", "nginx:1.25")
    empty = {_URL: [MemoryBranch({"apps/a.yaml": b""}), MemoryBranch({"a.yaml": b""}, name="next")]}
    two_folders = [source(_URL, "apps"), source(_URL, revision="next")]
    future = _foreseen([web, application("shop", *two_folders, of=[web])], empty)
    assert _obstacles(future) == {
        "web c0": "NotFoundInSource: none of the Application's sources describes it"
    }
    charted = [*two_folders, source("https://charts.example", chart="redis")]
    future = _foreseen([web, application("shop", *charted, of=[web])], empty)
    assert _obstacles(future)["web c0"].startswith("UnsupportedSource: the chart redis comes from")
    pinned = [source(_URL, revision="refs/tags/v1"), *charted]
    future = _foreseen([web, application("shop", *pinned, of=[web])], empty)
    assert _obstacles(future)["web c0"].startswith("PinnedRevision: targetRevision refs/tags/v1")


def test_what_git_says_already_waits_for_a_sync() -> None:
    """It is neither due nor lost."""
    web = workload("web", "nginx:1.25")
    branch = MemoryBranch({"web.yaml": manifest("web", "bak.example/m/library_nginx:1.25")})
    future = _foreseen(
        [web, backup("nginx:1.25"), application("shop", source(_URL), of=[web])], {_URL: [branch]}
    )
    assert _obstacles(future) == {
        "web c0": "AwaitingSync: main names the backup already;"
        " the Application is synced by hand, and was not since"
    }
    assert future.changes == ()


@pytest.mark.parametrize(
    ("content", "seen"),
    [
        ("nginx:1.25", ""),
        (
            "bak.example/m/library_nginx:1.25",
            "AwaitingRelease: main names the backup already; the Application",
        ),
        ("nginx:1.26", "AwaitingRelease: web.yaml, line 10, says nginx:1.26"),
    ],
)
def test_what_is_deployed_from_a_tag_is_changed_on_the_branch_of_its_releases(
    content: str, seen: str
) -> None:
    """Where the Application names one; what is there already waits for a release."""
    web = workload("web", "nginx:1.25")
    shop = application(
        "shop",
        source(_URL, revision="v1.4.0"),
        of=[web],
        annotations={"k8slab.io/image-backup-branch": "main"},
        syncPolicy={"automated": {}},
    )
    branch = MemoryBranch({"web.yaml": manifest("web", content)})
    future = _foreseen([web, shop, backup("nginx:1.25")], {_URL: [branch]})
    assert bool(_places(future)) is not bool(seen)
    assert _obstacles(future).get("web c0", "").startswith(seen)


def test_an_image_that_argo_cd_keeps_as_it_is_is_left_out() -> None:
    """A commit of it would never roll out; where syncs do not heed the entry, it would."""
    web = workload("web", "nginx:1.25", "redis:7")
    expression = '.spec.template.spec.containers[] | select(.name == "c1").image'
    ignoring = {"kind": "Deployment", "group": "apps", "jqPathExpressions": [expression]}
    options = {"syncOptions": ["CreateNamespace=true", "RespectIgnoreDifferences=true"]}
    for policies, left in ((options, {"web c1"}), ({}, set())):
        branch = MemoryBranch({"web.yaml": manifest("web", "nginx:1.25", "redis:7")})
        shop = application("shop", source(_URL), of=[web], ignoreDifferences=[ignoring], syncPolicy=policies)
        for records in ([], [backup("nginx:1.25"), backup("redis:7")]):
            future = _foreseen([web, shop, *records], {_URL: [branch]})
            assert set(_places(future)) == {"web c0", "web c1"} - left
    known = inventory(
        web,
        backup("redis:7"),
        application("shop", source(_URL), of=[web], ignoreDifferences=[ignoring], syncPolicy=options),
    )
    use = plan(known, policy()).workloads[0].uses[1]
    assert (use.action, use.reason) == ("Blocked", "Overridden")
    assert use.message == (
        "spec.ignoreDifferences[0].jqPathExpressions[0] of the Application argocd/shop"
        " keeps this image as it is in the cluster"
    )


def test_an_unsigned_commit_is_not_foreseen_where_any_follower_of_the_branch_wants_a_signature() -> None:
    """It would stop the syncs of the other one, too; with the right key, all is as ever."""
    web, api = workload("web", "nginx:1.25"), workload("api", "redis:7")
    files = {"web/web.yaml": manifest("web", "nginx:1.25"), "api/api.yaml": manifest("api", "redis:7")}
    known = inventory(
        *(web, api, project("strict", signatureKeys=[{"keyID": "4AEE18F83AFDEB23"}])),
        application("a", source(_URL, "web"), of=[web]),
        application("b", source(_URL, "api", revision="main"), of=[api], project="strict"),
    )
    git = MemoryGit({_URL: [MemoryBranch(files)]})
    future = foresee(plan(known, policy()), known, git, renderer=NO_RENDERER, now=NOW)
    assert future.changes == ()
    assert _obstacles(future)["web c0"].startswith(
        "SignatureRequired: the project strict of the Application argocd/b takes commits that"
    )
    keys = ["4AEE18F83AFDEB23"]
    future = foresee(plan(known, policy()), known, git, renderer=NO_RENDERER, now=NOW, signing_keys=keys)
    assert "web c0" in _places(future)


def test_patches_come_after_the_changes_of_files() -> None:
    """A workload that is not rewritten has none; one that is shows all its images."""
    web = workload("web", "nginx:1.25")
    alone = workload("alone", "redis:7", "bak.example/m/acme_x:1", init=["a/b:1"])
    kept = workload("kept", "bak.example/m/acme_x:1")
    rules = policy(Mode.REPORT)
    branch = MemoryBranch({"web.yaml": manifest("web", "nginx:1.25")})
    things: list[Thing] = [kept, web, alone, application("shop", source(_URL), of=[web]), backup("acme/x:1")]
    future = _foreseen(things, {_URL: [branch]}, rules)
    assert [change.path for change in future.changes] == ["web.yaml", "Deployment/shop/alone"]
    patch = future.changes[1]
    assert (patch.target, patch.branch, patch.commit) == (None, None, None)
    assert patch.diff.splitlines()[-5:] == [
        "-initContainer i0: a/b:1",
        "-container c0: redis:7",
        "+initContainer i0: bak.example/m/a_b:1",
        "+container c0: bak.example/m/library_redis:7",
        " container c1: bak.example/m/acme_x:1",
    ]


def test_in_direct_mode_no_repository_is_opened() -> None:
    """There is nothing to look for."""
    web = workload("web", "nginx:1.25")
    git = MemoryGit({})
    rules = policy(Mode.DIRECT)
    known = inventory(web, application("shop", source(_URL), of=[web]), rules=rules)
    future = foresee(plan(known, rules), known, git, renderer=NO_RENDERER, now=NOW)
    assert [change.path for change in future.changes] == ["Deployment/shop/web"]
    assert git.opened == []
