"""A file's documents as trees of nodes that know where they stand in its bytes.

YAML is composed by libyaml: Argo CD and kustomize read YAML with Go translations of that very parser, so it
accepts what they accept. Where it is missing, PyYAML's own parser stands in. Nodes are not resolved into
numbers, dates or nulls: whoever edits text wants text. PyYAML refuses an anchor that is defined twice in a
document, which YAML allows (1.2.2, section 7.1) and Argo CD reads; such a file is composed by ruamel.yaml,
which takes fifty times as long. JSON goes by a parser of its own, because YAML refuses some of it.

Files come from people who may mean harm. libyaml's composer recurses in C, so that a file that is nested
deeply enough ends the process; aliases can stand for more nodes than memory holds, or for themselves. All
three are refused before anything walks a tree.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, Protocol, Self, TypeAlias

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError as RuamelError
from yaml.composer import Composer, ComposerError
from yaml.error import MarkedYAMLError
from yaml.events import CollectionEndEvent, CollectionStartEvent, Event
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.scanner import Scanner

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.edits import Span
from gitops_backup.sources.json_documents import InvalidJson, compose_json

DEEPEST = 200
"""Levels of nesting. What people write has fewer than a hundred; Python's stack has room for this many."""

MOST_NODES = 200_000
"""Nodes of a document with aliases, each counted wherever it stands."""

LARGEST = 10 * 1024 * 1024
"""Bytes of a file. Argo CD reads no more than this of all files of a source, unless it is told otherwise."""

LARGEST_FOR_RUAMEL = 256 * 1024
"""Characters of a file that ruamel.yaml has to compose: a second or two."""

Steps: TypeAlias = tuple[int, ...]
"""The way from a root to a node: at each level the number of the item, or of the key whose value it is."""


class InvalidManifest(GitopsBackupError):
    """A file that cannot be read as YAML or JSON. `line` and `column` count from 1."""

    def __init__(self, path: str, line: int, column: int, what: str) -> None:
        super().__init__(f"{one_line(path)}, line {line}, column {column}: {one_line(what)}")
        self.path = path
        self.line = line
        self.column = column


class Position(NamedTuple):
    """A node's place in a file: its document, counted from 0, and the way from that document's root."""

    document: int
    steps: Steps


class Document(NamedTuple):
    """One of a file's documents. Where `aliased`, a node of it may stand in several places."""

    number: int
    root: Node
    aliased: bool

    def at(self, steps: Steps) -> Node:
        """The node to which a way leads. Raises `LookupError` where there is none."""
        node = self.root
        for step in steps:
            if isinstance(node, ScalarNode):
                break
            node = node.value[step][1] if isinstance(node, MappingNode) else node.value[step]
        else:
            return node
        raise LookupError(steps)


class Composing(Protocol):
    """What is used of a composer of PyYAML."""

    def __init__(self, stream: str) -> None: ...
    def check_node(self) -> bool: ...
    def get_node(self) -> Node | None: ...
    def check_event(self) -> bool: ...
    def get_event(self) -> Event | None: ...


class _Unresolved:
    """What a composer of PyYAML asks of a resolver: here, to tell plain scalars from all others."""

    def resolve(self, kind: type[Node], _value: object, implicit: Any) -> str:
        return "?" if kind is not ScalarNode or implicit[0] else "!"

    def descend_resolver(self, *_place: object) -> None:
        """Nothing is resolved by its place."""

    def ascend_resolver(self) -> None:
        """Nothing is resolved by its place."""


class PureComposer(_Unresolved, Reader, Scanner, Parser, Composer):
    """PyYAML's own parser, which takes some ten times as long as libyaml and refuses a tab before a value."""

    def __init__(self, stream: str) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)


def libyaml() -> type[Composing] | None:
    """The composer of libyaml, or None where PyYAML was installed without it."""
    try:
        from yaml._yaml import CParser
    except ImportError:
        return None

    class LibyamlComposer(_Unresolved, CParser):
        """libyaml's parser, with nodes as plain as `_Unresolved` makes them."""

    return LibyamlComposer


