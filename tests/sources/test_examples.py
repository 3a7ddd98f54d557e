"""The page of examples."""

import re

import pytest

from tests.sources.examples import EXAMPLES, PAGE, ROOT, Example, page


def test_the_page_shows_what_is_made_now() -> None:
    """`python -m tests.sources.examples` writes it anew."""
    assert PAGE.read_text() == page()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.folder)
def test_an_example_shows_an_image_that_becomes_its_copy(example: Example) -> None:
    """A line goes or stays, and one with a part of the copy's name comes; nothing is there twice."""
    section = page().split(f"\n## {example.title}\n")[1].split("\n## ")[0]
    assert re.search(r"^\+[^+].*(bak\.example|m/library)", section, re.MULTILINE)
    assert [each.title for each in EXAMPLES].count(example.title) == 1
    assert [each.folder for each in EXAMPLES].count(example.folder) == 1


def test_the_readme_links_to_sections_that_are_there() -> None:
    """Of its table of sources."""
    anchors = set(re.findall(r"docs/shapes\.md#([\w-]+)", (ROOT / "README.md").read_text()))
    assert anchors
    assert anchors <= set(re.findall(r"\(#([\w-]+)\)", page()))
