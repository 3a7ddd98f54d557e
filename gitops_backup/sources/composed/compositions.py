"""How images are put together from values, and which values to change so that they become others.

A chart writes an image's name in one piece or in several, and one piece may be part of many images. From
renderings it is known which pieces stand where in each image. To give an image another name, as few of its
pieces are changed as will do; each other image that such a piece is part of has to become its own copy with
it, perhaps by changing other pieces of it, and so on.
"""

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Generic, TypeVar

from gitops_backup.errors import GitopsBackupError

Piece = TypeVar("Piece", bound=Hashable)
User = TypeVar("User", bound=Hashable)

_MOST_CHANGED = 3
"""How many pieces of one image are changed at most: a host, a path and a name."""

_MOST_PIECES = 6
"""How many pieces an image may have that could be changed: whoever has more means harm."""


@dataclass(frozen=True, slots=True)
class Segment(Generic[Piece]):
    """A piece, and where it stands in the text of an image."""

    piece: Piece
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Composition(Generic[Piece]):
    """An image's text, up to its tag or digest, and the pieces in it, in their order and apart."""

    name: str
    segments: tuple[Segment[Piece], ...]

    @property
    def added(self) -> list[str]:
        """What is of no piece, but for the slashes around it."""
        starts = [0, *(segment.end for segment in self.segments)]
        ends = [*(segment.start for segment in self.segments), len(self.name)]
        gaps = (self.name[start:end].strip("/") for start, end in zip(starts, ends, strict=True))
        return [gap for gap in gaps if gap]

    def spelled(self, texts: Mapping[Piece, str]) -> str:
        """The name with other texts for some of the pieces."""
        parts, at = [], 0
        for segment in self.segments:
            old = self.name[segment.start : segment.end]
            parts += [self.name[at : segment.start], texts.get(segment.piece, old)]
            at = segment.end
        return "".join([*parts, self.name[at:]])


class NotWritable(GitopsBackupError, Generic[User]):
    """No change of pieces makes an image what it has to be. `user` is the image that stands against it."""

    def __init__(self, user: User) -> None:
        super().__init__("no change of values makes the image what it has to be")
        self.user = user


class NoCopy(GitopsBackupError, Generic[Piece, User]):
    """A piece is also part of an image that has no copy."""

    def __init__(self, user: User, piece: Piece) -> None:
        super().__init__("a value is also part of an image that has no copy")
        self.user = user
        self.piece = piece


def solve(
    user: User,
    compositions: Mapping[User, Composition[Piece]],
    targets: Mapping[User, str],
    *,
    changed: Mapping[Piece, str],
    fixed: frozenset[Piece],
) -> Mapping[Piece, str]:
    """The texts of all pieces that change so that an image, and those that change with it, become right.

    `targets` has the name that each image becomes if it changes at all. What was `changed` before stays as it
    was changed, and `fixed` pieces as they are. Raises `NotWritable` or `NoCopy`.
    """
    first: NotWritable[User] | NoCopy[Piece, User] | None = None
    for texts in _spellings(compositions.get(user), targets.get(user), changed, fixed):
        try:
            return _with_all_others(texts, compositions, targets, fixed)
        except (NotWritable, NoCopy) as error:
            first = first or error
    raise first or NotWritable(user)


def _with_all_others(
    texts: Mapping[Piece, str],
    compositions: Mapping[User, Composition[Piece]],
    targets: Mapping[User, str],
    fixed: frozenset[Piece],
) -> Mapping[Piece, str]:
    while True:
        for user, composition in compositions.items():
            name = composition.spelled(texts)
            if name in (composition.name, targets.get(user)):
                continue
            if user not in targets:
                raise NoCopy(user, next(s.piece for s in composition.segments if s.piece in texts))
            spelling = next(_spellings(composition, targets[user], texts, fixed), None)
            if spelling is None:
                raise NotWritable(user)
            texts = spelling
            break
        else:
            return texts


def _spellings(
    composition: Composition[Piece] | None,
    target: str | None,
    changed: Mapping[Piece, str],
    fixed: frozenset[Piece],
) -> Iterator[Mapping[Piece, str]]:
    """The ways to spell a name, those that change the fewest pieces first.

    Of these, the first is that in which pieces without a slash get none: a template may ask for one, to tell
    a name from a whole reference, and to people a piece is a host, a folder or a name.
    """
    if composition is None or target is None:
        return
    free = list(dict.fromkeys(s.piece for s in composition.segments if s.piece not in fixed | changed.keys()))
    if len(free) > _MOST_PIECES:
        return
    for count in range(min(len(free), _MOST_CHANGED) + 1):
        for chosen in combinations(free, count):
            if _run_together(composition, chosen):
                continue
            for alike in (True, False):
                match = re.fullmatch(_pattern(composition, changed, chosen, alike=alike), target)
                if match:
                    yield {**changed, **{piece: match[f"p{n}"] for n, piece in enumerate(chosen)}}


def _run_together(composition: Composition[Piece], chosen: Sequence[Piece]) -> bool:
    """Whether two of these pieces stand side by side with no slash between, so that any split would do."""
    return any(
        first.piece in chosen and second.piece in chosen and first.end == second.start
        for first, second in pairwise(composition.segments)
        if composition.name[second.start] != "/"
    )


def _pattern(
    composition: Composition[Piece], changed: Mapping[Piece, str], chosen: Sequence[Piece], *, alike: bool
) -> str:
    """A pattern with a group for each chosen piece; where they are `alike`, slashes are where they were."""
    parts, at = [], 0
    met: set[Piece] = set()
    for segment in composition.segments:
        parts.append(re.escape(composition.name[at : segment.start]))
        old = composition.name[segment.start : segment.end]
        if segment.piece not in chosen:
            parts.append(re.escape(changed.get(segment.piece, old)))
        elif segment.piece in met:
            parts.append(f"(?P=p{chosen.index(segment.piece)})")
        else:
            # the shortest for the first: a host has no slash, and what comes behind it may
            group = "[^/]+" if alike and "/" not in old else "[^/](?:.*?[^/])??"
            group = f"/{group}" if old.startswith("/") else group
            parts.append(f"(?P<p{chosen.index(segment.piece)}>{group})")
            met.add(segment.piece)
        at = segment.end
    return "".join([*parts, re.escape(composition.name[at:])])
