"""The texts in a chart and its values that may be part of an image's name, and how to write others there.

Which of them are is not decided here: that is found out by rendering (see `helm`). What comes into question
is text that an image's name has in it. Where only a chart's defaults say it, it is written into the last of
the Application's value files instead, which then overrides them; so it stays when the chart is replaced by
its next version, and other Applications of the chart are left alone.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from enum import Enum
from typing import Any, NamedTuple, TypeAlias

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitops_backup.sources.content import KeyIsNoText, content_of
from gitops_backup.sources.documents import File, InvalidManifest, Position, Steps, line_of
from gitops_backup.sources.edits import Span, Splice, apply
from gitops_backup.sources.helm.charts import Chart, Defaults
from gitops_backup.sources.helm.insertion import CannotInsert, insert
from gitops_backup.sources.mappings import entries, find
from gitops_backup.sources.proof import prove
from gitops_backup.sources.rendering import Files, HelmOptions, Parameter
from gitops_backup.sources.scalars import rewritten

Keys: TypeAlias = tuple[str | int, ...]

_MOST = 1000
"""How many texts are looked at."""

_SHORTEST = 2
_LONGEST = 1000


class How(Enum):
    """How a text is written."""

    SCALAR = "a scalar of a value file"
    ADDED = "a key that a value file gets"
    LITERAL = "a literal in a template"
    INLINE = "a value of the Application"
    PARAMETER = "a parameter of the Application"


class Text(NamedTuple):
    """A text that may be part of an image's name, which ends at `end`; a tag may follow.

    `path` is the file's as the renderer sees it, and `keys` lead to the text in it. So do the `steps` of a
    scalar, which begins at the offset `start`; of a literal, that is its first byte. Of a parameter, `path`
    is the name. `likely` tells it from texts that may just happen to be alike.
    """

    how: How
    path: str
    keys: Keys
    whole: str
    end: int
    steps: Steps = ()
    start: int = 0
    likely: bool = True

    @property
    def name(self) -> str:
        """What there is of the image's name."""
        return self.whole[: self.end]

    @property
    def writable(self) -> bool:
        """Whether it is written in the repository."""
        return self.how not in (How.INLINE, How.PARAMETER)

    def renamed(self, name: str) -> str:
        """The whole text with another name in it."""
        return name + self.whole[self.end :]


def written(chart: Chart, options: HelmOptions, texts: Mapping[Text, str]) -> tuple[Files, HelmOptions]:
    """The chart's files and its options with other texts.

    Raises `InvalidManifest`, `ProofFailed` and `CannotInsert` where a text cannot be written so.
    """
    by_path: dict[str, dict[Text, str]] = {}
    for text, new in texts.items():
        by_path.setdefault(text.path if text.writable else "", {})[text] = new
    inline = by_path.pop("", {})
    files = dict(chart.files)
    for path, changes in by_path.items():
        files[path] = _rewritten(path, files[path], changes)
    return files, _with_inline(options, inline) if inline else options


def line_in(text: Text, content: bytes) -> int:
    """The line of a text in its file, where it has been written."""
    if text.how == How.LITERAL:
        return content.count(b"\n", 0, text.start) + 1
    node = _root(text.path, content)
    for key in text.keys:
        if isinstance(node, SequenceNode) and isinstance(key, int):
            node = node.value[key]
        elif node is not None:
            found = find(node, str(key))
            node = found.node if found is not None else None
    return line_of(node) if node is not None else 1


