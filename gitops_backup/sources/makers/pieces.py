"""The texts in files that Applications are made of which may be part of an image's name.

They are looked for in scalars as they are written, so that a new name can be spliced into their place: in
quotes, in blocks, in flow style and in JSON alike. What has braces of a template in it is left alone, as are
names before an equals sign, by which kustomize finds an image.
"""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitops_backup.sources.applicationsets.templating import is_templated
from gitops_backup.sources.documents import File, InvalidManifest
from gitops_backup.sources.edits import Splice, apply
from gitops_backup.sources.mappings import find

_SHORTEST = 2
_MOST = 1000


class Piece(NamedTuple):
    """A text that may be part of an image's name, and the character of its file's text where it begins."""

    path: str
    start: int
    name: str


def pieces_in(file: File, root: Node | None, names: AbstractSet[str]) -> list[Piece]:
    """The pieces of these names in the scalars of a node, but for a file that SOPS vouches for."""
    if root is None or find(root, "sops", "mac") is not None:
        return []
    found: dict[int, Piece] = {}
    for node in _scalars(root):
        for start, name in _named(file, node, names):
            found.setdefault(start, Piece(file.path, start, name))
    return list(found.values())[:_MOST]


def literals_in(file: File, names: AbstractSet[str]) -> list[Piece]:
    """The pieces of these names in a template: in lines of a key or an item and a value, without braces."""
    found: list[Piece] = []
    for line in _VALUE.finditer(file.text):
        if is_templated(line[0]) or "\\" in line[0]:
            continue
        key = file.text[line.start() : line.start("value")]
        for match in _REFERENCE.finditer(file.text, line.start("value"), line.end("value")):
            name = match["name"]
            is_part = len(name) >= _SHORTEST and any(name in each for each in names)
            if is_part and _is_likely(name, names, key):
                found.append(Piece(file.path, match.start(), name))
    return found[:_MOST]


def respelled(contents: Mapping[str, bytes], names: Mapping[Piece, str]) -> dict[str, bytes]:
    """The files in which pieces are written, with other names in their places."""
    splices: dict[str, list[Splice]] = {}
    files: dict[str, File] = {}
    for piece, name in names.items():
        file = files.setdefault(piece.path, File.read(piece.path, contents[piece.path]))
        span = file.span(piece.start, piece.start + len(piece.name))
        splices.setdefault(piece.path, []).append(Splice(span, name.encode()))
    return {path: apply(contents[path], found) for path, found in splices.items()}


def line_of_piece(piece: Piece, content: bytes) -> int:
    """The line in which a piece is written, from 1."""
    return File.read(piece.path, content).text.count("\n", 0, piece.start) + 1


def root_of(file: File, document: int, steps: tuple[int, ...]) -> Node | None:
    """The node at a place of a file; None where there is none."""
    try:
        for each in file.documents():
            if each.number == document:
                return each.at(steps)
    except (InvalidManifest, LookupError):
        return None
    return None


def _scalars(root: Node) -> Iterator[ScalarNode]:
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, ScalarNode):
            yield node
        elif isinstance(node, SequenceNode):
            stack += node.value
        elif isinstance(node, MappingNode):
            stack += [value for _, value in node.value]


def _named(file: File, node: ScalarNode, names: AbstractSet[str]) -> Iterator[tuple[int, str]]:
    """Where names, or parts of them, stand in a scalar."""
    raw, base = file.raw(node), int(node.start_mark.index)
    block = node.style in ("|", ">")
    if (node.style == '"' and "\\" in raw) or (not block and is_templated(raw)):
        return
    for match in _REFERENCE.finditer(raw):
        line = raw[raw.rfind("\n", 0, match.start()) + 1 : _end_of_line(raw, match.end())]
        if block and is_templated(line):
            continue
        start, name = base + match.start(), match["name"]
        if len(name) >= _SHORTEST and any(name in each for each in names):
            before = file.text[file.text.rfind("\n", 0, start) + 1 : start]
            if _is_likely(name, names, before):
                yield start, name


def _is_likely(name: str, names: AbstractSet[str], before: str) -> bool:
    """Whether a text is no word that just happens to be a part of a name; `before` it stands this."""
    return "/" in name or "." in name or name in names or bool(_HINT.search(before))


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


# a reference, its name apart from its tag and digest; or a part of a name
_REFERENCE = re.compile(
    r"(?<![\w./:@-])"
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*(?::[0-9]+(?=/))?(?:/[A-Za-z0-9._-]+)*)"
    r"(?P<rest>/?(?::[\w.-]*)?(?:@[\w:.+-]*)?)(?![\w./@-])(?!=)",
    re.ASCII,
)
_VALUE = re.compile(
    r"^[ \t]*(?:-[ \t]+)?(?:[\"']?[\w./-]+[\"']?[ \t]*:[ \t]+)?(?P<value>[^\s#][^\r\n#]*)(?:#[^\r\n]*)?\r?$",
    re.MULTILINE,
)
_HINT = re.compile(r"image|repo|registry|hub|docker|container", re.IGNORECASE)
