"""Applications that others render from charts and kustomizations, before and after, in folders."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup.domain.images import Reference
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.makers.editing import MadeResult, MadeSite, Wanted, edit_made
from gitops_backup.sources.makers.parents import Parent
from gitops_backup.sources.mounts import Mounts
from gitops_backup.sources.objects import Object
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendered import Rendered
from gitops_backup.sources.replacements import ObjectId, Replacement
from gitops_backup.sources.shapes import files_to_read, render_source
from gitops_backup.sources.trees import Tree
from tests.sources.applying import found
from tests.sources.test_inline_golden import files

GOLDEN = sorted(path.parent for path in (Path(__file__).parent / "golden" / "parents").glob("*/before"))


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_a_parent_becomes_what_it_should(folder: Path, both_renderers: LocalRenderer) -> None:
    """Each file ends as in `after`, the image has its outcome, and then nothing is left to do."""
    before, after = files(folder / "before"), files(folder / "after")
    expected = yaml.safe_load((folder / "wanted.yaml").read_text())
    wanted = _wanted(expected)
    result = _edited(before, wanted, both_renderers)
    assert {**before, **result.edits} == after
    outcome = [("replaced", f"{each.path}:{each.line}") for each in result.replaced.values()]
    outcome += [(each.reason.value, each.message) for each in result.refused.values()]
    assert outcome == [(expected["outcome"], expected["message"])]
    again = _edited(after, wanted, both_renderers)
    assert not again.edits
    assert len(again.done) == len(result.replaced)


def _edited(contents: Mapping[str, bytes], wanted: Wanted, renderer: LocalRenderer) -> MadeResult:
    root = found({"root.yaml": contents["root.yaml"]}, "root")
    (source,) = root.sources
    tree, mounts = Tree(dict.fromkeys(contents, "100644")), Mounts(frozenset({Place.of(source)}))
    read: dict[str, bytes] = {}
    while True:
        paths = files_to_read(root, source, tree, read, mounts=mounts).paths
        if paths <= read.keys():
            break
        read |= {path: contents[path] for path in paths}

    def render(obj: Object, again: bool) -> list[Rendered]:
        application = Application.project(obj)
        (source,) = application.sources
        here = Mounts(frozenset({Place.of(source)}))
        return list(
            render_source(
                application, source, tree=tree, contents=contents, mounts=here, renderer=renderer, again=again
            )
        )

    parent = Parent(root, source, "argocd", tree, read, mounts, renderer)
    copies = {wanted[1].old: wanted[1].new, Reference.parse("nginx:1.26"): "bak.example/m/library_nginx:1.26"}
    return edit_made(MadeSite(parent, render), [wanted], copies=copies)


def _wanted(each: Mapping[str, Any]) -> Wanted:
    made = Replacement(
        workload=ObjectId.of(WorkloadKey.parse(each["workload"])),
        container="main",
        init=False,
        old=Reference.parse(each["image"]),
        new=each["backup"],
    )
    return each["application"], made
