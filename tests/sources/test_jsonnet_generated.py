"""Edits of generated programs: they make what they did, with the images' copies, or there is a reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.rendering.cache import CachingRenderer
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.rendered import differences, images_of
from gitops_backup.sources.replacements import ObjectId, Replacement
from tests.sources.charts import edit
from tests.sources.test_jsonnet import application
from tests.sources.test_jsonnet_golden import made

IMAGES = ("nginx:1.25", "nginx:1.26", "quay.io/org/web:1", "quay.io/org/api:2", "ghcr.io/org/web:1", "web:7")
REASONS = {Reason.BACKUP_PENDING, Reason.PROOF_FAILED, Reason.SHARED_SCALAR, Reason.UNSUPPORTED_SOURCE}


@dataclass(frozen=True)
class Sample:
    """Programs, the image of each of their workloads, and those of which there are copies."""

    files: Mapping[str, bytes]
    images: Mapping[str, str]
    copied: frozenset[str]

    @property
    def replacements(self) -> list[Replacement]:
        """All that is due."""
        return [
            Replacement(ObjectId("apps", "Deployment", "shop", name), "c", False, Reference.parse(image), new)
            for name, image in self.images.items()
            if (new := copy_of(image)) and image in self.copied
        ]


def copy_of(image: str) -> str:
    """What an image's copy is called."""
    name, _, tag = image.rpartition(":")
    return f"bak.example/m/{'library_' if '/' not in name else ''}{name.replace('/', '_')}:{tag}"


@st.composite
def spellings(draw: st.DrawFn, image: str) -> str:
    """An expression that is an image."""
    name, _, tag = image.rpartition(":")
    folder, _, last = name.rpartition("/")
    quote = draw(st.sampled_from(["'", '"', "@'", '@"']))
    way = draw(st.sampled_from(["whole", "tag", "format", "parts", "table", "local", "library", "block"]))
    end = quote[-1]
    match way:
        case "tag":
            return f"{quote}{name}:{end} + '{tag}'"
        case "format":
            return f"'%s:%s' % [{quote}{name}{end}, '{tag}']"
        case "parts":
            return f"prefix({quote}{folder}{end}) + {quote}{last}{end} + ':{tag}'"
        case "table":
            return f"{{ '{last}': {quote}{image}{end} }}['{last}']"
        case "local":
            return f"(local image = {quote}{image}{end}; image)"
        case "library":
            return f"(import 'lib/{IMAGES.index(image)}.libsonnet').image"
        case "block":
            return f"std.parseYaml(|||\n    # the image\n    image: {image}\n  |||).image"
    return f"{quote}{image}{end}"


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Some programs, which share what they import, and may say an image elsewhere."""
    files = {
        f"lib/{number}.libsonnet": f"{{ image: '{image}', name:: '{image.rpartition(':')[0]}' }}".encode()
        for number, image in enumerate(IMAGES)
    }
    images: dict[str, str] = {}
    for number in range(draw(st.integers(1, 3))):
        parts = []
        for _ in range(draw(st.integers(1, 2))):
            name = f"w{len(images)}"
            images[name] = draw(st.sampled_from(IMAGES))
            also = draw(
                st.sampled_from(["", ", args: [image]", ", args: ['--x=' + image]", ", env: 'nginx'"])
            )
            parts.append(
                f"  local image = {draw(spellings(images[name]))};\n"
                f"  local container = {{ name: 'c', image: image{also} }};\n"
                f"  {{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: {{ name: '{name}' }},\n"
                f"    spec: {{ template: {{ spec: {{ containers: [container] }} }} }} }}"
            )
        head = "local prefix(x) = if x == '' then '' else x + '/';\n"
        program = head + "[\n" + ",\n".join(f"(\n{part}\n  )" for part in parts) + "\n]\n"
        files[f"app/{number}.jsonnet"] = program.encode()
    copied = draw(st.sets(st.sampled_from(IMAGES), min_size=1))
    return Sample(files, images, frozenset(copied))


@pytest.mark.timeout(1200)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sample=samples())
def test_images_become_their_copies_and_nothing_else_changes(
    jsonnet_renderer: LocalRenderer, sample: Sample
) -> None:
    """Each that is due is replaced, or refused with a reason and left; a second time nothing is done."""
    app = application({"libs": ["."]})
    due = sample.replacements
    result = edit(CachingRenderer(jsonnet_renderer, version=""), app, sample.files, due)
    told = Counter(
        [*(each.replacement for each in result.replaced), *(each.replacement for each in result.refused)]
    )
    assert told == Counter(due)
    assert {each.reason for each in result.refused} <= REASONS
    before = made(app, dict(sample.files), jsonnet_renderer)
    after = made(app, {**sample.files, **result.edits}, jsonnet_renderer)
    now = {image.workload.name: image.text for image in images_of(after)}
    for each in result.replaced:
        assert now[each.replacement.workload.name] == each.replacement.new
    for refusal in result.refused:
        assert now[refusal.replacement.workload.name] == sample.images[refusal.replacement.workload.name]
    for difference in differences(before, after):
        assert difference.before in sample.copied
        assert difference.after == copy_of(str(difference.before))
    again = edit(jsonnet_renderer, app, {**sample.files, **result.edits}, due)
    assert again.edits == {}
