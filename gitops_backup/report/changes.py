"""The changes of a report as text: patches that `git apply` takes as they are, and what people want to know.

What is no part of a patch begins with `#`. So do the changes of workloads in the cluster, which have no file
that a patch could change.
"""

from collections.abc import Iterator
from itertools import groupby

from gitops_backup.report.model import FileReport, Report

_COLOURS = {"-": "31", "+": "32", "@": "36"}
_SHOWN_OF_A_COMMIT = 12


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