FASTEST: type[Composing] = libyaml() or PureComposer


@dataclass(frozen=True, slots=True)
class File:
    """A file of YAML or JSON.

    `text` is the content without a byte order mark, with a lone surrogate for each byte that is no UTF-8; the
    nodes' marks count its characters.
    """

    path: str
    content: bytes
    text: str
    composer: type[Composing]

    @classmethod
    def read(cls, path: str, content: bytes, *, composer: type[Composing] = FASTEST) -> Self:
        """A file with this content. Raises `InvalidManifest` where it is too large."""
        if len(content) > LARGEST:
            what = f"expected at most {LARGEST} bytes, and the file has {len(content)}"
            raise InvalidManifest(path, 1, 1, what)
        text = content.removeprefix(_BOM).decode("utf-8", "surrogateescape")
        return cls(path=path, content=content, text=text, composer=composer)

    def documents(self) -> Iterator[Document]:
        """The documents, one after the other: a tree takes fifty times the memory of its text.

        Whether the file is JSON follows from its name and its first character. Raises `InvalidManifest` when
        it comes to what cannot be read, or not at a fair price.
        """
        may_alias = "&" in self.text and "*" in self.text
        roots: Iterable[Node] | None = _json(self.path, self.text)
        for number, root in enumerate(_yaml(self) if roots is None else roots):
            yield Document(number, root, may_alias and _has_aliases(self, root))

    def raw(self, node: Node) -> str:
        """The node as it is written, with its anchor and its tag."""
        return self.text[node.start_mark.index : node.end_mark.index]

    def span(self, start: int, end: int) -> Span:
        """The bytes of the file between two offsets of the text."""
        return Span(self._byte(start), self._byte(end))

    def _byte(self, offset: int) -> int:
        mark = len(_BOM) if self.content.startswith(_BOM) else 0
        if len(self.text) == len(self.content) - mark:
            return mark + offset
        return mark + len(self.text[:offset].encode("utf-8", "surrogateescape"))


def line_of(node: Node) -> int:
    """The line in which a node begins, from 1."""
    return int(node.start_mark.line) + 1


def _json(path: str, text: str) -> tuple[Node, ...] | None:
    """The values of a JSON text; None for what has to be read as YAML.

    Argo CD reads exactly one value from a file whose name says JSON. Any other file that begins with a brace
    may be a stream of JSON values or be YAML in flow style: which, one finds out by trying
    (YAMLOrJSONDecoder in Kubernetes' apimachinery).
    """
    named_json = path.endswith(".json")
    if not named_json and not _BRACE.match(text):
        return None
    try:
        roots = compose_json(text, deepest=DEEPEST)
    except InvalidJson as error:
        if not named_json:
            return None
        raise _invalid(path, text, error.offset, str(error)) from error
    if named_json and len(roots) != 1:
        raise InvalidManifest(path, 1, 1, f"a .json file holds one value, this one {len(roots)}")
    return roots


def _yaml(file: File) -> Iterator[Node]:
    # bytes that are no UTF-8 do no harm in a comment; parsers want them replaced by characters
    text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", file.text)
    try:
        if _may_be_deep(text):
            _refuse_depth(file.path, text, file.composer)
        yield from _composed(text, file.composer)
    except (MarkedYAMLError, RuamelError) as error:
        mark = error.problem_mark or error.context_mark
        what = error.problem or error.context or "it is no YAML"
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise InvalidManifest(file.path, line, column, what) from error
    except ReaderError as error:
        before = text.encode()[: error.position].decode("utf-8", "ignore")
        raise _invalid(file.path, before, len(before), error.reason) from error


def _composed(text: str, composer: type[Composing]) -> Iterator[Node]:
    loader, count = composer(text), 0
    try:
        while loader.check_node():
            root = loader.get_node()
            if root is not None:
                yield root
                count += 1
    except ComposerError as error:
        if "duplicate anchor" not in str(error.context) or len(text) > LARGEST_FOR_RUAMEL:
            raise
        yield from islice(_composed_by_ruamel(text), count, None)


