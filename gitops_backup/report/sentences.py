"""What every form of the report says in words: its numbers, and why something is not done, by reason."""

import math
from collections.abc import Iterator
from typing import NamedTuple

from gitops_backup.errors import count
from gitops_backup.report.model import Report


class Why(NamedTuple):
    """A reason as it is given of some workloads, by name."""

    reason: str
    message: str
    remedy: str
    workloads: tuple[str, ...]


def reasons(report: Report) -> Iterator[Why]:
    """Why containers wait, are blocked or are left alone: each thing that is said once, sorted."""
    seen: dict[tuple[str, str, str], set[tuple[str, str | None]]] = {}
    for workload in report.workloads:
        for container in workload.containers:
            if container.reason is not None:
                why = str(container.reason), container.message, container.remedy
                seen.setdefault(why, set()).add((str(workload.key), workload.application))
    for why, workloads in sorted(seen.items()):
        yield Why(*why, tuple(sorted(key for key, _ in workloads)))


def problems(report: Report) -> tuple[str, ...]:
    """What could not be looked at, but for what is said of a container."""
    said = {container.message for workload in report.workloads for container in workload.containers}
    return tuple(problem for problem in report.problems if problem not in said)


def numbers(report: Report) -> tuple[str, str]:
    """The report's numbers, in two sentences."""
    summary = report.summary
    seen = f"{count(summary.containers, 'container')} in {count(summary.workloads, 'workload')}"
    due = [
        f"{count(summary.copies, 'image')} to copy",
        f"{count(summary.rewrites, 'container')} to rewrite now",
        f"{summary.coming} once copied",
        f"{summary.waiting} waiting",
        f"{summary.blocked} blocked",
    ]
    # rounded down: 100% means all of them
    share = f"{math.floor(100 * summary.coverage)}%"
    kept = f"{summary.protected} of {count(summary.scope, 'container')} in scope, {share}"
    kept += f"; in use already: {summary.using}"
    return (
        f"{seen}, planned for mode {report.mode}: {', '.join(due)}.",
        f"Images that would outlive every foreign registry: those of {kept}.",
    )
