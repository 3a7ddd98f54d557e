"""The strings in a program of jsonnet, found without evaluating it (internal/parser/lexer.go in go-jsonnet).

What is between strings matters only as far as it may hide them: comments, and blocks of text, which end at
the first line that is less indented. What is imported has to be a string, so that it can be told beforehand.
Of a file that is not well-formed the strings up to there are found; it is not evaluated, either.

Files are bytes: strings are found in them as they are, and decoded one by one.
"""

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple


class Form(Enum):
    """How a string is written."""

    DOUBLE = '"'
    SINGLE = "'"
    VERBATIM_DOUBLE = '@"'
    VERBATIM_SINGLE = "@'"
    BLOCK = "|||"


class Literal(NamedTuple):
    """A string: its text is written from the byte `start` to `end`, without quotes.

    The lines of a block have `indent` bytes before what they say. `imports` is the keyword before a string
    that names a file, and empty for others; `is_key` is whether it is a field's name.
    """

    form: Form
    start: int
    end: int
    indent: int = 0
    imports: str = ""
    is_key: bool = False


class Spelling(NamedTuple):
    """What a string says, and the byte at which each character is written; behind them, where it ends."""

    text: str
    offsets: tuple[int, ...]


def literals_in(content: bytes) -> Iterator[Literal]:
    """The strings of a program, in their order."""
    keyword, behind_keyword, at = "", 0, 0
    while (match := _START.search(content, at)) is not None:
        begins, start = match[0], match.end()
        alone = not content[behind_keyword : match.start()].strip(_BLANKS)
        if begins in _KEYWORDS:
            keyword, behind_keyword, at = begins.decode(), start, start
        elif begins in _COMMENTS:
            end = _COMMENTS[begins].match(content, start)
            if end is None:
                return
            at = end.end()
            behind_keyword = at if alone else behind_keyword
        else:
            found = _block(content, start) if begins == b"|||" else _quoted(content, begins, start)
            if found is None:
                return
            literal, at = found
            is_key = _KEY.match(content, at) is not None
            yield literal._replace(imports=keyword if alone else "", is_key=is_key)
            keyword = ""


def spelled(content: bytes, literal: Literal) -> Spelling:
    """What a string says."""
    if literal.form == Form.BLOCK:
        return _gathered(_letters_of_block(content, literal), literal.end)
    if literal.form in (Form.VERBATIM_DOUBLE, Form.VERBATIM_SINGLE):
        quote = literal.form.value[1].encode()
        return _gathered(_letters(content, literal, re.compile(quote * 2), quote.decode()), literal.end)
    return _gathered(_letters(content, literal, _ESCAPE, None), literal.end)


def _quoted(content: bytes, begins: bytes, start: int) -> tuple[Literal, int] | None:
    end = _ENDS[begins].match(content, start)
    if end is None:
        return None
    return Literal(Form(begins.decode()), start, end.end() - 1), end.end()


def _block(content: bytes, start: int) -> tuple[Literal, int] | None:
    """The block of text whose bars end at `start`; with `|||-`, the last line break is none of it."""
    head = _BLOCK_HEAD.match(content, start)
    if head is None:
        return None
    first = at = head.end()
    at = _past_empty_lines(content, at)
    indentation = _INDENT.match(content, at)
    indent = indentation[0] if indentation is not None else b""
    if not indent:
        return None
    while content.startswith(indent, at):
        line_ends = content.find(b"\n", at)
        if line_ends < 0:
            return None
        at = _past_empty_lines(content, line_ends + 1)
    tail = _BLOCK_TAIL.match(content, at)
    if tail is None:
        return None
    end = at - 1 if head[0].startswith(b"-") else at
    return Literal(Form.BLOCK, first, end, len(indent)), tail.end()


def _past_empty_lines(content: bytes, at: int) -> int:
    while content.startswith(b"\n", at):
        at += 1
    return at


def _letters(
    content: bytes, literal: Literal, escape: re.Pattern[bytes], stands_for: str | None
) -> Iterator[tuple[str, int]]:
    at = literal.start
    for match in escape.finditer(content, literal.start, literal.end):
        yield from _plain(content, at, match.start())
        yield stands_for if stands_for is not None else _unescaped(match[0]), match.start()
        at = match.end()
    yield from _plain(content, at, literal.end)


def _letters_of_block(content: bytes, literal: Literal) -> Iterator[tuple[str, int]]:
    at = literal.start
    while at < literal.end:
        line_ends = content.find(b"\n", at, literal.end) + 1 or literal.end
        begins = at if content.startswith(b"\n", at) else at + literal.indent
        yield from _plain(content, begins, line_ends)
        at = line_ends


def _plain(content: bytes, start: int, end: int) -> Iterator[tuple[str, int]]:
    for character in content[start:end].decode("utf-8", "surrogateescape"):
        yield character, start
        start += len(character.encode("utf-8", "surrogateescape"))


def _unescaped(escape: bytes) -> str:
    if escape.startswith(b"\\u"):
        codes = (int(code, 16) for code in escape.split(b"\\u")[1:])
        return b"".join(code.to_bytes(2, "big") for code in codes).decode("utf-16-be", "replace")
    return _ESCAPED.get(escape[1:], "\N{REPLACEMENT CHARACTER}")


def _gathered(letters: Iterator[tuple[str, int]], end: int) -> Spelling:
    found = list(letters)
    return Spelling("".join(letter for letter, _ in found), (*(offset for _, offset in found), end))


_BLANKS = b" \t\r\n"
_KEYWORDS = (b"import", b"importstr", b"importbin")
_START = re.compile(rb"#|//|/\*|@?[\"']|\|\|\||\bimport(?:str|bin)?\b")
_COMMENTS = {
    b"#": re.compile(rb"[^\n]*"),
    b"//": re.compile(rb"[^\n]*"),
    b"/*": re.compile(rb".*?\*/", re.DOTALL),
}
# what is taken is never given back, so that each takes time in proportion to the file
_ENDS = {
    b'"': re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL),
    b"'": re.compile(rb"[^'\\]*+(?:\\.[^'\\]*+)*+'", re.DOTALL),
    b'@"': re.compile(rb'[^"]*+(?:""[^"]*+)*+"'),
    b"@'": re.compile(rb"[^']*+(?:''[^']*+)*+'"),
}
_BLOCK_HEAD = re.compile(rb"-?[ \t\r]*\n")
_BLOCK_TAIL = re.compile(rb"[ \t]*\|\|\|")
_INDENT = re.compile(rb"[ \t]*")
_KEY = re.compile(rb"[ \t\r\n]*\+?:")
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.", re.DOTALL
)
_ESCAPED = {
    b'"': '"', b"'": "'", b"\\": "\\", b"/": "/",
    b"b": "\b", b"f": "\f", b"n": "\n", b"r": "\r", b"t": "\t",
}  # fmt: skip
