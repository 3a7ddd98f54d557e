"""How the images that Applications deploy are put together, as marks show it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from gitops_backup.sources.composed.compositions import Composition
from gitops_backup.sources.makers.pieces import Piece
from gitops_backup.sources.rendered import RenderedImage

User = tuple[str, RenderedImage]
"""An image, and the name of the Application that deploys it."""


@dataclass(frozen=True)
class Findings:
    """How images are put together, what each becomes if it changes, and where else texts come out."""

    compositions: Mapping[User, Composition[Piece]]
    targets: Mapping[User, str]
    strays: Mapping[Piece, str]

    def groups(self) -> Iterator[Mapping[User, Composition[Piece]]]:
        """The images in groups that have no text in common."""
        left = dict(self.compositions)
        while left:
            group: dict[User, Composition[Piece]] = {}
            reached = [next(iter(left))]
            while reached:
                user = reached.pop()
                composition = left.pop(user, None)
                if composition is None:
                    continue
                group[user] = composition
                reached += (u for segment in composition.segments for u in self._users[segment.piece])
            yield group

    @cached_property
    def _users(self) -> dict[Piece, list[User]]:
        users: dict[Piece, list[User]] = {}
        for user, composition in self.compositions.items():
            for segment in composition.segments:
                users.setdefault(segment.piece, []).append(user)
        return users
