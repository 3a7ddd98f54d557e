"""Which texts may be marked without changing more than images."""

from collections.abc import Sequence

import pytest

from gitops_backup.sources.makers.editing import harmless
from gitops_backup.sources.makers.pieces import Piece


@pytest.mark.parametrize(
    ("harmful", "tries"),
    [(set(), 1), ({7}, 25), ({0, 999}, 40), ({3, 500, 501}, 60), (set(range(1000)), 2000)],
    ids=["none", "one", "at the ends", "some", "all"],
)
def test_harm_is_found_in_halves_of_halves(harmful: set[int], tries: int) -> None:
    """Each that does some is left out, and nothing else; the others stay in their order."""
    pieces = [Piece("values.yaml", number, "nginx") for number in range(1000)]

    def are_harmless(some: Sequence[Piece]) -> bool:
        return harmful.isdisjoint(each.start for each in some)

    found = harmless(pieces, are_harmless, tries=tries)
    assert found == [each for each in pieces if each.start not in harmful]


def test_what_is_not_known_after_so_many_tries_is_left_out() -> None:
    """Each takes a rendering."""
    pieces = [Piece("values.yaml", number, "nginx") for number in range(8)]
    assert harmless(pieces, lambda some: len(some) == 1, tries=5) == pieces[:2]
    assert harmless([], lambda _: True, tries=5) == []
