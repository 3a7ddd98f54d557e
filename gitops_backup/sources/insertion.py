"""Adding a key to a file of YAML, in the file's own style, and nothing else.

The key goes to the end of the innermost mapping that is there already, behind the comments that end it; what
is missing of the way to it is added with it. Indentation, line ends, flow style, quotes of JSON and a missing
final newline stay as they are. The edited file is read again, and has to say what it said and the new value,
or nothing is added.
"""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.comments import behind_comments
from gitops_backup.sources.content import KeyIsNoText, content_of, reads_as_text
from gitops_backup.sources.documents import File, InvalidManifest, Position
from gitops_backup.sources.edits import Splice, apply
from gitops_backup.sources.mappings import find

_FIRST = Position(0, ())


class CannotInsert(GitopsBackupError):
    """There is no place for the key, or none that leaves the rest as it is; the message says where."""


def insert(path: str, content: bytes, *, keys: Sequence[str], value: str, at: Position = _FIRST) -> bytes:
    """The file with this text under these keys, of which the last is not there yet, seen from a position.

    Raises `CannotInsert`, and `InvalidManifest` for a file that cannot be read.
    """
    file = File.read(path, content)
    node = _node(file, at)
    if node is None or (at == _FIRST and isinstance(node, ScalarNode) and not node.value and not node.style):
        edited = _appended(content, _block(keys, value, column=0, step=2, newline=_newline(file)), file)
    else:
        edited = apply(content, [_splice(file, node, keys, value)])
    _check(file, edited, keys, value, at)
    return edited


def _node(file: File, at: Position) -> Node | None:
    """What stands at a position; None where the file says nothing."""
    document = next((each for each in file.documents() if each.number == at.document), None)
    if document is None and at != _FIRST:
        raise CannotInsert(f"{one_line(file.path)} has fewer documents than it had")
    return document.at(at.steps) if document is not None else None


def _splice(file: File, root: Node, keys: Sequence[str], value: str) -> Splice:
    node, rest = root, list(keys)
    while len(rest) > 1 and (inner := find(node, rest[0])) is not None:
        node, rest = inner.node, rest[1:]
    if not isinstance(node, MappingNode) or find(node, rest[0]) is not None:
        raise CannotInsert(f"{one_line(file.path)} has no room for {one_line('.'.join(keys))}")
    if node.flow_style:
        return _into_flow(file, node, rest, value)
    return _into_block(file, node, rest, value)


def _into_flow(file: File, node: MappingNode, keys: Sequence[str], value: str) -> Splice:
    raw = file.raw(node)
    inner = raw[raw.index("{") + 1 : -1]
    quoted = '"' in raw and not re.search(r"[{,]\s*[^\s\"},]", raw)
    added = _flow(keys, value, quoted=quoted)
    if node.value and ("#" in inner or "\n" in inner):
        # at the end there may be a comment, and behind a comma nothing
        at = node.start_mark.index + raw.index("{") + 1
        lead = inner[: len(inner) - len(inner.lstrip())]
        return Splice(file.span(at, at), f"{lead if '#' not in lead else ' '}{added},".encode())
    if not inner.strip():
        return Splice(
            file.span(node.end_mark.index - 1 - len(inner), node.end_mark.index - 1), added.encode()
        )
    at = node.end_mark.index - 1 - (len(inner) - len(inner.rstrip()))
    comma = "" if inner.rstrip().endswith(",") else ","
    return Splice(file.span(at, at), f"{comma} {added}".encode())


def _into_block(file: File, node: MappingNode, keys: Sequence[str], value: str) -> Splice:
    newline = _newline(file)
    column = _column(file, node.value[0][0])
    lines = _block(keys, value, column=column, step=_step(file, node), newline=newline)
    at = behind_comments(file.text, _end(file, node), column=column)
    if at and file.text[at - 1] != "\n":
        return Splice(file.span(at, at), (newline + lines.removesuffix(newline)).encode())
    return Splice(file.span(at, at), lines.encode())


