"""What the generators of an ApplicationSet generate: parameters, in Argo CD's order.

The rules are those of applicationset/generators in Argo CD 3.6. Where its own order is that of a Go map, at
random, it is that of names here.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gitops_backup.errors import one_line
from gitops_backup.sources.applications import IN_CLUSTER_NAME, IN_CLUSTER_SERVER
from gitops_backup.sources.applicationsets.clusters import Cluster
from gitops_backup.sources.applicationsets.parameters import (
    CannotEvaluate,
    Origin,
    Parameters,
    Texts,
    Values,
    combined,
    flattened,
    of_cluster,
    of_directory,
    of_element,
    of_file,
    overridden,
)
from gitops_backup.sources.applicationsets.patterns import DirectoryPattern, FilePattern, InvalidPattern
from gitops_backup.sources.applicationsets.selectors import InvalidSelector, is_empty, selects
from gitops_backup.sources.applicationsets.templating import Asked, Templating, templated
from gitops_backup.sources.applicationsets.values import value_of
from gitops_backup.sources.content import KeyIsNoText
from gitops_backup.sources.documents import File, InvalidManifest
from gitops_backup.sources.trees import Tree, not_followed

_Object = Mapping[str, Any]


class NotRead(Exception):
    """Files have to be read before it can be said what is generated."""

    def __init__(self, paths: frozenset[str]) -> None:
        super().__init__(paths)
        self.paths = paths


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What generators look at: a commit of a repository, and the clusters that are known.

    `is_here` says of a repository's URL and a revision whether they are this commit. `contents` has what was
    read of it, `refused` why a file could not be read. Without `clusters`, nobody knows which there are.
    """

    tree: Tree
    is_here: Callable[[str, str], bool]
    contents: Mapping[str, bytes] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    clusters: Sequence[Cluster] | None = ()


class Generation(NamedTuple):
    """The parameters that a generator makes, and the template that it has itself."""

    parameters: list[Parameters]
    template: _Object


