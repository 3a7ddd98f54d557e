"""What a renderer printed: its objects, the images in them, and where two renderings differ.

A rendering is compared as Kubernetes reads it, value by value, because a value that a template uses may come
out anywhere. Scalars that are no text stay as they are written, so that none is taken for another's equal.

Renderings come from templates of people who may mean harm: what is too deep, or stands for too much by its
aliases, is refused as in the files of a repository (see `documents`).
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from typing import Any, Final, TypeAlias

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.content import Bare, KeyIsNoText, Value, content_of
from gitops_backup.sources.documents import File, InvalidManifest
from gitops_backup.sources.objects import part_of, text_of
from gitops_backup.sources.pod_specs import CONTAINERS, POD_SPECS
from gitops_backup.sources.replacements import ObjectId

Way: TypeAlias = tuple[str | int, ...]
"""The way to a value in an object: the keys of mappings, and the numbers of a sequence's items."""


_Key: TypeAlias = tuple[ObjectId, int]


class InvalidRendering(GitopsBackupError):
    """What a renderer printed is no stream of objects, or not one that can be read at a fair price."""


class Missing(Enum):
    """What stands for a value in the rendering that has none there."""

    MISSING = "nothing"


MISSING: Final = Missing.MISSING

HIDDEN = "a value that is not shown"
"""What stands for whatever a Secret says."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """An object of a rendering; one in a list's `items` stands for itself.

    `identity` is the object's, in the Application's namespace where it names none. `content` is made of
    mappings, lists, strings and `Bare`.
    """

    identity: ObjectId
    content: Mapping[str, Any]


Documents: TypeAlias = dict[bytes, tuple[Rendered, ...]]
"""What was read of documents, in one namespace."""


@dataclass(frozen=True, slots=True)
class RenderedImage:
    """A container of a pod template, and its image's text; `steps` lead to the text from the object."""

    workload: ObjectId
    container: str
    init: bool
    text: str
    steps: Way


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that two renderings of an object do not share; where one has none, that is `MISSING`.

    Both are scalars, or one is what the other has none of or of another kind; without steps it is the object.
    """

    object: ObjectId
    steps: Way
    before: Value
    after: Value

    def __str__(self) -> str:
        place = f"{self.object}, {described(self.steps)}" if self.steps else f"{self.object}"
        if is_secret(self.object):
            return f"{place}: {HIDDEN} would become another"
        return f"{place}: {shown(self.before)} would become {shown(self.after)}"


def read_rendering(output: bytes, *, namespace: str, known: Documents | None = None) -> tuple[Rendered, ...]:
    """The objects of a rendering, in its order; `namespace` is the one that the Application deploys to.

    `known` keeps what was read of each document: whoever reads several renderings of one source, which are
    mostly the same, reads that once. Raises `InvalidRendering`.
    """
    known = {} if known is None else known
    rendered: list[Rendered] = []
    for number, part in enumerate(_DOCUMENT.split(output), 1):
        if part not in known:
            known[part] = tuple(_document(part, number, namespace or "default"))
        rendered += known[part]
    return tuple(rendered)


def read_json(output: bytes, *, namespace: str) -> tuple[Rendered, ...]:
    """The objects that JSON says, as Argo CD takes what jsonnet prints: one, or a list of some and of nulls.

    Each has to have a kind (findManifests in reposerver/repository/repository.go there). Raises
    `InvalidRendering`.
    """
    try:
        says = _bare(json.loads(output, parse_int=Bare, parse_float=Bare))
    except (ValueError, RecursionError) as error:
        raise InvalidRendering(f"what is printed is no JSON, or is nested too deeply: {error}") from error
    rendered: list[Rendered] = []
    for number, each in enumerate(says if isinstance(says, list) else [says], 1):
        if each == _NULL:
            continue
        if not isinstance(each, dict) or not text_of(each, "kind"):
            which = (
                f"item {number} of what it evaluates to" if isinstance(says, list) else "what it evaluates to"
            )
            raise InvalidRendering(f"{which} is no object with a kind")
        rendered += _rendered(each, namespace or "default", which=f"item {number}")
    return tuple(rendered)


def read_manifests(path: str, content: bytes, *, namespace: str) -> tuple[Rendered, ...]:
    """The objects of a file that is deployed as it is; documents that are no objects are passed over.

    Raises `InvalidManifest`.
    """
    rendered: list[Rendered] = []
    for document in File.read(path, content).documents():
        try:
            says = content_of(document.root)
        except KeyIsNoText as error:
            raise InvalidManifest(path, error.line, 1, "a key is no text") from error
        objects = _listed(says) if isinstance(says, dict) else ()
        rendered += (
            Rendered(_identity(o, namespace or "default"), o) for o in objects if isinstance(o, dict)
        )
    return tuple(rendered)


def images_of(rendering: Iterable[Rendered]) -> tuple[RenderedImage, ...]:
    """The images of all containers in pod templates, in the rendering's order."""
    return tuple(image for each in rendering for image in _images(each))


