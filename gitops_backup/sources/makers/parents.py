"""An Application that renders others, of a chart or a kustomization, where these can be edited.

What a template says of an Application is no YAML before it is rendered, and what a kustomization lists may be
patched, so the Applications are read out of the rendering. The texts in question are those of manifests,
patches and values, and literals in templates that stand in lines of their own, with no braces in them.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Self

from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.content import decoded
from gitops_backup.sources.documents import File, InvalidManifest
from gitops_backup.sources.makers.pieces import Piece, literals_in, pieces_in
from gitops_backup.sources.mounts import Mounts, is_mounted
from gitops_backup.sources.objects import Object
from gitops_backup.sources.rendered import Difference, Rendered, differences
from gitops_backup.sources.rendering import Files, Renderer
from gitops_backup.sources.shapes import render_source
from gitops_backup.sources.trees import Tree

GROUP = "argoproj.io"


@dataclass(frozen=True, slots=True)
class Parent:
    """A source of an Application that others are rendered from.

    `read` has the contents of all files that it is rendered from, also of what is mounted; `home` is the
    namespace of the Argo CD that all of them belong to.
    """

    application: Application
    source: Source
    home: str
    tree: Tree
    read: Files
    mounts: Mounts
    renderer: Renderer

    def __str__(self) -> str:
        own = self.application
        return f"the Application {one_line(own.namespace)}/{one_line(own.name)}"

    @property
    def files(self) -> Mapping[str, bytes]:
        """Those of the commit."""
        return {path: content for path, content in self.read.items() if not is_mounted(path)}

    def pieces(self, names: AbstractSet[str]) -> list[Piece]:
        """Those in YAML and JSON; of what is neither, as templates are not, in lines that are of one."""
        found: list[Piece] = []
        for path, content in sorted(self.files.items()):
            if path.endswith(_EXTENSIONS):
                found += _pieces(path, content, names)
        return found

    def applications(self) -> Mapping[str, Object]:
        """The Applications that are rendered, by their instances' names. Raises a `GitopsBackupError`."""
        return {name: obj for name, obj in self._objects() if isinstance(obj.get("spec"), Mapping)}

    def with_files(self, changed: Mapping[str, bytes]) -> Self:
        """The same, rendered from other contents."""
        return replace(self, read={**self.read, **changed})

    def would_take(self, paths: AbstractSet[str]) -> frozenset[str]:
        """None that is not seen when it is rendered itself."""
        return frozenset()

    def is_beside(self, changed: Mapping[str, bytes]) -> bool:
        """Never known before it is rendered."""
        return False

    def changes(self, after: Self) -> Sequence[Difference]:
        """What changes in the Applications. Raises a `GitopsBackupError`."""
        return differences(self._applications(), after._applications())

    def _objects(self) -> Iterator[tuple[str, Object]]:
        for each in self._applications():
            obj = decoded(each.content)
            metadata = obj.get("metadata")
            named = metadata if isinstance(metadata, dict) else {}
            obj["metadata"] = {**named, "namespace": each.identity.namespace}
            yield Application.project(obj, argocd_namespace=self.home).instance, obj

    def _applications(self) -> list[Rendered]:
        rendered = render_source(
            self.application,
            self.source,
            tree=self.tree,
            contents=self.read,
            mounts=self.mounts,
            renderer=self.renderer,
        )
        return [each for each in rendered if each.identity[:2] == (GROUP, "Application")]


def _pieces(path: str, content: bytes, names: AbstractSet[str]) -> list[Piece]:
    try:
        file = File.read(path, content)
    except InvalidManifest:
        return []
    try:
        return [each for document in file.documents() for each in pieces_in(file, document.root, names)]
    except InvalidManifest:
        return literals_in(file, names)


_EXTENSIONS = (".yaml", ".yml", ".json", ".tpl")
