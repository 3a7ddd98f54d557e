"""An Application's own options do what Argo CD has a real kustomize do to the file."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from gitops_backup.process import run
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.content import Bare
from gitops_backup.sources.kustomize.kustomizations import Kustomization, in_flow_style
from gitops_backup.sources.kustomize.options import (
    InvalidOptions,
    KustomizeOptions,
    applied,
    effective_images,
    split_image,
)
from gitops_backup.sources.rendering import RenderFailed
from tests.sources.kustomizing import workload

WEB = workload("nginx:1.25", "redis:7", "busybox")
PLAIN = "resources: [web.yaml]\n"
LABELS = "labels:\n- pairs: {team: shop}\n- pairs: {x: w}\n  includeTemplates: true\n"
IMAGES = """\
images:
- {name: redis, newTag: "8"}
- {name: nginx, newName: quay.io/nginx, newTag: "1"}
- {name: nginx, newName: gcr.io/nginx, digest: "sha256:1"}
imageTags:
- {name: busybox, newTag: "2"}
"""
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": (PLAIN, {}),
    "a prefix and a suffix": (PLAIN + "namePrefix: a-\n", {"namePrefix": "b-", "nameSuffix": "-c"}),
    "a namespace": (PLAIN + "namespace: a\n", {"namespace": "b"}),
    "replicas": (
        PLAIN + "replicas: [{name: web, count: 7}, {name: web, count: 8}]\n",
        {"replicas": [{"name": "web", "count": 2}]},
    ),
    "replicas in a text": (PLAIN, {"replicas": [{"name": "web", "count": "3"}]}),
    "replicas that are none": (PLAIN, {"replicas": [{"name": "web", "count": "many"}]}),
    "labels": (PLAIN + "commonLabels: {a: b}\n", {"commonLabels": {"c": "d:e", "f": "1"}}),
    "labels that are there": (PLAIN + "commonLabels: {a: b}\n", {"commonLabels": {"a": "b"}}),
    "labels by force": (
        PLAIN + "commonLabels: {a: b}\n",
        {"commonLabels": {"a": "c"}, "forceCommonLabels": True},
    ),
    "labels without selectors": (PLAIN, {"commonLabels": {"a": "c"}, "labelWithoutSelector": True}),
    "labels beside others": (PLAIN + LABELS, {"commonLabels": {"a": "c"}, "labelWithoutSelector": True}),
    "labels over others": (PLAIN + LABELS, {"commonLabels": {"team": "c"}, "labelWithoutSelector": True}),
    "labels in templates": (
        PLAIN + LABELS,
        {
            "commonLabels": {"x": "z"},
            "labelWithoutSelector": True,
            "labelIncludeTemplates": True,
            "forceCommonLabels": True,
        },
    ),
    "labels in new templates": (
        PLAIN,
        {"commonLabels": {"x": "z"}, "labelWithoutSelector": True, "labelIncludeTemplates": True},
    ),
    "labels in templates alone": (PLAIN, {"commonLabels": {"x": "z"}, "labelIncludeTemplates": True}),
    "annotations": (PLAIN, {"commonAnnotations": {"a": "b c", "d": "e"}}),
    "annotations that are there": (
        PLAIN + "commonAnnotations: {a: b}\n",
        {"commonAnnotations": {"a": "c"}},
    ),
    "annotations by force": (
        PLAIN + "commonAnnotations: {a: b}\n",
        {"commonAnnotations": {"a": "c"}, "forceCommonAnnotations": True},
    ),
    "images": (PLAIN + IMAGES, {"images": ["nginx:2", "busybox=quay.io/busybox"]}),
    "images by digest": (PLAIN + IMAGES, {"images": ["nginx@sha256:2", "redis=x/redis:1@sha256:3"]}),
    "images with asterisks": (PLAIN + IMAGES, {"images": ["nginx=*:3", "redis=a/redis:*", "web=*:1"]}),
    "images that sort": (PLAIN + IMAGES, {"images": ["a=nginx:5"]}),
    "an image without a version": (PLAIN, {"images": ["nginx"]}),
    "patches": (
        PLAIN + "patches: [{path: one.yaml}]\n",
        {
            "patches": [
                {"path": "two.yaml"},
                {"target": {"kind": "Deployment"}, "patch": "- {op: remove, path: /spec/paused}"},
            ]
        },
    ),
    "patches in a file that has none": (
        PLAIN,
        {"patches": [{"path": "one.yaml", "options": {"allowNameChange": True}}]},
    ),
    "components": (PLAIN + "components: [part]\n", {"components": ["part", "../other"]}),
    "components that are missing": (
        PLAIN,
        {"components": ["gone", "part"], "ignoreMissingComponents": True},
    ),
    "odd texts": (
        PLAIN + 'commonAnnotations:\n  a: "\\x07\\u2028\\U0001F600 é \\"\\\\ %"\n  b: |-\n    c\n    d\n',
        {"commonAnnotations": {"e": "yes", "f": "1.10", "g": "~"}},
    ),
    "values that are no texts": (
        PLAIN
        + "generatorOptions: {disableNameSuffixHash: yes}\n"
        + "configMapGenerator: [{name: c, literals: [a=b]}]\n",
        {"namePrefix": "x-"},
    ),
    "merged mappings": (
        PLAIN + "commonLabels: &l {a: b}\ncommonAnnotations: {<<: *l, c: d}\n",
        {"namePrefix": "x-"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_options_do_what_argo_cd_does(
    name: str, renderer: LocalRenderer, kustomize: Path, tmp_path: Path
) -> None:
    """What is rendered is what is built after `kustomize edit`; what one refuses, the other does."""
    content, block = CASES[name]
    files = {
        "app/kustomization.yaml": content,
        "app/web.yaml": WEB,
        "app/one.yaml": patch("paused: true"),
        "app/two.yaml": patch("minReadySeconds: 3"),
        "app/part/kustomization.yaml": "kind: Component\nnamePrefix: part-\n",
        "other/kustomization.yaml": "kind: Component\nnameSuffix: -other\n",
    }
    assert ours(files, block, renderer) == theirs(files, block, kustomize, tmp_path)


def test_options_are_read_from_an_application() -> None:
    """Fields of another type are as if they were not there; the place of the source is known."""
    source = {"repoURL": "x", "path": "app", "kustomize": {"images": ["a:1"], "namePrefix": 1, "patches": {}}}
    obj = {"spec": {"sources": [{"repoURL": "y"}, source]}}
    first, second = Application.project(obj).sources
    assert first.kustomize.changes_nothing
    assert second.kustomize == KustomizeOptions(place="spec.sources[1].kustomize", images=("a:1",))
    assert not second.kustomize.changes_nothing
    dated = KustomizeOptions.project({"patches": [{"path": "a", "since": date(2026, 1, 2)}, 1, "b"]})
    assert dated.patches == ('{"path": "a", "since": "2026-01-02"}', "1", '"b"')
    assert dated.patch_files == ("a",)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nginx", ("nginx", "", "")),
        ("nginx:1", ("nginx", "1", "")),
        ("a.b:5000/c/d:1@sha256:2", ("a.b:5000/c/d", "1", "sha256:2")),
        ("a.b:5000/c@sha256:2", ("a.b:5000/c", "", "sha256:2")),
        ("a.b:5000/c", ("a.b:5000/c", "", "")),
        ("nginx@sha256:2", ("nginx", "", "sha256:2")),
        ("", ("", "", "")),
    ],
)
def test_images_are_taken_apart_as_kustomize_does(text: str, parts: tuple[str, str, str]) -> None:
    """A port is no tag."""
    assert split_image(text) == parts


def test_a_value_is_written_as_it_was_read() -> None:
    """Flow style says the same, whatever the characters are, and keeps what is no text apart."""
    value = {"a": ["1", Bare("1"), Bare(""), Bare("~")], "é\u2028\x00": {"b": 'c"\\\n\t'}, "d": [], "e": {}}
    text = in_flow_style(value)
    assert text.isascii()
    assert yaml.safe_load(text) == {
        "a": ["1", 1, None, None],
        "é\u2028\x00": {"b": 'c"\\\n\t'},
        "d": [],
        "e": {},
    }
    tagged = Kustomization.read("k", b"a: !!str 1\nb: !!int '2'\nc: !!binary aGk=\n").fields()
    assert yaml.safe_load(in_flow_style(tagged)) == {"a": "1", "b": 2, "c": b"hi"}


def ours(files: Mapping[str, str], block: Mapping[str, Any], renderer: LocalRenderer) -> bytes | None:
    """What is rendered here; None where it is refused."""
    options = KustomizeOptions.project(block)
    path = "app/kustomization.yaml"
    fields = Kustomization.read(path, files[path].encode()).fields()
    try:
        changed = applied(fields, options, exists=lambda name: name != "gone")
        changed.pop("imagetags", None)
        changed["images"] = [entry.says for entry in effective_images(fields, options)]
        contents = {name: text.encode() for name, text in files.items()}
        return renderer.kustomize({**contents, path: in_flow_style(changed).encode()}, "app")
    except (InvalidOptions, RenderFailed):
        return None


def theirs(files: Mapping[str, str], block: Mapping[str, Any], kustomize: Path, folder: Path) -> bytes | None:
    """What Argo CD would render; None where a command fails."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    app = folder / "app"
    for arguments in commands(block):
        if run([str(kustomize), "edit", *arguments], timeout=60, cwd=app).returncode:
            return None
    if block.get("patches"):
        document = yaml.safe_load((app / "kustomization.yaml").read_text())
        document["patches"] = [*document.get("patches", []), *block["patches"]]
        (app / "kustomization.yaml").write_text(yaml.safe_dump(document))
    components = [each for each in block.get("components", ()) if (app / each).exists()]
    if (
        components
        and run([str(kustomize), "edit", "add", "component", *components], timeout=60, cwd=app).returncode
    ):
        return None
    done = run([str(kustomize), "build", str(app)], timeout=60)
    return None if done.returncode else done.stdout


