"""Charts as they are found in repositories, before and after: one folder for each way to write an image."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup.domain.images import Reference
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.places import Place, PlaceKind, is_url
from gitops_backup.sources.rendering import HelmOptions
from gitops_backup.sources.replacements import ObjectId, Replacement, ShapeResult
from tests.sources.charts import Counting, edit

GOLDEN = sorted(path.parent for path in (Path(__file__).parent / "golden" / "helm").glob("*/before"))


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_a_chart_becomes_what_it_should(folder: Path, helm_renderer: LocalRenderer) -> None:
    """Each file ends as in `after`, each image has its outcome; editing what came of it changes nothing."""
    before, after = files(folder / "before"), files(folder / "after")
    app = Application.project(yaml.safe_load((folder / "application.yaml").read_text()))
    wanted = yaml.safe_load((folder / "wanted.yaml").read_text())
    expected = {replacement(each): each for each in wanted["replacements"]}
    copies = {Reference.parse(source): copy for source, copy in wanted.get("copies", {}).items()}
    counting = Counting(helm_renderer)
    chart, downloaded = files(folder / "chart"), files(folder / "url")
    elsewhere = {Place.of(app.sources[0]): chart} if chart else {}
    if dependency := files(folder / "dependency"):
        elsewhere[Place(PlaceKind.CHART, "https://charts.example", "1.x.x", "shop")] = dependency
    urls = [raw for raw in app.sources[0].helm.paths if is_url(raw)]
    elsewhere |= {Place.of_file(url): downloaded for url in urls}
    result = edit(counting, app, before, list(expected), copies=copies, elsewhere=elsewhere)
    assert {**before, **result.edits} == after
    assert outcomes(result) == {each: (it["outcome"], it.get("message", "")) for each, it in expected.items()}
    assert [[str(use.workload) for use in each.also] for each in result.replaced] == [
        it.get("also", []) for it in expected.values() if it["outcome"] == "replaced"
    ]
    assert counting.count == wanted["renderings"]
    again = edit(helm_renderer, app, after, list(expected), copies=copies, elsewhere=elsewhere)
    assert again.edits == {}
    assert {*again.done} == {*result.done, *(each.replacement for each in result.replaced)}


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_what_was_edited_renders_as_noted(folder: Path, helm_renderer: LocalRenderer) -> None:
    """The rendering of each chart is kept beside it, for people to see what images its workloads get."""
    rendered = (folder / "rendering.yaml").read_text()
    if not rendered:  # random values, or other value files
        return
    options = HelmOptions(release="web", namespace="shop")
    assert helm_renderer.helm(files(folder / "after"), "app", options).decode() == rendered


def files(folder: Path) -> dict[str, bytes]:
    """All files in a folder by their paths from there."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def replacement(each: dict[str, Any]) -> Replacement:
    """A replacement that a golden folder asks for."""
    init, _, container = each["container"].rpartition(" ")
    return Replacement(
        workload=ObjectId.of(WorkloadKey.parse(each["workload"])),
        container=container,
        init=init == "init",
        old=Reference.parse(each["image"]),
        new=each["backup"],
    )


def outcomes(result: ShapeResult) -> dict[Replacement, tuple[str, str]]:
    """What came of each replacement, and where or why."""
    return (
        {each.replacement: ("replaced", f"{each.path}:{each.line}") for each in result.replaced}
        | dict.fromkeys(result.done, ("done", ""))
        | {each.replacement: (each.reason.value, each.message) for each in result.refused}
    )
