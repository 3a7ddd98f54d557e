"""Where a source of an Application is written, when its Application is itself a file in Git."""

from typing import NamedTuple

from gitops_backup.sources.documents import Position


class Declaration(NamedTuple):
    """The file, by its path, and the place of the source's own mapping in it."""

    path: str
    position: Position