class Search:
    """Looks for texts in a chart and its values.

    `names` are the names of images, without tags and digests. To value files that are `shared`, no keys are
    added.
    """

    def __init__(
        self, chart: Chart, options: HelmOptions, *, names: AbstractSet[str], shared: AbstractSet[str]
    ) -> None:
        self._chart = chart
        self._options = options
        self._names = names
        self._contents = {path: _content(path, chart.files[path]) for path in chart.value_files}
        self._sealed = {path for path, content in self._contents.items() if _is_sealed(content)}
        apart = [
            path
            for path in self._contents
            if path not in shared and path not in self._sealed and chart.is_writable(path)
        ]
        self._target = apart[-1] if apart else chart.own_values

    def texts(self, images: AbstractSet[str]) -> list[Text]:
        """The texts that one of the names has in it, and those in templates that are one of these images."""
        found = [*self._inline(), *self._value_files(), *self._defaults(), *self._literals(images)]
        apart: dict[object, Text] = {}
        for text in found:  # a scalar that several keys share, by an anchor, is one text
            place = () if text.how in (How.SCALAR, How.INLINE) else text.keys
            apart.setdefault((text.how, text.path, place, text.start), text)
        return list(apart.values())[:_MOST]

    def registries(self, hosts: Mapping[Text, str]) -> list[Text]:
        """Keys beside these texts, for hosts that a template puts before them unless it is told others."""
        found: list[Text] = []
        for text, host in hosts.items():
            last = text.keys[-1] if text.keys else 0
            match = _REGISTRY_BESIDE.search(last) if isinstance(last, str) else None
            if text.how not in (How.SCALAR, How.ADDED) or match is None:
                continue
            key = match.string[: match.start()] + ("Registry" if match.start() else "registry")
            added = Text(How.ADDED, text.path, (*text.keys[:-1], key), host, len(host), likely=False)
            if any(isinstance(each, int) for each in added.keys) or added in found:
                continue
            empty = self._empty(added)
            if empty is not None:
                found.append(empty)
            elif self._can_add(added):
                found.append(added)
        return found

    def _can_add(self, text: Text) -> bool:
        """Whether there is room for a key in its file."""
        try:
            insert(text.path, self._chart.files[text.path], keys=list(map(str, text.keys)), value=text.whole)
        except (CannotInsert, InvalidManifest):
            return False
        return True

    def _empty(self, added: Text) -> Text | None:
        """The text in place of an empty one, in quotes, that stands there."""
        root = _root(added.path, self._chart.files[added.path])
        found = find(root, *map(str, added.keys)) if root is not None else None
        if (
            found is None
            or not isinstance(found.node, ScalarNode)
            or found.node.value
            or not found.node.style
        ):
            return None
        start = int(found.node.start_mark.index)
        return added._replace(how=How.SCALAR, steps=found.steps, start=start)

    def _value_files(self) -> Iterator[Text]:
        for path in self._contents:
            if path not in self._sealed and self._chart.is_writable(path):
                yield from self._scalars(path, self._chart.files[path], How.SCALAR)

    def _inline(self) -> Iterator[Text]:
        for parameter in self._options.parameters:
            keys = tuple(_PARAMETER_KEY.split(parameter.name))
            yield from self._text(How.PARAMETER, parameter.name, keys, parameter.value)
        yield from self._scalars("", self._options.values.encode(), How.INLINE)

    def _defaults(self) -> Iterator[Text]:
        own = {path: content for path, content in self._contents.items() if self._chart.is_writable(path)}
        above: list[tuple[Keys, Any]] = [((), content) for content in own.values()]
        above.append(((), _content("", self._options.values.encode())))
        brought = [path for path in reversed(self._contents) if path not in own]
        layers = [Defaults((), path, self._chart.files[path]) for path in brought]
        for keys, path, content in (*layers, *self._chart.defaults):
            if path not in own:
                for text in self._scalars(path or "", content, How.SCALAR):
                    place = path if path is not None and self._chart.is_writable(path) else None
                    yield from self._placed(text, (*keys, *text.keys), place, above)
            above.append((keys, _content(path or "", content)))

    def _placed(
        self, text: Text, keys: Keys, path: str | None, above: Iterable[tuple[Keys, Any]]
    ) -> Iterator[Text]:
        """Where a default is written: in a value file that overrides it then, or else where it is."""
        if any(_says(content, keys[len(root) :]) for root, content in above if keys[: len(root)] == root):
            return
        added = text._replace(how=How.ADDED, path=self._target or "", keys=keys, steps=(), start=0)
        in_a_list = any(isinstance(key, int) for key in keys)
        if self._target not in (None, path) and not in_a_list and self._can_add(added):
            yield added
        elif path is not None:
            yield text

    def _literals(self, images: AbstractSet[str]) -> Iterator[Text]:
        for path in self._chart.templates:
            content = self._chart.files[path]
            for match in _LITERAL.finditer(content):
                whole = match["image"].decode("utf-8", "surrogateescape")
                if whole in images:
                    yield from self._text(How.LITERAL, path, ("image",), whole, start=match.start("image"))

    def _scalars(self, path: str, content: bytes, how: How) -> Iterator[Text]:
        root = _root(path, content)
        for keys, steps, node in _walk(root) if root is not None else ():
            if isinstance(content_of(node), str):
                start = int(node.start_mark.index)
                yield from self._text(how, path, keys, node.value, steps=steps, start=start)

    def _text(
        self, how: How, path: str, keys: Keys, whole: str, *, steps: Steps = (), start: int = 0
    ) -> Iterator[Text]:
        if len(whole) > _LONGEST:
            return
        match = _NAME.match(whole)
        trimmed = whole.rstrip("/")  # a host with a port looks like a name with a tag
        name = trimmed if self._is_part(trimmed) else match[0] if match is not None else ""
        if len(name) >= _SHORTEST and self._is_part(name):
            hint = any(isinstance(key, str) and _HINT.search(key) for key in keys[-2:])
            likely = hint or "/" in name or "." in name or name in self._names
            yield Text(how, path, keys, whole, len(name), steps=steps, start=start, likely=likely)

    def _is_part(self, name: str) -> bool:
        return any(name in each for each in self._names)


