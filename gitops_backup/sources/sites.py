"""Where a source is rendered: a folder of a commit, for one Application."""

from dataclasses import dataclass

from gitops_backup.sources.inline.layers import Layers
from gitops_backup.sources.layouts import Layout
from gitops_backup.sources.rendering import Files, Renderer
from gitops_backup.sources.trees import Tree


@dataclass(frozen=True, slots=True)
class Site:
    """A folder of a commit, and what it takes to render it for an Application.

    `release` is the Application's name, and `namespace` the one that it deploys to. `contents` has the bytes
    of what the source is read from; a file of `tree` that is not there cannot be read. `layers` are what
    the Application itself says of the source, and files beside what it deploys. `last_resort` says that these
    are the only ones in Git that could say what nobody says yet.
    """

    layout: Layout
    release: str
    namespace: str
    tree: Tree
    contents: Files
    renderer: Renderer
    layers: Layers
    last_resort: bool = False

    @property
    def folder(self) -> str:
        """The folder, as the tree has it."""
        return self.layout.folder
