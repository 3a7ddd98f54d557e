"""The report as JUnit's XML, which forges show beside the results of tests.

A workload is a test case; it fails where an image of it is to be rewritten or cannot be. What could not be
looked at is an error. There is no specification; the elements are those that Jenkins, GitLab and GitHub's
actions read alike.
"""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from gitops_backup.errors import one_line
from gitops_backup.report.model import ContainerReport, Report, Standing, WorkloadReport
from gitops_backup.report.sentences import problems

_LONGEST_TEXT = 2000
_FINE = frozenset({Standing.SETTLED, Standing.LEFT_ALONE})


def render_junit(report: Report) -> str:
    """The report as a document of XML, to be written as UTF-8."""
    suite = ET.Element("testsuite", name="gitops-backup")
    for workload in report.workloads:
        suite.append(_case(workload))
    for problem in problems(report):
        case = ET.SubElement(suite, "testcase", classname="repository", name=_plain(problem))
        ET.SubElement(case, "error", message=_plain(problem), type="NotLookedAt")
    totals = {
        "tests": str(len(suite)),
        "failures": str(len(suite.findall("testcase/failure"))),
        "errors": str(len(suite.findall("testcase/error"))),
        "skipped": str(len(suite.findall("testcase/skipped"))),
    }
    suite.attrib.update(totals)
    root = ET.Element("testsuites", totals)
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(workload: WorkloadReport) -> ET.Element:
    case = ET.Element(
        "testcase", classname=_plain(workload.application or "cluster"), name=_plain(str(workload.key))
    )
    bad = [container for container in workload.containers if container.standing not in _FINE]
    alone = [c for c in workload.containers if c.standing == Standing.LEFT_ALONE and c.reason is not None]
    if bad:
        images = ", ".join(dict.fromkeys(container.image for container in bad))
        failure = ET.SubElement(case, "failure", message=_plain(images), type="ImageNotBackedUp")
        failure.text = "\n".join(line for container in bad for line in _lines(container))
    elif alone:
        ET.SubElement(case, "skipped", message=_plain(f"{alone[0].reason}: {alone[0].message}"))
    return case


def _lines(container: ContainerReport) -> Iterator[str]:
    to = f" -> {container.backup}" if container.backup is not None and container.external else ""
    yield _plain(f"{container.name}: {container.image}{to}")
    if container.place is not None:
        yield "  " + _plain(f"{container.place.path}:{container.place.line_before}")
    if container.reason is not None:
        yield "  " + _plain(f"{container.reason}: {container.message}")
        yield "  " + _plain(container.remedy)


def _plain(text: str) -> str:
    """One line of characters that XML may have: none that controls, no lone surrogate."""
    return one_line(text, limit=_LONGEST_TEXT)
