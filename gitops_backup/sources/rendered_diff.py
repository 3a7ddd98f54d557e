"""Differences of renderings for people: a short diff, with each value that differs under its place.

A rendering has what is in Secrets and what an Application's own values put into containers. So nothing of a
Secret is shown, and of all else only what differs, with a line around it where it is a text of several lines.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from gitops_backup.errors import count
from gitops_backup.sources.content import Value
from gitops_backup.sources.rendered import HIDDEN, MISSING, Difference, described, is_secret, shown

LONGEST_DIFF = 60
"""The most lines of a diff."""

_LONGEST_LINE = 160
_MOST_COMPARED = 2000


def rendered_diff(differences: Sequence[Difference]) -> str:
    """The differences in the form of a unified diff; the last line says how many there are besides."""
    lines: list[str] = []
    for number, difference in enumerate(differences):
        hunk = [*_head(difference, differences[number - 1] if number else None), *_hunk(difference)]
        if len(lines) + len(hunk) >= LONGEST_DIFF:
            lines += hunk[: LONGEST_DIFF - 1 - len(lines)]
            left = len(differences) - number - 1
            lines.append(f"# and more, with {count(left, 'other place')}" if left else "# and more")
            break
        lines += hunk
    return "".join(f"{_cut(line)}\n" for line in lines)


def _head(difference: Difference, previous: Difference | None) -> Iterator[str]:
    if previous is None or previous.object != difference.object:
        yield f"--- {difference.object}"
        yield f"+++ {difference.object}"
    yield f"@@ {described(difference.steps) or 'all of it'} @@"


def _hunk(difference: Difference) -> Iterable[str]:
    before, after = difference.before, difference.after
    if is_secret(difference.object):
        return f"-{HIDDEN}", f"+{HIDDEN}, which is another"
    if isinstance(before, str) and isinstance(after, str):
        old, new = before.splitlines(), after.splitlines()
        if 1 < max(len(old), len(new)) <= _MOST_COMPARED:
            diff = islice(difflib.unified_diff(old, new, n=1, lineterm=""), 2, None)
            return [line for line in diff if not line.startswith("@@")]
    return [*_side("-", before), *_side("+", after)]


def _side(mark: str, value: Value) -> Iterator[str]:
    if value is not MISSING:
        yield mark + (value if isinstance(value, str) and "\n" not in value else shown(value))


def _cut(line: str) -> str:
    plain = "".join(c if c.isprintable() else " " for c in line[: _LONGEST_LINE + 1])
    return plain if len(plain) <= _LONGEST_LINE else plain[: _LONGEST_LINE - 1] + "…"
