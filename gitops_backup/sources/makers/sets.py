"""An ApplicationSet that can be edited: what it makes follows from its manifest and its generators' files."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Self

from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.applicationsets.generators import Surroundings
from gitops_backup.sources.applicationsets.sets import ApplicationSet, Evaluation, evaluate, read_sets
from gitops_backup.sources.documents import File
from gitops_backup.sources.makers.pieces import Piece, pieces_in, root_of
from gitops_backup.sources.objects import Object
from gitops_backup.sources.rendered import Difference
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.trees import with_files


class NotAllKnown(GitopsBackupError):
    """Not all that a set generates can be told."""


@dataclass(frozen=True, slots=True)
class SetMaker:
    """A set, and what it generates.

    `around` has the contents of the set's manifest, where that can be written, and of its generators' files.
    """

    set: ApplicationSet
    around: Surroundings
    renderer: Renderer
    evaluation: Evaluation

    @classmethod
    def of(cls, own: ApplicationSet, around: Surroundings, *, renderer: Renderer) -> Self:
        """The set, evaluated."""
        return cls(own, around, renderer, evaluate(own, around, renderer=renderer))

    def __str__(self) -> str:
        return str(self.set)

    @property
    def files(self) -> Mapping[str, bytes]:
        """Those that were read for it, and its manifest."""
        return self.around.contents

    def pieces(self, names: AbstractSet[str]) -> list[Piece]:
        """Those in what the set says of itself, and in the files that its generators took something from."""
        found: list[Piece] = []
        for file, document, steps in self._said():
            found += pieces_in(file, root_of(file, document, steps), names)
        return found

    def applications(self) -> Mapping[str, Object]:
        """What the set generates. Raises `NotAllKnown`."""
        evaluation = self.evaluation
        if evaluation.problems or evaluation.unread:
            what = next(iter(evaluation.problems), "a file is not there").removeprefix(f"{self}: ")
            raise NotAllKnown(what)
        return {each.name: each.application for each in evaluation.generated}

    def with_files(self, changed: Mapping[str, bytes]) -> Self:
        """The set, evaluated once more. Raises `InvalidManifest`."""
        if not changed:
            return self
        own = self.set
        if own.path in changed:
            found = read_sets(own.path, changed[own.path], namespace=own.namespace)
            own = next(each for each in found if each.position == own.position)
        around = replace(self.around, contents={**self.around.contents, **changed})
        return self.of(own, around, renderer=self.renderer)

    def would_take(self, paths: AbstractSet[str]) -> frozenset[str]:
        """Those that fit a pattern of its generators.

        What is filled into a pattern may be another text than here, where it rests on clusters that somebody
        lists, or cannot be told: then all that could be filled in counts.
        """
        tree = with_files(self.around.tree, paths)
        if tree is self.around.tree:
            return frozenset()
        if self.set.asks_for_clusters or self.evaluation.problems:
            there = {entry.path for entry in self.around.tree.under("", recurse=True)}
            return frozenset(path for path in paths - there if self.set.may_read(path))
        around = replace(self.around, tree=tree)
        return evaluate(self.set, around, renderer=self.renderer).unread & paths

    def is_beside(self, changed: Mapping[str, bytes]) -> bool:
        """Whether its manifest's file alone changes, and something else there. Raises `InvalidManifest`."""
        own = self.set
        return set(changed) == {own.path} and own in read_sets(
            own.path, changed[own.path], namespace=own.namespace
        )

    def changes(self, after: Self) -> Sequence[Difference]:
        """None: a set generates Applications, and renders nothing."""
        return ()

    def _said(self) -> Iterator[tuple[File, int, tuple[int, ...]]]:
        """The files in which the set says something, and the node there that does."""
        own, contents = self.set, self.around.contents
        if own.path in contents:
            yield File.read(own.path, contents[own.path]), own.position.document, own.position.steps
        origins = {origin.path for each in self.evaluation.generated for origin in each.origins}
        for path in sorted(origins):
            if path and path != own.path:
                yield File.read(path, contents[path]), 0, ()
