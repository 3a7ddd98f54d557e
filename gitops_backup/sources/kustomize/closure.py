"""Which files a kustomization reads, found by reading it, and what it must not ask for.

kustomize reads files below the folder of the kustomization that names them, follows folders wherever they
are, and fetches whatever looks like a URL (api/internal/loader/fileloader.go). Here everything it reads has
to be a file of the same commit: what is remote, outside of the repository, behind a symbolic link, or a
program to run is named and not rendered. A file that is merely missing is left for kustomize to complain of;
a folder is not, because kustomize would take its name for a remote repository's.

Every reference is listed by the field that has it, so a field of a later kustomize is not followed: its file
is then missing in what is rendered, and kustomize says so.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.documents import File, InvalidManifest, line_of
from gitops_backup.sources.kustomize.kustomizations import (
    Kustomization,
    described,
    folded,
    kustomization_files,
)
from gitops_backup.sources.kustomize.options import KustomizeOptions
from gitops_backup.sources.mappings import find, text
from gitops_backup.sources.trees import Entry, Tree, not_followed

MOST_FOLDERS = 1000
"""Folders of one kustomization. Hundreds are a lot."""


class Problem(NamedTuple):
    """Why a kustomization is not rendered: a line for people."""

    reason: Reason
    message: str


@dataclass(slots=True)
class Closure:
    """What a kustomization reads, as far as that is known; `problem` is the first thing that is wrong."""

    files: set[str] = field(default_factory=set)
    problem: Problem | None = None


def closure_of(
    folder: str, *, options: KustomizeOptions, tree: Tree, contents: Mapping[str, bytes]
) -> Closure:
    """What the kustomization in a folder reads, and those that it includes; never raises."""
    walk = _Walk(tree, contents)
    walk.include(folder, "", configures=False)
    named = options.place
    for component in options.components:
        reference = _Reference(_Kind.FOLDER, component, f"{named}.components")
        if not options.ignore_missing_components or walk.has(folder, component):
            walk.follow(folder, reference)
    for path in options.patch_files:
        walk.follow(folder, _Reference(_Kind.FILE, path, f"{named}.patches"))
    walk.run()
    return walk.closure


class _Kind(Enum):
    """What a reference may be to."""

    FILE = auto()
    FOLDER = auto()
    EITHER = auto()
    INLINE = auto()
    """A file, or its content itself."""
    CONFIGURATION = auto()
    """A file, a folder or a text that configures a generator or a transformer."""


class _Reference(NamedTuple):
    """What a kustomization says to read; `place` says where it does, for people."""

    kind: _Kind
    text: str
    place: str


class _Walk:
    def __init__(self, tree: Tree, contents: Mapping[str, bytes]) -> None:
        self._tree = tree
        self._contents = contents
        self._known: set[tuple[str, bool]] = set()
        self._open: list[tuple[str, str, bool]] = []
        self.closure = Closure()

    def include(self, folder: str, place: str, *, configures: bool) -> None:
        """Have a folder's kustomization read; what it makes is `configures` if it is no manifests."""
        if (folder, configures) not in self._known:
            self._known.add((folder, configures))
            self._open.append((folder, place, configures))

    def run(self) -> None:
        """Follow all references."""
        while self._open and self.closure.problem is None:
            if len(self._known) > MOST_FOLDERS:
                message = f"more than {MOST_FOLDERS} folders belong to the kustomization"
                self._refuse(Reason.UNSUPPORTED_SOURCE, message)
            folder, place, configures = self._open.pop()
            path = self._kustomization_file(folder, place)
            if path is None or not self._counted(path):
                continue
            try:
                self._read(folder, path, configures=configures)
            except InvalidManifest as error:
                self._refuse(Reason.INVALID_MANIFEST, error.message)

    def has(self, folder: str, path: str) -> bool:
        """Whether there is something at a path, seen from a folder."""
        return self._entry(posixpath.normpath(posixpath.join(folder, path))) is not None

    def follow(self, folder: str, reference: _Reference, *, configures: bool = False) -> None:
        """Have read what a kustomization in a folder refers to."""
        kind, name, place = reference
        configures = configures or kind == _Kind.CONFIGURATION
        path = posixpath.normpath(posixpath.join(folder, name))
        leads_out = _leads_out(name, path)
        entry = None if leads_out else self._entry(path)
        may_be_content = kind in (_Kind.INLINE, _Kind.CONFIGURATION) and not leads_out
        if entry is None and may_be_content and _is_content(name):
            if configures:
                self._configuration(folder, File.read(place, name.encode("utf-8", "surrogateescape")), place)
            return
        problem = self._problem(reference, path, entry)
        if problem is not None:
            self._refuse(Reason.UNSUPPORTED_SOURCE, f"{place} names {problem}")
        elif entry is not None and entry.path != path:
            if kind not in (_Kind.FILE, _Kind.INLINE):
                self.include("" if path == "." else path, place, configures=configures)
        elif entry is not None and self._counted(path) and configures:
            self._configuration(folder, File.read(path, self._contents[path]), one_line(path))

    def _problem(self, reference: _Reference, path: str, entry: Entry | None) -> str | None:
        """What speaks against reading what stands at a path."""
        name = one_line(reference.text)
        if _REMOTE.match(reference.text):
            return f"{name}, which is not in this repository, and is not fetched"
        if _leads_out(reference.text, path):
            return f"{name}, which leads out of the repository"
        link = self._tree.link_towards(path)
        if link is not None:
            return f"{one_line(link)}, a symbolic link, which is not followed"
        if entry is None:
            may_be_missing = not reference.text or reference.kind in (_Kind.FILE, _Kind.INLINE)
            return None if may_be_missing else f"{name}, which is not in this repository"
        return f"{name}, a submodule" if entry.path == path and not entry.is_file else None

    def _entry(self, path: str) -> Entry | None:
        """What is at a path, or the first thing below it."""
        return next(self._tree.under("" if path == "." else path, recurse=True), None)

    def _counted(self, path: str) -> bool:
        """Counts a file in; whether its content is known."""
        self.closure.files.add(path)
        return path in self._contents

    def _kustomization_file(self, folder: str, place: str) -> str | None:
        found = kustomization_files(folder, self._tree)
        where = described(folder)
        if len(found) == 1 and found[0].is_file:
            return found[0].path
        if len(found) == 1:
            message = not_followed(found[0].path)
        elif found:
            names = " and ".join(one_line(entry.path.rpartition("/")[2]) for entry in found)
            message = f"{where} has {names}, of which kustomize allows one"
        else:
            message = f"{f'{place} names ' if place else ''}{where}, which has no kustomization file"
        self._refuse(Reason.UNSUPPORTED_SOURCE, message)
        return None

    def _read(self, folder: str, path: str, *, configures: bool) -> None:
        kustomization = Kustomization.read(path, self._contents[path])
        for name in ("helmcharts", "helmchartinflationgenerator"):
            node = kustomization.nodes.get(name)
            if node is not None and node.value:
                message = f"{one_line(path)}, line {line_of(node)}, has Helm charts inflated by kustomize"
                self._refuse(Reason.UNSUPPORTED_SOURCE, message)
        for reference in _references(kustomization):
            makes_more = reference.kind in (_Kind.EITHER, _Kind.FOLDER)
            self.follow(folder, reference, configures=configures and makes_more)

    def _configuration(self, folder: str, file: File, place: str) -> None:
        """A file that configures generators and transformers, which kustomize must have built in."""
        for document in file.documents():
            if not isinstance(document.root, MappingNode):
                continue
            where = f"{place}, line {line_of(document.root)},"
            kind = one_line(text(document.root, "kind") or "")
            if any(find(document.root, "metadata", "annotations", name) for name in _FUNCTIONS):
                self._refuse(Reason.UNSUPPORTED_SOURCE, f"{where} is a function, {kind}, which is not run")
            elif text(document.root, "apiVersion") != "builtin" or kind == "HelmChartInflationGenerator":
                self._refuse(Reason.UNSUPPORTED_SOURCE, f"{where} is a plugin, {kind}, which is not run")
            else:
                for reference in _references_of_builtin(folded(document.root, file.path), place):
                    self.follow(folder, reference)

    def _refuse(self, reason: Reason, message: str) -> None:
        if self.closure.problem is None:
            self.closure.problem = Problem(reason, message)


