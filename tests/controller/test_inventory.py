"""The inventory: what is known of a cluster, and whom each change concerns."""

from dataclasses import replace

import pytest

from gitops_backup.controller.inventory import Concerned, Inventory
from gitops_backup.domain.backups import Rewrite, RewriteState
from gitops_backup.domain.images import Reference
from gitops_backup.domain.planning import plan
from gitops_backup.domain.policy import Mode
from gitops_backup.domain.workloads import Workload
from gitops_backup.sources.argocd import ArgoCd
from gitops_backup.sources.tracking import Tracking
from tests.controller.cluster import (
    DIGEST,
    NOW,
    OTHER_DIGEST,
    application,
    backup,
    failed,
    inventory,
    pod,
    policy,
    project,
    source,
    workload,
)

_NGINX = backup("nginx:1.25")
_OURS = "bak.example/m/library_nginx:1.25"
_POD = ("shop", "web-1")


def _concerned(*workloads: Workload, backups: tuple[str, ...] = ()) -> Concerned:
    return Concerned(frozenset(w.key for w in workloads), frozenset(backups))


# -- whom a change concerns -------------------------------------------------------------------------------


def test_a_workload_concerns_itself_and_the_backups_of_its_images() -> None:
    """Of those that it names now, and of those that it named before, by either name."""
    known = inventory(_NGINX, backup("redis:7"))
    web = workload("web", "nginx:1.25")
    assert known.put_workload(web.key, web) == _concerned(web, backups=(_NGINX.name,))
    rewritten = workload("web", _OURS, "redis:7", "unknown:1", "No Reference")
    concerned = known.put_workload(web.key, rewritten)
    assert concerned == _concerned(web, backups=(_NGINX.name, backup("redis:7").name))
    assert known.put_workload(web.key, None) == concerned
    assert list(known.workloads()) == []


def test_a_pod_concerns_its_workload_and_the_backups_of_its_images() -> None:
    """Also when it is gone, and when another workload's pod has taken its name."""
    web, api = workload("web", "nginx:1.25"), workload("api", "redis:7")
    known = inventory(web, api, _NGINX)
    assert known.put_pod(_POD, pod(web)) == _concerned(web, backups=(_NGINX.name,))
    assert known.put_pod(_POD, pod(api)) == _concerned(web, api, backups=(_NGINX.name,))
    assert known.put_pod(_POD, None) == _concerned(api)
    assert known.put_pod(_POD, None) == Concerned()


def test_a_pod_may_come_before_its_workload_and_go_after_it() -> None:
    """Watches are not in step with each other."""
    web = workload("web", "nginx:1.25")
    known = inventory()
    known.put_pod(_POD, pod(web))
    assert list(known.workloads()) == []
    known.put_workload(web.key, web)
    assert known.running(web.key) == {("c0", "nginx:1.25"): frozenset({DIGEST})}
    known.put_workload(web.key, None)
    assert known.workload(web.key) is None
    assert known.put_pod(_POD, None) == _concerned(web)
    assert known.running(web.key) == {}


def test_a_namespace_concerns_the_workloads_in_it() -> None:
    """Only when its annotation changed."""
    web, far = workload("web", "nginx:1.25"), workload("far", "nginx:1.25", namespace="far")
    known = inventory(web, far, _NGINX)
    assert known.put_namespace("shop", None) == Concerned()
    assert known.put_namespace("shop", "ignore") == _concerned(web, backups=(_NGINX.name,))
    assert known.put_namespace("shop", "ignore") == Concerned()
    assert known.namespaces.ignored("shop")
    assert known.put_namespace("shop", None) == _concerned(web, backups=(_NGINX.name,))
    assert not known.namespaces.ignored("shop")


def test_the_namespace_of_the_backups_concerns_everybody() -> None:
    """Because its annotation pauses everything."""
    web, far = workload("web", "nginx:1.25"), workload("far", "redis:7", namespace="far")
    known = inventory(web, far, _NGINX)
    assert known.put_namespace("image-backup", "pause") == _concerned(web, far, backups=(_NGINX.name,))
    assert known.namespaces.paused(policy())


