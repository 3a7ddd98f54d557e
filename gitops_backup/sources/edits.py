"""Changing bytes in place: spans, splices, and the diff that shows them.

Files are bytes from end to end. Nothing is decoded and encoded again, so what is not replaced cannot change:
line endings, a byte order mark, bytes that are no UTF-8, a missing final newline.

The diff is git's own format (git's diff-format documentation, "Generating patch text with -p"), so that
`git apply` takes it: names that are not plain are quoted, a name with a space ends in a tab, a missing final
newline is marked, carriage returns stay.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

CONTEXT = 3
NEW_MODE = "100644"
"""What git calls an ordinary file, which a new one is."""


class OverlappingEdits(ValueError):
    """Two splices want the same bytes, or one lies outside of the file: the caller mixed up its spans."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A range of bytes of a file: from `start` up to, but not including, `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, order=True)
class Splice:
    """What stands in place of a span afterwards."""

    span: Span
    replacement: bytes


def apply(content: bytes, splices: Iterable[Splice]) -> bytes:
    """The content with each span replaced, in whatever order they are given.

    Raises `OverlappingEdits` where two spans share a byte or one is not within the content.
    """
    parts: list[bytes] = []
    position = 0
    for splice in sorted(splices):
        start, end = splice.span.start, splice.span.end
        if not position <= start <= end <= len(content):
            raise OverlappingEdits(f"bytes {start} to {end} of {len(content)} are taken, or not all there")
        parts += content[position:start], splice.replacement
        position = end
    return b"".join([*parts, content[position:]])


def unified_diff(path: str, before: bytes | None, after: bytes) -> str:
    """The patch that makes `after` of `before`, as `git diff` would print it; empty where they are the same.

    Of a file that was not there, `before` is None. Bytes that are no UTF-8 come out as lone surrogates:
    encode with `surrogateescape` to have them back.
    """
    if before == after:
        return ""
    old, new = _quoted(f"a/{path}"), _quoted(f"b/{path}")
    lines = [f"diff --git {old} {new}\n"]
    if before is None:
        lines += [f"new file mode {NEW_MODE}\n", "--- /dev/null\n"]
    else:
        lines.append(f"--- {_header_name(old)}\n")
    lines.append(f"+++ {_header_name(new)}\n")
    a, b = _lines(before or b""), _lines(after)
    for hunk in _hunks(list(_changes(a, b)), len(a)):
        lines += _printed(hunk, a, b)
    return "".join(lines)


def lines_before(before: bytes, after: bytes) -> Callable[[int], int]:
    """Tells where a line of the new content stands in the old one, or behind which line it is put in.

    Lines count from 1.
    """
    changes = list(_changes(_lines(before), _lines(after)))

    def line_before(line: int) -> int:
        position, shift = line - 1, 0
        for change in changes:
            if position < change.b_start:
                break
            if position < change.b_end:
                # what is put in between two lines has none of its own: the one before stands for it
                return max(1, min(change.a_start + position - change.b_start + 1, change.a_end))
            shift = change.a_end - change.b_end
        return line + shift

    return line_before


@dataclass(frozen=True, slots=True)
class _Change:
    """Lines `a_start` to `a_end` of the old file become lines `b_start` to `b_end` of the new one."""

    a_start: int
    a_end: int
    b_start: int
    b_end: int


def _changes(a: Sequence[str], b: Sequence[str]) -> Iterator[_Change]:
    if len(a) == len(b):  # an edit of scalars keeps the number of lines: no search for the best alignment
        for i, (old, new) in enumerate(zip(a, b, strict=True)):
            if old != new:
                yield _Change(i, i + 1, i, i + 1)
        return
    for tag, a_start, a_end, b_start, b_end in difflib.SequenceMatcher(None, a, b, False).get_opcodes():
        if tag != "equal":
            yield _Change(a_start, a_end, b_start, b_end)


def _hunks(changes: Sequence[_Change], length: int) -> Iterator[list[_Change]]:
    hunk: list[_Change] = []
    for change in changes:
        if hunk and change.a_start - hunk[-1].a_end > 2 * CONTEXT:
            yield hunk
            hunk = []
        hunk.append(change)
    if hunk:
        yield hunk


def _printed(hunk: Sequence[_Change], a: Sequence[str], b: Sequence[str]) -> Iterator[str]:
    first, last = hunk[0], hunk[-1]
    before = min(CONTEXT, first.a_start)
    a_start, b_start = first.a_start - before, first.b_start - before
    after = min(CONTEXT, len(a) - last.a_end)
    a_end, b_end = last.a_end + after, last.b_end + after
    yield f"@@ -{_range(a_start, a_end)} +{_range(b_start, b_end)} @@\n"
    position = a_start
    for run in _runs(hunk):
        yield from _marked(" ", a[position : run[0].a_start])
        yield from _marked("-", a[run[0].a_start : run[-1].a_end])
        yield from _marked("+", b[run[0].b_start : run[-1].b_end])
        position = run[-1].a_end
    yield from _marked(" ", a[position:a_end])


def _runs(hunk: Sequence[_Change]) -> Iterator[list[_Change]]:
    """Changes that touch are printed as one: all that goes, then all that comes."""
    run: list[_Change] = []
    for change in hunk:
        if run and change.a_start != run[-1].a_end:
            yield run
            run = []
        run.append(change)
    yield run


def _marked(mark: str, lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        yield mark + line if line.endswith("\n") else f"{mark}{line}\n\\ No newline at end of file\n"


def _range(start: int, end: int) -> str:
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _lines(content: bytes) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+\Z", content.decode("utf-8", "surrogateescape"))


def _header_name(quoted: str) -> str:
    return f"{quoted}\t" if " " in quoted and not quoted.startswith('"') else quoted


def _quoted(name: str) -> str:
    """A name as git writes it (quote_c_style in git's quote.c, with core.quotePath as it is by default)."""
    raw = name.encode("utf-8", "surrogateescape")
    if not _ODD.search(raw):
        return name
    return '"' + "".join(_ESCAPES.get(byte) or _octal(byte) for byte in raw) + '"'


def _octal(byte: int) -> str:
    return chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}"


_ODD = re.compile(rb'[\x00-\x1f\x7f-\xff"\\]')
_ESCAPES = {
    7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\",
}  # fmt: skip