def _composed_by_ruamel(text: str) -> Iterator[Node]:
    reader = YAML(typ="safe", pure=True)
    reader.composer.warn_double_anchors = False
    for root in reader.compose_all(text):
        yield _adopted(root, {})


def _adopted(node: Any, known: dict[int, Node]) -> Node:
    """A node of ruamel.yaml as one of PyYAML's, which has the same parts; `known` keeps aliases together."""
    if id(node) in known:
        return known[id(node)]
    adopted: Node
    if node.id == "scalar":
        adopted = ScalarNode(str(node.tag), node.value, node.start_mark, node.end_mark, node.style)
    elif node.id == "sequence":
        adopted = SequenceNode(str(node.tag), [], node.start_mark, node.end_mark, node.flow_style)
    else:
        adopted = MappingNode(str(node.tag), [], node.start_mark, node.end_mark, node.flow_style)
    known[id(node)] = adopted
    if node.id == "sequence":
        adopted.value += [_adopted(item, known) for item in node.value]
    elif node.id == "mapping":
        adopted.value += [(_adopted(key, known), _adopted(value, known)) for key, value in node.value]
    return adopted


def _may_be_deep(text: str) -> bool:
    """Whether nesting could be too deep; a level needs a bracket of its own or another column to begin in."""
    if text.count("[") + text.count("{") > DEEPEST // 2:
        return True
    return bool(_MARKS.search(text)) and bool(_INDENTATION.search(text))


def _refuse_depth(path: str, text: str, composer: type[Composing]) -> None:
    """Raises `InvalidManifest` where nesting is too deep. Reading events does not recurse."""
    loader, depth = composer(text), 0
    while loader.check_event():
        event = loader.get_event()
        if isinstance(event, CollectionStartEvent):
            depth += 1
            if depth > DEEPEST and event.start_mark is not None:
                raise _invalid(path, text, event.start_mark.index, "values are nested too deeply")
        elif isinstance(event, CollectionEndEvent):
            depth -= 1


def _has_aliases(file: File, root: Node) -> bool:
    """Whether a node stands in several places of the document.

    Raises `InvalidManifest` where one contains itself, or where they all together stand for too many.
    """
    sizes: dict[int, int] = {}
    counting = {id(root): 1}
    stack = [(root, _children(root))]
    aliased = False
    while stack:
        node, rest = stack[-1]
        child = next(rest, None)
        if child is None:
            stack.pop()
            sizes[id(node)] = counting.pop(id(node))
            if stack:
                counting[id(stack[-1][0])] += sizes[id(node)]
        elif id(child) in counting:
            raise _invalid(file.path, file.text, child.start_mark.index, "an anchor's value contains itself")
        elif id(child) in sizes:
            aliased = True
            counting[id(node)] += sizes[id(child)]
        else:
            counting[id(child)] = 1
            stack.append((child, _children(child)))
    if aliased and sizes[id(root)] > MOST_NODES:
        what = f"aliases stand for more than {MOST_NODES} values"
        raise _invalid(file.path, file.text, root.start_mark.index, what)
    return aliased


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, SequenceNode):
        yield from node.value
    elif isinstance(node, MappingNode):
        for pair in node.value:
            yield from pair


def _invalid(path: str, text: str, offset: int, what: str) -> InvalidManifest:
    return InvalidManifest(path, _line(text, offset), offset - text.rfind("\n", 0, offset), what)


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


_BOM = b"\xef\xbb\xbf"
_BRACE = re.compile(r"\s*\{")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKS = re.compile(rf"[ \t?:-]{{{DEEPEST // 4}}}")
# a rule of dashes in a comment is none: a mark that opens a level has a blank after it
_INDENTATION = re.compile(rf"(?:[ \t]|[?:-][ \t]){{{DEEPEST // 4}}}")