def _references(kustomization: Kustomization) -> Iterator[_Reference]:
    path, nodes = kustomization.path, kustomization.nodes
    for name, kind in _FIELDS.items():
        for item in _items(nodes.get(name)):
            yield from _reference(kind, item, path)
    for name in ("patches", "patchesjson6902", "replacements"):
        for item in _items(nodes.get(name)):
            if isinstance(item, MappingNode):
                yield from _reference(_Kind.FILE, folded(item, path).get("path"), path)
    for name in ("configmapgenerator", "secretgenerator"):
        for item in _items(nodes.get(name)):
            if isinstance(item, MappingNode):
                yield from _of_generator(folded(item, path), path)
    openapi = nodes.get("openapi")
    if isinstance(openapi, MappingNode):
        yield from _reference(_Kind.FILE, folded(openapi, path).get("path"), path)


def _references_of_builtin(nodes: Mapping[str, Node], path: str) -> Iterator[_Reference]:
    yield from _reference(_Kind.FILE, nodes.get("path"), path)
    for item in _items(nodes.get("paths")):
        yield from _reference(_Kind.INLINE, item, path)
    for item in _items(nodes.get("replacements")):
        if isinstance(item, MappingNode):
            yield from _reference(_Kind.FILE, folded(item, path).get("path"), path)
    yield from _of_generator(nodes, path)


