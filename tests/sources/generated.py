"""Files of manifests in all the styles that YAML has, made together with what an edit is to make of them.

A file is written as a list of pieces: text that must stay, and images, of which some are to be replaced. So
what must come out is known without any parser.

Hypothesis draws the number of objects and a seed; all else follows from these, because drawing each of the
thousand choices that make a file would take a hundred times as long.
"""

import json
from dataclasses import dataclass
from random import Random
from typing import Any, TypeAlias

from hypothesis import strategies as st

from gitops_backup.domain.images import Reference
from gitops_backup.sources.replacements import ObjectId, Replacement
from tests.sources.samples import NEW

NAMESPACE = "shop"
SPELLINGS = [
    "nginx:1.25",
    "docker.io/nginx:1.25",
    "docker.io/library/nginx:1.25",
    "index.docker.io/nginx:1.25",
]
OTHERS = ["nginx:1.26", "nginx", "quay.io/nginx:1.25", "busybox:1", NEW, "nginx:1.25-alpine", "UPPER/case"]
WORDS = [
    "",
    "web",
    "nginx:1.25",
    "é",
    "😀 ü",
    "a: b",
    "# no comment",
    "'",
    '"',
    "{}",
    "- x",
    "yes",
    "1.5",
    "~",
    "\\n",
]
KINDS = [("Deployment", "apps"), ("DaemonSet", "apps"), ("StatefulSet", "apps"), ("CronJob", "batch")]
COMMENTS = ["", "", "", " # nginx:1.25", "  # é 😀", " #", "   "]


@dataclass(slots=True)
class Image:
    """An image as it is written within its quotes, and whether it is to be replaced."""

    written: str
    replaced: bool


Piece: TypeAlias = str | Image
Line: TypeAlias = list[Piece]


@dataclass(slots=True)
class Sample:
    """A file before and after, and the replacements that it is edited for."""

    path: str
    before: bytes
    after: bytes
    replacements: list[Replacement]
    is_json: bool


def samples() -> st.SearchStrategy[Sample]:
    """Files of one to four objects."""
    return st.builds(_sample, st.integers(1, 4), st.integers(0, 2**64))


def _sample(count: int, seed: int) -> Sample:
    dice = Random(seed)  # noqa: S311
    wanted: list[Replacement] = []
    objects = [_object(dice, f"web-{number}", wanted) for number in range(count)]
    if dice.random() < 0.2:
        return _json(dice, objects, wanted)
    lines: list[Line] = [[line] for line in dice.choice([[], ["# é"], ["---"], ["# head", "--- # é"]])]
    for number, document in enumerate(_listed(dice, objects)):
        if number:
            lines.append([dice.choice(["---", "--- # é", "---   "])])
        lines += _Writer(dice).block(document)
        lines += [[line] for line in dice.choice([[], [], ["# end"], [""]])]
    end = dice.choice(["\n", "\r\n"])
    mark = dice.choice(["", "", "\ufeff"])
    last = dice.choice(["", end, end + end, f"{end}...{end}"])
    return Sample("app/web.yaml", *_bytes(lines, mark=mark, end=end, last=last), wanted, is_json=False)


def _json(dice: Random, objects: list[Any], wanted: list[Replacement]) -> Sample:
    indent = dice.choice([None, 1, "\t"])
    document = {"apiVersion": "v1", "kind": "List", "items": objects}
    images: list[Image] = []

    def kept(value: object) -> str:
        assert isinstance(value, Image)
        images.append(value)
        return f"\0{len(images) - 1}\0"

    text = json.dumps(document, indent=indent, ensure_ascii=dice.choice((False, True)), default=kept)
    parts = text.split("\\u0000")
    line: Line = [images[int(part)] if number % 2 else part for number, part in enumerate(parts)]
    path = dice.choice(["app/web.json", "app/web.yaml"])
    content = _bytes([line], mark="", end="\n", last=dice.choice(["", "\n"]))
    return Sample(path, *content, wanted, is_json=True)


def _bytes(lines: list[Line], *, mark: str, end: str, last: str) -> tuple[bytes, bytes]:
    def text(line: Line, new: bool) -> str:
        return "".join(p if isinstance(p, str) else NEW if new and p.replaced else p.written for p in line)

    before, after = (mark + end.join(text(line, new) for line in lines) + last for new in (False, True))
    return before.encode(), after.encode()


def _object(dice: Random, name: str, wanted: list[Replacement]) -> dict[str, Any]:
    kind, group = dice.choice(KINDS)
    namespace = dice.choice([NAMESPACE, "other", None])
    mine = kind in ("Deployment", "DaemonSet")
    workload = ObjectId(group, kind, namespace or NAMESPACE, name)
    pod: dict[str, Any] = {}
    for part, init in (("initContainers", True), ("containers", False)):
        containers = []
        for number in range(dice.randint(0 if init else 1, 2)):
            old = dice.choice((False, True))
            image = Image(dice.choice(SPELLINGS if old else OTHERS), replaced=old and mine)
            if image.replaced:
                wanted.append(
                    Replacement(
                        workload=workload,
                        container=f"c{number}",
                        init=init,
                        old=Reference.parse("nginx:1.25"),
                        new=NEW,
                    )
                )
            containers.append(_shuffled(dice, {"name": f"c{number}", "image": image, "args": [_word(dice)]}))
        if containers:
            pod[part] = containers
    template = {"spec": _shuffled(dice, pod), "metadata": {"labels": {"a": _word(dice)}}}
    spec: dict[str, Any] = {"template": _shuffled(dice, template), "image": "nginx:1.25"}
    if kind == "CronJob":
        spec = {"jobTemplate": {"spec": spec}}
    metadata = {"name": name, "annotations": {"image": _word(dice)}}
    if namespace:
        metadata["namespace"] = namespace
    whole = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": _shuffled(dice, metadata), "spec": spec}
    return _shuffled(dice, whole)