def test_a_backup_concerns_itself_and_who_names_its_source_or_its_backup() -> None:
    """When it comes, when it is verified, and when it is gone."""
    web, rewritten, other = workload("a", "nginx:1.25"), workload("b", _OURS), workload("c", "redis:7")
    known = inventory(web, rewritten, other)
    new = backup("nginx:1.25", digest=None)
    assert known.put_backup(new.name, new) == _concerned(web, rewritten, backups=(new.name,))
    verified = backup("nginx:1.25", version=2)
    assert known.put_backup(new.name, verified) == _concerned(web, rewritten, backups=(new.name,))
    assert known.put_backup(new.name, None) == _concerned(web, rewritten, backups=(new.name,))


def test_a_backup_that_is_written_again_concerns_only_itself() -> None:
    """As long as nothing changed that a decision about a workload rests on: users, times, attempts."""
    known = inventory(workload("web", "nginx:1.25"), _NGINX)
    again = backup("nginx:1.25", version=2, users={"count": 1}, size=7)
    assert known.put_backup(_NGINX.name, again) == _concerned(backups=(_NGINX.name,))


def test_a_backup_that_is_gone_does_not_come_back_by_what_was_written_to_it() -> None:
    """The answer to a write may be slower than the watch; what took its name is another object."""
    web = workload("web", "nginx:1.25")
    known = inventory(web, backup("nginx:1.25", digest=None))
    written = backup("nginx:1.25", version=2)
    assert known.update_backup(written) == _concerned(web, backups=(_NGINX.name,))
    assert known.backup(_NGINX.name) == written
    known.put_backup(_NGINX.name, None)
    assert known.update_backup(backup("nginx:1.25", version=3)) == Concerned()
    assert known.backup(_NGINX.name) is None
    known.put_backup(_NGINX.name, replace(backup("nginx:1.25", digest=None, version=4), uid="2"))
    assert known.update_backup(backup("nginx:1.25", version=5)) == Concerned()


def test_an_application_concerns_the_workloads_that_it_lists_and_listed() -> None:
    """Also when it is gone."""
    web, api = workload("web", "nginx:1.25"), workload("api", "redis:7")
    known, key = inventory(web, api), ("argocd", "shop")
    made = application("shop", source("https://git.example/shop"), of=[web])
    assert known.put_application(key, made) == _concerned(web)
    moved = application("shop", source("https://git.example/shop"), of=[api])
    assert known.put_application(key, moved) == _concerned(web, api)
    assert known.put_application(key, None) == _concerned(api)
    assert known.management(api) is None
    assert known.applications() == []


def test_an_application_concerns_the_workloads_that_name_it() -> None:
    """It may not have listed them yet."""
    known, key = inventory(_tracked("web", "shop"), workload("api", "redis:7")), ("argocd", "shop")
    made = application("shop", source("https://git.example/shop"))
    assert known.put_application(key, made) == _concerned(_tracked("web", "shop"))
    assert known.put_application(key, None) == _concerned(_tracked("web", "shop"))


# -- ImageBackups -----------------------------------------------------------------------------------------


def test_a_version_that_is_older_than_what_is_known_is_passed_over() -> None:
    """A watch may be behind what was written by this process."""
    known = inventory(backup("nginx:1.25", version=10))
    assert known.put_backup(_NGINX.name, backup("nginx:1.25", digest=None, version=9)) == Concerned()
    assert known.backup(_NGINX.name) == backup("nginx:1.25", version=10)


@pytest.mark.parametrize(
    "newer",
    [
        replace(backup("nginx:1.25", digest=None, version=9), uid="2"),
        replace(backup("nginx:1.25", digest=None), resource_version="not-a-number"),
        backup("nginx:1.25", digest=None, version=10),
        backup("nginx:1.25", digest=None, version=100),
    ],
    ids=["another object", "no number", "the same", "newer"],
)
def test_anything_else_is_believed(newer: object) -> None:
    """Versions of different objects, and those that are no numbers, cannot be compared."""
    known = inventory(backup("nginx:1.25", version=10))
    known.put_backup(_NGINX.name, newer)  # type: ignore[arg-type]
    found = known.backup(_NGINX.name)
    assert found is not None
    assert not found.verified


def test_backups_are_found_by_their_source_and_by_their_backup() -> None:
    """And by their repository, as soon as one in it is verified."""
    known = inventory(backup("nginx:1.25", digest=None))
    ours = Reference.parse(_OURS)
    assert (
        known.of_source(Reference.parse("nginx:1.25")) == known.of_backup(ours) == known.backup(_NGINX.name)
    )
    assert not known.know_repository(ours)
    known.put_backup(_NGINX.name, backup("nginx:1.25", version=2))
    assert known.know_repository(ours.tagged("1.26"))
    known.put_backup(_NGINX.name, None)
    assert known.of_backup(ours) is None
    assert not known.know_repository(ours)
    assert known.backup_names() == []


