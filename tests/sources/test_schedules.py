"""Schedules of sync windows are read as the library that Argo CD uses reads them."""

from datetime import datetime, timedelta

import pytest

from gitops_backup.sources.schedules import InvalidSchedule, Schedule, duration

# a Sunday
_NOW = datetime(2026, 3, 1, 12, 30, 30)  # noqa: DTZ001, the schedule's own time


@pytest.mark.parametrize(
    ("schedule", "hours", "within"),
    [
        ("* * * * *", 1, True),
        ("30 12 * * *", 1, True),
        ("31 12 * * *", 1, False),
        ("30 11 * * *", 1, False),
        ("31 11 * * *", 1, True),
        ("0 22 * * *", 15, True),
        ("0 22 * * *", 14, False),
        ("0 22 28 2 *", 15, True),
        ("0 22 28 FEB *", 15, True),
        ("0 22 27 2 *", 15, False),
        ("0 0 * * 0", 24, True),
        ("0 0 * * Sun", 24, True),
        ("0 0 * * 1-5", 24, False),
        ("0 0 * * 1-6", 37, True),
        ("0 0 * * 1-6", 36, False),
        ("*/15 * * * *", 0.1, True),
        ("20-59/10 12 * * *", 0.1, True),
        ("10/10 12 * * *", 0.1, True),
        ("0,30 12 * * *", 0.1, True),
        ("0 0 ? * ?", 24, True),
        # both fields for days are restricted: one of them is enough
        ("0 0 15 * 0", 24, True),
        ("0 0 1 * 3", 24, True),
        ("0 0 2 * 3", 24, False),
        # one of them is not: both hold
        ("0 0 1 * */1", 24, True),
        ("0 0 2 * *", 24, False),
        # a step of two restricts, and Sunday is 0
        ("0 0 2 * */2", 24, True),
        ("0 0 29 2 *", 24 * 600, False),
        ("0 0 29 2 *", 24 * 800, True),
    ],
)
def test_a_window_is_open_that_began_within_its_duration(schedule: str, hours: float, within: bool) -> None:
    """Minutes, hours, days, months and days of the week, in each form."""
    assert Schedule.parse(schedule).began_within(timedelta(hours=hours), _NOW) is within


def test_what_begins_at_this_very_moment_has_not_begun() -> None:
    """And what ends at it has ended: Argo CD compares so."""
    now = _NOW.replace(minute=30, second=0)
    schedule = Schedule.parse("30 12 * * *")
    assert not schedule.began_within(timedelta(hours=1), now)
    assert schedule.began_within(timedelta(hours=1), now + timedelta(seconds=1))
    assert not schedule.began_within(timedelta(hours=1), now + timedelta(hours=1))


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "* * * *",
        "* * * * * *",
        "@daily",
        "60 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "5-1 * * * *",
        "*/0 * * * *",
        "-1 * * * *",
        "1- * * * *",
        "1/2/3 * * * *",
        "x * * * *",
        ", * * * *",
        "٣ * * * *",
        "CRON_TZ=Europe/Berlin 0 0 * * *",
    ],
)
def test_what_is_no_schedule_is_refused(schedule: str) -> None:
    """Out of range, backwards, with a step of nothing, or no number."""
    with pytest.raises(InvalidSchedule):
        Schedule.parse(schedule)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("90m", 5400),
        ("2s500ms", 2.5),
        ("1000us", 0.001),
    ],
)
def test_durations_are_those_of_go(text: str, seconds: float) -> None:
    """Numbers with units, one after the other."""
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "1", "h", "1d", "-1h", "1h 30m", "1h30", "9" * 30 + "h"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    """Days are none of Go's units."""
    with pytest.raises(InvalidSchedule):
        duration(text)
