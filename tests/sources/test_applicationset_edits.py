"""Sets that say images, before and after: one folder for each place where they may be written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup.domain.images import Reference
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.rendering.cache import CachingRenderer
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.applicationsets.clusters import Cluster
from gitops_backup.sources.applicationsets.generators import Surroundings
from gitops_backup.sources.applicationsets.sets import read_sets
from gitops_backup.sources.makers.editing import MadeResult, MadeSite, Wanted, edit_made
from gitops_backup.sources.makers.sets import SetMaker
from gitops_backup.sources.mounts import Mounts
from gitops_backup.sources.objects import Object
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendered import Rendered
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.replacements import ObjectId, Replacement
from gitops_backup.sources.shapes import render_source
from gitops_backup.sources.trees import Tree
from tests.sources.applicationsets import clusters_in

GOLDEN = Path(__file__).parent / "golden" / "applicationset-edits"


@pytest.fixture(scope="module")
def both(kustomize: Path, helm: Path, tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    """A renderer with both programs."""
    local = LocalRenderer(kustomize=kustomize, helm=helm, scratch=tmp_path_factory.mktemp("renderer"))
    return CachingRenderer(local, version="test")


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in GOLDEN.glob("*/before")), ids=lambda path: path.name
)
def test_a_set_becomes_what_it_should(folder: Path, both: Renderer) -> None:
    """Each file ends as in `after`, each image has its outcome; once more, nothing is left to do."""
    before, after = _files(folder / "before"), _files(folder / "after")
    wanted = yaml.safe_load((folder / "wanted.yaml").read_text())
    expected = {_replacement(each): each for each in wanted["replacements"]}
    clusters = clusters_in(folder / "clusters.yaml")
    result = _edited(before, list(expected), both, clusters)
    assert {**before, **result.edits} == after
    assert _outcomes(result) == {
        each: (it["outcome"], it.get("message", "")) for each, it in expected.items()
    }
    again = _edited(after, list(result.replaced), both, clusters)
    assert (again.edits, list(again.done)) == ({}, list(result.replaced))


def _edited(
    files: dict[str, bytes], wanted: Sequence[Wanted], renderer: Renderer, clusters: Sequence[Cluster] = ()
) -> MadeResult:
    tree = Tree(dict.fromkeys(files, "100644"))
    (found,) = read_sets("set.yaml", files["set.yaml"], namespace="argocd")
    around = Surroundings(tree=tree, is_here=lambda *_: True, contents=files, clusters=clusters)

    def render(obj: Object, again: bool) -> list[Rendered]:
        application = Application.project(obj)
        (source,) = application.sources
        mounts = Mounts(here=frozenset({Place.of(source)}))
        return list(
            render_source(
                application,
                source,
                tree=tree,
                contents=files,
                mounts=mounts,
                renderer=renderer,
                again=again,
            )
        )

    copies = {each.old: each.new for _, each in wanted}
    maker = SetMaker.of(found, around, renderer=renderer)
    return edit_made(MadeSite(maker, render), wanted, copies=copies)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _replacement(each: dict[str, Any]) -> Wanted:
    made = Replacement(
        workload=ObjectId.of(WorkloadKey.parse(each["workload"])),
        container=each["container"],
        init=False,
        old=Reference.parse(each["image"]),
        new=each["backup"],
    )
    return each["application"], made


def _outcomes(result: MadeResult) -> dict[Wanted, tuple[str, str]]:
    return (
        {each: ("replaced", f"{it.path}:{it.line}") for each, it in result.replaced.items()}
        | dict.fromkeys(result.done, ("done", ""))
        | {each: (it.reason.value, it.message) for each, it in result.refused.items()}
    )
