"""The parameters that generators make, in the two forms that templates have them.

With Go templates they are nested as they were written; without, they are flat, and each is a text under a
name with dots in it (applicationset/generators in Argo CD: repo_path_utils.go, list.go, cluster.go).
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.applicationsets.clusters import Cluster
from gitops_backup.sources.applicationsets.values import printed

Values: TypeAlias = dict[str, Any]


class Texts(dict[str, str]):
    """A mapping in which everything is a text: one that is not there is as an empty one, to Go's `index`."""


class CannotEvaluate(GitopsBackupError):
    """What a set generates cannot be told: Argo CD refuses it, too, or it takes what is not known here."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where parameters come from: a file, by its path, or what stands under a field of the set, or nothing
    that is written in Git: a folder, or a cluster."""

    path: str = ""
    field: str = ""
    other: str = ""

    def __str__(self) -> str:
        return one_line(self.path or self.field or self.other)


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of one Application, and where they come from."""

    values: Values
    origins: tuple[Origin, ...] = ()

    def with_values(self, added: Values) -> Self:
        """The same parameters, with some more."""
        return replace(self, values={**self.values, **added})


def of_directory(path: str, *, prefix: str, nested: bool) -> Values:
    """What a directory of a repository is called by."""
    named = {"path": path, "basename": _base(path), "basenameNormalized": normalized(_base(path))}
    return _path(named, prefix=prefix, nested=nested)


def of_file(content: Values, path: str, *, prefix: str, nested: bool) -> Values:
    """What a file says, and what it is called by: that wins."""
    folder, name = posixpath.dirname(path) or ".", posixpath.basename(path)
    named = {
        "path": folder,
        "basename": _base(folder),
        "filename": name,
        "basenameNormalized": normalized(_base(folder)),
        "filenameNormalized": normalized(name),
    }
    said = content if nested else {key: printed(value) for key, value in _leaves(content)}
    return {**said, **_path(named, prefix=prefix, nested=nested)}


def of_element(element: Values, *, nested: bool) -> Values:
    """What an element of a list says. Raises `CannotEvaluate` where flat ones are no texts."""
    if nested:
        return element
    flat: Values = {}
    for key, value in element.items():
        if key == "values" and not isinstance(value, Mapping):
            raise CannotEvaluate("an element of a list has values that are no mapping")
        inner = {f"values.{name}": each for name, each in value.items()} if key == "values" else {key: value}
        for name, each in inner.items():
            if not isinstance(each, str):
                what = f"an element of a list has a value of {one_line(name)} that is no text"
                raise CannotEvaluate(what, hint="put it in quotes, or set goTemplate: true")
            flat[name] = each
    return flat


def of_cluster(cluster: Cluster, *, nested: bool) -> Values:
    """What a cluster is called by."""
    named: Values = {
        "name": cluster.name,
        "nameNormalized": normalized(cluster.name),
        "server": cluster.server,
        "project": cluster.project,
    }
    metadata = {"annotations": cluster.annotations, "labels": cluster.labels}
    if nested:
        return {**named, "metadata": {part: Texts(texts) for part, texts in metadata.items() if texts}}
    flat = {f"metadata.{p}.{key}": text for p, texts in metadata.items() for key, text in texts.items()}
    return {**named, **flat}


def flattened(values: Values) -> dict[str, str]:
    """The parameters as selectors see them: flat texts."""
    return {key: printed(value) for key, value in _leaves(values)}


def combined(first: Parameters, second: Parameters, *, nested: bool) -> Parameters:
    """The parameters of both generators of a matrix. Raises `CannotEvaluate` where flat ones contradict."""
    origins = tuple(dict.fromkeys((*first.origins, *second.origins)))
    if nested:
        return Parameters(overridden(second.values, first.values), origins)
    one = {key: printed(value) for key, value in first.values.items()}
    other = {key: printed(value) for key, value in second.values.items()}
    for key in one.keys() & other.keys():
        if one[key] != other[key]:
            what = f"both generators of a matrix set {one_line(key)}: {one_line(one[key])}"
            raise CannotEvaluate(f"{what}, and {one_line(other[key])}")
    return Parameters({**one, **other}, origins)


def overridden(base: Values, by: Values) -> Values:
    """Nested parameters with others over them, mapping by mapping (dario.cat/mergo 1.0 with override)."""
    merged = type(base)(base)
    for key, value in by.items():
        held = merged.get(key)
        if isinstance(held, dict) and isinstance(value, dict) and held:
            value = overridden(held, value)
        merged[key] = value
    return merged


def normalized(name: str) -> str:
    """A name as names of Kubernetes' objects are: small letters, digits, dashes and dots."""
    return _NO_DNS.sub("-", name.lower())[:_LONGEST].strip("-.")


def _path(named: Values, *, prefix: str, nested: bool) -> Values:
    segments = str(named["path"]).split("/")
    if nested:
        path: Values = {**named, "segments": segments}
        return {prefix: {"path": path}} if prefix else {"path": path}
    root = f"{prefix}.path" if prefix else "path"
    numbered = {f"{root}[{n}]": segment for n, segment in enumerate(segments) if segment}
    rest = {f"{root}.{key}": value for key, value in named.items() if key != "path"}
    return {root: named["path"], **rest, **numbered}


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, object]]:
    """The values in mappings and lists, by the way to them; empty ones leave nothing behind."""
    for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
        way = f"{name}.{key}" if name else str(key)
        if isinstance(inner, Mapping | list):
            yield from _leaves(inner, way)
        else:
            yield way, inner


def _base(path: str) -> str:
    """The last name of a path, as Go's path.Base has it."""
    return posixpath.basename(path.rstrip("/")) or "."


_LONGEST = 253
_NO_DNS = re.compile(r"[^-a-z0-9.]")
