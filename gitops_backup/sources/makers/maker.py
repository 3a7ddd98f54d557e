"""What makes Applications of files: an ApplicationSet, or an Application that deploys others."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol, Self

from gitops_backup.sources.makers.pieces import Piece
from gitops_backup.sources.objects import Object
from gitops_backup.sources.rendered import Difference


class Maker(Protocol):
    """A function of files to Applications, which says its name when it is printed."""

    @property
    def files(self) -> Mapping[str, bytes]:
        """The files of the commit that it looks at, as far as they may be changed."""

    def pieces(self, names: AbstractSet[str]) -> list[Piece]:
        """The texts in these files that may be parts of these images' names."""

    def applications(self) -> Mapping[str, Object]:
        """What it makes, by names. Raises a `GitopsBackupError` where not all of that can be told."""

    def with_files(self, changed: Mapping[str, bytes]) -> Self:
        """The same with other contents of some of its files. Raises a `GitopsBackupError`."""

    def would_take(self, paths: AbstractSet[str]) -> frozenset[str]:
        """Those of these files that are new, and that it would make something of unasked."""

    def is_beside(self, changed: Mapping[str, bytes]) -> bool:
        """Whether these contents of files change something else in them than what it looks at."""

    def changes(self, after: Self) -> Sequence[Difference]:
        """What changes in the Applications where their maker is itself rendered: not for a set.

        Raises a `GitopsBackupError`.
        """
