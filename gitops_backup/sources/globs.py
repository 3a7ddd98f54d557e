"""The glob patterns of a Directory source's `include` and `exclude`.

Argo CD matches them with github.com/gobwas/glob and names no separator, so `*` and `**` alike stand for any
characters, slashes too. `?` is any character, `[abc]` and `[!abc]` are lists, `[a-z]` and `[!a-z]` are one
range, `{a,b}` are alternatives, which may hold patterns, and a backslash takes the next character literally
(syntax/lexer.go and parse.go of version 1.0 there, which Argo CD 3.6 uses). A pattern that it cannot parse
matches nothing (util/glob/glob.go in Argo CD).

Patterns come from people who may mean harm, so nothing here backtracks: a match takes time in proportion to
the lengths of the pattern and of the text.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


class InvalidGlob(ValueError):
    """The pattern is none, in a way that the library that Argo CD uses finds out, too."""


class Glob:
    """A pattern. Raises `InvalidGlob` where it is none."""

    def __init__(self, pattern: str) -> None:
        self._parts = _Parser(pattern).sequence(level=0)

    def matches(self, text: str) -> bool:
        """Whether the whole text is as the pattern says."""
        return len(text) in _through(self._parts, text, {0})


class _Part(Protocol):
    """A piece of a pattern."""

    def ends(self, text: str, starts: set[int]) -> set[int]:
        """Where it may end, beginning at any of these offsets."""


@dataclass(frozen=True, slots=True)
class _Text:
    literal: str

    def ends(self, text: str, starts: set[int]) -> set[int]:
        return {at + len(self.literal) for at in starts if text.startswith(self.literal, at)}


@dataclass(frozen=True, slots=True)
class _Anything:
    def ends(self, text: str, starts: set[int]) -> set[int]:
        return set(range(min(starts), len(text) + 1)) if starts else set()


@dataclass(frozen=True, slots=True)
class _Character:
    """One character: any, or one that is (or is not) among the given ones, or within a range."""

    among: str = ""
    low: str = ""
    high: str = ""
    negated: bool = False

    def ends(self, text: str, starts: set[int]) -> set[int]:
        return {at + 1 for at in starts if at < len(text) and self._fits(text[at])}

    def _fits(self, character: str) -> bool:
        if not self.among and not self.low:
            return True
        listed = self.low <= character <= self.high if self.low else character in self.among
        return listed != self.negated


@dataclass(frozen=True, slots=True)
class _Alternatives:
    choices: tuple[tuple[_Part, ...], ...]

    def ends(self, text: str, starts: set[int]) -> set[int]:
        return {end for choice in self.choices for end in _through(choice, text, starts)}


def _through(parts: Iterable[_Part], text: str, starts: set[int]) -> set[int]:
    for part in parts:
        starts = part.ends(text, starts)
    return starts


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def sequence(self, *, level: int) -> tuple[_Part, ...]:
        """What stands up to the end, or, within braces, up to the next comma or the closing brace."""
        if level > _DEEPEST:
            raise InvalidGlob(self._pattern)
        parts: list[_Part] = []
        while self._at < len(self._pattern):
            character = self._pattern[self._at]
            if level and character in ",}":
                break
            if character in "*?[{":
                self._at += 1
                parts.append(self._special(character, level))
            else:
                parts.append(_Text(self._text("*?[{,}" if level else "*?[{")))
        return tuple(parts)

    def _special(self, character: str, level: int) -> _Part:
        if character == "*":
            self._at += self._pattern.startswith("*", self._at)
            return _Anything()
        if character == "?":
            return _Character()
        return self._list() if character == "[" else self._alternatives(level + 1)

    def _alternatives(self, level: int) -> _Alternatives:
        choices = [self.sequence(level=level)]
        while (after := self._take()) == ",":
            choices.append(self.sequence(level=level))
        if not after:
            raise InvalidGlob(self._pattern)
        return _Alternatives(tuple(choices))

    def _list(self) -> _Character:
        negated = self._pattern.startswith("!", self._at)
        self._at += negated
        if self._pattern[self._at + 1 : self._at + 2] == "-":
            low, high = self._take(), self._take(skip=1)
            part = _Character(low=low, high=high, negated=negated)
            if not high or high < low:
                raise InvalidGlob(self._pattern)
        else:
            part = _Character(among=self._text("]"), negated=negated)
            if not part.among:
                raise InvalidGlob(self._pattern)
        if self._take() != "]":
            raise InvalidGlob(self._pattern)
        return part

    def _text(self, breakers: Sequence[str]) -> str:
        taken = ""
        while self._at < len(self._pattern) and self._pattern[self._at] not in breakers:
            self._at += self._pattern[self._at] == "\\"
            if self._at == len(self._pattern):
                raise InvalidGlob(self._pattern)
            taken += self._take()
        return taken

    def _take(self, *, skip: int = 0) -> str:
        taken = self._pattern[self._at + skip : self._at + skip + 1]
        self._at += skip + 1
        return taken


_DEEPEST = 50