def differences(before: Sequence[Rendered], after: Sequence[Rendered]) -> tuple[Difference, ...]:
    """Where two renderings differ, value by value, in the order of the first.

    Objects are paired by what they are; the order in which they stand is no difference, nor is that of keys.
    Those that only one has are paired in their order, within their kind: their names differ then, as they do
    where a template makes them up.
    """
    old, new = _numbered(before), _numbered(after)
    others: dict[ObjectId, list[_Key]] = {}
    for key in [each for each in new if each not in old]:
        others.setdefault(key[0]._replace(name=""), []).append(key)
    found: list[Difference] = []
    for key, content in old.items():
        partner = key
        if key not in new:
            same_kind = others.get(key[0]._replace(name=""))
            partner = same_kind.pop(0) if same_kind else key
        found += _compared(key[0], (), content, new.pop(partner, MISSING))
    for key, content in new.items():  # what is left of it
        found += _compared(key[0], (), MISSING, content)
    return tuple(found)


def unexplained(differences: Iterable[Difference], allowed: Mapping[str, str]) -> list[Difference]:
    """The differences that are none of a text becoming exactly the one that it may become."""
    return [
        each
        for each in differences
        if not isinstance(each.before, str)
        or each.before not in allowed
        or each.after != allowed[each.before]
    ]


def described(steps: Way) -> str:
    """A place as people write it: `spec.template.spec.containers[0].image`."""
    words = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return one_line(words.removeprefix("."))


def shown(value: Value) -> str:
    """A value as it may stand in a message."""
    if isinstance(value, str):
        return repr(one_line(value, limit=_SHOWN))
    if isinstance(value, Bare):
        return one_line(value.text, limit=_SHOWN) or "null"
    if isinstance(value, Missing):
        return value.value
    return "a mapping" if isinstance(value, dict) else "a list"


def is_secret(identity: ObjectId) -> bool:
    """Whether an object is a Secret, of which no value is ever shown."""
    return (identity.group, identity.kind) == ("", "Secret")


def _document(part: bytes, number: int, namespace: str) -> Iterator[Rendered]:
    try:
        for document in File.read(f"document {number} of the rendering", part).documents():
            yield from _objects(content_of(document.root), number, namespace)
    except InvalidManifest as error:
        raise InvalidRendering(error.message) from error
    except KeyIsNoText as error:
        what = f"line {error.line} of document {number} of the rendering has a key that is no text"
        raise InvalidRendering(what) from error


def _objects(content: object, number: int, namespace: str) -> Iterator[Rendered]:
    if isinstance(content, Bare) and content.text in _NULLS:
        return
    if not isinstance(content, dict):
        raise InvalidRendering(f"document {number} of the rendering is no object")
    yield from _rendered(content, namespace, which=f"document {number} of the rendering")


def _rendered(content: Mapping[str, Any], namespace: str, *, which: str) -> Iterator[Rendered]:
    for each in _listed(content):
        if not isinstance(each, dict):
            raise InvalidRendering(f"{which} lists what is no object")
        yield Rendered(_identity(each, namespace), each)


def _bare(value: object) -> Value:
    """What a decoder of JSON makes of a text, with the scalars that are no text as they are written."""
    if isinstance(value, dict):
        return {key: _bare(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_bare(each) for each in value]
    if value is None:
        return _NULL
    return Bare(str(value).lower()) if isinstance(value, bool) else value


def _listed(content: Mapping[str, Any]) -> Sequence[object]:
    """What a list has for its `items`, or the object itself."""
    items = content.get("items")
    return items if isinstance(items, list) else [content]


def _identity(content: Mapping[str, Any], namespace: str) -> ObjectId:
    metadata = part_of(content, "metadata")
    return ObjectId(
        group=text_of(content, "apiVersion").rpartition("/")[0],
        kind=text_of(content, "kind"),
        namespace=text_of(metadata, "namespace") or namespace,
        name=text_of(metadata, "name"),
    )


def _images(rendered: Rendered) -> Iterator[RenderedImage]:
    way = POD_SPECS.get((rendered.identity.group, rendered.identity.kind))
    pod: object = rendered.content if way is not None else None
    for key in way or ():
        pod = pod.get(key) if isinstance(pod, dict) else None
    if way is None or not isinstance(pod, dict):
        return
    for part, init in CONTAINERS:
        containers = pod.get(part)
        for number, container in enumerate(containers if isinstance(containers, list) else ()):
            image = container.get("image") if isinstance(container, dict) else None
            if isinstance(image, str):
                yield RenderedImage(
                    workload=rendered.identity,
                    container=text_of(container, "name"),
                    init=init,
                    text=image,
                    steps=(*way, part, number, "image"),
                )


def _numbered(rendering: Iterable[Rendered]) -> dict[_Key, Mapping[str, Any]]:
    """The objects by what they are; of those that are the same, each has a number of its own."""
    met: Counter[ObjectId] = Counter()
    numbered: dict[_Key, Mapping[str, Any]] = {}
    for each in rendering:
        numbered[each.identity, met[each.identity]] = each.content
        met[each.identity] += 1
    return numbered


def _compared(identity: ObjectId, steps: Way, before: Value, after: Value) -> Iterator[Difference]:
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from _compared(identity, (*steps, key), before.get(key, MISSING), after.get(key, MISSING))
    elif isinstance(before, list) and isinstance(after, list):
        for number, (old, new) in enumerate(zip_longest(before, after, fillvalue=MISSING)):
            yield from _compared(identity, (*steps, number), old, new)
    elif before != after:
        yield Difference(identity, steps, before, after)


_SHOWN = 120
_NULL = Bare("null")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_DOCUMENT = re.compile(rb"^---(?=[ \t\r\n]|\Z)", re.MULTILINE)
