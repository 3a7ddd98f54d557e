"""Columns: whole lines in a pipe, lines that fit on a terminal."""

import re

from hypothesis import given
from hypothesis import strategies as st

from gitops_backup.report.columns import Cell, columns, folded

_HEAD = ("NAME", "IMAGE")
_WORDS = st.text(st.characters(codec="utf-8"), max_size=60)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """With three blanks in between, and none at the end of a line."""
    assert columns(_HEAD, [("a", "nginx"), ("longer", "")]) == [
        "NAME     IMAGE",
        "a        nginx",
        "longer",
    ]


def test_the_widest_column_gives_way_first() -> None:
    """Names break at their joints, and the rest of the row stands beside the first line."""
    assert columns(_HEAD, [("Deployment/shop/web", "docker.io/library/nginx:1.14.0")], width=40) == [
        "NAME                  IMAGE",
        "Deployment/shop/web   docker.io/library/",
        "                      nginx:1.14.0",
    ]


def test_what_has_no_joint_is_cut() -> None:
    """Nothing is lost."""
    assert folded("a" * 25 + " b", 10) == ["a" * 10, "a" * 10, "aaaaa b"]
    assert folded("", 10) == [""]


def test_a_terminal_that_is_too_narrow_gets_columns_that_can_be_read() -> None:
    """Rather than one letter in a line."""
    lines = columns(_HEAD, [("a" * 40, "b" * 40)], width=10)
    assert lines[1] == f"{'a' * 12}   {'b' * 12}"


def test_each_part_of_a_folded_cell_has_its_colour() -> None:
    """The blanks beside it have none."""
    lines = columns(_HEAD, [(Cell("one two", "31"), "x")], width=17)
    assert lines[1:] == ["\x1b[31mone two\x1b[0m   x"]
    assert columns(_HEAD, [(Cell("one/ two-three-four", "31"), "x")], width=20)[1:] == [
        "\x1b[31mone/ two-\x1b[0m      x",
        "\x1b[31mthree-four\x1b[0m",
    ]


def test_what_a_cell_holds_cannot_break_its_row_nor_reach_the_terminal() -> None:
    """An image may have a line break in it, or a sequence that clears the screen."""
    assert columns(_HEAD, [("a\nb", "\x1b[2Jnginx")])[1] == "a b    [2Jnginx"


@given(rows=st.lists(st.tuples(_WORDS, _WORDS), min_size=1, max_size=5), width=st.integers(27, 90))
def test_lines_fit_and_say_everything(rows: list[tuple[str, str]], width: int) -> None:
    """Whatever is in the cells: a fold costs no letter."""
    lines = columns(_HEAD, rows, width=width)
    assert max(map(len, lines)) <= width
    plain = "".join(re.findall(r"\S", "".join(columns(_HEAD, rows))))
    assert sorted("".join(re.findall(r"\S", "".join(lines)))) == sorted(plain)