def test_a_backup_of_another_name_stands_for_nothing() -> None:
    """The earlier system named them otherwise; it is known by its name alone."""
    old = replace(_NGINX, name="nginx-1-25")
    known = inventory(old)
    assert known.backup_names() == ["nginx-1-25"]
    assert known.of_source(old.image) is None
    assert known.of_backup(Reference.parse(_OURS)) is None
    assert not known.know_repository(Reference.parse(_OURS))


def test_news_about_rewrites_is_in_what_is_read_and_not_in_what_is_on_record() -> None:
    """A reversal is seen at once, whichever of the two watches is first."""
    rewrite = Rewrite(workload="Deployment/shop/web", container="c0", state=RewriteState.HEALTHY, at=NOW)
    recorded = backup("nginx:1.25", rewrites=[rewrite.model_dump(mode="json")])
    for things in ((recorded, workload("web", "nginx:1.25")), (workload("web", "nginx:1.25"), recorded)):
        known = inventory(*things)
        read, written = known.backup(recorded.name), known.recorded(recorded.name)
        assert read is not None
        assert written is not None
        assert [each.state for each in read.status.rewrites] == [RewriteState.REVERTED]
        assert [each.state for each in written.status.rewrites] == [RewriteState.HEALTHY]
        assert known.of_source(recorded.image) == read


def test_who_comes_to_lead_looks_at_everything_afresh() -> None:
    """What was seen in the meantime may be on record by now, from somebody else."""
    rewrite = Rewrite(workload="Deployment/shop/web", container="c0", state=RewriteState.HEALTHY, at=NOW)
    known = inventory(
        backup("nginx:1.25", rewrites=[rewrite.model_dump(mode="json")]), workload("web", "nginx:1.25")
    )
    reverted = rewrite.model_copy(update={"state": RewriteState.REVERTED, "reversals": (NOW,)})
    theirs = backup("nginx:1.25", version=2, rewrites=[reverted.model_dump(mode="json")])
    known.put_backup(_NGINX.name, theirs)
    known.look_afresh()
    assert known.backup(_NGINX.name) == known.recorded(_NGINX.name) == theirs


def test_what_was_seen_of_a_workload_is_forgotten_with_it() -> None:
    """One that is made again under its name starts anew."""
    rewrite = Rewrite(workload="Deployment/shop/web", container="c0", state=RewriteState.HEALTHY, at=NOW)
    recorded = backup("nginx:1.25", rewrites=[rewrite.model_dump(mode="json")])
    web = workload("web", "nginx:1.25")
    known = inventory(recorded, web)
    assert known.backup(recorded.name) != recorded
    known.put_workload(web.key, None)
    assert known.backup(recorded.name) == recorded


# -- demand -----------------------------------------------------------------------------------------------


def test_demand_is_who_names_the_source_in_scope_and_the_backup_anywhere() -> None:
    """Who is left alone is known as well."""
    web, ignored = workload("web", "nginx:1.25"), workload("ignored", "nginx:1.25", directive="ignore")
    away = workload("away", "docker.io/library/nginx:1.25", namespace="kube-system")
    rewritten = workload("rewritten", _OURS, namespace="kube-system")
    demand = inventory(web, ignored, away, rewritten, workload("other", "nginx:1.26"), _NGINX).demand(_NGINX)
    assert demand.sources == (web.key,)
    assert demand.backups == (rewritten.key,)
    assert demand.ignored == (away.key, ignored.key)
    assert demand.used


def test_demand_has_the_digests_that_run_of_the_image() -> None:
    """Of each container that names it; a pod of an older template runs another one."""
    web, api = workload("web", "nginx:1.25", "redis:7"), workload("api", "docker.io/nginx:1.25")
    known = inventory(web, api, _NGINX)
    known.put_pod(("shop", "a"), pod(web))
    known.put_pod(("shop", "b"), pod(web, OTHER_DIGEST))
    known.put_pod(("shop", "c"), pod(web, "sha256:" + "c" * 64, image="nginx:1.24"))
    known.put_pod(("shop", "d"), pod(web, "sha256:" + "d" * 64, container="c1"))
    known.put_pod(("shop", "e"), pod(api))
    demand = known.demand(_NGINX)
    assert demand.running == {DIGEST: (api.key, web.key), OTHER_DIGEST: (web.key,)}


