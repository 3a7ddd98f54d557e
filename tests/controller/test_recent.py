"""Answers that serve for a moment."""

from gitops_backup.controller.recent import Recent


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Oracle:
    """Answers each question with how often it was asked anything."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, question: str) -> int:
        self.asked.append(question)
        return len(self.asked)


def test_an_answer_serves_for_a_moment() -> None:
    """Within it nobody is asked again, after it somebody is."""
    oracle, clock = Oracle(), Clock()
    recent = Recent(oracle, clock=clock)
    first = [recent("a"), recent("b"), recent("a")]
    clock.now += 0.15
    second = recent("a")
    clock.now += 0.06
    assert (first, second, recent("a")) == ([1, 2, 1], 1, 3)


def test_an_answer_is_as_old_as_its_question() -> None:
    """The time that the answer took counts."""
    clock = Clock()
    asked: list[str] = []

    def slowly(question: str) -> str:
        asked.append(question)
        clock.now += 5
        return question

    recent = Recent(slowly, clock=clock)
    assert [recent("a"), recent("a"), asked] == ["a", "a", ["a", "a"]]


def test_an_answer_that_is_forgotten_is_asked_for_again() -> None:
    """Whoever doubts it says so."""
    oracle = Oracle()
    recent = Recent(oracle, clock=Clock())
    recent("a")
    recent.forget("a")
    assert recent("a") == 2


def test_what_is_remembered_is_bounded() -> None:
    """However many questions there are, all of them are answered."""
    oracle = Oracle()
    recent = Recent(oracle, clock=Clock())
    for number in range(1500):
        recent(str(number))
    assert recent("1499") == 1500
    assert recent("0") == 1501
