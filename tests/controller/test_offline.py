"""The plan that follows from a repository alone."""

from collections.abc import Sequence

from gitops_backup.controller.offline import Held, Offline, plan_offline
from gitops_backup.domain.images import Reference
from gitops_backup.domain.policy import Policy
from gitops_backup.sources.applications import Application
from tests.controller.cluster import DIGEST, OTHER_DIGEST, application, policy, source
from tests.controller.memory import COMMIT, NO_RENDERER, MemoryBranch, manifest

_URL = "https://git.example/shop"
_SHOP = application("shop", source(_URL, "apps"))


def _planned(
    files: dict[str, bytes],
    *applications: Application,
    held: Held | None = None,
    rules: Policy | None = None,
) -> Offline:
    return plan_offline(
        MemoryBranch(files),
        COMMIT,
        applications or (_SHOP,),
        policy=rules or policy(),
        renderer=NO_RENDERER,
        held=held,
    )


def _actions(planned: Offline) -> Sequence[str]:
    return [f"{use.container.image} {use.action}" for w in planned.plan.workloads for use in w.uses]


def test_workloads_are_ready_and_images_are_copied() -> None:
    """Unless somebody is asked; what is a backup already is kept."""
    files = {"apps/web.yaml": manifest("web", "nginx:1", "bak.example/m/library_redis:7", "no image")}
    planned = _planned(files)
    assert _actions(planned) == [
        "nginx:1 Rewrite",
        "bak.example/m/library_redis:7 Keep",
        "no image Blocked",
    ]
    assert planned.problems == ()


def test_each_copy_is_asked_for_once_by_the_name_that_holds_it() -> None:
    """An image by digest has a tag of its own, and another digest there is not its copy."""
    asked: list[str] = []

    def held(backup: Reference) -> str | None:
        asked.append(str(backup))
        return {"library_nginx": DIGEST, "library_redis": OTHER_DIGEST}.get(backup.repository[2:])

    files = {
        "apps/a.yaml": manifest("a", "nginx:1", f"redis@{DIGEST}", f"redis@{OTHER_DIGEST}", "busybox:1"),
        "apps/b.yaml": manifest("b", "docker.io/library/nginx:1"),
    }
    planned = _planned(files, held=held)
    assert _actions(planned) == [
        "nginx:1 Rewrite",
        f"redis@{DIGEST} Copy",
        f"redis@{OTHER_DIGEST} Rewrite",
        "busybox:1 Copy",
        "docker.io/library/nginx:1 Rewrite",
    ]
    assert len(asked) == len(set(asked)) == 4
    assert sum("library_redis:digest." in name for name in asked) == 2


def test_two_applications_may_deploy_what_has_the_same_name() -> None:
    """Each to a cluster of its own, each with its own images."""
    files = {"dev/web.yaml": manifest("web", "nginx:1"), "prod/web.yaml": manifest("web", "nginx:2")}
    applications = [application(name, source(_URL, name)) for name in ("prod", "dev")]
    planned = _planned(files, *applications)
    found = [(w.management, w.workload.containers[0].image) for w in planned.plan.workloads]
    assert [(m.application if m else None, image) for m, image in found] == [
        ("argocd/dev", "nginx:1"),
        ("argocd/prod", "nginx:2"),
    ]


def test_what_is_deployed_last_holds() -> None:
    """Of an object that is in several files or sources."""
    files = {"one/web.yaml": manifest("web", "nginx:1"), "two/web.yaml": manifest("web", "nginx:2")}
    both = application("both", source(_URL, "one"), source(_URL, "two"))
    assert _actions(_planned(files, both)) == ["nginx:2 Rewrite"]


def test_what_is_not_known_is_told_of_its_application() -> None:
    """And the rest goes on."""
    files = {"apps/broken.yaml": b"a: {b\n", "apps/web.yaml": manifest("web", "nginx:1")}
    gone = application("gone", source(_URL, "gone"))
    planned = _planned(files, _SHOP, gone)
    assert _actions(planned) == ["nginx:1 Rewrite"]
    broken, missing = planned.problems
    assert broken.startswith("argocd/shop: apps/broken.yaml, line 2, column 1: ")
    assert missing == "argocd/gone: there is no folder gone"


def test_a_parameter_file_may_say_which_kind_of_source_it_is() -> None:
    """What lies beside it does not count then."""
    files = {
        "apps/kustomization.yaml": b"resources: [web.yaml]\n",
        "apps/.argocd-source.yaml": b"directory: {include: web.yaml}\n",
        "apps/web.yaml": manifest("web", "nginx:1"),
    }
    planned = _planned(files)
    assert (_actions(planned), planned.problems) == (["nginx:1 Rewrite"], ())


def test_a_parameter_file_that_argo_cd_refuses_is_told_of() -> None:
    """One that holds nothing, too."""
    files = {"apps/.argocd-source.yaml": b"# nothing\n", "apps/web.yaml": manifest("web", "nginx:1")}
    planned = _planned(files)
    assert _actions(planned) == []
    (problem,) = planned.problems
    assert problem.startswith("argocd/shop: apps/.argocd-source.yaml: expected a mapping")


def test_a_pinned_revision_is_planned_for_and_blocked() -> None:
    """As it is in a cluster."""
    files = {"apps/web.yaml": manifest("web", "nginx:1")}
    (planned,) = _planned(files, application("shop", source(_URL, "apps", "refs/tags/v1"))).plan.workloads
    assert [use.reason for use in planned.uses] == ["PinnedRevision"]
