"""Drafts: what a branch would be changed to, for all that is due there, with nothing written."""

from collections.abc import Sequence

import pytest

from gitops_backup.controller.drafting import Draft, draft
from gitops_backup.controller.messages import ImageChange
from gitops_backup.controller.parts import DueChange, Part
from gitops_backup.domain.images import Reference
from gitops_backup.domain.workloads import Workload
from gitops_backup.sources.applications import Application
from tests.controller.cluster import DIGEST, NAMING, application, source, workload
from tests.controller.memory import COMMIT, LARGEST, NO_RENDERER, MemoryBranch, manifest

_URL = "https://git.example/shop"
_NGINX, _REDIS = "bak.example/m/library_nginx:1.25", "bak.example/m/library_redis:7"


def _due(workload: Workload, application: str) -> tuple[DueChange, ...]:
    changes = []
    for container in workload.containers:
        image = Reference.parse(container.image)
        change = ImageChange(
            application=application,
            workload=workload.key,
            container=container.name,
            source=image,
            backup=NAMING.backup(image),
            digest=DIGEST,
        )
        changes.append(DueChange(change, container.init))
    return tuple(changes)


def part_of(made: Application, *workloads: Workload, elsewhere: bool = False) -> Part:
    """What is due for an Application: every image of these workloads."""
    name = f"{made.namespace}/{made.name}"
    return Part(made, made.sources, tuple(due for w in workloads for due in _due(w, name)), elsewhere)


def _shop(*paths: str) -> Application:
    return application("shop", *(source(_URL, path) for path in paths or ("apps",)))


def _drafted(branch: MemoryBranch, parts: Sequence[Part]) -> Draft:
    return draft(branch, COMMIT, parts, renderer=NO_RENDERER)


def _left(drafted: Draft) -> dict[str, str]:
    return {str(left.change.workload): f"{left.reason}: {left.message}" for left in drafted.left}


def test_what_changes_is_there_before_and_after_with_its_place() -> None:
    """Files that do not change are not in the draft."""
    web, api = workload("web", "nginx:1.25", "redis:7"), workload("api", "redis:7")
    files = {"apps/web.yaml": manifest("web", "nginx:1.25", "redis:7"), "apps/other.yaml": manifest("x", "y")}
    branch = MemoryBranch({**files, "apps/api.yaml": manifest("api", "redis:7")})
    drafted = _drafted(branch, [part_of(_shop(), web, api)])
    assert drafted.commit == COMMIT
    assert drafted.files == {
        "apps/api.yaml": manifest("api", _REDIS),
        "apps/web.yaml": manifest("web", _NGINX, _REDIS),
    }
    assert drafted.before == {path: branch.files[path] for path in drafted.files}
    assert {c.container: (p.path, p.line) for c, p in drafted.places.items() if c.workload == web.key} == {
        "c0": ("apps/web.yaml", 10),
        "c1": ("apps/web.yaml", 12),
    }
    assert len(drafted.edited) == 3
    assert (drafted.done, drafted.left) == ([], [])


def test_applications_that_share_a_file_change_it_one_after_the_other() -> None:
    """What the first one made of it is what the second one finds."""
    web, api = workload("web", "nginx:1.25"), workload("api", "redis:7")
    both = b"---\n".join([manifest("web", "nginx:1.25"), manifest("api", "redis:7")])
    parts = [
        part_of(application(name, source(_URL, "apps")), each) for name, each in (("a", web), ("b", api))
    ]
    drafted = _drafted(MemoryBranch({"apps/all.yaml": both}), parts)
    assert drafted.files == {
        "apps/all.yaml": b"---\n".join([manifest("web", _NGINX), manifest("api", _REDIS)])
    }
    assert drafted.before == {"apps/all.yaml": both}


def test_an_image_that_two_applications_want_changed_is_changed_for_both() -> None:
    """A scalar is edited once, nobody is refused, and the commit is put on record for each."""
    web = workload("web", "nginx:1.25")
    parts = [part_of(application(name, source(_URL, "apps")), web) for name in ("a", "b")]
    drafted = _drafted(MemoryBranch({"apps/web.yaml": manifest("web", "nginx:1.25")}), parts)
    assert (len(drafted.edited), drafted.done, drafted.left) == (2, [], [])
    assert len({drafted.places[change] for change in drafted.edited}) == 1


def test_of_several_sources_the_last_one_holds() -> None:
    """An object that stands in two of them is edited in the one that Argo CD deploys."""
    web, api = workload("web", "nginx:1.25"), workload("api", "redis:7")
    branch = MemoryBranch(
        {
            "one/web.yaml": manifest("web", "nginx:1.25"),
            "one/api.yaml": manifest("api", "redis:7"),
            "two/web.yaml": manifest("web", "nginx:1.25"),
        }
    )
    drafted = _drafted(branch, [part_of(_shop("one", "two"), web, api)])
    assert sorted(drafted.files) == ["one/api.yaml", "two/web.yaml"]
    assert not drafted.left


def test_a_source_that_cannot_be_edited_does_not_hold_up_one_that_can() -> None:
    """A chart that cannot be read beside a folder of manifests: the folder is edited."""
    web, charted = workload("web", "nginx:1.25"), workload("charted", "redis:7")
    branch = MemoryBranch(
        {
            "apps/web.yaml": manifest("web", "nginx:1.25"),
            "chart/Chart.yaml": b"name: chart\n",
            "chart/templates/large.yaml": b"x" * (LARGEST + 1),
        }
    )
    drafted = _drafted(branch, [part_of(_shop("chart", "apps"), web, charted)])
    assert list(drafted.files) == ["apps/web.yaml"]
    ((workload_left, why),) = _left(drafted).items()
    assert workload_left == "Deployment/shop/charted"
    assert "chart/templates/large.yaml" in why


