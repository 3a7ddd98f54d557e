"""Images that an Application in Git says itself, before and after: one folder for each way to write one."""

from pathlib import Path

import pytest
import yaml

from gitops_backup.rendering.renderer import LocalRenderer
from tests.sources.applying import edited

GOLDEN = sorted(path.parent for path in (Path(__file__).parent / "golden" / "inline").glob("*/before"))


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_an_application_becomes_what_it_should(folder: Path, both_renderers: LocalRenderer) -> None:
    """Each file ends as in `after`, the image has its outcome, and then nothing is left to do."""
    before, after = files(folder / "before"), files(folder / "after")
    wanted = yaml.safe_load((folder / "wanted.yaml").read_text())
    result = edited(before, both_renderers)
    assert {**before, **result.edits} == after
    outcome = [("replaced", f"{each.path}:{each.line}") for each in result.replaced]
    outcome += [(each.reason.value, each.message) for each in result.refused]
    assert outcome == [(wanted["outcome"], wanted["message"])]
    again = edited(after, both_renderers)
    assert not again.edits
    assert len(again.done) == len(result.replaced)


def files(folder: Path) -> dict[str, bytes]:
    """All files in a folder by their paths from there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