@dataclass(frozen=True, slots=True)
class Generators:
    """The generators of a set; `nested` says that its templates are Go's."""

    around: Surroundings
    templating: Templating
    nested: bool

    def of(self, entry: object, field_name: str) -> Iterator[Generation]:
        """What an entry of `generators` makes, which the set has under this field.

        Raises `CannotEvaluate` and `NotRead`.
        """
        if not isinstance(entry, Mapping):
            raise CannotEvaluate(f"{field_name} is no generator: expected a mapping")
        kinds = [kind for kind in _KINDS if entry.get(kind) is not None]
        if not kinds:
            raise CannotEvaluate(f"{field_name} names no generator that is known")
        for kind in kinds:
            yield self._one(kind, entry, f"{field_name}.{kind}")

    def _one(self, kind: str, entry: _Object, field_name: str) -> Generation:
        made = self._made(kind, entry[kind], field_name)
        selector = entry.get("selector")
        if selector is not None:
            try:
                made = [each for each in made if selects(selector, flattened(each.values))]
            except InvalidSelector as error:
                raise CannotEvaluate(f"{field_name}: {error.message}") from error
        return Generation(made, _mapping(entry[kind], "template"))

    def _made(self, kind: str, block: object, field_name: str) -> list[Parameters]:
        if not isinstance(block, Mapping):
            raise CannotEvaluate(f"{field_name} is expected to be a mapping")
        match kind:
            case "list":
                return self._list(block, field_name)
            case "git":
                return self._git(block, field_name)
            case "clusters":
                return self._clusters(block, field_name)
            case "matrix":
                return self._matrix(block, field_name)
            case "merge":
                return self._merge(block, field_name)
        raise CannotEvaluate(f"{field_name}: what this generator makes is known to Argo CD alone")

    def _list(self, block: _Object, field_name: str) -> list[Parameters]:
        made = [
            Parameters(
                of_element(_checked(each, field_name), nested=self.nested),
                (Origin(field=f"{field_name}.elements[{number}]"),),
            )
            for number, each in enumerate(_items(block, "elements"))
        ]
        more = block.get("elementsYaml")
        if isinstance(more, str) and more:
            origin = Origin(field=f"{field_name}.elementsYaml")
            content = _first_document(origin.field, more.encode())
            if not isinstance(content, list | None):
                raise CannotEvaluate(f"{origin.field} is expected to be a list")
            made += [Parameters(_checked(each, origin.field), (origin,)) for each in content or ()]
        return made

    def _git(self, block: _Object, field_name: str) -> list[Parameters]:
        url, revision = str(block.get("repoURL") or ""), str(block.get("revision") or "")
        if not self.around.is_here(url, revision):
            where = f"{one_line(url)}, {one_line(revision) or 'HEAD'}"
            raise CannotEvaluate(f"{field_name} reads {where}, which is not at hand")
        try:
            if _items(block, "directories"):
                made = self._directories(block)
            elif _items(block, "files"):
                made = self._files(block)
            else:
                raise CannotEvaluate(f"{field_name} has neither directories nor files")
        except InvalidPattern as error:
            raise CannotEvaluate(f"{field_name}: {error.message}") from error
        return self._with_values(made, block)

    def _directories(self, block: _Object) -> list[Parameters]:
        patterns = [
            (DirectoryPattern(str(e.get("path") or "")), bool(e.get("exclude"))) for e in _dirs(block)
        ]
        prefix = str(block.get("pathParamPrefix") or "")
        made: list[Parameters] = []
        for folder in _folders(self.around.tree):
            said = {excluded for pattern, excluded in patterns if pattern.matches(folder)}
            if said == {False}:
                values = of_directory(folder, prefix=prefix, nested=self.nested)
                made.append(Parameters(values, (Origin(other=f"the folder {folder}"),)))
        return made

    def _files(self, block: _Object) -> list[Parameters]:
        patterns = [
            (FilePattern(str(e.get("path") or "")), bool(e.get("exclude"))) for e in _items(block, "files")
        ]
        chosen = []
        for entry in self.around.tree.under("", recurse=True):
            said = {excluded for pattern, excluded in patterns if pattern.matches(entry.path)}
            if said == {False}:
                if not entry.is_file:
                    raise CannotEvaluate(not_followed(entry.path))
                chosen.append(entry.path)
        unread = frozenset(chosen) - self.around.contents.keys() - self.around.refused.keys()
        if unread:
            raise NotRead(unread)
        prefix = str(block.get("pathParamPrefix") or "")
        return [
            Parameters(of_file(each, path, prefix=prefix, nested=self.nested), (Origin(path=path),))
            for path in sorted(chosen)
            for each in self._content(path)
        ]

    def _content(self, path: str) -> list[Values]:
        if path not in self.around.contents:
            raise CannotEvaluate(f"{one_line(path)} {self.around.refused[path]}")
        content = _first_document(path, self.around.contents[path])
        return (
            [_checked(e, path) for e in content] if isinstance(content, list) else [_checked(content, path)]
        )

    def _clusters(self, block: _Object, field_name: str) -> list[Parameters]:
        selector = _mapping(block, "selector")
        if self.around.clusters is None:
            what = "which clusters there are is known to Argo CD alone"
            raise CannotEvaluate(f"{field_name}: {what}; list them in argocd_clusters")
        try:
            chosen = [each for each in self.around.clusters if selects(selector, each.labels)]
        except InvalidSelector as error:
            raise CannotEvaluate(f"{field_name}.selector: {error.message}") from error
        made = [
            Parameters(of_cluster(each, nested=self.nested), (Origin(other=f"the cluster {each.name}"),))
            for each in sorted({each.name: each for each in chosen}.values(), key=lambda each: each.name)
        ]
        if is_empty(selector) and all(each.server != IN_CLUSTER_SERVER for each in chosen):
            values = {"name": IN_CLUSTER_NAME, "nameNormalized": IN_CLUSTER_NAME, "server": IN_CLUSTER_SERVER}
            made.append(
                Parameters({**values, "project": ""}, (Origin(other=f"the cluster {IN_CLUSTER_NAME}"),))
            )
        made = self._with_values(made, block)
        if block.get("flatList") is True:
            return [Parameters({"clusters": [each.values for each in made]}, (Origin(other="all clusters"),))]
        return made

    def _with_values(self, made: list[Parameters], block: _Object) -> list[Parameters]:
        """The parameters with the generator's `values`, in which they may be named."""
        own = {key: value for key, value in _mapping(block, "values").items() if isinstance(value, str)}
        if not own:
            return made
        asked = [Asked(text, each.values) for each in made for text in own.values()]
        results = iter(self.templating(asked))
        added = [{key: next(results) for key in own} for _ in made]
        if self.nested:
            return [each.with_values({"values": Texts(more)}) for each, more in zip(made, added, strict=True)]
        flat = [{f"values.{key}": text for key, text in more.items()} for more in added]
        return [each.with_values(more) for each, more in zip(made, flat, strict=True)]

    def _matrix(self, block: _Object, field_name: str) -> list[Parameters]:
        entries = _items(block, "generators")
        if len(entries) != 2:
            raise CannotEvaluate(f"{field_name} has {len(entries)} generators, and a matrix is of two")
        outer = self._inner(entries[0], f"{field_name}.generators[0]")
        # the second generator may name what the first one makes
        known = [(_without_selector(entries[1]), each.values) for each in outer if each.values]
        seconds = iter(templated(known, self.templating, generators=True))
        made: list[Parameters] = []
        for each in outer:
            entry = {**next(seconds), **_selector(entries[1])} if each.values else entries[1]
            inner = self._inner(entry, f"{field_name}.generators[1]")
            made += [combined(each, other, nested=self.nested) for other in inner]
        return made

    def _merge(self, block: _Object, field_name: str) -> list[Parameters]:
        entries, keys = _items(block, "generators"), [str(key) for key in _items(block, "mergeKeys")]
        if len(entries) < 2 or not keys:
            raise CannotEvaluate(f"{field_name} is expected to have two generators or more, and mergeKeys")
        merged: dict[str, Parameters] = {}
        for number, entry in enumerate(entries):
            keyed: dict[str, Parameters] = {}
            for each in self._inner(entry, f"{field_name}.generators[{number}]"):
                key = json.dumps([each.values.get(name) for name in sorted(set(keys))], sort_keys=True)
                if key in keyed:
                    what = f"{field_name}.generators[{number}] makes several of the same mergeKeys"
                    raise CannotEvaluate(f"{what}: {one_line(key)}")
                keyed[key] = each
            for key in keyed.keys() & merged.keys():
                merged[key] = self._over(merged[key], keyed[key])
            merged = merged if number else keyed
        return list(merged.values())

    def _over(self, base: Parameters, by: Parameters) -> Parameters:
        values = overridden(base.values, by.values) if self.nested else {**base.values, **by.values}
        return Parameters(values, tuple(dict.fromkeys((*base.origins, *by.origins))))

    def _inner(self, entry: object, field_name: str) -> list[Parameters]:
        generations = list(self.of(entry, field_name))
        if len(generations) > 1:
            raise CannotEvaluate(f"{field_name} is expected to be one generator, not {len(generations)}")
        return generations[0].parameters


