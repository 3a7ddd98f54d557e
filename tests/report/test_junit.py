"""The report as JUnit's XML: what forges read of it."""

from pathlib import Path
from xml.etree import ElementTree as ET

from gitops_backup.report.junit import render_junit
from tests.report.forms import everything, harmful
from tests.report.reports import report

_GOLDEN = Path(__file__).parent / "golden"


def test_the_whole_report() -> None:
    """A case for each workload; what is out of scope is skipped, what could not be looked at an error."""
    assert render_junit(everything()) == (_GOLDEN / "report.junit.xml").read_text()


def test_the_totals_are_those_of_the_cases() -> None:
    """Forges take them from either."""
    root = ET.fromstring(render_junit(everything()))  # noqa: S314, it is our own
    for outcome, total in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert root.get(total) == str(len(root.findall(f".//{outcome}"))) != "0"
    assert root.get("tests") == str(len(root.findall(".//testcase")))


def test_texts_of_others_make_no_elements() -> None:
    """Nor what XML must not have."""
    shown = render_junit(harmful())
    ET.fromstring(shown.encode())  # noqa: S314, it is our own
    assert "<b>" not in shown
    assert "\x1b" not in shown


def test_a_report_of_nothing_has_no_cases() -> None:
    """And is a document all the same."""
    assert ET.fromstring(render_junit(report())).get("tests") == "0"  # noqa: S314, it is our own
