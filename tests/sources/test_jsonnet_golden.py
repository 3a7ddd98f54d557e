"""Programs of jsonnet as they are found in repositories, before and after: one folder for each way."""

from pathlib import Path

import pytest
import yaml

from gitops_backup.domain.images import Reference
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.mounts import Mounts
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendered import Rendered, differences, images_of
from gitops_backup.sources.shapes import render_source
from gitops_backup.sources.trees import Tree
from tests.sources.charts import Counting, edit
from tests.sources.test_helm_golden import files, outcomes, replacement

GOLDEN = sorted(path.parent for path in (Path(__file__).parent / "golden" / "jsonnet").glob("*/before"))


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_a_program_becomes_what_it_should(folder: Path, jsonnet_renderer: LocalRenderer) -> None:
    """Each file ends as in `after`, each image has its outcome; editing what came of it changes nothing."""
    before, after = files(folder / "before"), files(folder / "after")
    app = Application.project(yaml.safe_load((folder / "application.yaml").read_text()))
    wanted = yaml.safe_load((folder / "wanted.yaml").read_text())
    expected = {replacement(each): each for each in wanted["replacements"]}
    counting = Counting(jsonnet_renderer)
    result = edit(counting, app, before, list(expected))
    assert {**before, **result.edits} == after
    assert outcomes(result) == {each: (it["outcome"], it.get("message", "")) for each, it in expected.items()}
    also = {each.replacement: [str(use.workload) for use in each.also] for each in result.replaced}
    assert also == {each: expected[each].get("also", []) for each in also}
    programs = [path for path in before if path.startswith("app/") and path.endswith(".jsonnet")]
    assert not result.replaced or counting.count <= 3 * len(programs) or folder.name in _TRIED_AGAIN
    again = edit(jsonnet_renderer, app, after, list(expected))
    assert again.edits == {}
    assert {*again.done} == {*result.done, *(each.replacement for each in result.replaced)}


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_nothing_but_images_comes_out_otherwise(folder: Path, jsonnet_renderer: LocalRenderer) -> None:
    """What is evaluated differs where images were, and where the same text stood."""
    app = Application.project(yaml.safe_load((folder / "application.yaml").read_text()))
    wanted = yaml.safe_load((folder / "wanted.yaml").read_text())["replacements"]
    copies = {Reference.parse(each["image"]): each["backup"] for each in wanted}
    before, after = (made(app, files(folder / side), jsonnet_renderer) for side in ("before", "after"))
    for each in differences(before, after):
        assert copies[Reference.parse(str(each.before))] == each.after
    assert len(images_of(before)) == len(images_of(after))


def made(app: Application, contents: dict[str, bytes], renderer: LocalRenderer) -> tuple[Rendered, ...]:
    """What the programs of the first source evaluate to."""
    source = app.sources[0]
    return render_source(
        app,
        source,
        tree=Tree(dict.fromkeys(contents, "100644")),
        contents=contents,
        mounts=Mounts(frozenset({Place.of(source)})),
        renderer=renderer,
    )


_TRIED_AGAIN = {"image-by-name-in-a-map", "compared-with", "keys-that-are-alike"}
