"""Marks in texts, by which one sees where each comes out of a renderer.

A mark is set behind what there is of an image's name, so that what is rendered is as before but for the
marks. Letters and digits alone: whatever takes a name takes it with a mark. The stem of all marks is made of
what is to be marked, so that nothing in there can be taken for one.
"""

import re
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from hashlib import sha256
from typing import Protocol, TypeVar

from gitops_backup.sources.composed.compositions import Composition, Segment
from gitops_backup.sources.content import Bare, Value
from gitops_backup.sources.rendered import Rendered, Way, described
from gitops_backup.sources.replacements import ObjectId

_STEM = 8
_DIGITS = 4


class Named(Hashable, Protocol):
    """A text that may be a part of an image's name: the part that `name` says."""

    @property
    def name(self) -> str:
        """What of it comes before the mark."""


AnyText = TypeVar("AnyText", bound=Named)


class Marks:
    """Marks for these contents."""

    def __init__(self, contents: Iterable[bytes]) -> None:
        digest = sha256()
        for content in contents:
            digest.update(content)
        self._stem = f"z{digest.hexdigest()[:_STEM]}z"
        self._pattern = re.compile(rf"{self._stem}([0-9]{{{_DIGITS}}})")

    def mark(self, number: int) -> str:
        """The mark with this number, which is below 10,000."""
        return f"{self._stem}{number:0{_DIGITS}}"

    def without(self, marked: ObjectId) -> ObjectId:
        """The object whose name, or whatever else of it, has marks in it."""
        return ObjectId(*(self._pattern.sub("", part) for part in marked))

    def composition(self, name: str, marked: str, texts: Sequence[AnyText]) -> Composition[AnyText] | None:
        """How an image's name is put together, which comes out as `marked` when each text has its mark.

        None where that cannot be told: a template does more with a text than to print it.
        """
        segments: list[Segment[AnyText]] = []
        removed = 0
        for match in self._pattern.finditer(marked):
            end = match.start() - removed
            removed += len(match[0])
            if int(match[1]) >= len(texts):
                return None
            text = texts[int(match[1])]
            start = end - len(text.name)
            if (
                end > len(name)
                or start < (segments[-1].end if segments else 0)
                or name[start:end] != text.name
            ):
                return None
            segments.append(Segment(text, start, end))
        if not self._pattern.sub("", marked).startswith(name):
            return None
        return Composition(name, tuple(segments))

    def strays(
        self, rendering: Iterable[Rendered], texts: Sequence[AnyText], *, allowed: AbstractSet[str]
    ) -> Mapping[AnyText, str]:
        """The texts that come out where something else stands than one of these, and a place of each."""
        strays: dict[AnyText, str] = {}
        for rendered in rendering:
            for steps, value in _scalars(rendered.content):
                for match in self._pattern.finditer(value):
                    if int(match[1]) < len(texts) and self._pattern.sub("", value) not in allowed:
                        where = (
                            f"{self.without(rendered.identity)}, {self._pattern.sub('', described(steps))}"
                        )
                        strays.setdefault(texts[int(match[1])], where)
        return strays


def _scalars(content: Value) -> Iterator[tuple[Way, str]]:
    """All texts in an object, keys among them, with the ways to them."""
    stack: list[tuple[Way, Value]] = [((), content)]
    while stack:
        steps, value = stack.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                yield (*steps, key), key
                stack.append(((*steps, key), inner))
        elif isinstance(value, list):
            stack += [((*steps, number), item) for number, item in enumerate(value)]
        elif isinstance(value, str | Bare):
            yield steps, value if isinstance(value, str) else value.text
