"""Looking for texts in a chart and its values that may be part of an image's name.

Which of them are is not decided here: that is found out by rendering (see `helm`). What comes into question
is text that an image's name has in it. Where only a chart's defaults say it, it is written into the last of
the Application's value files instead, which then overrides them, or, where there is none, among the values of
the Application itself; so it stays when the chart is replaced by its next version, and other Applications of
the chart are left alone. What a value file from elsewhere says is overruled likewise: in a value file that
comes behind it, or else among the Application's own values, in a file that Argo CD reads beside the chart.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitops_backup.sources.content import content_of
from gitops_backup.sources.documents import InvalidManifest, Steps
from gitops_backup.sources.edits import Span
from gitops_backup.sources.helm.charts import Chart
from gitops_backup.sources.helm.inline import InlineValues
from gitops_backup.sources.helm.texts import INLINE, How, Keys, Text, blocks_of, root_of, says_of
from gitops_backup.sources.inline.layers import Way
from gitops_backup.sources.insertion import CannotInsert, insert
from gitops_backup.sources.mappings import entries, find

_MOST = 1000
"""How many texts are looked at."""

_SHORTEST = 2
_LONGEST = 1000


class Search:
    """Looks for texts in a chart and its values.

    `names` are the names of images, without tags and digests. To value files that are `shared`, keys are
    added only where there is no other place for them.
    """

    def __init__(
        self, chart: Chart, inline: InlineValues, *, names: AbstractSet[str], shared: AbstractSet[str]
    ) -> None:
        self._chart = chart
        self._inline = inline
        self._names = names
        self._contents = {path: says_of(path, chart.files[path]) for path in chart.value_files}
        self._sealed = {path for path, content in self._contents.items() if _is_sealed(content)}
        open_files = [p for p in self._contents if p not in self._sealed and chart.is_writable(p)]
        apart = [path for path in open_files if path not in shared]
        own = [chart.own_values] if chart.own_values else [INLINE] if inline.takes_keys else []
        self._target = next(iter([*reversed(apart), *own, *reversed(open_files)]), None)

    def texts(self, images: AbstractSet[str]) -> list[Text]:
        """The texts that one of the names has in it, and lines of templates and of blocks of text among
        values that say one of these images."""
        found = [*self._values(), *self._value_files(), *self._defaults(), *self._literals(images)]
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
            insert(text.path, self._content(text.path), keys=list(map(str, text.keys)), value=text.whole)
        except (CannotInsert, InvalidManifest):
            return False
        return True

    def _content(self, path: str) -> bytes:
        return self._inline.options.values.encode() if path == INLINE else self._chart.files[path]

    def _empty(self, added: Text) -> Text | None:
        """The text in place of an empty one, in quotes, that stands there."""
        root = root_of(added.path, self._content(added.path))
        found = find(root, *map(str, added.keys)) if root is not None else None
        if (
            found is None
            or not isinstance(found.node, ScalarNode)
            or found.node.value
            or not found.node.style
        ):
            return None
        start = int(found.node.start_mark.index)
        how = How.INLINE if added.path == INLINE else How.SCALAR
        return added._replace(how=how, steps=found.steps, start=start)

    def _value_files(self) -> Iterator[Text]:
        for path in self._contents:
            if path not in self._sealed and self._chart.is_writable(path):
                yield from self._scalars(path, self._chart.files[path], How.SCALAR)

    def _values(self) -> Iterator[Text]:
        """The Application's own values; of parameters of one name, the last holds."""
        found: list[Text] = []
        for name, value in {each.name: each.value for each in self._inline.options.parameters}.items():
            found += self._text(How.PARAMETER, name, tuple(_PARAMETER_KEY.split(name)), value)
        found += self._scalars(INLINE, self._inline.options.values.encode(), How.INLINE)
        writable: dict[Way, bool] = {}
        for text in found:
            way = self._inline.way(text)
            if way not in writable:  # a text of many lines is one to whoever writes it
                writable[way] = self._inline.problem(text) is None
            yield text._replace(writable=writable[way])

    def _defaults(self) -> Iterator[Text]:
        own = {path: content for path, content in self._contents.items() if self._chart.is_writable(path)}
        above: list[tuple[Keys, Any]] = [((), says_of("", self._inline.options.values.encode()))]
        for path in reversed(self._contents):
            if path not in own:
                for text in self._scalars(path, self._chart.files[path], How.SCALAR):
                    yield from self._placed(text, text.keys, above, target=self._target_over(path))
            above.append(((), self._contents[path]))
        for keys, brought, content in self._chart.defaults:
            if brought not in own:
                for text in self._scalars(brought or "", content, How.SCALAR):
                    place = brought if brought is not None and self._chart.is_writable(brought) else None
                    yield from self._placed(
                        text, (*keys, *text.keys), above, target=self._target, place=place
                    )
            above.append((keys, says_of(brought or "", content)))

    def _target_over(self, path: str) -> str | None:
        """Where a value file from elsewhere is overruled."""
        order = list(self._contents)
        if self._target in order and order.index(self._target) > order.index(path):
            return self._target
        return INLINE if self._inline.takes_over or self._target == INLINE else None

    def _placed(
        self,
        text: Text,
        keys: Keys,
        above: Iterable[tuple[Keys, Any]],
        *,
        target: str | None,
        place: str | None = None,
    ) -> Iterator[Text]:
        """Where a default is written: where it is overridden then, or else in its own place."""
        if any(_says(content, keys[len(root) :]) for root, content in above if keys[: len(root)] == root):
            return
        added = text._replace(how=How.ADDED, path=target or INLINE, keys=keys, steps=(), start=0)
        in_a_list = any(isinstance(key, int) for key in keys)
        if target not in (None, place) and not in_a_list and self._can_add(added):
            yield added
        elif place is not None:
            yield text

    def _literals(self, images: AbstractSet[str]) -> Iterator[Text]:
        for path in self._chart.templates:
            yield from self._lines(path, Span(0, len(self._chart.files[path])), images)
        own = self._chart.own_values
        for path in dict.fromkeys([*self._contents, *([own] if own is not None else [])]):
            if path not in self._sealed and self._chart.is_writable(path):
                for span in blocks_of(path, self._chart.files[path]):
                    yield from self._lines(path, span, images)

    def _lines(self, path: str, span: Span, images: AbstractSet[str]) -> Iterator[Text]:
        """Lines that say `image:`, and then one of these."""
        for match in _LITERAL.finditer(self._chart.files[path], span.start, span.end):
            whole = match["image"].decode("utf-8", "surrogateescape")
            if whole in images:
                yield from self._text(How.LITERAL, path, ("image",), whole, start=match.start("image"))

    def _scalars(self, path: str, content: bytes, how: How) -> Iterator[Text]:
        root = root_of(path, content)
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
