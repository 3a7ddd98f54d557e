"""Tables for a terminal: as wide as it is, in colours only where they are wanted, whole lines in a pipe."""

import io
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from gitops_backup.domain.planning import Action
from gitops_backup.report.model import ContainerReport, Report

_COLOURS = {
    Action.KEEP: "green",
    Action.REWRITE: "cyan",
    Action.COPY: "cyan",
    Action.ADOPT: "cyan",
    Action.WAIT: "yellow",
    Action.BLOCKED: "red",
}


def table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> Table:
    """A table as kubectl prints one: no lines, headings in capitals."""
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def render(report: Report, *, width: int | None, colours: bool) -> str:
    """The report as text; `width` is in columns, None for lines as long as they need to be."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=width or 400,
        force_terminal=colours,
        no_color=not colours,
        highlight=False,
        color_system="standard" if colours else None,
    )
    console.print(
        table(
            ("WORKLOAD", "CONTAINER", "IMAGE", "ACTION", "REASON"),
            (
                (
                    str(workload.key),
                    f"{container.name} (init)" if container.init else container.name,
                    container.image,
                    Text(_action(container), style=_COLOURS[container.action]),
                    container.reason or "",
                )
                for workload in report.workloads
                for container in workload.containers
            ),
        )
    )
    _print_reasons(console, report)
    for problem in report.problems:
        console.print(f"! {problem}", style="red", soft_wrap=True)
    console.print(_sentence(report), soft_wrap=True)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _action(container: ContainerReport) -> str:
    if container.then is None or container.action == Action.WAIT:
        return container.action
    if container.action == Action.COPY:
        return f"{container.action}, {container.then}"
    return str(container.then)


def _print_reasons(console: Console, report: Report) -> None:
    seen: dict[tuple[str, str], list[str]] = {}
    for workload in report.workloads:
        for container in workload.containers:
            if container.reason is not None and container.remedy:
                seen.setdefault((container.reason, container.message), []).append(str(workload.key))
    if seen:
        console.print()
        console.print(
            table(
                ("REASON", "WORKLOADS", "WHAT IT MEANS"),
                ((reason, str(len(set(keys))), message) for (reason, message), keys in sorted(seen.items())),
            )
        )
    console.print()


def _sentence(report: Report) -> str:
    summary = report.summary
    return (
        f"Workloads: {summary.workloads}, containers: {summary.containers}. Images to copy: {summary.copies},"
        f" containers to rewrite now: {summary.rewrites}, blocked: {summary.blocked}."
        f" Would survive the loss of every foreign registry: {summary.coverage:.0%}."
    )
