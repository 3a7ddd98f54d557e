"""The report as text: word for word, in a pipe and on a terminal."""

import re
from pathlib import Path

import pytest

from gitops_backup.domain.policy import Mode
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import Rollout
from gitops_backup.report.model import Report
from gitops_backup.report.table import render
from tests.controller.cluster import backup, failed, policy, workload
from tests.report.reports import OURS, also_changes, deployed, place, report

_GOLDEN = Path(__file__).parent / "golden"
_WEB = workload("web", "nginx:1.25")


def everything() -> Report:
    """A report with every kind of block in it."""
    web, api = (
        workload("web", "nginx:1.25", "redis:7", init=["quay.io/acme/tool:2"]),
        workload("api", "nginx:1.25"),
    )
    return report(
        web,
        api,
        workload("alone", "redis:7"),
        workload("kept", OURS),
        workload("late", "redis:7", available=False, rollout=Rollout.NOT_READY, kind="DaemonSet"),
        workload("proxy", "nginx:1.25", namespace="kube-system"),
        backup("nginx:1.25"),
        deployed(web, api),
        rules=policy(),
        places={"web": place("apps/web.yaml", 12), "api": place("api.yaml", 3, "https://git.example/api")},
        along=[also_changes("StatefulSet", "db", "container db")],
        problems=["https://git.example/x: it is away"],
    )


def _next(made: Report) -> str:
    first = render(made, width=None, colours=False).splitlines()[1]
    return re.split(" {3,}", first)[3]


@pytest.mark.parametrize(("golden", "width"), [("pipe.txt", None), ("narrow.txt", 72)])
def test_the_whole_report(golden: str, width: int | None) -> None:
    """Containers, images, reasons, repositories, problems, numbers: an empty line between them."""
    assert render(everything(), width=width, colours=False) == (_GOLDEN / golden).read_text()


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
def test_on_a_terminal_no_line_is_wider_than_it(width: int) -> None:
    """Nor is one lost, or blank at its end."""
    lines = render(everything(), width=width, colours=False).splitlines()
    assert max(map(len, lines)) <= max(width, 4 * 12 + 9)
    assert all(line == line.rstrip() for line in lines)


def test_colours_change_nothing_else() -> None:
    """Red is what is blocked, yellow what waits, and what is left alone is faint."""
    coloured = render(everything(), width=72, colours=True)
    assert re.sub(r"\x1b\[\d+m", "", coloured).replace(" \n", "\n") == (_GOLDEN / "narrow.txt").read_text()
    for code, text in (("31", "Copy, then"), ("33", "Wait: NotReady"), ("2", "Left alone:"), ("32", "Keep")):
        assert f"\x1b[{code}m{text}\x1b[0m" in coloured


@pytest.mark.parametrize(
    ("made", "phrase"),
    [
        (report(_WEB), "Copy, then patch"),
        (report(_WEB, backup("nginx:1.25")), "Patch"),
        (report(_WEB, backup("nginx:1.25", digest=None)), "Wait: BackupPending, then patch"),
        (report(_WEB, failed("nginx:1.25", "SourceNotFound", "gone")), "Blocked: SourceNotFound"),
        (report(_WEB, failed("nginx:1.25", "RateLimited", "later")), "Wait: RateLimited"),
        (report(workload("web", "nginx:1.25", owner="Shop/web")), "Copy, then blocked: OwnedByController"),
        (
            report(workload("web", "nginx:1.25", owner="Shop/web"), backup("nginx:1.25", digest=None)),
            "Wait, then blocked: OwnedByController",
        ),
        (report(workload("web", "nginx:1.25", directive="ignore")), "Left alone: Ignored"),
        (report(workload("web", OURS), backup("nginx:1.25")), "Keep"),
        (report(workload("web", OURS), backup("nginx:1.25", digest=None)), "Wait: BackupPending"),
        (report(workload("web", OURS)), "Adopt"),
        (report(workload("web", OURS), rules=policy(Mode.DIRECT, exclusive=True)), "Copy"),
        (report(_WEB, deployed(_WEB), rules=policy()), "Copy, then commit"),
        (
            report(_WEB, deployed(_WEB), rules=policy(), places={"web": place("a/b.yaml", 7)}),
            "Copy, then commit to [1] a/b.yaml:7",
        ),
        (
            report(
                _WEB,
                deployed(_WEB),
                rules=policy(),
                places={"web": place("a/b.yaml", 7).model_copy(update={"new": True})},
            ),
            "Copy, then commit to [1] the new file a/b.yaml:7",
        ),
        (
            report(
                _WEB,
                deployed(_WEB),
                rules=policy(),
                obstacles={"web": (Reason.AWAITING_SYNC, "main names the backup already")},
            ),
            "Copy, then wait: AwaitingSync",
        ),
    ],
)
def test_what_is_next_is_a_phrase(made: Report, phrase: str) -> None:
    """The steps that the controller will take, and what is in their way."""
    assert _next(made) == phrase


@pytest.mark.parametrize(
    ("record", "word"),
    [
        (backup("nginx:1.25"), "Verified"),
        (backup("nginx:1.25", digest=None), "Pending"),
        (backup("nginx:1.25", digest=None, phase="RUNNING"), "Running"),
        (backup("nginx:1.25", digest=None, phase="DONE"), "Unverified"),
        (failed("nginx:1.25", "SourceNotFound", "gone"), "Failed"),
    ],
)
def test_a_copy_is_in_a_state(record: object, word: str) -> None:
    """What the earlier system called done was not compared with anything."""
    text = render(report(_WEB, record), width=None, colours=False)  # type: ignore[arg-type]
    assert re.search(rf"^docker.io/library/nginx:1.25 +{word} +1 ", text, re.MULTILINE)


def test_a_single_thing_is_no_plural() -> None:
    """Nor the other way round."""
    assert render(report(_WEB), width=None, colours=False).endswith(
        "\n1 container in 1 workload, planned for mode direct: 1 image to copy, 0 containers to rewrite now,"
        " 1 once copied, 0 waiting, 0 blocked.\n"
        "Images that would outlive every foreign registry: those of 0 of 1 container in scope, 0%;"
        " in use already: 0.\n"
    )


def test_nothing_is_said_about_nothing() -> None:
    """An empty report is two sentences."""
    assert render(report(), width=None, colours=False) == (
        "0 containers in 0 workloads, planned for mode direct: 0 images to copy, 0 containers to rewrite now,"
        " 0 once copied, 0 waiting, 0 blocked.\n"
        "Images that would outlive every foreign registry: those of 0 of 0 containers in scope, 100%;"
        " in use already: 0.\n"
    )


def test_a_problem_that_is_a_reason_already_is_said_once() -> None:
    """A repository that is away may concern hundreds of workloads."""
    why = "https://git.example/shop is away"
    obstacles = {"web": (Reason.REPOSITORY_UNAVAILABLE, why)}
    made = report(_WEB, deployed(_WEB), rules=policy(), obstacles=obstacles, problems=[why])
    assert render(made, width=None, colours=False).count(why) == 1
    assert made.problems == (why,)


def test_what_others_wrote_cannot_draw_on_the_terminal() -> None:
    """Images, messages and problems are foreign texts."""
    evil = "nginx\x1b[2J\n[bold]:1"
    made = report(workload("web", evil), problems=["\x1b[2Jhttps://[::1]/x :smile:\nis away"])
    text = render(made, width=None, colours=True)
    assert "\x1b[2J" not in text
    assert "nginx [2J [bold]:1" in text
    assert "! [2Jhttps://[::1]/x :smile: is away" in text