def test_what_a_kustomization_names_is_read_as_far_as_it_leads() -> None:
    """An overlay names its base, and that its files."""
    branch = MemoryBranch(
        {
            "overlays/shop/kustomization.yaml": b"resources: [../../base]\n",
            "base/kustomization.yaml": b"resources: [web.yaml]\n",
            "base/web.yaml": manifest("web", "nginx:1.25"),
            "base/unused.yaml": b"",
        }
    )
    drafted = _drafted(branch, [part_of(_shop("overlays/shop"), workload("web", "nginx:1.25"))])
    assert branch.asked_for == branch.files.keys() - {"base/unused.yaml"}
    ((_, why),) = _left(drafted).items()
    assert why.endswith("overlays/shop cannot be rendered: kustomize is not installed")


@pytest.mark.parametrize(("elsewhere", "left"), [(False, 1), (True, 0)])
def test_what_is_not_found_may_be_elsewhere(elsewhere: bool, left: int) -> None:
    """An Application with sources on another branch is no reason to complain on this one."""
    drafted = _drafted(
        MemoryBranch({"apps/a.yaml": b""}), [part_of(_shop(), workload("web", "x:1"), elsewhere=elsewhere)]
    )
    assert len(drafted.left) == left
    assert not drafted.files


def test_what_git_says_already_is_done() -> None:
    """It is not written again."""
    web = workload("web", "nginx:1.25")
    drafted = _drafted(MemoryBranch({"apps/web.yaml": manifest("web", _NGINX)}), [part_of(_shop(), web)])
    assert [change.workload for change in drafted.done] == [web.key]
    assert not drafted.files


def test_what_git_says_otherwise_is_left() -> None:
    """Its head is ahead of the cluster: the copy of what it says is not known to be there."""
    web = workload("web", "nginx:1.25")
    branch = MemoryBranch({"apps/web.yaml": manifest("web", "nginx:1.26")})
    drafted = _drafted(branch, [part_of(_shop(), web)])
    assert _left(drafted) == {
        "Deployment/shop/web": "AwaitingSync: apps/web.yaml, line 10, says nginx:1.26,"
        " not docker.io/library/nginx:1.25"
    }
    assert not drafted.files


def test_a_file_that_is_no_yaml_stops_only_what_it_holds() -> None:
    """The place in it is named; the other files go on."""
    web, broken = workload("web", "nginx:1.25"), workload("broken", "redis:7")
    branch = MemoryBranch(
        {
            "apps/broken.yaml": b"kind: Deployment\nmetadata: {name: broken\nspec: {}\n",
            "apps/web.yaml": manifest("web", "nginx:1.25"),
        }
    )
    drafted = _drafted(branch, [part_of(_shop(), web, broken)])
    assert list(drafted.files) == ["apps/web.yaml"]
    reason = _left(drafted)["Deployment/shop/broken"]
    assert reason.startswith("InvalidManifest: apps/broken.yaml, line 3, column ")


def test_a_file_that_is_too_large_stops_only_what_it_may_hold() -> None:
    """Where a workload is not found, the file that was not read is named, if it is in the same place."""
    web, lost, far = workload("web", "nginx:1.25"), workload("lost", "redis:7"), workload("far", "redis:7")
    branch = MemoryBranch(
        {
            "apps/large.yaml": manifest("lost", "redis:7") + b"#" * LARGEST,
            "apps/web.yaml": manifest("web", "nginx:1.25"),
            "far/empty.yaml": b"",
        }
    )
    parts = [part_of(_shop("apps"), web, lost), part_of(application("far", source(_URL, "far")), far)]
    drafted = _drafted(branch, parts)
    assert list(drafted.files) == ["apps/web.yaml"]
    assert _left(drafted) == {
        "Deployment/shop/lost": "NotFoundInSource: no manifest in apps describes Deployment shop/lost;"
        " apps/large.yaml is too large",
        "Deployment/shop/far": "NotFoundInSource: no manifest in far describes Deployment shop/far",
    }


def test_a_file_that_is_too_large_in_the_root_is_named_too() -> None:
    """The root is a folder like any other."""
    branch = MemoryBranch({"large.yaml": b"#" * (LARGEST + 1)})
    drafted = _drafted(branch, [part_of(_shop("."), workload("lost", "redis:7"))])
    assert _left(drafted)["Deployment/shop/lost"].endswith("; large.yaml is too large")


def test_a_path_that_leads_out_of_the_repository_is_a_reason() -> None:
    """Nothing is read."""
    branch = MemoryBranch({"apps/web.yaml": manifest("web", "nginx:1.25")})
    drafted = _drafted(branch, [part_of(_shop("../elsewhere"), workload("web", "nginx:1.25"))])
    assert _left(drafted) == {
        "Deployment/shop/web": "NotFoundInSource: the path ../elsewhere leads out of the repository"
    }
    assert branch.asked_for == set()


def test_an_init_container_is_not_taken_for_another_of_its_name() -> None:
    """Containers are found by their name and their kind."""
    web = workload("web", init=["nginx:1.25"])
    branch = MemoryBranch({"apps/web.yaml": manifest("web", "nginx:1.25").replace(b"name: c0", b"name: i0")})
    drafted = _drafted(branch, [part_of(_shop(), web)])
    assert "has no Deployment shop/web, init container i0" in _left(drafted)["Deployment/shop/web"]
