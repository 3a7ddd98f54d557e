"""The report as a document: how it stands with each container, and what the numbers count."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from gitops_backup.domain.naming import Prefix
from gitops_backup.domain.policy import Mode
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import Rollout
from gitops_backup.report.model import ContainerReport, FileReport, Report, Standing
from tests.controller.cluster import DIGEST, backup, failed, policy, workload
from tests.report.reports import OURS, deployed, place, report

_SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "report.schema.json"


def _only(made: Report) -> ContainerReport:
    (each,) = made.workloads
    return each.containers[0]


_WEB = workload("web", "nginx:1.25")
_KEPT = workload("web", OURS)
_ADOPTED = workload("web", "bak.example/m/acme_app:2")
_GONE = failed("nginx:1.25", "SourceNotFound", "gone")
_UNREADY = workload("web", "nginx:1.25", available=False, rollout=Rollout.NOT_READY)
_ALONE = (Reason.UNSUPPORTED_SOURCE, "a chart")
_SYNC = (Reason.AWAITING_SYNC, "not synced")


@pytest.mark.parametrize(
    ("made", "standing", "protected"),
    [
        (report(_WEB), Standing.COMING, False),
        (report(_WEB, backup("nginx:1.25")), Standing.DUE, True),
        (report(_WEB, backup("nginx:1.25", digest=None)), Standing.COMING, False),
        (report(_UNREADY), Standing.WAITING, False),
        (report(_UNREADY, backup("nginx:1.25")), Standing.WAITING, True),
        (report(_WEB, _GONE), Standing.BLOCKED, False),
        (report(_WEB, failed("nginx:1.25", "RateLimited", "later")), Standing.WAITING, False),
        (report(workload("web", "no image")), Standing.BLOCKED, False),
        (report(workload("web", "nginx:1.25", owner="Shop/web")), Standing.BLOCKED, False),
        (report(workload("web", "nginx:1.25", directive="ignore")), Standing.LEFT_ALONE, False),
        (report(workload("web", "nginx:1.25", namespace="kube-system")), Standing.LEFT_ALONE, False),
        (report(_KEPT, backup("nginx:1.25")), Standing.SETTLED, True),
        (report(_KEPT, backup("nginx:1.25", digest=None)), Standing.WAITING, False),
        (report(_KEPT, _GONE), Standing.BLOCKED, False),
        (report(_KEPT), Standing.SETTLED, False),
        (report(workload("web", "bak.example/m/somebodys")), Standing.SETTLED, True),
        (report(_WEB, rules=policy()), Standing.BLOCKED, False),
        (report(_WEB, deployed(_WEB), rules=policy()), Standing.COMING, False),
        (report(_WEB, deployed(_WEB), rules=policy(), obstacles={"web": _ALONE}), Standing.BLOCKED, False),
        (report(_WEB, deployed(_WEB), rules=policy(), obstacles={"web": _SYNC}), Standing.WAITING, False),
        (
            report(_WEB, deployed(_WEB), backup("nginx:1.25"), rules=policy(), obstacles={"web": _ALONE}),
            Standing.BLOCKED,
            True,
        ),
    ],
)
def test_each_container_stands_somewhere(made: Report, standing: Standing, protected: bool) -> None:
    """And would survive the loss of foreign registries, or not."""
    found = _only(made)
    assert (found.standing, found.protected) == (standing, protected)
    counted = made.summary
    assert (counted.rewrites, counted.coming, counted.waiting, counted.blocked) == tuple(
        int(standing == each) for each in (Standing.DUE, Standing.COMING, Standing.WAITING, Standing.BLOCKED)
    )
    assert counted.scope == int(standing != Standing.LEFT_ALONE)
    assert counted.protected == int(protected)


def test_a_trusted_image_is_settled() -> None:
    """It is in somebody's backup registry already."""
    rules = policy(Mode.DIRECT, trusted=(Prefix.parse("quay.io"),))
    made = report(workload("web", "quay.io/a/b:1"), rules=rules)
    assert (_only(made).standing, _only(made).protected, made.images) == (Standing.SETTLED, True, ())
    assert made.clean


def test_a_record_of_another_image_protects_nothing() -> None:
    """Its name is the one that follows from the image, and it says another one."""
    made = report(_WEB, replace(backup("redis:7"), name=backup("nginx:1.25").name))
    found = _only(made)
    assert (found.reason, found.protected, found.digest) == (Reason.NAME_CONFLICT, False, None)
    assert (made.images[0].state, made.images[0].verified) == ("Missing", False)


@pytest.mark.parametrize("image", ["nginx:1.25", OURS])
def test_a_copy_below_an_earlier_prefix_protects_nothing(image: str) -> None:
    """It is copied again."""
    made = report(workload("web", image), backup("nginx:1.25", backup="old.example/library_nginx:1.25"))
    found = _only(made)
    assert (found.protected, found.reason) == (False, Reason.BACKUP_PENDING)


def test_a_container_has_all_that_a_program_needs() -> None:
    """Its image as it is written, its backup, and the digest that this holds."""
    made = report(
        _WEB, backup("nginx:1.25"), deployed(_WEB), rules=policy(), places={"web": place("a.yaml", 7)}
    )
    assert made.workloads[0].application == "argocd/shop"
    assert made.workloads[0].key == _WEB.key
    found = _only(made)
    assert (found.image, found.backup, found.digest) == ("nginx:1.25", OURS, DIGEST)
    assert (found.action, found.then, found.external) == ("Rewrite", "Commit", True)
    assert found.place == place("a.yaml", 7)


