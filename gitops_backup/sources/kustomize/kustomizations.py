"""A kustomization file as kustomize reads it.

The first document alone counts. Keys may be written in any letter case, because kustomize turns YAML into
JSON, and Go reads keys of JSON so; of two that differ in nothing else kustomize makes a mixture, so such a
file is refused here. A folder has one such file, by one of three names (api/konfig/general.go).

For a rendering that is to differ from what is committed, a kustomization is written anew, as a value in
YAML's flow style. What is committed is never written like that.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from yaml.nodes import MappingNode, Node

from gitops_backup.errors import one_line
from gitops_backup.sources.content import Bare, KeyIsNoText, Value, content_of
from gitops_backup.sources.documents import File, InvalidManifest, line_of
from gitops_backup.sources.mappings import entries
from gitops_backup.sources.trees import Entry, Tree

FILE_NAMES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

Fields = Mapping[str, Value]
"""What a kustomization says, by the names of its fields in lower case."""


@dataclass(frozen=True, slots=True)
class Kustomization:
    """A kustomization file; `nodes` are the values of its fields by their names in lower case."""

    file: File
    root: MappingNode
    nodes: Mapping[str, Node]

    @classmethod
    def read(cls, path: str, content: bytes) -> Self:
        """The file with this content. Raises `InvalidManifest`."""
        file = File.read(path, content)
        document = next(file.documents(), None)
        if document is None or not isinstance(document.root, MappingNode):
            raise InvalidManifest(path, 1, 1, "expected a kustomization, which is a mapping")
        return cls(file, document.root, folded(document.root, path))

    @property
    def path(self) -> str:
        """Where it is in the repository."""
        return self.file.path

    def fields(self) -> dict[str, Value]:
        """What it says. Raises `InvalidManifest`."""
        return {name: value_of(node, self.path) for name, node in self.nodes.items()}


def kustomization_files(folder: str, tree: Tree) -> list[Entry]:
    """What there is in a folder by a name that kustomize looks for: it wants exactly one."""
    entries = tree.under(folder, recurse=False)
    return [entry for entry in entries if entry.path.rpartition("/")[2] in FILE_NAMES]


def described(path: str) -> str:
    """A folder, for people."""
    return one_line(path) or "the repository's root"


def folded(node: Node, path: str) -> Mapping[str, Node]:
    """The values of a mapping by their keys in lower case. Raises `InvalidManifest` where it is none."""
    if not isinstance(node, MappingNode):
        raise InvalidManifest(path, line_of(node), 1, "expected a mapping")
    found: dict[str, Node] = {}
    for key, value in entries(node):
        name = str(key.value).lower()
        if name in found:
            raise InvalidManifest(path, line_of(key), 1, f"the key {name} is there in two letter cases")
        found[name] = value.node
    return found


def value_of(node: Node, path: str) -> Value:
    """What a node stands for. Raises `InvalidManifest`."""
    try:
        return content_of(node)
    except KeyIsNoText as error:
        raise InvalidManifest(path, error.line, 1, "a key is no text") from error


def in_flow_style(value: Value) -> str:
    """A value as YAML that says just that."""
    if isinstance(value, Mapping):
        pairs = (f"{_quoted(str(key))}: {in_flow_style(item)}" for key, item in value.items())
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(in_flow_style, value))}]"
    if isinstance(value, Bare):
        tag, _, text = value.text.rpartition(" ") if value.text.startswith(_TAG) else ("", "", value.text)
        return f"!<{tag}> {_quoted(text)}" if tag else text or "null"
    return _quoted(str(value))


def _quoted(text: str) -> str:
    return '"' + _SPECIAL.sub(lambda found: f"\\U{ord(found[0]):08x}", text) + '"'


_TAG = ("tag:", "!")
_SPECIAL = re.compile(r"[^ !#-\[\]-~]")
