"""Schedules of sync windows: the standard cron form, as the library that Argo CD uses reads it.

Five fields: minute, hour, day of the month, month, day of the week (0 is Sunday; 7 is no day). A field is a
list of `*`, `?`, a value, a range, each perhaps with a step; `n/step` begins at n and goes to the end. Where
both fields for days are restricted, one of them is enough; `*/2` restricts, `*` and `*/1` do not
(github.com/robfig/cron, parser.go and spec.go). Descriptors such as `@daily` are not read by Argo CD, and
time zones inside of a schedule not here.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec"
_WEEKDAYS = "sun mon tue wed thu fri sat"
_UNITS = {
    "ns": timedelta(0),
    "us": timedelta(microseconds=1),
    "µs": timedelta(microseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]*)?(?:ns|us|µs|ms|s|m|h))+", re.ASCII)
_LONGEST = timedelta(days=5 * 366)  # the library looks no further


class InvalidSchedule(ValueError):
    """The text is no schedule, or no duration."""


@dataclass(frozen=True, slots=True)
class _Field:
    values: frozenset[int]
    any: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes at which something begins."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: _Field
    months: frozenset[int]
    weekdays: _Field

    @classmethod
    def parse(cls, text: str) -> Self:
        """The schedule that a text says. Raises `InvalidSchedule`."""
        fields = text.split()
        if len(fields) != 5:
            raise InvalidSchedule(f"a schedule has five fields, not {len(fields)}")
        return cls(
            _field(fields[0], 0, 59).values,
            _field(fields[1], 0, 23).values,
            _field(fields[2], 1, 31),
            _field(fields[3], 1, 12, names=_MONTHS).values,
            _field(fields[4], 0, 6, names=_WEEKDAYS),
        )

    def began_within(self, duration: timedelta, now: datetime) -> bool:
        """Whether it began less than `duration` before `now`, but not at this very moment."""
        duration = min(duration, _LONGEST)
        start = now - duration
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        while day < now:
            if self._is_due(day) and any(start < at < now for at in self._times(day)):
                return True
            day += timedelta(days=1)
        return False

    def _is_due(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        by_month = day.day in self.days.values
        by_week = (day.weekday() + 1) % 7 in self.weekdays.values
        return by_month and by_week if self.days.any or self.weekdays.any else by_month or by_week

    def _times(self, day: datetime) -> list[datetime]:
        return [day.replace(hour=hour, minute=minute) for hour in self.hours for minute in self.minutes]


def duration(text: str) -> timedelta:
    """A duration as Go writes it, such as `1h30m`. Raises `InvalidSchedule`."""
    if text == "0":
        return timedelta(0)
    if not _DURATION.fullmatch(text):
        raise InvalidSchedule(f"{text!r} is no duration such as 1h30m")
    parts = re.findall(r"([0-9.]+)([a-zµ]+)", text)
    try:
        return sum((float(number) * _UNITS[unit] for number, unit in parts), timedelta(0))
    except OverflowError as error:
        raise InvalidSchedule(f"{text!r} is too long") from error


def _field(text: str, low: int, high: int, *, names: str = "") -> _Field:
    numbers = {name: number for number, name in enumerate(names.split(), start=low)}
    found: set[int] = set()
    unrestricted = False
    for part in filter(None, text.split(",")):
        extent, slash, step = part.partition("/")
        first, dash, last = extent.partition("-")
        star = extent in ("*", "?")
        begin = low if star else _number(first, numbers)
        end = high if star or (slash and not dash) else _number(last, numbers) if dash else begin
        by = _number(step, {}) if slash else 1
        if not low <= begin <= end <= high or by == 0:
            raise InvalidSchedule(f"{part!r} is not within {low} to {high}")
        unrestricted |= star and by == 1
        found |= set(range(begin, end + 1, by))
    if not found:
        raise InvalidSchedule(f"{text!r} names nothing")
    return _Field(frozenset(found), unrestricted)


def _number(text: str, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not re.fullmatch(r"[0-9]{1,4}", text, re.ASCII):
        raise InvalidSchedule(f"{text!r} is no number")
    return int(text)
