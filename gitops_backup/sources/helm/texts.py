"""The texts in a chart and its values that may be part of an image's name, and how to write others there."""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitops_backup.sources.content import KeyIsNoText, content_of
from gitops_backup.sources.documents import File, InvalidManifest, Position, Steps, line_of
from gitops_backup.sources.edits import Span, Splice, apply
from gitops_backup.sources.helm.charts import Chart
from gitops_backup.sources.insertion import insert
from gitops_backup.sources.mappings import find
from gitops_backup.sources.proof import prove
from gitops_backup.sources.rendering import Files
from gitops_backup.sources.scalars import rewritten

Keys: TypeAlias = tuple[str | int, ...]

INLINE = ""
"""What stands for the path of the file that the Application's own values are in."""


class How(Enum):
    """How a text is written."""

    SCALAR = "a scalar of a value file"
    ADDED = "a key that a value file gets"
    LITERAL = "a literal in a template, or in a block of text among values"
    INLINE = "a value of the Application"
    PARAMETER = "a parameter of the Application"


class Text(NamedTuple):
    """A text that may be part of an image's name, which ends at `end`; a tag may follow.

    `path` is the file's as the renderer sees it, and `keys` lead to the text in it. So do the `steps` of a
    scalar, which begins at the offset `start`; of a literal, that is its first byte. Of a parameter, `path`
    is the name; of other values of the Application, it is empty. `likely` tells it from texts that may just
    happen to be alike, and `writable` from those of the Application that are in no file.
    """

    how: How
    path: str
    keys: Keys
    whole: str
    end: int
    steps: Steps = ()
    start: int = 0
    likely: bool = True
    writable: bool = True

    @property
    def name(self) -> str:
        """What there is of the image's name."""
        return self.whole[: self.end]

    @property
    def inline(self) -> bool:
        """Whether it is, or would be, one of the Application's own values."""
        return self.how in (How.INLINE, How.PARAMETER) or self.path == INLINE

    def renamed(self, name: str) -> str:
        """The whole text with another name in it."""
        return name + self.whole[self.end :]


def written(chart: Chart, texts: Mapping[Text, str]) -> Files:
    """The chart's files with other texts, which are none of the Application's.

    Raises `InvalidManifest`, `ProofFailed` and `CannotInsert` where a text cannot be written so.
    """
    by_path: dict[str, dict[Text, str]] = {}
    for text, new in texts.items():
        by_path.setdefault(text.path, {})[text] = new
    return {**chart.files, **{path: _rewritten(path, chart.files[path], by_path[path]) for path in by_path}}


def line_in(text: Text, content: bytes) -> int:
    """The line of a text in its file, where it has been written; of a literal, where it was found."""
    if text.how == How.LITERAL:
        return content.count(b"\n", 0, text.start) + 1
    node = root_of(text.path, content)
    for key in text.keys:
        if isinstance(node, SequenceNode) and isinstance(key, int):
            node = node.value[key]
        elif node is not None:
            found = find(node, str(key))
            node = found.node if found is not None else None
    return line_of(node) if node is not None else 1


def _rewritten(path: str, content: bytes, changes: Mapping[Text, str]) -> bytes:
    literals = [text for text in changes if text.how == How.LITERAL]
    spans = {text: Span(text.start, text.start + len(text.whole.encode())) for text in literals}
    content = apply(content, [Splice(spans[text], changes[text].encode()) for text in literals])
    content = with_scalars(path, content, {t: new for t, new in changes.items() if t.how == How.SCALAR})
    for text, new in changes.items():
        if text.how == How.ADDED:
            content = insert(path, content, keys=[str(key) for key in text.keys], value=new)
    return content


def with_scalars(path: str, content: bytes, changes: Mapping[Text, str]) -> bytes:
    """The content of a file with other texts for scalars in it.

    Raises `InvalidManifest` and `ProofFailed`.
    """
    if not changes:
        return content
    file = File.read(path, content)
    document = next(file.documents())
    splices: dict[int, Splice] = {}
    for text, new in changes.items():
        node = document.at(text.steps)
        if isinstance(node, ScalarNode):  # which several of the texts may be, by aliases
            splices[id(node)] = rewritten(file, node, new)
    edited = apply(content, splices.values())
    prove(file, File.read(path, edited), {Position(0, text.steps): new for text, new in changes.items()})
    return edited


def root_of(path: str, content: bytes) -> Node | None:
    """The first document of a file; None where there is none that can be read, as Helm will say."""
    try:
        return next((document.root for document in File.read(path, content).documents()), None)
    except InvalidManifest:
        return None


def says_of(path: str, content: bytes) -> Any:
    """What the first document of a file says; an empty mapping where it is nothing, or cannot be read."""
    root = root_of(path, content)
    if root is None or (isinstance(root, ScalarNode) and not root.value and not root.style):
        return {}
    try:
        return content_of(root)
    except KeyIsNoText:
        return {}


def blocks_of(path: str, content: bytes) -> Iterator[Span]:
    """Where blocks of text, which a chart may take for YAML, stand in the first document of a file."""
    try:
        file = File.read(path, content)
        root = next((document.root for document in file.documents()), None)
    except InvalidManifest:
        return
    stack, met = [root], set[int]()
    while stack:
        node = stack.pop()
        if isinstance(node, ScalarNode) and node.style == "|":
            yield file.span(node.start_mark.index, node.end_mark.index)
        elif isinstance(node, MappingNode | SequenceNode) and id(node) not in met:
            met.add(id(node))  # by aliases, a node may be there many times
            stack += [value for _, value in node.value] if isinstance(node, MappingNode) else node.value
