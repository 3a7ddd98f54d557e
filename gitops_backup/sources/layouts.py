"""Where in a tree the paths lead that a source says: its own, those of other sources, files by URL."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.mounts import Mounts
from gitops_backup.sources.places import Place, is_url
from gitops_backup.sources.trees import folder_of

NAME_OF_FILE = "values.yaml"
"""What a file by URL is called in its folder."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A source's `folder`, and the `root` of what that is a folder of, both as the tree has them.

    `refs` has the root of each source that is called by a name, `urls` the path of each file by its URL.
    `name` is what messages call the source, empty for its folder's name.
    """

    folder: str
    root: str = ""
    refs: Mapping[str, str] = field(default_factory=dict)
    urls: Mapping[str, str] = field(default_factory=dict)
    name: str = ""


def layout_of(application: Application, source: Source, mounts: Mounts) -> Layout | None:
    """The layout of a source; None where its path leads out of the repository."""
    inside = folder_of(source.path)
    if inside is None:
        return None
    root = mounts.root(Place.of(source))
    return Layout(
        folder=posixpath.join(root, inside).rstrip("/"),
        root=root,
        refs={each.ref: mounts.root(Place.of(each)) for each in application.sources if each.ref},
        urls={
            raw: posixpath.join(mounts.root(Place.of_file(raw)), NAME_OF_FILE)
            for raw in source.helm.paths
            if is_url(raw)
        },
        name=f"the chart {one_line(source.chart)}" if source.chart else "",
    )
