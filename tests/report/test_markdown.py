"""The report in Markdown: word for word, and with nothing in it that its reader did not ask for."""

import re
from pathlib import Path

from gitops_backup.report.markdown import render_markdown
from tests.controller.cluster import backup, policy, workload
from tests.report.forms import everything, harmful
from tests.report.reports import OURS, also_changes, deployed, place, report

_GOLDEN = Path(__file__).parent / "golden"


def test_the_whole_report() -> None:
    """Numbers, images, reasons, what was not looked at, changes."""
    assert render_markdown(everything()) == (_GOLDEN / "report.md").read_text()


def test_of_much_that_changes_along_the_first_is_told() -> None:
    """The same of two Applications once; how much there is besides is counted."""
    found = [also_changes("StatefulSet", f"db-{number}", "container db") for number in range(12)]
    elsewhere = [each.model_copy(update={"application": "argocd/two"}) for each in found]
    shown = render_markdown(report(along=[*found, *elsewhere]))
    assert shown.count("- **Also changes**: `StatefulSet shop/db-") == 10
    assert "- **Also changes**: 2 more places\n" in shown
    assert render_markdown(report(along=found[:1])).count("Also changes") == 1


def test_a_file_that_is_new_is_said_to_be() -> None:
    """It is not among those that people know."""
    web = workload("web", "nginx:1.25")
    written = place("app/.argocd-source-web.yaml", 1).model_copy(update={"new": True})
    made = report(web, deployed(web), rules=policy(), places={"web": written})
    assert "| `app/.argocd-source-web.yaml:1` (new) |" in render_markdown(made)


def test_where_there_is_nothing_to_do_it_says_so() -> None:
    """In the heading, which is all that most people read."""
    made = report(workload("web", OURS), backup("nginx:1.25"))
    assert render_markdown(made).startswith("### Every image is in the backup registry\n")


def test_what_could_not_be_looked_at_is_no_success() -> None:
    """Even where all that could be is in order."""
    made = report(workload("web", OURS), backup("nginx:1.25"), problems=["a repository is away"])
    shown = render_markdown(made)
    assert shown.startswith("### Not everything could be looked at\n")
    assert "- **Not looked at**: a repository is away\n" in shown


def test_texts_of_others_are_no_marks() -> None:
    """No cell, code, element, link or mention begins or ends in one; no line is broken."""
    shown = render_markdown(harmful())
    unescaped = re.sub(r"\\.", "", shown.partition("<details>")[0])
    plain = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", unescaped)
    assert not re.search(r"[<\[`]|@(?!\u200b)|\x1b", plain)
    rows = [line for line in shown.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}


def test_a_change_does_not_end_its_own_block() -> None:
    """The fence is longer than any in it."""
    shown = render_markdown(harmful())
    assert shown.count("````") == 2
    assert "\n+```\n+x\n````\n\n</details>\n" in shown
