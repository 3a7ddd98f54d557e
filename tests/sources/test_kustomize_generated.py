"""Edits of generated kustomizations: what is rendered is what was, with copies for images."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.rendering.cache import CachingRenderer
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.kustomize.options import InvalidOptions, KustomizeOptions
from gitops_backup.sources.rendering import Renderer, RenderFailed
from gitops_backup.sources.replacements import ObjectId, Replacement
from tests.sources.kustomizing import edited, of
from tests.sources.overlays import Overlay, overlays
from tests.sources.samples import replacement
from tests.sources.test_kustomize import built

Objects = list[dict[str, Any]]
Container = tuple[ObjectId, str, bool]
# a reference to an image and to that of its copy, which are not those of other tests
COPIED_ANYWAY = ["busybox:1.25", "web", "quay.io/nginx:1.25"]


@pytest.mark.timeout(1200)
@settings(max_examples=350)
@given(overlay=overlays())
def test_what_is_rendered_is_the_same_with_the_images_mapped(
    overlay: Overlay, renderer: LocalRenderer
) -> None:
    """Every value of the rendering is as it was, or was an image and is its copy; else there is a reason."""
    options = KustomizeOptions.project(overlay.block)
    cached = CachingRenderer(renderer, version="")
    before = rendered(overlay.files, options, cached)
    wanted = list(replacements(before or [])) or [replacement()]
    copies = {image: copy_of(Reference.parse(image)) for image in COPIED_ANYWAY}
    result = edited(overlay.files, cached, wanted, options=options, copies=copies)

    outcomes = [each.replacement for each in result.replaced] + [*result.done]
    outcomes += [each.replacement for each in result.refused]
    assert sorted(outcomes, key=repr) == sorted(wanted, key=repr)
    assert result.edits.keys() == ({overlay.path} if result.replaced else set())
    if before is None:
        assert {each.reason for each in result.refused} == {Reason.UNSUPPORTED_SOURCE}
        return
    after = rendered({**overlay.files, **result.edits}, options, cached)
    assert after is not None
    known = {each.old: each.new for each in wanted} | {Reference.parse(i): c for i, c in copies.items()}
    assert_mapped(before, after, known)
    says = dict(containers(after))
    for each in result.replaced:
        place = each.replacement.workload, each.replacement.container, each.replacement.init
        assert Reference.parse(says[place]) == Reference.parse(each.replacement.new)
    assert {use.now for use in result.images} <= {*says.values()}
    for path, content in result.edits.items():
        assert_small(overlay.files[path].decode(), content.decode())
        lines = content.decode("utf-8-sig").split("\n")
        assert all("newName" in lines[each.line - 1] for each in result.replaced)


def rendered(files: Mapping[str, bytes], options: KustomizeOptions, renderer: Renderer) -> Objects | None:
    """The objects of a rendering; None where there is none."""
    try:
        return list(yaml.safe_load_all(built(files, "app", options, renderer)))
    except (RenderFailed, InvalidOptions):
        return None


def replacements(objects: Objects) -> Iterator[Replacement]:
    """One for each image of a Deployment."""
    for (workload, container, init), text in containers(objects):
        try:
            old = Reference.parse(text)
        except InvalidReference:
            continue
        if workload.kind == "Deployment":
            yield Replacement(workload=workload, container=container, init=init, old=old, new=copy_of(old))


def containers(objects: Objects) -> Iterator[tuple[Container, str]]:
    """The images of all workloads."""
    for each in objects:
        workload = of(each["metadata"]["name"], kind=each["kind"])
        pod = each["spec"]["template"]["spec"]
        for part, init in (("initContainers", True), ("containers", False)):
            for container in pod.get(part, ()):
                yield (workload, container["name"], init), container["image"]


def copy_of(image: Reference) -> str:
    """An image's backup."""
    name = image.name.replace("/", "_").replace(":", "_")
    return str(Reference("bak.example", f"m/{name}", image.tag, image.digest))


def assert_mapped(before: Any, after: Any, known: Mapping[Reference, str]) -> None:
    """Fails where a value is neither as it was, nor the copy of what it was."""
    if isinstance(before, dict):
        assert before.keys() == after.keys()
        for key, value in before.items():
            assert_mapped(value, after[key], known)
    elif isinstance(before, list):
        for old, new in zip(before, after, strict=True):
            assert_mapped(old, new, known)
    elif before != after:
        assert Reference.parse(after) == Reference.parse(known[Reference.parse(before)])


def assert_small(before: str, after: str) -> None:
    """Fails where a line is gone, or stands elsewhere, that has nothing to do with images."""
    left = iter(after.split("\n"))
    for line in before.split("\n")[:-1]:
        assert _OF_IMAGES.search(line) or line in left, after


# the names of entries, what encloses them, and the line before them in a file of JSON
_OF_IMAGES = re.compile(r"[Nn]ame|[Ii]mage|[]}][\r,]*$")
