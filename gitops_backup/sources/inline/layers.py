"""What says which parameters a source is rendered with, and how to write others there.

The Application says them first, in a file where it is itself in Git; then `.argocd-source.yaml` in the
source's folder, and then `.argocd-source-<instance>.yaml`, each merged over what came before. So a value is
written where the last of these has it. Of an Application that no file is known of, nothing can be written.

What nobody says yet can be added in a file of the last kind, which is made where there is none. Argo CD reads
it in the folder of a source in Git, for one Application alone; the kind before it is read for all that deploy
the folder, and gets nothing new (mergeSourceParameters in Argo CD's reposerver/repository/repository.go).

Edits are splices of the scalars. The edited files are read again, and have to differ in these scalars alone.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.content import KeyIsNoText, content_of, decoded
from gitops_backup.sources.documents import Document, File, InvalidManifest, Position, line_of
from gitops_backup.sources.edits import Splice, apply
from gitops_backup.sources.inline.merging import FREE, CannotMerge, folded, merged
from gitops_backup.sources.inline.texts import CannotWrite, edited, refuse_unwritable
from gitops_backup.sources.insertion import CannotInsert, insert
from gitops_backup.sources.mappings import Found, entries, find
from gitops_backup.sources.mounts import is_mounted
from gitops_backup.sources.objects import Object
from gitops_backup.sources.places import is_writable, may_be_elsewhere
from gitops_backup.sources.proof import ProofFailed, prove
from gitops_backup.sources.rendering import Files
from gitops_backup.sources.trees import Tree, not_followed

_OWN_NAME = ".argocd-source-{}.yaml"
_INSTANCE = re.compile(r"[a-z0-9][a-z0-9._-]*", re.ASCII)
_LONGEST_NAME = 255
_FOR_WHOM = "# Argo CD merges this over the source of the Application {}, and of no other.\n"

Way = tuple[str | int, ...]
"""The way to a text from a source on: the names of fields, and the numbers of items."""


class UnusableParameters(GitopsBackupError):
    """A file with parameters cannot be read, or not be merged; the message names it."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One that says something of a source.

    `root` is what it says, in a `document` of a `file`; there is none where it is in no file.
    """

    file: File | None = None
    document: Document | None = None
    root: Found | None = None

    @property
    def position(self) -> Position:
        """Where in its file it begins."""
        number, steps = self.document.number if self.document else 0, self.root.steps if self.root else ()
        return Position(number, steps)

    def find(self, way: Way) -> Found | None:
        """What it says there."""
        if self.root is None:
            return None
        steps, node = self.root
        for number, step in enumerate(way):
            inner = _inner(node, step, exact=not FREE.isdisjoint(way[:number]))
            if inner is None:
                return None
            steps, node = steps + inner.steps, inner.node
        return Found(steps, node)


@dataclass(frozen=True, slots=True)
class Layers:
    """A source with all that is said of it: what it amounts to, and who says it, the last overriding.

    `application` is what the Application alone says. `own` is the parameter file that is read for this
    Application alone, or what one would begin with that can be made.
    """

    source: Source
    application: Source
    layers: tuple[Layer, ...]
    own: Layer | None = None

    @property
    def contents(self) -> dict[str, bytes]:
        """The files, as they are here."""
        return {each.file.path: each.file.content for each in self.layers if each.file is not None}

    def line(self, way: Way) -> tuple[str, int] | None:
        """The file in which a text is said, and its line; None where it is in no file of the commit."""
        layer = self._owner(way)
        found = layer.find(way) if layer is not None else None
        if layer is None or layer.file is None or found is None or is_mounted(layer.file.path):
            return None
        return layer.file.path, line_of(found.node)

    def is_block(self, way: Way) -> bool:
        """Whether a text is written in lines of its own."""
        layer = self._owner(way)
        found = layer.find(way) if layer is not None else None
        return found is not None and isinstance(found.node, ScalarNode) and found.node.style == "|"

    def refuse_unwritable(self, way: Way) -> None:
        """Raises `CannotWrite` where the text there could not be changed."""
        self._text(way)

    def home(self, way: Way) -> str | None:
        """The file in which something could be said there that nobody says yet."""
        layer = self._home(way)
        return layer.file.path if layer is not None and layer.file is not None else None

    def changed(self, texts: Mapping[Way, str], added: Mapping[Way, str]) -> "Layers":
        """The same with other texts, and with further ones.

        Raises `CannotWrite` where no file can be shown to change in these alone.
        """
        contents: dict[str, bytes] = {}
        for file in {id(file): file for file, _, _ in map(self._text, texts)}.values():
            contents[file.path] = self._edited(file, texts)
        for way, text in added.items():
            layer = self._home(way)
            if layer is None or layer.file is None:
                raise CannotWrite(f"no file says {shown(way[:-1])}")
            if layer.document is not None and find(layer.document.root, "sops", "mac") is not None:
                raise CannotWrite("SOPS vouches for what is in the file")
            path, content = layer.file.path, contents.get(layer.file.path, layer.file.content)
            try:
                keys = [str(step) for step in way]
                contents[path] = insert(path, content, keys=keys, value=text, at=layer.position)
            except (CannotInsert, InvalidManifest) as error:
                raise CannotWrite(error.message) from error
        try:
            own = _again(self.own, contents) if self.own is not None else None
            layers = [own if own and each is self.own else _again(each, contents) for each in self.layers]
            if own is not None and own is not self.own and all(each is not own for each in layers):
                layers.append(own)
            return replace(_together(self.application, layers), own=own)
        except UnusableParameters as error:
            raise CannotWrite(error.message) from error

    def _edited(self, file: File, texts: Mapping[Way, str]) -> bytes:
        splices: list[Splice] = []
        intended: dict[Position, str] = {}
        for way, new in texts.items():
            its, position, node = self._text(way)
            if its is file:
                splices += edited(file, node, new)
                intended[position] = new
        content = apply(file.content, splices)
        try:
            prove(file, File.read(file.path, content), intended)
        except (ProofFailed, InvalidManifest) as error:
            raise CannotWrite(f"the edited file would not do: {error.message}") from error
        return content

    def _owner(self, way: Way) -> Layer | None:
        """The layer whose word holds; None where that is an Application that is in no file."""
        return next((layer for layer in reversed(self.layers) if layer.find(way) is not None), None)

    def _text(self, way: Way) -> tuple[File, Position, ScalarNode]:
        layer = self._owner(way)
        found = layer.find(way) if layer is not None else None
        if layer is None or layer.file is None or layer.document is None or found is None:
            raise CannotWrite("the Application is not in a file here")
        if is_mounted(layer.file.path):
            raise CannotWrite("it is in another repository, or on another branch")
        if not isinstance(found.node, ScalarNode):
            raise CannotWrite("it is no text")
        if layer.document.aliased and _uses(layer.document.root, found.node) > 1:
            raise CannotWrite("other places share it by an alias")
        if find(layer.document.root, "sops", "mac") is not None:
            raise CannotWrite("SOPS vouches for what is in the file")
        refuse_unwritable(layer.file, found.node)
        return layer.file, Position(layer.document.number, found.steps), found.node

    def _home(self, way: Way) -> Layer | None:
        """Of the layers that are the Application's alone, the last that says something on the way there.

        Where none does, the last of them.
        """
        alone = [
            layer
            for layer in (self.own, self.layers[0])
            if layer is not None and layer.file is not None and not is_mounted(layer.file.path)
        ]
        nearest = (layer for layer in alone if layer.find(way[:2]) is not None)
        return next(nearest, None) or next(iter(alone), None)


def files_of_layers(
    application: Application, source: Source, folder: str | None, tree: Tree
) -> frozenset[str]:
    """The files that say something of a source."""
    declared = {source.declared.path} if source.declared is not None else set()
    return frozenset(declared | set(_parameter_files(application, source, folder, tree)))


def read_layers(
    application: Application, source: Source, folder: str | None, *, tree: Tree, contents: Files
) -> Layers:
    """All that is said of a source, in files with these contents and by the Application.

    Where the Application is in a file, its word is that of the file. Raises `UnusableParameters`.
    """
    layers = [Layer() if source.declared is None else _layer(*source.declared, contents)]
    for path in _parameter_files(application, source, folder, tree):
        link = tree.link_towards(path)
        if link is not None:
            raise UnusableParameters(not_followed(link))
        layers.append(_layer(path, Position(0, ()), contents))
    together = _together(source, layers)
    if not any(map(may_be_elsewhere, together.source.helm.value_files)):
        return together
    return replace(together, own=_own(application, source, folder, tree=tree, layers=layers))


def shown(way: Way) -> str:
    """A way as people write it."""
    words = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in way)
    return one_line(words.removeprefix("."))


def _parameter_files(
    application: Application, source: Source, folder: str | None, tree: Tree
) -> Iterator[str]:
    if not source.path or source.chart or folder is None:
        return
    there = {entry.path for entry in tree.under(folder, recurse=False)}
    for name in (".argocd-source.yaml", _OWN_NAME.format(application.instance)):
        path = posixpath.join(folder, name)
        if path in there:
            yield path


def _own(
    application: Application, source: Source, folder: str | None, *, tree: Tree, layers: Sequence[Layer]
) -> Layer | None:
    """The parameter file of the Application alone; one that can be made has its first line."""
    if not source.path or folder is None or is_mounted(folder) or not is_writable(source):
        return None
    name = _OWN_NAME.format(application.instance)
    path = posixpath.join(folder, name)
    there = next((each for each in layers[1:] if each.file is not None and each.file.path == path), None)
    is_name = _INSTANCE.fullmatch(application.instance) and len(name) <= _LONGEST_NAME
    if there is not None or not is_name or any(tree.under(path, recurse=True)):
        return there
    return Layer(File.read(path, _FOR_WHOM.format(application.name).encode()))


def _together(application: Source, layers: Sequence[Layer]) -> Layers:
    said, whole = _amounting(application, layers[:1]), _amounting(application, layers)
    return Layers(source=whole, application=said, layers=tuple(layers))


def _amounting(source: Source, layers: Sequence[Layer]) -> Source:
    """What is said of a source all in all. Raises `UnusableParameters`."""
    if all(layer.file is None for layer in layers):
        return source
    said: Object = source.specification
    for layer in layers:
        if layer.file is None:
            continue
        path = one_line(layer.file.path)
        try:
            says = None if layer.root is None else decoded(content_of(layer.root.node))
            said = _application_says(says) if layer is layers[0] else merged(said, folded(says))
        except (CannotMerge, KeyIsNoText) as error:
            raise UnusableParameters(f"{path}: {error}") from error
    read = Source.project(said, place=source.place)
    return replace(
        source,
        blocks=read.blocks,
        directory=read.directory,
        helm=read.helm,
        kustomize=read.kustomize,
        overrides=read.overrides,
        said=read.said,
    )


def _application_says(said: object) -> Object:
    if not isinstance(said, Mapping):
        raise CannotMerge("it has no source of an Application where there was one")
    return said


def _layer(path: str, position: Position, contents: Files) -> Layer:
    """What a file says at a position."""
    content = contents.get(path)
    if content is None:
        raise UnusableParameters(f"{one_line(path)} is not a file that can be read")
    try:
        file = File.read(path, content)
        document = next((each for each in file.documents() if each.number == position.document), None)
        root = Found(position.steps, document.at(position.steps)) if document is not None else None
    except LookupError as error:
        raise UnusableParameters(f"{one_line(path)} says something else than it did") from error
    except InvalidManifest as error:
        raise UnusableParameters(error.message) from error
    return Layer(file, document, root)


def _again(layer: Layer, contents: Files) -> Layer:
    """The layer with the content that its file has now."""
    if layer.file is None or layer.file.path not in contents:
        return layer
    return _layer(layer.file.path, layer.position, contents)


def _inner(node: Node, step: str | int, *, exact: bool) -> Found | None:
    if isinstance(step, int):
        items = node.value if isinstance(node, SequenceNode) else ()
        return Found((step,), items[step]) if step < len(items) else None
    found = find(node, step)
    if found is not None or exact or not isinstance(node, MappingNode):
        return found
    keys = (key.value for key, _ in entries(node) if isinstance(key, ScalarNode))
    alike = next((key for key in keys if key.lower() == step.lower()), None)
    return find(node, alike) if alike is not None else None


def _uses(root: Node, wanted: Node) -> int:
    """In how many places of a document a node stands."""
    count, stack = 0, [root]
    while stack:
        node = stack.pop()
        count += node is wanted
        if isinstance(node, SequenceNode):
            stack += node.value
        elif isinstance(node, MappingNode):
            stack += [each for pair in node.value for each in pair]
    return count