def _first_document(path: str, content: bytes) -> Any:
    """What the first document of a file says; an empty file says an empty mapping."""
    try:
        root = next((document.root for document in File.read(path, content).documents()), None)
        value = None if root is None else value_of(root)
    except InvalidManifest as error:
        raise CannotEvaluate(error.message) from error
    except KeyIsNoText as error:
        raise CannotEvaluate(f"{one_line(path)}, line {error.line}: a key is no text") from error
    return {} if value is None else value


def _checked(value: object, where: str) -> Values:
    if not isinstance(value, dict):
        raise CannotEvaluate(f"{one_line(where)} has parameters that are no mapping")
    return value


def _folders(tree: Tree) -> Iterator[str]:
    """All folders but those that are hidden, or in one that is, in Argo CD's order."""
    met: set[str] = set()
    for entry in tree.under("", recurse=True):
        names = entry.path.split("/")[:-1]
        for length in range(1, len(names) + 1):
            folder = "/".join(names[:length])
            if names[length - 1].startswith("."):
                break
            if folder not in met:
                met.add(folder)
                yield folder


def _dirs(block: _Object) -> Iterator[_Object]:
    return (each for each in _items(block, "directories") if isinstance(each, Mapping))


def _items(block: _Object, key: str) -> list[Any]:
    held = block.get(key)
    return held if isinstance(held, list) else []


def _mapping(block: object, key: str) -> _Object:
    held = block.get(key) if isinstance(block, Mapping) else None
    return held if isinstance(held, Mapping) else {}


def _selector(entry: object) -> _Object:
    """The selector of a generator, into which no parameters are put."""
    return {"selector": entry["selector"]} if isinstance(entry, Mapping) and "selector" in entry else {}


def _without_selector(entry: object) -> object:
    if not isinstance(entry, Mapping):
        return entry
    return {key: value for key, value in entry.items() if key != "selector"}


_KINDS = (
    "list",
    "clusters",
    "git",
    "scmProvider",
    "clusterDecisionResource",
    "pullRequest",
    "matrix",
    "merge",
    "plugin",
    "oci",
)