def _of_generator(nodes: Mapping[str, Node], path: str) -> Iterator[_Reference]:
    for item in _items(nodes.get("files")):
        for reference in _reference(_Kind.FILE, item, path):
            _, equals, file = reference.text.partition("=")
            yield reference._replace(text=file) if equals else reference
    for item in _items(nodes.get("envs")):
        yield from _reference(_Kind.FILE, item, path)
    yield from _reference(_Kind.FILE, nodes.get("env"), path)


def _reference(kind: _Kind, node: Node | None, path: str) -> Iterator[_Reference]:
    if isinstance(node, ScalarNode):
        yield _Reference(kind, str(node.value), f"{one_line(path)}, line {line_of(node)},")


def _items(node: Node | None) -> list[Node]:
    return list(node.value) if isinstance(node, SequenceNode) else []


def _leads_out(name: str, path: str) -> bool:
    return bool(_REMOTE.match(name)) or path.startswith(("/", "../")) or path == ".." or "\0" in name


def _is_content(name: str) -> bool:
    """Whether a text is YAML itself, and no path."""
    return "\n" in name or ": " in name or name.lstrip().startswith(("{", "["))


_FIELDS = {
    "resources": _Kind.EITHER,
    "bases": _Kind.EITHER,
    "components": _Kind.FOLDER,
    "crds": _Kind.FILE,
    "configurations": _Kind.FILE,
    "patchesstrategicmerge": _Kind.INLINE,
    "generators": _Kind.CONFIGURATION,
    "transformers": _Kind.CONFIGURATION,
    "validators": _Kind.CONFIGURATION,
}
_FUNCTIONS = ("config.kubernetes.io/function", "config.k8s.io/function")
_REMOTE = re.compile(
    r"\s*(?:https?:|[a-z][a-z0-9+.-]*://|git::|[\w.-]+@[\w.-]+:|github\.com[/:])", re.IGNORECASE | re.ASCII
)
