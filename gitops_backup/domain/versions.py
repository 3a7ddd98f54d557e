"""Versions, and ranges of them, as Argo CD and Helm read them (Masterminds/semver 3.4).

A version may lack its later numbers and have a `v` in front. A range is made of alternatives (`||`), each of
conditions that all hold, with commas or blanks between them. Versions before a release (`1.0.0-rc.1`) fit
only where a condition of the same alternative names one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import total_ordering
from typing import Self

_LONGEST = 256


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A version; what comes behind a `+` does not count."""

    numbers: tuple[int, int, int]
    before: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None for what is no version."""
        match = _VERSION.fullmatch(text) if len(text) <= _LONGEST else None
        if match is None:
            return None
        major, minor, patch, before = match.groups()
        return cls((int(major), int(minor or 0), int(patch or 0)), _parts(before))

    def __lt__(self, other: "Version") -> bool:
        """Whether it is the earlier one; a number comes before a word."""
        if self.numbers != other.numbers or not (self.before and other.before):
            return (self.numbers, not self.before) < (other.numbers, not other.before)
        return _order(self.before) < _order(other.before)


@dataclass(frozen=True, slots=True)
class Range:
    """Alternatives of conditions."""

    alternatives: "tuple[tuple[_Condition, ...], ...]"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None for what is no range; an empty text fits every release."""
        if len(text) > _LONGEST:
            return None
        whole = _HYPHEN.sub(r">= \1, <= \2 ", text) if text.strip() else "*"
        found = [_conditions(part) for part in whole.split("||")]
        alternatives = tuple(each for each in found if each is not None)
        return cls(alternatives) if len(alternatives) == len(found) else None

    def __contains__(self, version: Version) -> bool:
        """Whether a version fits."""
        return any(
            all(condition.holds(version) for condition in conditions)
            for conditions in self.alternatives
            if not version.before or any(condition.bound.before for condition in conditions)
        )


def newest(wanted: str, offered: Iterable[str]) -> str | None:
    """The version that is called so, or else the newest that fits; None where there is none."""
    names = list(offered)
    if wanted in names:
        return wanted
    fitting = Range.parse(wanted)
    known = [(version, name) for name in names if (version := Version.parse(name)) is not None]
    found = [(version, name) for version, name in known if fitting is not None and version in fitting]
    return max(found, key=lambda each: each[0])[1] if found else None


def is_version(text: str) -> bool:
    """Whether a text names one version with all its numbers, and no range."""
    return _WHOLE.fullmatch(text) is not None and Version.parse(text) is not None


@dataclass(frozen=True, slots=True)
class _Condition:
    """A comparison with a version of which only the first `given` numbers are said."""

    operator: str
    bound: Version
    given: int

    def holds(self, version: Version) -> bool:
        numbers, bound = version.numbers, self.bound.numbers
        alike = numbers[: self.given] == bound[: self.given]
        match self.operator:
            case "" | "=" if self.given == 3:
                return version == self.bound
            case "!=":
                return not alike if 0 < self.given < 3 else version != self.bound
            case ">":
                whole = self.given in (0, 3)
                return version > self.bound if whole else numbers[: self.given] > bound[: self.given]
            case "<":
                return version < self.bound
            case ">=" | "=>":
                return version >= self.bound
            case "<=" | "=<":
                if self.given == 3:
                    return version <= self.bound
                return numbers[: self.given or 2] <= bound[: self.given or 2]
            case "^":
                return version >= self.bound and self._same_until_first_number(numbers)
        any_at_all = self.given in (0, 3) and not any(bound)
        return version >= self.bound and (any_at_all or self._same_but_last(numbers))

    def _same_until_first_number(self, numbers: tuple[int, int, int]) -> bool:
        """Whether all agrees up to the first number that is not zero, or the last that is said."""
        bound = self.bound.numbers
        first = next((place for place, number in enumerate(bound) if number), 2)
        count = min(first + 1, self.given or 3)
        return numbers[:count] == bound[:count]

    def _same_but_last(self, numbers: tuple[int, int, int]) -> bool:
        count = min(self.given, 2)
        return numbers[:count] == self.bound.numbers[:count]


def _conditions(text: str) -> tuple[_Condition, ...] | None:
    found: list[_Condition] = []
    position = 0
    while True:
        match = _CONDITION.match(text, position)
        if match is None:
            return None
        operator, *numbers, before = match.groups()
        said: list[int] = []
        for number in numbers:
            if number is None or number in ("x", "X", "*"):
                break
            if not number.isdecimal():
                return None
            said.append(int(number))
        padded = (*said, 0, 0, 0)
        found.append(
            _Condition(operator, Version((padded[0], padded[1], padded[2]), _parts(before)), len(said))
        )
        position = match.end()
        if not text[position:].strip():
            return tuple(found)
        separator = _SEPARATOR.match(text, position)
        if separator is None:
            return None
        position = separator.end()


def _parts(before: str | None) -> tuple[str, ...]:
    return tuple(before.split(".")) if before else ()


def _order(before: tuple[str, ...]) -> list[tuple[bool, int, str]]:
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in before]


_LABELS = r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
_VERSION = re.compile(rf"v?([0-9]+)(?:\.([0-9]+))?(?:\.([0-9]+))?{_LABELS}", re.ASCII)
_WHOLE = re.compile(r"v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+].*)?", re.ASCII)
_NUMBER = r"([0-9xX*]+)"
_BOUND = rf"v?{_NUMBER}(?:\.{_NUMBER})?(?:\.{_NUMBER})?{_LABELS}"
_CONDITION = re.compile(rf"\s*(=>|=<|>=|<=|!=|~>|=|>|<|~|\^|)\s*{_BOUND}", re.ASCII)
_SEPARATOR = re.compile(r"\s*,|\s+")
_SIMPLE = r"v?[0-9xX*]+(?:\.[0-9xX*]+){0,2}(?:[-+][0-9A-Za-z.+-]+)?"
_HYPHEN = re.compile(rf"({_SIMPLE})\s+-\s+({_SIMPLE})")
