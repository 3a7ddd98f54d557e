"""Changing a part of a text that is written as a scalar of YAML, such as a whole document in `helm.values`.

What the old and the new text share stays as it is, byte for byte. So each character of a text is led back to
where the file has it: behind the indentation of a block, past the escapes and the folded lines of quotes. A
folded block cannot be led back, because its line breaks may stand for blanks; nor is what does not say, read
that way, what the parser read.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

from yaml.nodes import ScalarNode

from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.documents import File
from gitops_backup.sources.edits import Splice
from gitops_backup.sources.scalars import past_properties


class CannotWrite(GitopsBackupError):
    """A text cannot be changed where it stands; the message says why, with no place in it."""


def edited(file: File, node: ScalarNode, new: str) -> list[Splice]:
    """What makes the scalar say the new text. Raises `CannotWrite`.

    The new text has all lines of the old one, some of them changed, and perhaps further ones.
    """
    written = _written(file, node)
    return [written.splice(change) for change in _changes(node.value, new)]


def refuse_unwritable(file: File, node: ScalarNode) -> None:
    """Raises `CannotWrite` where no part of a scalar's text could be changed."""
    _written(file, node)


class _Change(NamedTuple):
    """A part of a text, from `start` to `end`, becomes another."""

    start: int
    end: int
    new: str


class _Insertion(NamedTuple):
    """Lines that a text gets at an offset; `cut` if what stands before them has no end of line."""

    start: int
    lines: Sequence[str]
    cut: bool


@dataclass(frozen=True, slots=True)
class _Written:
    """A text as it is written: where each character starts and ends in the file's text."""

    file: File
    style: str
    starts: Sequence[int]
    ends: Sequence[int]
    indentation: str = ""

    def splice(self, change: _Change | _Insertion) -> Splice:
        """A change of the text, in the file."""
        if not self.starts:
            raise CannotWrite("it is an empty text")
        if isinstance(change, _Insertion):
            if self.style == "|":
                return self._lines(change)
            new = ("\n" if change.cut else "") + "".join(change.lines)
            change = _Change(change.start, change.start, new)
        at = change.start
        start = self.starts[at] if at < len(self.starts) else self.ends[-1]
        end = self.ends[change.end - 1] if change.end > at else start
        return Splice(self.file.span(start, end), self._encoded(change.new).encode())

    def _lines(self, insertion: _Insertion) -> Splice:
        text = self.file.text
        newline = "\r\n" if "\r\n" in text else "\n"
        lines = [line.rstrip("\n") for line in insertion.lines]
        lines = [f"{self.indentation}{line}" if line else "" for line in lines]
        at = self.ends[insertion.start - 1] if insertion.start else self.starts[0] - len(self.indentation)
        if insertion.cut:  # the line is over where the file says so
            found = _BREAK.search(text, at)
            if found is None:
                return Splice(self.file.span(at, at), "".join(newline + line for line in lines).encode())
            at = found.end()
        return Splice(self.file.span(at, at), "".join(line + newline for line in lines).encode())

    def _encoded(self, text: str) -> str:
        if self.style == '"':
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            return escaped.replace("\n", "\\n").replace("\t", "\\t")
        if "\n" in text:
            raise CannotWrite("it is written in one line, in quotes that know no line break")
        return text.replace("'", "''") if self.style == "'" else text


def _changes(old: str, new: str) -> Iterator[_Change | _Insertion]:
    before, after = _LINE.findall(old), _LINE.findall(new)
    offsets = [0]
    for line in before:
        offsets.append(offsets[-1] + len(line))
    for _, a, a_end, b, b_end in _different(before, after):
        if b_end - b < a_end - a:
            raise CannotWrite("lines of it would go")
        for number, other in zip(range(a, a_end), range(b, b_end), strict=False):
            change = _within(before[number].rstrip("\n"), after[other].rstrip("\n"), offsets[number])
            if change is not None:
                yield change
        rest = after[b + (a_end - a) : b_end]
        if rest:
            yield _Insertion(offsets[a_end], rest, cut=a_end > 0 and not before[a_end - 1].endswith("\n"))


def _different(before: list[str], after: list[str]) -> Iterator[tuple[str, int, int, int, int]]:
    for opcode in SequenceMatcher(None, before, after, False).get_opcodes():
        if opcode[0] != "equal":
            yield opcode


