"""Text in columns, as kubectl prints it: headings in capitals, no lines, nothing but blanks in between.

In a pipe every row is one line, however long, so that grep and awk work. On a terminal, rows that are wider
than it is are folded: the widest columns give way first, and names break where they have a joint.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from gitops_backup.errors import one_line

_GAP = "   "
_NARROWEST = 12
_LONGEST_CELL = 2000
_JOINT = re.compile(r"(?<=[ /:@-])")


class Cell(NamedTuple):
    """A cell with a colour, as SGR parameters (ECMA-48) such as `31`; none where it is empty."""

    text: str
    colour: str = ""


def columns(
    head: Sequence[str], rows: Iterable[Sequence[str | Cell]], *, width: int | None = None
) -> list[str]:
    """The lines of a table; `width` is the terminal's, in characters, None where lines may have any length.

    What a cell has of line breaks and control characters is a blank in the table.
    """
    cells = [[_cell(each) for each in row] for row in (head, *rows)]
    widths = [max(len(cell.text) for cell in column) for column in zip(*cells, strict=True)]
    if width is not None:
        widths = _fitted(widths, width)
    return [line for row in cells for line in _lines(row, widths)]


def folded(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` characters, broken at joints where there are any."""
    lines = [""]
    for part in _JOINT.split(text):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
        while len(lines[-1].rstrip()) > width:
            lines[-1:] = [lines[-1][:width], lines[-1][width:]]
    return [line.rstrip() for line in lines]


def _cell(given: str | Cell) -> Cell:
    text, colour = given if isinstance(given, Cell) else (given, "")
    return Cell(one_line(text, limit=_LONGEST_CELL), colour)


def _fitted(widths: Sequence[int], width: int) -> list[int]:
    fitted = list(widths)
    excess = sum(fitted) + len(_GAP) * (len(fitted) - 1) - width
    while excess > 0 and max(fitted) > _NARROWEST:
        # of two that are equally wide the latter, as names stand in front
        fitted[max(range(len(fitted)), key=lambda column: (fitted[column], column))] -= 1
        excess -= 1
    return fitted


def _lines(row: Sequence[Cell], widths: Sequence[int]) -> Iterator[str]:
    parts = [folded(cell.text, width) for cell, width in zip(row, widths, strict=True)]
    for line in zip_longest(*parts, fillvalue=""):
        shown = (
            _coloured(text, cell.colour) + " " * (width - len(text))
            for text, cell, width in zip(line, row, widths, strict=True)
        )
        yield _GAP.join(shown).rstrip()


def _coloured(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour and text else text