def _end(file: File, node: MappingNode) -> int:
    """Where the line begins that comes after the last one of a mapping in block style."""
    last: Node = node
    while isinstance(last, CollectionNode) and not last.flow_style and last.value:
        inner = last.value[-1]
        key, value = inner if isinstance(last, MappingNode) else (None, inner)
        start = (key.end_mark if key is not None else last.start_mark).index
        if value.start_mark.index < start:  # an alias, which is where its anchor is
            if key is None:
                raise CannotInsert(f"{one_line(file.path)} ends a list in an alias")
            last = key
            break
        last = value
    if isinstance(last, ScalarNode) and last.style in ("|", ">"):
        return _line_start(file.text, last.end_mark.index)
    end = file.text.find("\n", last.end_mark.index)
    return len(file.text) if end < 0 else end + 1


def _line_start(text: str, at: int) -> int:
    """The start of the line, if nothing stands before it there; at the end of a file, the end."""
    start = text.rfind("\n", 0, at) + 1
    return start if start < at and not text[start:at].strip() else at


def _step(file: File, node: MappingNode) -> int:
    """By how much the file indents: as its first mapping in a mapping does."""
    for key, value in node.value:
        here = value.start_mark.index > key.end_mark.index  # and not where its anchor is
        if here and isinstance(value, MappingNode) and not value.flow_style:
            return _column(file, value.value[0][0]) - _column(file, key)
    found = _NESTED.search(file.text)
    return len(found[1]) if found else 2


def _column(file: File, node: Node) -> int:
    """How many characters stand before a node on its line; marks of some parsers count otherwise."""
    return int(node.start_mark.index) - (file.text.rfind("\n", 0, node.start_mark.index) + 1)


def _block(keys: Sequence[str], value: str, *, column: int, step: int, newline: str) -> str:
    lines = [" " * (column + step * depth) + _scalar(key) + ":" for depth, key in enumerate(keys)]
    return newline.join(lines) + f" {_scalar(value)}{newline}"


def _flow(keys: Sequence[str], value: str, *, quoted: bool) -> str:
    text = json.dumps(value) if quoted else _scalar(value)
    for depth, key in enumerate(reversed(keys)):
        text = f"{json.dumps(key) if quoted else _scalar(key)}: {text}"
        if depth < len(keys) - 1:
            text = f"{{{text}}}"
    return text


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and reads_as_text(text) else json.dumps(text)


def _appended(content: bytes, lines: str, file: File) -> bytes:
    if file.text and not file.text.endswith("\n"):
        newline = _newline(file)
        return content + (newline + lines.removesuffix(newline)).encode()
    return content + lines.encode()


def _newline(file: File) -> str:
    return "\r\n" if "\r\n" in file.text else "\n"


def _check(file: File, edited: bytes, keys: Sequence[str], value: str, at: Position) -> None:
    """Raises `CannotInsert` unless the edited file says what it said, and the new value."""
    try:
        # of a file of values the first document counts, of a manifest all do
        count = 1 if at == _FIRST else None
        before = [content_of(each.root) for each in islice(file.documents(), count)] or [{}]
        after = [content_of(each.root) for each in islice(File.read(file.path, edited).documents(), count)]
        before[at.document] = _with(before[at.document], [*_names(file, at), *keys], value)
        if before == after:
            return
    except (KeyIsNoText, InvalidManifest):
        pass
    raise CannotInsert(
        f"{one_line(file.path)} would say something else if {one_line('.'.join(keys))} were added"
    )


def _names(file: File, at: Position) -> list[str | int]:
    """The keys and numbers of items that lead to a position."""
    found: list[str | int] = []
    node = _node(file, Position(at.document, ()))
    for step in at.steps:
        if isinstance(node, MappingNode):
            key, node = node.value[step]
            found.append(str(key.value))
        elif node is not None:
            found.append(step)
            node = node.value[step]
    return found


def _with(content: Any, keys: Sequence[str | int], value: str) -> Any:
    if not keys:
        return value
    if isinstance(content, list) and isinstance(keys[0], int):
        number = keys[0]
        return [*content[:number], _with(content[number], keys[1:], value), *content[number + 1 :]]
    inner: Mapping[str | int, Any] = content if isinstance(content, dict) else {}
    return {**inner, keys[0]: _with(inner.get(keys[0]), keys[1:], value)}


# a key in the first column, and one below it
_NESTED = re.compile(r"^[^\s#-][^\n]*:[ \t]*\r?\n( +)[^\s#-]", re.MULTILINE)
_PLAIN = re.compile(r"[A-Za-z0-9_](?:[\w./@-]|:(?=\S))*", re.ASCII)