def test_a_reason_comes_with_what_it_means_and_what_to_do() -> None:
    """What is said about this very case, and what is said about all of its kind."""
    found = _only(report(_WEB, failed("nginx:1.25", "QuotaExceeded", "the registry holds 10 GB already")))
    assert found.message == "the registry holds 10 GB already"
    assert found.remedy == "Make room in the backup registry."


@pytest.mark.parametrize(
    ("state", "reason", "standing"),
    [("Proposed", "AwaitingMerge", Standing.WAITING), ("Declined", "PullRequestClosed", Standing.BLOCKED)],
)
def test_what_is_in_a_pull_request_is_not_due(state: str, reason: str, standing: Standing) -> None:
    """It is in the hands of people, and the report says where."""
    done = {
        "workload": str(_WEB.key),
        "container": "c0",
        "state": state,
        "at": "2026-01-01T00:00:00Z",
        "pull_request": "https://git.example/shop/pulls/7",
    }
    made = report(_WEB, backup("nginx:1.25", rewrites=[done]), deployed(_WEB), rules=policy())
    found = _only(made)
    assert (found.reason, found.standing, found.then) == (reason, standing, None)
    assert "(https://git.example/shop/pulls/7)" in found.message
    assert (made.summary.rewrites, made.clean) == (0, False)


def test_what_stands_in_the_way_of_the_workload_is_said_of_the_image_that_is_to_come() -> None:
    """And not of one that is kept."""
    owned = workload("web", "nginx:1.25", "bak.example/m/somebodys", owner="Shop/web")
    coming, kept = report(owned).workloads[0].containers
    assert (coming.reason, coming.message) == (
        "OwnedByController",
        "Shop/web made it and would undo a change",
    )
    assert kept.reason is None


def test_images_are_listed_once_with_their_users() -> None:
    """By source, in normal form, sorted; what is left alone is no use."""
    made = report(
        workload("a", "redis:7", "nginx:1.25"),
        workload("b", "docker.io/library/redis:7", "redis:7"),
        workload("c", OURS),
        workload("d", "nginx:1.25", namespace="kube-system"),
        backup("nginx:1.25"),
    )
    assert [(each.image, each.workloads, each.state, each.verified) for each in made.images] == [
        ("docker.io/library/nginx:1.25", 2, "DONE", True),
        ("docker.io/library/redis:7", 2, "Missing", False),
    ]
    assert made.images[0].backup == OURS
    assert made.images[0].object == backup("nginx:1.25").name


def test_an_image_whose_record_is_new_is_pending() -> None:
    """It has no phase yet."""
    assert report(_WEB, backup("nginx:1.25", digest=None)).images[0].state == "PENDING"


def test_coverage_is_a_share_of_what_is_in_scope_and_never_rounded_up() -> None:
    """Nothing is all but all of it."""
    assert (
        report(workload("web", "nginx:1.25", "redis:7", OURS), backup("nginx:1.25")).summary.coverage
        == 0.6666
    )
    assert report(_KEPT, backup("nginx:1.25")).summary.coverage == 1.0


def test_of_nothing_everything_is_covered() -> None:
    """A namespace without workloads has nothing to lose."""
    made = report()
    assert (made.summary.coverage, made.summary.scope, made.clean) == (1.0, 0, True)


@pytest.mark.parametrize(
    ("made", "clean"),
    [
        (report(_WEB), False),
        (report(_UNREADY), False),
        (report(_WEB, backup("nginx:1.25")), False),
        (report(workload("web", "no image")), False),
        (report(_KEPT, backup("nginx:1.25")), True),
        (report(_KEPT, _GONE), False),
        (report(workload("web", "nginx:1.25", namespace="kube-system")), True),
        (report(problems=["a repository is away"]), False),
        # nobody knows of a copy; whether there is one, the registry would have to be asked
        (report(_ADOPTED), True),
        (report(_ADOPTED, rules=policy(Mode.DIRECT, exclusive=True)), False),
        (report(_ADOPTED, backup("acme/app:1")), False),
    ],
)
def test_a_report_is_clean_when_there_is_nothing_to_do(made: Report, clean: bool) -> None:
    """Neither now nor later, neither for the controller nor for a person."""
    assert made.clean == clean


def test_an_obstacle_holds_up_a_rewrite_and_no_copy() -> None:
    """The copy is useful in any case."""
    why = (Reason.INVALID_MANIFEST, "a.yaml, line 1, column 2: what is this")
    for record, action in (((), "Copy"), ((backup("nginx:1.25"),), "Blocked")):
        found = _only(report(_WEB, *record, deployed(_WEB), rules=policy(), obstacles={"web": why}))
        assert (found.action, found.then, found.reason, found.message) == (action, None, *why)


def test_every_report_fits_the_published_schema() -> None:
    """With all its parts, and with none of them."""
    change = FileReport(repository=None, branch=None, commit=None, path="Deployment/shop/web", diff="")
    schema = Draft202012Validator(json.loads(_SCHEMA.read_bytes()))
    full = report(
        _WEB,
        workload("api", "no image", OURS),
        workload("late", "redis:7"),
        deployed(_WEB),
        backup("nginx:1.25"),
        failed("redis:7", "RateLimited", "later"),
        rules=policy(),
        places={"web": place("a.yaml", 7)},
        files=[change],
        problems=["a repository is away"],
    )
    for made in (full, report()):
        schema.validate(json.loads(json.dumps(made.model_dump())))
        schema.validate(json.loads(made.model_dump_json()))
