"""What is due on a branch: by Application, as one may be deployed from several branches."""

from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Self

from gitops_backup.controller.messages import ImageChange
from gitops_backup.sources.applications import Application, Source


@dataclass(frozen=True, slots=True)
class DueChange:
    """A change that is due, and whether its container is an init container."""

    change: ImageChange
    init: bool


@dataclass(frozen=True, slots=True)
class Part:
    """What is due for one Application, and those of its sources that are on the branch, in its order.

    `elsewhere` says that it has sources on other branches too, where a workload may be found.
    """

    application: Application
    sources: tuple[Source, ...]
    due: tuple[DueChange, ...]
    elsewhere: bool = False

    def without(self, refused: Container[ImageChange]) -> Self:
        """The part with some of the changes not due."""
        return replace(self, due=tuple(due for due in self.due if due.change not in refused))
