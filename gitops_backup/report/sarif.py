"""The report as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format), for a forge's own views.

There is a result for each image that is written in Git and is not in the backup registry, at its file and
line. What is blocked has no such place, and is in the other forms. Each repository has a run of its own.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from gitops_backup import __version__
from gitops_backup.errors import one_line
from gitops_backup.report.model import ContainerReport, Place, Report, WorkloadReport

_RULE = "ImageNotBackedUp"
_MOST_NAMED = 10

_Located = tuple[WorkloadReport, ContainerReport, Place]


def render_sarif(report: Report) -> str:
    """The report as a log of SARIF, in ASCII."""
    by_repository: dict[tuple[str, str, str], list[_Located]] = {}
    for each in _located(report):
        place = each[2]
        by_repository.setdefault((place.repository, place.branch, place.commit), []).append(each)
    runs = [_run(report, found) for _, found in sorted(by_repository.items())]
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": runs or [_run(report, [])],
    }
    return json.dumps(log, indent=2) + "\n"


def _located(report: Report) -> Iterator[_Located]:
    for workload in report.workloads:
        for container in workload.containers:
            if container.external and container.place is not None:
                yield workload, container, container.place


def _run(report: Report, found: Iterable[_Located]) -> dict[str, Any]:
    # what is written once may be the image of many containers
    results: dict[tuple[str, int, str], list[_Located]] = {}
    for each in found:
        _, container, place = each
        results.setdefault((place.path, place.line_before, container.backup or ""), []).append(each)
    return {
        "tool": {"driver": _driver()},
        "results": [_result(report, users) for _, users in sorted(results.items())],
    }


def _driver() -> dict[str, Any]:
    return {
        "name": "gitops-backup",
        "version": __version__,
        "rules": [
            {
                "id": _RULE,
                "shortDescription": {"text": "An image from a registry that its owner does not control"},
                "fullDescription": {
                    "text": "The image is not in the backup registry, and is gone when its registry is."
                },
                "help": {"text": "Write the name of its backup, as `gitops-backup report --diff` shows it."},
                "defaultConfiguration": {"level": "warning"},
            }
        ],
    }


def _result(report: Report, users: list[_Located]) -> dict[str, Any]:
    _, container, place = users[0]
    uri = quote(place.path.encode("utf-8", "surrogateescape"), safe="/")
    identity = f"{place.path}\n{container.backup}"
    return {
        "ruleId": _RULE,
        "ruleIndex": 0,
        "level": "warning",
        "message": {"text": _message(report, users)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"},
                    "region": {"startLine": place.line_before},
                }
            }
        ],
        "partialFingerprints": {
            "imageInFile/v1": hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
        },
    }


def _message(report: Report, users: list[_Located]) -> str:
    _, container, _ = users[0]
    who = [f"{w.key} of {w.application or 'no Application'}, container {c.name}" for w, c, _ in users]
    named = "; ".join(map(one_line, who[:_MOST_NAMED]))
    if len(who) > _MOST_NAMED:
        named += f"; and {len(who) - _MOST_NAMED} more"
    image, backup = one_line(container.image), one_line(container.backup or "")
    return f"{image} is not below {report.backup_repository}; its backup is {backup}. Used by: {named}"