def test_an_image_that_nobody_names_is_not_in_demand() -> None:
    """Any more."""
    web = workload("web", "nginx:1.25")
    known = inventory(web, _NGINX)
    assert known.demand(_NGINX).used
    known.put_workload(web.key, workload("web", "nginx:1.26"))
    assert not known.demand(_NGINX).used


# -- Applications -----------------------------------------------------------------------------------------


def _tracked(name: str, by: str) -> Workload:
    return workload(name, "nginx:1.25", tracking_id=f"{by}:apps/Deployment:shop/{name}")


def _owner(known: Inventory, of: Workload) -> str | None:
    found = known.management(of)
    return found.application if found is not None else None


def test_a_workload_awaits_its_pods_where_pods_tell_what_they_run() -> None:
    """A pod of an older template, with another image, does not count."""
    web, api = workload("web", "nginx:1.25"), workload("api", "redis:7")
    known = inventory(web, api)
    assert not known.awaits_pods(web)
    known.put_pod(("shop", "api-1"), pod(api))
    assert known.awaits_pods(web)
    assert not known.awaits_pods(api)
    known.put_pod(_POD, pod(workload("web", "nginx:1.24")))
    assert known.awaits_pods(web)
    known.put_pod(("shop", "web-2"), pod(web))
    assert not known.awaits_pods(web)


def test_a_workload_belongs_to_the_application_that_lists_it_or_that_it_names() -> None:
    """And to no other; those of nobody belong to nobody."""
    listed, named, nobodys = workload("listed", "a:1"), _tracked("named", "shop"), workload("alone", "a:1")
    inherited = workload("inherited", "a:1", tracking_id="shop:apps/Deployment:shop/its-parent")
    shop = application("shop", source("https://git.example/shop"), of=[listed])
    known = inventory(listed, named, nobodys, inherited, shop)
    assert [_owner(known, each) for each in (listed, named, nobodys, inherited)] == [
        "argocd/shop", "argocd/shop", None, None,
    ]  # fmt: skip
    assert known.tracked_by(shop) == [listed, named]


def test_how_argo_cd_knows_what_it_deployed_may_change() -> None:
    """Then all workloads are concerned, and what they name is read in the new way, at once and later."""
    web = replace(_tracked("web", "shop"), labels=(("app.kubernetes.io/instance", "other"),))
    shop, other = (application(name, source("https://git.example/x")) for name in ("shop", "other"))
    known = inventory(web, shop, other)
    assert _owner(known, web) == "argocd/shop"
    assert known.homes() == {"argocd"}
    by_label = ArgoCd(Tracking(label="app.kubernetes.io/instance"))
    assert known.put_argocd("argocd", by_label) == _concerned(web)
    assert known.put_argocd("argocd", by_label) == Concerned()
    assert known.argocd_of(shop) == by_label
    assert (_owner(known, web), known.tracked_by(other)) == ("argocd/other", [web])
    relabelled = replace(web, labels=(("app.kubernetes.io/instance", "shop"),))
    known.put_workload(web.key, relabelled)
    assert (_owner(known, relabelled), known.tracked_by(other)) == ("argocd/shop", [])
    assert known.put_argocd("argocd", ArgoCd()) == _concerned(web)
    assert _owner(known, relabelled) == "argocd/shop"


def test_each_argo_cd_has_settings_of_its_own() -> None:
    """One that goes by labels reads no annotation of another's."""
    web = _tracked("web", "shop")
    here = application("shop", source("https://git.example/x"))
    known = inventory(web, replace(here, home="elsewhere"))
    assert _owner(known, web) == "argocd/shop"
    known.put_argocd("argocd", ArgoCd(Tracking(label="example.com/app")))
    assert _owner(known, web) == "argocd/shop"
    known.put_argocd("elsewhere", ArgoCd(Tracking(label="example.com/app")))
    assert _owner(known, web) is None