def commands(block: Mapping[str, Any]) -> Iterator[list[str]]:
    """The commands that Argo CD runs for these options, in its order (util/kustomize/kustomize.go)."""
    for key, name in (("namePrefix", "nameprefix"), ("nameSuffix", "namesuffix")):
        if key in block:
            yield ["set", name, "--", block[key]]
    if "images" in block:
        yield ["set", "image", *block["images"]]
    if "replicas" in block:
        yield ["set", "replicas", *(f"{each['name']}={each['count']}" for each in block["replicas"])]
    if "commonLabels" in block:
        flags = {
            "forceCommonLabels": "--force",
            "labelWithoutSelector": "--without-selector",
            "labelIncludeTemplates": "--include-templates",
        }
        pairs = [f"{key}:{value}" for key, value in block["commonLabels"].items()]
        yield ["add", "label", *(flag for key, flag in flags.items() if key in block), *pairs]
    if "commonAnnotations" in block:
        force = ["--force"] if "forceCommonAnnotations" in block else []
        pairs = [f"{key}:{value}" for key, value in block["commonAnnotations"].items()]
        yield ["add", "annotation", *force, *pairs]
    if "namespace" in block:
        yield ["set", "namespace", "--", block["namespace"]]


def patch(spec: str) -> str:
    """A patch of the Deployment."""
    return f"apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{{spec}}}\n"
