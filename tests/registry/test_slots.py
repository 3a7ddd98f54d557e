"""How many copies at a time may use a registry."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from gitops_backup.process import ProcessCancelled
from gitops_backup.registry.slots import Slots


def test_no_more_than_the_limit_are_inside_at_a_time() -> None:
    """Eight workers, two places: the highest number seen inside is two."""
    slots = Slots({"a": 2})
    inside, most, lock = 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal inside, most
        with slots.hold(["a", "free"], None):
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(200)))
    assert 1 <= most <= 2


def test_copies_in_opposite_directions_do_not_wait_for_each_other() -> None:
    """Each wants both hosts, named in another order; and a copy within one host needs one place."""
    slots = Slots({"a": 1, "b": 1})
    ways = [["a", "b"], ["b", "a"], ["a", "a"]]

    def work(number: int) -> int:
        with slots.hold(ways[number % 3], None):
            return number

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(work, range(300), timeout=30)) == list(range(300))


def test_who_waits_can_be_stopped() -> None:
    """And takes no place with him."""
    slots, cancel = Slots({"a": 1}), threading.Event()
    cancel.set()
    with slots.hold(["a"], None), pytest.raises(ProcessCancelled), slots.hold(["a"], cancel):
        pass
    with slots.hold(["a"], cancel):
        pass
