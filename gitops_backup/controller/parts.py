"""What is due on a branch: by Application, as one may be deployed from several branches."""

from collections.abc import Callable, Container
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

from gitops_backup.controller.messages import ImageChange
from gitops_backup.domain.reasons import Reason
from gitops_backup.sources.applications import Application, Declarer, Source
from gitops_backup.sources.places import (
    Place,
    has_manifests,
    is_writable,
    owner_of,
    places_of,
    says_something,
)
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
    found. `here` are the places that the branch stands for; by default those of the sources. `declarers` are
    sources on the branch that may have the Application's manifest; `undeclared` says why they have not. The
    `quiet` reasons are left to other branches to tell.
    """

    application: Application
    sources: tuple[Source, ...]
    due: tuple[DueChange, ...]
    elsewhere: bool = False
    here: frozenset[Place] | None = None
    declarers: tuple[Declarer, ...] = ()
    undeclared: str = ""
    quiet: frozenset[Reason] = frozenset()

    @property
    def places_here(self) -> frozenset[Place]:
        """The places that the branch stands for."""
        return frozenset(map(Place.of, self.sources)) if self.here is None else self.here

    def leaves(self, reason: Reason) -> bool:
        """Whether another branch is the one to tell that something cannot be written for a reason."""
        return reason in self.quiet or (self.elsewhere and reason == Reason.NOT_FOUND_IN_SOURCE)

    def without(self, refused: Container[ImageChange]) -> Self:
        """The part with some of the changes not due."""
        return replace(self, due=tuple(due for due in self.due if due.change not in refused))


class Share(NamedTuple):
    """What an Application has to do with a branch.

    `edited` are the sources that are edited on it, `read` the others that something of it is rendered into;
    the rest is as a part has it.
    """

    edited: tuple[Source, ...]
    read: tuple[Source, ...]
    elsewhere: bool
    here: frozenset[Place]
    declarers: tuple[Declarer, ...] = ()
    quiet: frozenset[Reason] = frozenset()

    @classmethod
    def of(cls, application: Application, is_here: Callable[[Source], bool]) -> Self:
        """The share of an Application; `is_here` tells whether a source names the branch itself."""
        declarers = tuple(each for each in application.declarers if is_here(each.source))
        own = [source for source in application.sources if is_here(source)]
        here = frozenset(Place.of(source) for source in (*own, *(each.source for each in declarers)))
        deploying = [source for source in application.sources if has_manifests(source)]
        owned = [source for source in deploying if Place.of(owner_of(application, source)) in here]
        declared = [
            source
            for source in deploying
            if (declarers or source.declared is not None) and says_something(application, source)
        ]
        edited = tuple(source for source in deploying if source in owned or source in declared)
        others = [source for source in deploying if source not in edited]
        read = tuple(source for source in others if places_of(application, source) & here)
        quiet: set[Reason] = set()
        if len(owned) < len(edited):  # what files say is written where they are
            quiet |= {Reason.NOT_FOUND_IN_SOURCE, Reason.UNSUPPORTED_SOURCE}
        if not declarers and any(is_writable(each.source) for each in application.declarers):
            quiet.add(Reason.OVERRIDDEN)
        return cls(
            edited,
            read,
            elsewhere=len(owned) < len(deploying),
            here=here,
            declarers=declarers if declared else (),
            quiet=frozenset(quiet),
        )

    def part(self, application: Application, due: tuple[DueChange, ...]) -> Part:
        """What is due for the sources that are edited."""
        return Part(
            application,
            self.edited,
            due,
            self.elsewhere,
            self.here,
            declarers=self.declarers,
            quiet=self.quiet,
        )

    def reader(self, application: Application, *, with_edited: bool) -> Part | None:
        """The sources for which nothing is due, and which are rendered from the branch, if there are any."""
        sources = (*self.edited, *self.read) if with_edited else self.read
        return Part(application, sources, (), here=self.here, declarers=self.declarers) if sources else None
