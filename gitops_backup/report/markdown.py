"""The report in Markdown, to be posted on a pull request (GitHub Flavored Markdown, "Tables (extension)").

Names and messages come from repositories, and so from whoever opens a pull request: they are shown as code,
or with everything escaped that would be a mark, a link or a mention.
"""

import re
from collections.abc import Iterator, Sequence

from gitops_backup.errors import count, one_line
from gitops_backup.report.changes import render_changes
from gitops_backup.report.model import ContainerReport, ImageReport, Report, Standing
from gitops_backup.report.sentences import numbers, problems, reasons

_FINE = frozenset({Standing.SETTLED, Standing.LEFT_ALONE})
_MOST_NAMED = 10
_LONGEST_TEXT = 2000
_HEAD = ("Image", "Backup", "Copy", "Workloads", "Written at", "Not rewritten")
_MARK = re.compile(r"([\\`*_\[\]<>|~#&])")


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
        yield _text(sentence)


def _images(report: Report) -> Iterator[str]:
    if report.images:
        yield from (_row(_HEAD), _row(["---"] * len(_HEAD)))
    for image in report.images:
        containers = _containers(report, image)
        places = sorted({(c.place.path, c.place.line_before) for c in containers if c.place is not None})
        blocked = sorted({str(c.reason) for c in containers if c.then is None and c.reason is not None})
        yield _row(
            (
                _code(image.image),
                _code(image.backup),
                "Verified" if image.verified else image.state.capitalize(),
                str(image.workloads),
                _listed([_code(f"{path}:{line}") for path, line in places]),
                ", ".join(blocked),
            )
        )


def _containers(report: Report, image: ImageReport) -> list[ContainerReport]:
    return [
        container
        for workload in report.workloads
        for container in workload.containers
        if container.backup == image.backup and container.standing != Standing.LEFT_ALONE
    ]


def _along(report: Report) -> Iterator[str]:
    for each in report.along[:_MOST_NAMED]:
        place = f"{_code(f'{each.kind} {each.namespace}/{each.name}')}, {_code(each.place)}"
        yield f"- **Also changes**: {place}: {_code(each.image)} becomes {_code(each.becomes)}"
    rest = len(report.along) - _MOST_NAMED
    if rest > 0:
        yield f"- **Also changes**: {count(rest, 'more place')}"


def _reasons(report: Report) -> Iterator[str]:
    for why in reasons(report):
        workloads = f"{count(len(why.workloads), 'workload')}, {_listed([_code(w) for w in why.workloads])}"
        yield f"- **{why.reason}** ({workloads}): {_text(why.message)}"
        yield f"  {_text(why.remedy)}"


def _problems(report: Report) -> Iterator[str]:
    for problem in problems(report):
        yield f"- **Not looked at**: {_text(problem)}"


def _changes(report: Report) -> Iterator[str]:
    changes = render_changes(report, colours=False)
    if changes:
        fence = "`" * max(3, _longest_run(changes) + 1)
        yield from ("<details><summary>Changes</summary>", "", f"{fence}diff")
        yield changes.removesuffix("\n")
        yield from (fence, "", "</details>")


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _listed(texts: Sequence[str]) -> str:
    shown = ", ".join(texts[:_MOST_NAMED])
    return shown if len(texts) <= _MOST_NAMED else f"{shown} and {len(texts) - _MOST_NAMED} more"


def _code(text: str) -> str:
    """A code span that nothing in the text ends, in a table's cell, too."""
    line = one_line(text, limit=_LONGEST_TEXT).replace("|", r"\|")
    fence = "`" * (_longest_run(line) + 1)
    blank = " " if "`" in line else ""
    return f"{fence}{blank}{line}{blank}{fence}"


def _text(text: str) -> str:
    """Text without marks; behind an `@` there is a blank of no width, so that it mentions nobody."""
    return _MARK.sub(r"\\\1", one_line(text, limit=_LONGEST_TEXT)).replace("@", "@\N{ZERO WIDTH SPACE}")


def _longest_run(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
