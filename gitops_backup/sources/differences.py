"""Differences that Argo CD ignores, as far as they are of images.

Of an entry's `jsonPointers` and `jqPathExpressions`, those are understood that are a path to an image, or to
what it lies in: `/spec/template/spec/containers/0/image`, `.spec.template.spec.containers[].image`, and
`.spec.template.spec.containers[] | select(.name == "web") | .image`. What any other expression selects, only
jq knows: that is not guessed at (util/argo/normalizers/diff_normalizer.go in Argo CD). Of
`managedFieldsManagers`, each entry is of the images that such a manager owns in the live object
(util/argo/managedfields).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from yaml import YAMLError, safe_load

from gitops_backup.domain.unheeded import Unheeded
from gitops_backup.domain.workloads import IGNORING_ANNOTATION, Kind, Workload
from gitops_backup.sources.globs import Glob, InvalidGlob
from gitops_backup.sources.objects import text_of, texts_of

_TO_THE_LISTS = ("spec", "template", "spec")
_LISTS = {"containers": False, "initContainers": True}
_EVERY = "[]"
_TOKEN = re.compile(
    r"""\s*(?:
        \.(?P<key>[A-Za-z_]\w*)
        | \.?\["(?P<quoted>[^"\\]*)"\]
        | \.?\[(?P<index>[0-9]{1,6})\]
        | \.?(?P<every>\[\])
        | (?P<optional>\?)
        | \|\s*select\(\s*\.name\s*==\s*"(?P<name>[^"\\]*)"\s*\)
        | \|(?=\s*\.)
    )""",
    re.VERBOSE | re.ASCII,
)


class _Named(NamedTuple):
    name: str


_Step = str | int | _Named


def ignored_images(entries: Iterable[object], field: str) -> Iterator[Unheeded]:
    """The images that entries of `ignoreDifferences` are of; `field` is the one that these stand in."""
    for number, entry in enumerate(entries):
        if isinstance(entry, Mapping):
            yield from ignored_by(entry, f"{field}[{number}]")


def ignored_by(entry: Mapping[str, Any], field: str, *, place: str = "") -> Iterator[Unheeded]:
    """The images that one such entry is of; `field`, in `place`, is the one that it stands in."""
    kinds = _kinds(entry)
    if not kinds:
        return
    where = Unheeded(
        field=field,
        kinds=kinds,
        place=place,
        namespace=text_of(entry, "namespace"),
        name=text_of(entry, "name"),
    )
    for within, steps in _paths(entry):
        found = _image(steps) if steps is not None else None
        if found is not None:
            init, index, container = found
            yield replace(where, field=f"{field}.{within}", init=init, index=index, container=container)
    for number, manager in enumerate(texts_of(entry, "managedFieldsManagers")):
        if manager:
            yield replace(where, field=f"{field}.managedFieldsManagers[{number}]", manager=manager)


def ignored_on(workload: Workload) -> Iterator[Unheeded]:
    """The images that a workload itself says this of, by pointers in an annotation."""
    kind, namespace, name = workload.key
    itself = {"group": "apps", "kind": kind, "namespace": namespace, "name": name}
    pointers = mapping_of(workload.ignoring).get("jsonPointers") if workload.ignoring else None
    return ignored_by({**itself, "jsonPointers": pointers}, IGNORING_ANNOTATION, place="the workload")


def mapping_of(text: str) -> Mapping[str, Any]:
    """What a text says in YAML, if that is a mapping; else an empty one."""
    try:
        read = safe_load(text)
    except (YAMLError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, Mapping) else {}


def _kinds(entry: Mapping[str, Any]) -> frozenset[str]:
    if not _matches(text_of(entry, "group"), "apps"):
        return frozenset()
    return frozenset(kind for kind in Kind if _matches(text_of(entry, "kind"), kind))


def _paths(entry: Mapping[str, Any]) -> Iterator[tuple[str, Sequence[_Step] | None]]:
    for number, pointer in enumerate(texts_of(entry, "jsonPointers")):
        yield f"jsonPointers[{number}]", _pointer(pointer)
    for number, expression in enumerate(texts_of(entry, "jqPathExpressions")):
        yield f"jqPathExpressions[{number}]", _expression(expression)


def _pointer(text: str) -> list[_Step] | None:
    """The steps of a JSON pointer (RFC 6901)."""
    if not text.startswith("/"):
        return None
    parts = (part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/"))
    return [int(part) if re.fullmatch(r"[0-9]{1,6}", part, re.ASCII) else part for part in parts]


def _expression(text: str) -> list[_Step] | None:
    steps: list[_Step] = []
    position = 0
    while position < len(text.rstrip()):
        token = _TOKEN.match(text, position)
        if token is None:
            return None
        position = token.end()
        key = token["key"] or token["quoted"] or token["every"]
        if key is not None:
            steps.append(key)
        elif token["index"] is not None:
            steps.append(int(token["index"]))
        elif token["name"] is not None:
            steps.append(_Named(token["name"]))
    return steps


def _image(steps: Sequence[_Step]) -> tuple[bool | None, int | None, str] | None:
    """Which image a path leads to, or to what it lies in: of which list, at which index, with which name."""
    depth = len(_TO_THE_LISTS)
    if not steps or tuple(steps[:depth]) != _TO_THE_LISTS[: len(steps)]:
        return None
    if len(steps) <= depth:
        return None, None, ""
    name = steps[depth]
    if not isinstance(name, str) or name not in _LISTS:
        return None
    init = _LISTS[name]
    rest = list(steps[depth + 1 :])
    index, container = None, ""
    if rest:
        element = rest.pop(0)
        if isinstance(element, int):
            index = element
        elif element != _EVERY:
            return None
        elif rest and isinstance(rest[0], _Named):
            container = rest.pop(0).name  # type: ignore[union-attr]
    return (init, index, container) if rest in ([], ["image"]) else None


def _matches(pattern: str, text: str) -> bool:
    try:
        return Glob(pattern).matches(text)
    except InvalidGlob:
        return False
