"""Edits of generated files: not one byte outside of the images changes, and the images are the right ones."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from ruamel.yaml import YAML

from gitops_backup.domain.images import Reference
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.replacements import ShapeResult
from tests.sources.charts import edit
from tests.sources.generated import NAMESPACE, Sample, samples
from tests.sources.samples import NEW


@settings(max_examples=300)
@given(sample=samples())
def test_only_the_images_change(sample: Sample) -> None:
    """The file comes out as it would be written with the new images; a second time nothing is done."""
    result = edited(sample.before, sample)
    assert result.refused == ()
    assert {r.replacement for r in result.replaced} == set(sample.replacements)
    assert result.edits.get(sample.path, sample.before) == sample.after
    again = edited(sample.after, sample)
    assert (again.edits, again.refused) == ({}, ())
    assert set(again.done) == set(sample.replacements)


@settings(max_examples=60)
@given(sample=samples())
def test_a_parser_sees_the_images_change(sample: Sample) -> None:
    """Another reader of YAML, and of JSON, sees the images that were asked for change, and nothing else."""
    result = edited(sample.before, sample)
    along = {(u.workload, u.container, u.init) for r in result.replaced for u in r.also}
    asked = {(r.workload, r.container, r.init) for r in sample.replacements}
    before, after = (
        loaded(sample.before, sample),
        loaded(result.edits.get(sample.path, sample.before), sample),
    )
    for document in before:
        for manifest in document.get("items", [document]):
            rename(manifest, asked | along)
    assert before == after
    assert [(u.before, u.now) for u in result.images if u.before != u.now] == [
        (u.before, NEW) for u in result.images if (u.workload, u.container, u.init) in asked | along
    ]


def edited(content: bytes, sample: Sample) -> ShapeResult:
    """What comes of a directory with this file."""
    spec = {"source": {"path": "app"}, "destination": {"namespace": NAMESPACE}}
    application = Application.project({"metadata": {"name": "web"}, "spec": spec})
    renderer = LocalRenderer(scratch=Path("unused"))  # manifests take none
    return edit(renderer, application, {sample.path: content}, list(sample.replacements))


def loaded(content: bytes, sample: Sample) -> list[Any]:
    """All documents as plain values, read by parsers that the edit was not made with."""
    if sample.is_json:
        return [json.loads(content)]
    reader = YAML(typ="safe", pure=True)
    reader.constructor.add_constructor("!image", lambda _constructor, node: node.value)
    return [document or {} for document in reader.load_all(content.decode("utf-8-sig"))]


def rename(manifest: dict[str, Any], users: set[Any]) -> None:
    """Writes the new image into the containers that were asked for, as a person would."""
    spec = manifest.get("spec", {})
    spec = spec.get("jobTemplate", {"spec": spec})["spec"]
    pod = spec.get("template", {"spec": {}})["spec"]
    for part in ("initContainers", "containers"):
        for container in pod.get(part, ()):
            for workload, name, init in users:
                if (
                    (manifest["kind"], manifest["metadata"]["name"], name)
                    == (workload.kind, workload.name, container["name"])
                    and manifest["metadata"].get("namespace", NAMESPACE) == workload.namespace
                    and init == (part == "initContainers")
                ):
                    assert Reference.parse(container["image"]) == Reference.parse("nginx:1.25")
                    container["image"] = NEW