def _walk(root: Node) -> Iterator[tuple[Keys, Steps, ScalarNode]]:
    stack: list[tuple[Keys, Steps, Node]] = [((), (), root)]
    while stack:
        keys, steps, node = stack.pop()
        if isinstance(node, ScalarNode):
            yield keys, steps, node
        elif isinstance(node, SequenceNode):
            inner: list[tuple[Keys, Steps, Node]]
            inner = [((*keys, n), (*steps, n), item) for n, item in enumerate(node.value)]
            stack += reversed(inner)
        elif isinstance(node, MappingNode):
            inner = [
                ((*keys, key.value), steps + found.steps, found.node)
                for key, found in entries(node)
                if isinstance(key, ScalarNode)
            ]
            stack += reversed(inner)


def _rewritten(path: str, content: bytes, changes: Mapping[Text, str]) -> bytes:
    literals = [text for text in changes if text.how == How.LITERAL]
    if literals:
        spans = {text: Span(text.start, text.start + len(text.whole.encode())) for text in literals}
        return apply(content, [Splice(spans[text], changes[text].encode()) for text in literals])
    content = _with_scalars(path, content, {t: new for t, new in changes.items() if t.how == How.SCALAR})
    for text, new in changes.items():
        if text.how == How.ADDED:
            content = insert(path, content, keys=[str(key) for key in text.keys], value=new)
    return content


def _with_scalars(path: str, content: bytes, changes: Mapping[Text, str]) -> bytes:
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


def _with_inline(options: HelmOptions, changes: Mapping[Text, str]) -> HelmOptions:
    new = {text.path: value for text, value in changes.items() if text.how == How.PARAMETER}
    values = {text: value for text, value in changes.items() if text.how == How.INLINE}
    return replace(
        options,
        parameters=tuple(
            Parameter(each.name, new.get(each.name, each.value), text=each.text)
            for each in options.parameters
        ),
        values=_with_scalars("", options.values.encode(), values).decode(),
    )


def _root(path: str, content: bytes) -> Node | None:
    """The first document of a file; None where there is none that can be read, as Helm will say."""
    try:
        return next((document.root for document in File.read(path, content).documents()), None)
    except InvalidManifest:
        return None


def _content(path: str, content: bytes) -> Any:
    root = _root(path, content)
    try:
        return {} if root is None else content_of(root)
    except KeyIsNoText:
        return {}


def _is_sealed(content: Any) -> bool:
    """Whether SOPS has encrypted a file: it vouches for what is not encrypted in it, too."""
    sops = content.get("sops") if isinstance(content, dict) else None
    return isinstance(sops, dict) and "mac" in sops


def _says(content: Any, keys: Keys) -> bool:
    """Whether values say something under these keys, or something else on the way there."""
    for key in keys:
        if not isinstance(content, dict):
            return True
        if key not in content:
            return False
        content = content[key]
    return True


# a reference up to its tag or digest, a part of one, or a prefix with a slash behind it
_NAME = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(?::[0-9]+(?=/))?(?:/[A-Za-z0-9._-]+)*(?=/?\Z|:[\w.-]*(?:@|\Z)|@)", re.ASCII
)
_HINT = re.compile(r"image|repo|registry|hub|docker|container", re.IGNORECASE)
_PARAMETER_KEY = re.compile(r"(?<!\\)\.")
_REGISTRY_BESIDE = re.compile(r"(?:[Rr]epository|[Nn]ame|[Ii]mage|[Rr]epo)\Z")
_LITERAL = re.compile(
    rb"^[ \t]*(?:-[ \t]+)?[\"']?image[\"']?[ \t]*:[ \t]+[\"']?(?P<image>[^\s\"'#{}]+)[\"']?"
    rb"[ \t]*(?:#[^\n{]*)?\r?$",
    re.MULTILINE,
)
