"""How many copies at a time may use a registry."""

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from gitops_backup.registry.slots import Slots


def _slots(**limits: int) -> tuple[Slots, list[str]]:
    called: list[str] = []
    return Slots(limits, call=called.append), called


def test_no_more_than_the_limit_are_inside_at_a_time() -> None:
    """Eight workers, two places: the highest number seen inside is two, and everybody gets in."""
    due, lock = deque(str(number) for number in range(200)), threading.Lock()
    slots = Slots({"a": 2}, call=due.append)
    inside, most, done = 0, 0, 0

    def work(_: int) -> None:
        nonlocal inside, most, done
        while done < 200:
            try:
                who = due.popleft()
            except IndexError:
                continue
            if slots.take(who, ["a", "free"]):
                with lock:
                    inside += 1
                    most = max(most, inside)
                with lock:
                    inside -= 1
                    done += 1
                slots.leave(who)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8), timeout=30))
    assert most in (1, 2)


def test_who_finds_no_place_is_called_in_turn() -> None:
    """Not earlier, not twice, and what was kept for one is not taken by another who comes before him."""
    slots, called = _slots(a=1)
    assert slots.take("first", ["a"])
    assert not slots.take("second", ["a"])
    assert not slots.take("third", ["a"])
    assert not slots.take("second", ["a"])
    assert called == []
    slots.leave("first")
    assert called == ["second"]
    assert not slots.take("first", ["a"])
    assert slots.take("second", ["a"])
    slots.leave("second")
    assert called == ["second", "third"]


def test_who_does_not_want_his_place_any_more_passes_it_on() -> None:
    """Whether it was kept for him already, or he stood in line for it."""
    slots, called = _slots(a=1)
    slots.take("first", ["a"])
    for name in ("gone", "called", "last"):
        slots.take(name, ["a"])
    slots.leave("gone")
    slots.leave("first")
    assert called == ["called"]
    slots.leave("called")
    assert called == ["called", "last"]
    slots.leave("never seen")
    assert slots.take("last", ["a"])


def test_who_waits_for_one_registry_keeps_nobody_from_another() -> None:
    """A copy from elsewhere to the same backups goes on; what is free at once needs no turn."""
    slots, called = _slots(slow=1, backups=2)
    assert slots.take("slow 1", ["slow", "backups"])
    assert not slots.take("slow 2", ["slow", "backups"])
    assert slots.take("other", ["fast", "backups"])
    assert not slots.take("another", ["fast", "backups"])
    slots.leave("slow 1")
    assert called == ["slow 2"]
    slots.leave("slow 2")
    assert called == ["slow 2", "another"]


def test_a_copy_within_one_host_needs_one_place() -> None:
    """Source and backup may be in the same registry."""
    slots, _ = _slots(a=1)
    assert slots.take("one", ["a", "a"])


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), max_size=80))
def test_whoever_comes_and_goes_no_place_is_lost(steps: list[tuple[int, bool]]) -> None:
    """When all have left, as many find a place as at the beginning; nobody is called who did not wait."""
    slots, called = _slots(a=2, b=1)
    waiting: set[str] = set()
    for number, comes in steps:
        who, before = str(number), len(called)
        hosts = ["a", "b"] if number % 2 else ["a"]
        if not comes:
            waiting.discard(who)
            slots.leave(who)
        elif slots.take(who, hosts):
            waiting.discard(who)
        else:
            waiting.add(who)
        assert waiting.issuperset(called[before:])
        waiting.difference_update(called[before:])
    for number in range(10):
        slots.leave(str(number))
    assert [slots.take(who, ["a"]) for who in "xyz"] == [True, True, False]
    slots.leave("x")
    assert slots.take("w", ["b"])
