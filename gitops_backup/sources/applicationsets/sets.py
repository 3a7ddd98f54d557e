"""ApplicationSets: what they are, and which Applications they generate.

A set is a function of its manifest, of files that its generators read, and of clusters. It is evaluated as
Argo CD 3.6 does (applicationset/controllers/template/template.go); what only Argo CD can know, or what may
come out otherwise there, is said instead.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from yaml.nodes import Node, SequenceNode

from gitops_backup.errors import one_line
from gitops_backup.sources.applicationsets.generators import Generators, NotRead, Surroundings
from gitops_backup.sources.applicationsets.gotemplates import GoTemplating
from gitops_backup.sources.applicationsets.parameters import CannotEvaluate, Origin, Parameters
from gitops_backup.sources.applicationsets.patterns import FilePattern, InvalidPattern
from gitops_backup.sources.applicationsets.templates import filled, patched
from gitops_backup.sources.applicationsets.templating import (
    Asked,
    Templating,
    fast_templating,
    is_templated,
    templated,
)
from gitops_backup.sources.applicationsets.values import value_of
from gitops_backup.sources.content import KeyIsNoText
from gitops_backup.sources.documents import File, InvalidManifest, Position
from gitops_backup.sources.mappings import find
from gitops_backup.sources.names import is_name
from gitops_backup.sources.objects import Object, list_of
from gitops_backup.sources.rendering import Renderer

GROUP = "argoproj.io"
KIND = "ApplicationSet"


@dataclass(frozen=True, slots=True)
class ApplicationSet:
    """An ApplicationSet, and where its manifest is: a file, and the way to it in there."""

    namespace: str
    name: str
    spec: Object = field(repr=False)
    path: str
    position: Position

    def __str__(self) -> str:
        return f"the ApplicationSet {one_line(self.namespace)}/{one_line(self.name)}"

    @property
    def go_template(self) -> bool:
        """Whether its templates are Go's."""
        return self.spec.get("goTemplate") is True

    @property
    def repositories(self) -> frozenset[str]:
        """The URLs of repositories that its generators and templates name, as they are written."""
        return frozenset(url for url in _urls(self.spec) if not is_templated(url))

    @property
    def asks_for_clusters(self) -> bool:
        """Whether one of its generators looks at the clusters that Argo CD knows."""
        return any(True for _ in _held(self.spec.get("generators"), "clusters"))

    def may_read(self, path: str) -> bool:
        """Whether a file could fit a pattern of its Git generators, whatever is filled into that."""
        blocks = (each for each in _held(self.spec.get("generators"), "git") if isinstance(each, Mapping))
        entries = (entry for block in blocks for entry in list_of(block, "files"))
        patterns = (str(entry.get("path") or "") for entry in entries if isinstance(entry, Mapping))
        return any(_could_match(pattern, path) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Generated:
    """An Application that a set generates, as an object, and where its parameters come from."""

    application: Object
    origins: tuple[Origin, ...]

    @property
    def name(self) -> str:
        """The Application's name."""
        return str(self.application["metadata"].get("name") or "")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a set generates, in its order; what of it cannot be told; and the files to read before it can."""

    generated: tuple[Generated, ...] = ()
    problems: tuple[str, ...] = ()
    unread: frozenset[str] = frozenset()


def read_sets(path: str, content: bytes, *, namespace: str) -> tuple[ApplicationSet, ...]:
    """The sets in a file, those in lists among them; `namespace` is that of one that names none.

    Raises `InvalidManifest`.
    """
    found: list[ApplicationSet] = []
    for document in File.read(path, content).documents():
        for steps, node in _objects(document.root):
            try:
                obj = value_of(node)
            except KeyIsNoText as error:
                raise InvalidManifest(path, error.line, 1, "a key is no text") from error
            if is_set(obj):
                spec, metadata = obj.get("spec"), obj.get("metadata")
                names = metadata if isinstance(metadata, dict) else {}
                found.append(
                    ApplicationSet(
                        namespace=str(names.get("namespace") or namespace),
                        name=str(names.get("name") or ""),
                        spec=spec if isinstance(spec, dict) else {},
                        path=path,
                        position=Position(document.number, steps),
                    )
                )
    return tuple(found)


def is_set(obj: object) -> bool:
    """Whether an object is an ApplicationSet."""
    if not isinstance(obj, Mapping):
        return False
    return str(obj.get("apiVersion")).partition("/")[0] == GROUP and obj.get("kind") == KIND


def evaluate(each: ApplicationSet, around: Surroundings, *, renderer: Renderer) -> Evaluation:
    """What a set generates, as far as the surroundings tell; `renderer` evaluates Go templates."""
    options = [str(option) for option in list_of(each.spec, "goTemplateOptions")]
    templating: Templating = GoTemplating(renderer, options) if each.go_template else fast_templating
    generators = Generators(around, templating, nested=each.go_template)
    generated: list[Generated] = []
    problems: list[str] = []
    unread: frozenset[str] = frozenset()
    for number, entry in enumerate(list_of(each.spec, "generators")):
        try:
            for generation in generators.of(entry, f"spec.generators[{number}]"):
                template = filled(generation.template, each.spec.get("template"))
                generated += _applications(each, template, generation.parameters, templating)
        except CannotEvaluate as error:
            problems.append(f"{each}: {error.message}")
        except NotRead as error:
            unread |= error.paths
    named = {each.name: each for each in generated if is_name(each.name)}
    problems += _misnamed(each, generated, named)
    return Evaluation(tuple(named.values()), tuple(problems), unread)


def _applications(
    each: ApplicationSet, template: object, parameters: Sequence[Parameters], templating: Templating
) -> Iterator[Generated]:
    if not isinstance(template, Mapping) or not isinstance(template.get("spec"), Mapping):
        raise CannotEvaluate("spec.template is expected to be a mapping with metadata and spec")
    filled_in = [own for own in parameters if own.values]
    objects = iter(templated([(template, own.values) for own in filled_in], templating))
    patch = each.spec.get("templatePatch")
    asked = [Asked(patch, own.values) for own in parameters] if isinstance(patch, str) else []
    patches = iter(templating(asked) if asked else ())
    for own in parameters:
        application = next(objects) if own.values else template
        if isinstance(patch, str):
            application = patched(application, _read_patch(next(patches)))
        metadata = application.get("metadata")
        metadata = {**(metadata if isinstance(metadata, Mapping) else {}), "namespace": each.namespace}
        made = {
            "apiVersion": f"{GROUP}/v1alpha1",
            "kind": "Application",
            "metadata": metadata,
            "spec": application["spec"],
        }
        yield Generated(made, own.origins)


def _read_patch(text: str) -> object:
    try:
        root = next((d.root for d in File.read("templatePatch", text.encode()).documents()), None)
        return {} if root is None else value_of(root)
    except (InvalidManifest, KeyIsNoText) as error:
        raise CannotEvaluate(f"templatePatch cannot be read: {one_line(str(error))}") from error


def _misnamed(
    each: ApplicationSet, generated: Sequence[Generated], named: Mapping[str, Generated]
) -> Iterator[str]:
    for one in generated:
        if one.name not in named:
            yield f"{each} generates an Application whose name, {one_line(one.name)!r}, is none"
        elif one is not named[one.name]:
            yield f"{each} generates several Applications of the name {one.name}"


def _could_match(pattern: str, path: str) -> bool:
    try:
        return FilePattern(_BRACES.sub("*", pattern)).matches(path)
    except InvalidPattern:  # which no generator takes
        return False


def _objects(root: Node) -> Iterator[tuple[tuple[int, ...], Node]]:
    listed = find(root, "items")
    if listed is not None and isinstance(listed.node, SequenceNode):
        yield from (((*listed.steps, number), item) for number, item in enumerate(listed.node.value))
    else:
        yield (), root


def _urls(spec: Object) -> Iterator[str]:
    listed = (each for many in _held(spec, "sources") if isinstance(many, list) for each in many)
    for source in (*_held(spec, "source"), *_held(spec, "git"), *listed):
        url = source.get("repoURL") if isinstance(source, Mapping) and not source.get("chart") else None
        if isinstance(url, str) and url and not url.startswith("oci://"):
            yield url


def _held(value: Any, key: str) -> Iterator[Any]:
    """What stands under a key, at any depth."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == key:
                yield inner
            yield from _held(inner, key)
    elif isinstance(value, list):
        for item in value:
            yield from _held(item, key)


_BRACES = re.compile(r"\{\{.*?\}\}", re.DOTALL)
