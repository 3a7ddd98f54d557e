"""Kustomizations as a whole, rendered by a real kustomize: folders before and after, one per spelling."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.kustomizations import FILE_NAMES, Kustomization, in_flow_style
from gitops_backup.sources.kustomize_options import KustomizeOptions, applied, effective_images
from gitops_backup.sources.replacements import ShapeResult
from tests.sources.kustomizing import edited
from tests.sources.test_shapes import files, outcomes, wanted

GOLDEN = sorted((Path(__file__).parent / "golden" / "kustomize").iterdir())


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda path: path.name)
def test_a_kustomization_becomes_what_it_should(folder: Path, renderer: LocalRenderer) -> None:
    """Each file ends as in `after`, what is rendered then is `rendering.yaml`, and nothing is left to do."""
    before, after = files(folder / "before"), files(folder / "after")
    source = Application.project(yaml.safe_load((folder / "application.yaml").read_text())).sources[0]
    copies = yaml.safe_load((folder / "copies.yaml").read_text()) if (folder / "copies.yaml").exists() else {}
    expected = dict(wanted(folder / "wanted.yaml"))

    def edit(contents: Mapping[str, bytes]) -> ShapeResult:
        return edited(
            contents, renderer, list(expected), folder=source.path, options=source.kustomize, copies=copies
        )

    result = edit(before)
    assert outcomes(result) == expected
    assert {**before, **result.edits} == after
    assert (
        built(after, source.path, source.kustomize, renderer).decode()
        == (folder / "rendering.yaml").read_text()
    )
    again = edit(after)
    assert again.edits == {}
    assert {*again.done} == {*result.done, *(each.replacement for each in result.replaced)}


def built(
    files: Mapping[str, bytes], folder: str, options: KustomizeOptions, renderer: LocalRenderer
) -> bytes:
    """What is rendered of a folder, with the Application's own options."""
    path = next(f"{folder}/{name}" for name in FILE_NAMES if f"{folder}/{name}" in files)
    fields = Kustomization.read(path, files[path]).fields()
    changed = applied(fields, options, exists=lambda name: "gone" not in name)
    changed.pop("imagetags", None)
    changed["images"] = [entry.says for entry in effective_images(fields, options)]
    return renderer.kustomize({**files, path: in_flow_style(changed).encode()}, folder)
