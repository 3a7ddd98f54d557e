"""What is due on a branch: by Application, as one may be deployed from several branches."""

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from gitops_backup.controller.messages import ImageChange
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.places import Place, has_manifests, owner_of, places_of
from gitops_backup.sources.replacements import ObjectId, Replacement


@dataclass(frozen=True, slots=True)
class DueChange:
    """A change that is due, and whether its container is an init container."""

    change: ImageChange
    init: bool

    @property
    def replacement(self) -> Replacement:
        """What is asked of a source."""
        change = self.change
        return Replacement(
            workload=ObjectId.of(change.workload),
            container=change.container,
            init=self.init,
            old=change.source,
            new=str(change.backup),
        )


@dataclass(frozen=True, slots=True)
class Part:
    """What is due for one Application, and those of its sources that are edited on the branch, in its order.

    `elsewhere` says that it has sources that are edited on other branches, too, where a workload may be
    found. `here` are the places that the branch stands for; by default those of the sources.
    """

    application: Application
    sources: tuple[Source, ...]
    due: tuple[DueChange, ...]
    elsewhere: bool = False
    here: frozenset[Place] | None = None

    @property
    def places_here(self) -> frozenset[Place]:
        """The places that the branch stands for."""
        return frozenset(map(Place.of, self.sources)) if self.here is None else self.here

    def without(self, refused: Container[ImageChange]) -> Self:
        """The part with some of the changes not due."""
        return replace(self, due=tuple(due for due in self.due if due.change not in refused))


class Share(NamedTuple):
    """What an Application has to do with a branch.

    `edited` are the sources that are edited on it, `read` the others that something of it is rendered into;
    `here` and `elsewhere` are as a part has them.
    """

    edited: tuple[Source, ...]
    read: tuple[Source, ...]
    elsewhere: bool
    here: frozenset[Place]

    @classmethod
    def of(cls, application: Application, is_here: Callable[[Source], bool]) -> Self:
        """The share of an Application; `is_here` tells whether a source names the branch itself."""
        here = frozenset(Place.of(source) for source in application.sources if is_here(source))
        if not here:
            return cls((), (), elsewhere=True, here=here)
        deploying = [source for source in application.sources if has_manifests(source)]
        edited = tuple(source for source in deploying if Place.of(owner_of(application, source)) in here)
        others = [source for source in deploying if source not in edited]
        read = tuple(source for source in others if places_of(application, source) & here)
        return cls(edited, read, elsewhere=bool(others), here=here)

    def part(self, application: Application, due: tuple[DueChange, ...]) -> Part:
        """What is due for the sources that are edited."""
        return Part(application, self.edited, due, self.elsewhere, self.here)

    def reader(self, application: Application, *, with_edited: bool) -> Part | None:
        """The sources for which nothing is due, and which are rendered from the branch, if there are any."""
        sources = (*self.edited, *self.read) if with_edited else self.read
        return Part(application, sources, (), here=self.here) if sources else None
