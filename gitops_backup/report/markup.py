"""Marks of Markdown, around what repositories say (GitHub Flavored Markdown, "Tables (extension)").

Names and messages come from whoever writes to a repository: they are shown as code, or with everything
escaped that would be a mark, a link or a mention.
"""

import re
from collections.abc import Sequence

from gitops_backup.errors import one_line

MOST_NAMED = 10
"""How many things of a kind are named."""

_LONGEST_TEXT = 2000
_MARK = re.compile(r"([\\`*_\[\]<>|~#&])")


def row(cells: Sequence[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def listed(texts: Sequence[str]) -> str:
    """The first few of these, and how many there are besides."""
    shown = ", ".join(texts[:MOST_NAMED])
    return shown if len(texts) <= MOST_NAMED else f"{shown} and {len(texts) - MOST_NAMED} more"


def code(text: str) -> str:
    """A code span that nothing in the text ends, in a table's cell, too."""
    line = one_line(text, limit=_LONGEST_TEXT).replace("|", r"\|")
    fence = "`" * (longest_run(line) + 1)
    blank = " " if "`" in line else ""
    return f"{fence}{blank}{line}{blank}{fence}"


def text(text: str) -> str:
    """Text without marks; behind an `@` there is a blank of no width, so that it mentions nobody."""
    return _MARK.sub(r"\\\1", one_line(text, limit=_LONGEST_TEXT)).replace("@", "@\N{ZERO WIDTH SPACE}")


def longest_run(text: str) -> int:
    """How many backticks there are in a row at the most."""
    return max(map(len, re.findall("`+", text)), default=0)
