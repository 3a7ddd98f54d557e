"""The report in Markdown, to be posted on a pull request (GitHub Flavored Markdown, "Tables (extension)").

Names and messages come from repositories, and so from whoever opens a pull request: they are shown as code,
or with everything escaped that would be a mark, a link or a mention.
"""

from collections.abc import Iterator

from gitops_backup.errors import count
from gitops_backup.report.changes import render_changes
from gitops_backup.report.markup import MOST_NAMED, code, listed, longest_run, row, text
from gitops_backup.report.model import AlongReport, ContainerReport, ImageReport, Place, Report, Standing
from gitops_backup.report.sentences import numbers, problems, reasons

_FINE = frozenset({Standing.SETTLED, Standing.LEFT_ALONE})
_HEAD = ("Image", "Backup", "Copy", "Workloads", "Written at", "Not rewritten")


def render_markdown(report: Report) -> str:
    """The report: its numbers, the images, the reasons, and, where they are in it, the changes."""
    said = (_along(report), _reasons(report), _problems(report))
    blocks = (_heading(report), _images(report), *said, _changes(report))
    return "\n".join("\n".join([*block, ""]) for block in map(list, blocks) if block)


def _heading(report: Report) -> Iterator[str]:
    if report.clean:
        yield "### Every image is in the backup registry"
    elif all(c.standing in _FINE for w in report.workloads for c in w.containers):
        yield "### Not everything could be looked at"
    else:
        yield "### Not every image is in the backup registry"
    yield ""
    for sentence in numbers(report):
        yield text(sentence)


def _images(report: Report) -> Iterator[str]:
    if report.images:
        yield from (row(_HEAD), row(["---"] * len(_HEAD)))
    for image in report.images:
        containers = _containers(report, image)
        places = sorted({_place(c.place) for c in containers if c.place is not None})
        blocked = sorted({str(c.reason) for c in containers if c.then is None and c.reason is not None})
        yield row(
            (
                code(image.image),
                code(image.backup),
                "Verified" if image.verified else image.state.capitalize(),
                str(image.workloads),
                listed([code(f"{path}:{line}") + new for path, line, new in places]),
                ", ".join(blocked),
            )
        )


def _place(place: Place) -> tuple[str, int, str]:
    return place.path, place.line_before, " (new)" if place.new else ""


def _containers(report: Report, image: ImageReport) -> list[ContainerReport]:
    return [
        container
        for workload in report.workloads
        for container in workload.containers
        if container.backup == image.backup and container.standing != Standing.LEFT_ALONE
    ]


def _along(report: Report) -> Iterator[str]:
    # the same of several Applications is told once
    lines = list(dict.fromkeys(map(_also, report.along)))
    yield from lines[:MOST_NAMED]
    rest = len(lines) - MOST_NAMED
    if rest > 0:
        yield f"- **Also changes**: {count(rest, 'more place')}"


def _also(along: AlongReport) -> str:
    place = f"{code(f'{along.kind} {along.namespace}/{along.name}')}, {code(along.place)}"
    return f"- **Also changes**: {place}: {code(along.image)} becomes {code(along.becomes)}"


def _reasons(report: Report) -> Iterator[str]:
    for why in reasons(report):
        workloads = f"{count(len(why.workloads), 'workload')}, {listed([code(w) for w in why.workloads])}"
        yield f"- **{why.reason}** ({workloads}): {text(why.message)}"
        yield f"  {text(why.remedy)}"


def _problems(report: Report) -> Iterator[str]:
    for problem in problems(report):
        yield f"- **Not looked at**: {text(problem)}"


def _changes(report: Report) -> Iterator[str]:
    changes = render_changes(report, colours=False)
    if changes:
        fence = "`" * max(3, longest_run(changes) + 1)
        yield from ("<details><summary>Changes</summary>", "", f"{fence}diff")
        yield changes.removesuffix("\n")
        yield from (fence, "", "</details>")