def test_what_argo_cd_ignores_everywhere_is_kept_where_syncs_heed_it() -> None:
    """As what an Application itself ignores; and it hides the difference from all of its Applications."""
    web, api = workload("web", "a:1", "b:1"), workload("api", "a:1")
    heeding = {"syncOptions": ["RespectIgnoreDifferences=true"]}
    url = "https://git.example/shop"
    shop = application("shop", source(url), of=[web], syncPolicy=heeding)
    plain = application("plain", source(url), of=[api])
    known = inventory(web, api, shop, plain)
    key = "resource.customizations.ignoreDifferences.all"
    argocd = ArgoCd.project(
        {
            "metadata": {"namespace": "argocd"},
            "data": {key: "jsonPointers: [/spec/template/spec/containers/0/image]"},
        }
    )
    assert known.put_argocd("argocd", argocd) == _concerned(web, api)
    kept, manual = known.management(web), known.management(api)
    assert kept is not None
    assert manual is not None
    assert [kept.kept_by(web.key, each) for each in web.containers] == [
        f"{key}.jsonPointers[0] of the ConfigMap argocd/argocd-cm keeps this image as it is in the cluster",
        None,
    ]
    assert manual.kept_by(api.key, api.containers[0]) is None
    assert known.hidden(plain, api.key, "c0") == argocd.ignored[0]
    assert known.hidden(shop, web.key, "c1") is None
    assert known.hidden(shop, api.key, "c9") is None
    assert known.hidden(shop, web.key._replace(name="gone"), "c0") is None
    known.put_argocd("argocd", ArgoCd())
    kept = known.management(web)
    assert kept is not None
    assert kept.unheeded == ()


def test_what_a_workload_says_is_passed_over_is_kept_where_syncs_heed_it() -> None:
    """Of itself, in whichever Application."""
    pointing = "jsonPointers: [/spec/template/spec/containers/1]"
    web, api = (workload(name, "a:1", "b:1", ignoring=pointing) for name in ("web", "api"))
    heeding = {"syncOptions": ["RespectIgnoreDifferences=true"]}
    shop = application("shop", source("https://git.example/shop"), of=[web], syncPolicy=heeding)
    plain = application("plain", source("https://git.example/plain"), of=[api])
    known = inventory(web, api, shop, plain)
    kept, manual = known.management(web), known.management(api)
    assert kept is not None
    assert manual is not None
    first, second = (kept.kept_by(web.key, each) for each in web.containers)
    assert first is None
    assert second == (
        "argocd.argoproj.io/ignore-differences.jsonPointers[0] of the workload"
        " keeps this image as it is in the cluster"
    )
    assert manual.unheeded == ()
    assert known.hidden(plain, api.key, "c1") is not None
    assert known.hidden(plain, api.key, "c0") is None


def test_of_two_applications_that_list_a_workload_it_belongs_to_the_one_that_it_names() -> None:
    """Which is the one that was synced last."""
    web = _tracked("web", "second")
    first, second = (
        application(name, source("https://git.example/x"), of=[web]) for name in ("first", "second")
    )
    known = inventory(web, first, second)
    assert _owner(known, web) == "argocd/second"
    assert known.tracked_by(first) == []
    assert known.tracked_by(second) == [web]
    renamed = _tracked("web", "first")
    known.put_workload(web.key, renamed)
    assert _owner(known, renamed) == "argocd/first"
    assert known.applications() == [first, second]


def test_an_applications_project_is_that_of_its_own_argo_cd() -> None:
    """Whichever of the two is known first; a project of this name elsewhere is another one."""
    web = workload("web", "nginx:1.25")
    shop = application("shop", source("https://git.example/x"), of=[web], project="strict")
    strict = project("strict", signatureKeys=[{"keyID": "4AEE18F83AFDEB23"}])
    known = inventory(web, shop, project("strict", namespace="shop"))

    def blocked() -> list[str | None]:
        found = known.management(web)
        assert found is not None
        return [target.blocked for target in found.targets]

    assert known.project_of(shop) is None
    assert blocked() == [None]
    assert known.put_project(("argocd", "strict"), strict).workloads == {web.key}
    assert blocked() == ["SignatureRequired"]
    assert known.project_of(shop) == strict
    known.put_application(("argocd", "shop"), None)
    known.put_application(("argocd", "shop"), shop)
    assert blocked() == ["SignatureRequired"]
    assert known.put_project(("argocd", "other"), strict).workloads == frozenset()
    assert known.put_project(("argocd", "strict"), None).workloads == {web.key}
    assert blocked() == [None]


def test_what_is_decided_follows_from_what_is_known() -> None:
    """The inventory is the facts of decisions: a failure that is on record is their reason."""
    known = inventory(workload("web", "nginx:1.25"), failed("nginx:1.25", "SourceNotFound", "gone"))
    rules = policy(Mode.DIRECT)
    (use,) = plan(known, rules).workloads[0].uses
    assert (use.reason, use.message) == ("SourceNotFound", "gone")
    assert known.backups is known
