"""The work queue: once each, never twice at a time, delays that only get shorter."""

import threading

from gitops_backup.controller.queue import WorkQueue


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_key_added_twice_is_handed_out_once() -> None:
    """Adding is idempotent while the key waits."""
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("a")
    queue.add("a")
    assert (queue.get(), len(queue)) == ("a", 0)


def test_a_key_added_while_it_is_worked_on_comes_again_afterwards() -> None:
    """What happened during the work is not lost, and the key is not worked on twice at a time."""
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("a")
    assert queue.get() == "a"
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert queue.get() == "a"


def test_a_key_whose_turn_it_is_comes_before_those_that_are_due() -> None:
    """Whether it was among them or not; one that is worked on comes again when that is done."""
    queue: WorkQueue[str] = WorkQueue(Clock())
    for key in "abc":
        queue.add(key)
    queue.add("c", first=True)
    queue.add("d", first=True)
    assert [queue.get() for _ in range(4)] == ["d", "c", "a", "b"]
    queue.add("a", first=True)
    assert len(queue) == 0
    queue.done("a")
    assert queue.get() == "a"


def test_a_key_that_is_done_and_was_not_added_does_not_come_again() -> None:
    """Done is done."""
    queue: WorkQueue[str] = WorkQueue(Clock())
    queue.add("a")
    assert queue.get() == "a"
    queue.done("a")
    assert len(queue) == 0


def test_a_delayed_key_comes_due_when_its_time_has_come() -> None:
    """And not before."""
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add_after("late", 10)
    queue.add("now")
    assert queue.get() == "now"
    clock.now += 10
    assert queue.get() == "late"


def test_of_two_delays_the_shorter_one_counts_and_the_key_comes_once() -> None:
    """A longer delay does not push back what is due earlier."""
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add_after("a", 10)
    queue.add_after("a", 2)
    queue.add_after("a", 5)
    clock.now += 2
    assert queue.get() == "a"
    queue.done("a")
    clock.now += 100
    queue.add("b")
    assert queue.get() == "b"
    assert len(queue) == 0


def test_adding_now_overtakes_a_delay() -> None:
    """The delayed entry is stale afterwards."""
    clock = Clock()
    queue: WorkQueue[str] = WorkQueue(clock)
    queue.add_after("a", 10)
    queue.add("a")
    assert queue.get() == "a"
    queue.done("a")
    clock.now += 100
    queue.add("b")
    assert queue.get() == "b"


def test_closing_wakes_those_who_wait_and_ends_all_further_gets() -> None:
    """A worker in the middle of waiting ends as well."""
    queue: WorkQueue[str] = WorkQueue(Clock())
    answers: list[str | None] = []
    waiting = threading.Thread(target=lambda: answers.append(queue.get()))
    waiting.start()
    queue.close()
    waiting.join(5)
    queue.add("a")
    assert answers == [None]
    assert queue.get() is None


def test_many_workers_never_share_a_key_and_nothing_is_lost() -> None:
    """Eight threads, fifty keys, each added over and over again."""
    queue: WorkQueue[int] = WorkQueue(lambda: 0.0)
    at_work: set[int] = set()
    seen: dict[int, int] = {}
    shared: list[int] = []
    guard = threading.Lock()

    def work() -> None:
        while (key := queue.get()) is not None:
            with guard:
                if key in at_work:
                    shared.append(key)
                at_work.add(key)
            with guard:
                seen[key] = seen.get(key, 0) + 1
                at_work.discard(key)
            queue.done(key)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        for key in range(50):
            queue.add(key)
    while len(queue):
        threading.Event().wait(0.01)
    queue.close()
    for thread in threads:
        thread.join(5)
    assert not shared
    assert set(seen) == set(range(50))