def _within(old: str, new: str, offset: int) -> _Change | None:
    """The part of a line that changes."""
    if old == new:
        return None
    start = _shared(old, new)
    end = _shared(old[start:][::-1], new[start:][::-1])
    return _Change(offset + start, offset + len(old) - end, new[start : len(new) - end])


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((number for number, (a, b) in pairs if a != b), min(len(one), len(other)))


def _written(file: File, node: ScalarNode) -> _Written:
    raw, base = file.raw(node), int(node.start_mark.index)
    start = past_properties(raw)
    if node.style == ">":
        raise CannotWrite("it is written as a folded block (>), whose lines cannot be told apart")
    if node.style == "|":
        return _block(file, node, base + start)
    quoted = node.style or ""
    body = raw[start + len(quoted) : len(raw) - len(quoted)]
    pieces = list(_pieces(body, quoted))
    starts = [base + start + len(quoted) + at for text, at, _ in pieces for _ in text]
    ends = [base + start + len(quoted) + end for text, _, end in pieces for _ in text]
    if "".join(text for text, _, _ in pieces) != node.value:
        raise CannotWrite("it is written in quotes, in a way that is not understood")
    return _Written(file, quoted, starts, ends)


def _block(file: File, node: ScalarNode, start: int) -> _Written:
    """A literal block: each of its lines is a line of the text behind the indentation."""
    header = _BREAK.search(file.text, start)
    lines = node.value.split("\n")
    at, starts, ends, indentation = header.end() if header else len(file.text), [], [], ""
    known = False
    for number, line in enumerate(lines):
        if number == len(lines) - 1 and not line:
            break
        found = _BREAK.search(file.text, at)
        stop, after = (found.start(), found.end()) if found else (len(file.text), len(file.text))
        raw = file.text[at:stop]
        if line and not known:
            known, indentation = True, raw[: len(raw) - len(line)]
        if (line and raw != indentation + line) or (not line and raw.strip(" ")):
            raise CannotWrite("it is written as a block in a way that is not understood")
        first = stop - len(line)
        starts += [first + n for n in range(len(line))]
        ends += [first + n + 1 for n in range(len(line))]
        if number < len(lines) - 1:
            starts.append(stop)
            ends.append(after)
        at = after
    if not known or indentation.strip(" "):
        raise CannotWrite("it is an empty block")
    return _Written(file, "|", starts, ends, indentation)


def _pieces(body: str, quotes: str) -> Iterator[tuple[str, int, int]]:
    """What a scalar in quotes or without them says, piece by piece, with the places of each in its body."""
    at = 0
    while at < len(body):
        fold = _FOLD.match(body, at)
        if fold is not None:
            breaks = len(_BREAK.findall(fold[0]))
            yield (" " if breaks == 1 else "\n" * (breaks - 1)), at, fold.end()
            at = fold.end()
        elif quotes == '"' and (escape := _ESCAPE.match(body, at)) is not None:
            yield _unescaped(escape), at, escape.end()
            at = escape.end()
        elif quotes == "'" and body.startswith("''", at):
            yield "'", at, at + 2
            at += 2
        else:
            yield body[at], at, at + 1
            at += 1


def _unescaped(escape: re.Match[str]) -> str:
    text = escape[0]
    if escape["fold"] is not None:
        return ""
    if escape["code"] is None:
        return _ESCAPES.get(text[1], text)
    codes = [int(each, 16) for each in re.split(r"\\[xuU]", text)[1:]]
    if len(codes) == 2:  # JSON's two halves of one character
        return chr(0x10000 + ((codes[0] - 0xD800) << 10) + (codes[1] - 0xDC00))
    return chr(codes[0]) if codes[0] <= 0x10FFFF else text


_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_BREAK = re.compile(r"\r\n|\n|\r")
_FOLD = re.compile(r"[ \t]*(?:(?:\r\n|\n|\r)[ \t]*)+")
_ESCAPE = re.compile(
    r"\\(?:(?P<code>u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|(?P<fold>(?:\r\n|\n|\r)[ \t]*)|.)"
)
_ESCAPES = {
    "0": "\0", "a": "\a", "b": "\b", "t": "\t", "\t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r",
    "e": "\x1b", " ": " ", '"': '"', "/": "/", "\\": "\\", "N": "\x85", "_": "\xa0", "L": "\u2028",
    "P": "\u2029",
}  # fmt: skip
