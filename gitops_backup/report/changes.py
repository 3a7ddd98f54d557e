"""The changes of a report as text: patches that `git apply` takes as they are, and what people want to know.

What is no part of a patch begins with `#`. So do the changes of workloads in the cluster, which have no file
that a patch could change, and what would be rendered of edits that are not made because of just that.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from gitops_backup.errors import one_line
from gitops_backup.report.model import FileReport, Report

_COLOURS = {"-": "31", "+": "32", "@": "36"}
_SHOWN_OF_A_COMMIT = 12
_MOST_NAMED = 5


def render_changes(report: Report, *, colours: bool) -> str:
    """The changes, those of each repository under a heading of its own; empty where there are none.

    Bytes of files that are no UTF-8 come out as lone surrogates.
    """
    return "".join(f"{_painted(line) if colours else line}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    for number, (heading, files) in enumerate(groupby(report.files, _heading)):
        if number:
            yield ""
        yield heading
        for file in files:
            # of a file's lines only the line feed is an end
            lines = file.diff.removesuffix("\n").split("\n")
            yield from lines if file.repository is not None else _remarks(file, lines)
    for number, (difference, users) in enumerate(_differences(report).items()):
        if number or report.files:
            yield ""
        yield f"# not made ({users[0].reason}), because of what would be rendered; for {_listed(users)}:"
        yield from (f"#   {line}" for line in difference.removesuffix("\n").split("\n"))


class _User(NamedTuple):
    """Whose image is not rewritten, and why."""

    name: str
    reason: str


def _differences(report: Report) -> dict[str, list[_User]]:
    """What would be rendered of edits that are not made, and whom they would be for."""
    found: dict[str, list[_User]] = {}
    for workload in report.workloads:
        for container in workload.containers:
            if container.difference:
                name = one_line(f"{workload.key}, container {container.name}")
                user = _User(name, str(container.reason))
                found.setdefault(container.difference, []).append(user)
    return found


def _listed(users: Sequence[_User]) -> str:
    shown = "; ".join(user.name for user in users[:_MOST_NAMED])
    return shown if len(users) <= _MOST_NAMED else f"{shown}; and {len(users) - _MOST_NAMED} more"


def _heading(file: FileReport) -> str:
    if file.repository is None:
        return "# in the cluster, by patch:"
    return f"# {file.repository} {file.branch} at {(file.commit or '')[:_SHOWN_OF_A_COMMIT]}:"


def _remarks(file: FileReport, lines: list[str]) -> Iterator[str]:
    yield f"# {file.path}"
    yield from (f"#   {line}" for line in lines[_first_of_a_hunk(lines) :])


def _first_of_a_hunk(lines: list[str]) -> int:
    return next(number for number, line in enumerate(lines) if line.startswith("@@")) + 1


def _painted(line: str) -> str:
    colour = _COLOURS.get(line.removeprefix("#   ")[:1])
    return f"\x1b[{colour}m{line}\x1b[0m" if colour else line