def _listed(dice: Random, objects: list[Any]) -> list[Any]:
    """Some of the objects in a list, perhaps, and a document that is no workload."""
    cut = dice.randint(0, len(objects))
    documents = objects[:cut]
    if objects[cut:]:
        documents.append(
            {
                "apiVersion": "v1",
                "kind": dice.choice(["List", "DeploymentList"]),
                "items": objects[cut:],
            }
        )
    if dice.choice((False, True)):
        documents.insert(0, {"kind": "ConfigMap", "data": {"image": _word(dice)}})
    return documents


def _shuffled(dice: Random, mapping: dict[str, Any]) -> dict[str, Any]:
    return {key: mapping[key] for key in dice.sample(list(mapping), len(mapping))}


def _word(dice: Random) -> str:
    return str(dice.choice(WORDS))


class _Writer:
    """Writes one document; images with the same text may share an anchor."""

    def __init__(self, dice: Random) -> None:
        self._dice = dice
        self._anchors: dict[str, tuple[str, Image]] = {}

    def block(self, value: Any) -> list[Line]:
        """A value in lines of its own."""
        if isinstance(value, dict) and value:
            return [line for key, inner in value.items() for line in self._entry(str(key), inner)]
        if isinstance(value, list) and value:
            return [line for item in value for line in self._item(item)]
        return [self._flow(value)]

    def _entry(self, key: str, value: Any) -> list[Line]:
        key = self._pick([key, key, key, f"'{key}'", f'"{key}"'])
        if isinstance(value, Image):
            return self._image_entry(key, value)
        if not isinstance(value, dict | list) or self._pick([False, False, False, False, True]):
            head = self._pick([f"{key}: ", f"{key}:   ", f"? {key}\n: "])
            *before, last = head.split("\n")
            return [*([line] for line in before), [last, *self._flow(value), self._pick(COMMENTS)]]
        width = 0 if isinstance(value, list) and self._pick([False, True]) else self._pick([1, 2, 4])
        return [[f"{key}:{self._pick(COMMENTS)}"], *([" " * width, *line] for line in self.block(value))]

    def _item(self, value: Any) -> list[Line]:
        dash = self._pick(["- ", "-   "])
        first, *rest = [self._flow(value)] if self._pick([False, False, False, True]) else self.block(value)
        return [[dash, *first], *([" " * len(dash), *line] for line in rest)]

    def _image_entry(self, key: str, image: Image) -> list[Line]:
        properties = self._properties(image)
        if properties is None:
            return [[f"{key}: *{self._anchors[image.written][0]}", self._pick(COMMENTS)]]
        style = self._pick(["flow", "flow", "flow", ">-", "|-", ">2-", "next line"])
        if style == "flow":
            return [[f"{key}: {properties}", *self._quoted(image), self._pick(COMMENTS)]]
        if style == "next line":
            return [[f"{key}: {properties}{self._pick(COMMENTS)}"], ["  ", *self._quoted(image)]]
        return [[f"{key}: {properties}{style}{self._pick(COMMENTS)}"], ["  ", image]]

    def _flow(self, value: Any) -> Line:
        if isinstance(value, Image):
            properties = self._properties(value)
            if properties is None:
                return [f"*{self._anchors[value.written][0]} "]
            return [properties, *self._quoted(value)]
        if isinstance(value, dict):
            return self._bracketed("{}", [[f"{json.dumps(k)}: ", *self._flow(v)] for k, v in value.items()])
        if isinstance(value, list):
            return self._bracketed("[]", [self._flow(item) for item in value])
        return [
            self._pick([json.dumps(value, ensure_ascii=False), "'" + str(value).replace("'", "''") + "'"])
        ]

    def _bracketed(self, brackets: str, parts: list[Line]) -> Line:
        line: Line = [brackets[0]]
        for number, part in enumerate(parts):
            line += [", " if number else "", *part]
        return [*line, brackets[1]]

    def _properties(self, image: Image) -> str | None:
        """What stands before an image; None where it is written as an alias of one that said the same."""
        known = self._anchors.get(image.written)
        if known is not None and self._pick([False, True]):
            known[1].replaced |= image.replaced
            return None
        if known is None and self._pick([False, True]):
            name = f"a{len(self._anchors)}"
            self._anchors[image.written] = name, image
            return str(self._pick([f"&{name} ", f"&{name} !!str ", f"!!str &{name}  "]))
        return str(self._pick(["", "", "!!str ", "!image "]))

    def _quoted(self, image: Image) -> Line:
        quote = self._pick(["", "", "'", '"', "escaped"])
        if quote == "escaped":
            image.written = "".join(self._pick([c, c, f"\\x{ord(c):02x}"]) for c in image.written)
            quote = '"'
        return [quote, image, quote]

    def _pick(self, choices: list[Any]) -> Any:
        return self._dice.choice(choices)
