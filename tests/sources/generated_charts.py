"""Charts and values as people write them, in many ways, for property tests."""

from dataclasses import dataclass
from typing import Any

import yaml
from hypothesis import strategies as st

from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Naming
from gitops_backup.sources.replacements import ObjectId, Replacement
from tests.sources.charts import CHART

NAMING = Naming.below("bak.example/m")
IMAGES = (
    ("docker.io", "library/nginx"),
    ("docker.io", "acme/web"),
    ("ghcr.io", "acme/web"),
    ("ghcr.io", "acme/tools/web"),
    ("localhost:5000", "web"),
    ("docker.io", "library/web"),
)
TAGS = ("1.25", "v2.0.0-rc1", "latest", "1.25@sha256:" + "a" * 64)
KINDS = ("Deployment", "DaemonSet", "StatefulSet")

# the values that a component has, and what its template makes of them; `V` stands for its values
SPELLINGS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"image": "{registry}/{repository}:{tag}"}, "{{ V.image }}"),
    (
        {"image": {"repository": "{registry}/{repository}", "tag": "{tag}"}},
        "{{ V.image.repository }}:{{ V.image.tag }}",
    ),
    (
        {"image": {"registry": "{registry}", "repository": "{repository}", "tag": "{tag}"}},
        "{{ V.image.registry }}/{{ V.image.repository }}:{{ V.image.tag }}",
    ),
    ({"imageName": "{registry}/{repository}", "imageTag": "{tag}"}, "{{ V.imageName }}:{{ V.imageTag }}"),
    (
        {"repository": "{repository}", "tag": "{tag}"},
        "{{ .Values.global.imageRegistry }}/{{ V.repository }}:{{ V.tag }}",
    ),
    (
        {"image": {"repository": "{repository}", "tag": "{tag}"}},
        '{{ V.image.registry | default "{registry}" }}/{{ V.image.repository }}:{{ V.image.tag }}',
    ),
    (
        {"image": "{registry}/{repository}", "version": "{tag}"},
        '{{ printf "%s:%s" V.image (toString V.version) }}',
    ),
    (
        {"prefix": "{registry}/", "name": "{repository}", "tag": "{tag}"},
        "{{ V.prefix }}{{ V.name }}:{{ V.tag }}",
    ),
    ({"replicas": 1}, "{registry}/{repository}:{tag}"),
    ({"tag": "{tag}"}, "{registry}/{repository}:{{ V.tag }}"),
    (
        {"image": {"name": "{repository}", "tag": "{tag}"}},
        '{{ V.image.name | trimPrefix "library/" }}:{{ V.image.tag }}',
    ),
)

WORKLOAD = """\
apiVersion: apps/v1
kind: {kind}
metadata:
  name: {name}
spec:
  template:
    spec:
      containers:
        - name: {name}
          image: {quote}{image}{quote}
          args: ["{extra}"]
"""


@dataclass(frozen=True, slots=True)
class ChartSample:
    """A chart in `app` with its value files, what its images are, and which of them are to become copies."""

    files: dict[str, bytes]
    value_files: tuple[str, ...]
    replacements: tuple[Replacement, ...]
    copies: dict[Reference, str]


@st.composite
def charts(draw: st.DrawFn) -> ChartSample:
    """Components of all spellings, their values here or there."""
    layers: list[dict[str, Any]] = [{"global": {"imageRegistry": "docker.io"}}, {}, {}]
    files = {"app/Chart.yaml": CHART}
    references: dict[str, tuple[str, Reference]] = {}
    for name in draw(st.lists(st.sampled_from(["web", "api", "cache"]), min_size=1, max_size=3, unique=True)):
        values, template = draw(st.sampled_from(SPELLINGS))
        registry, repository = draw(st.sampled_from(IMAGES))
        if "global.imageRegistry" in template or "trimPrefix" in template:
            registry, repository = "docker.io", repository if "/" in repository else f"library/{repository}"
        tag = draw(st.sampled_from(TAGS))
        facts = {"registry": registry, "repository": repository, "tag": tag}
        kind = draw(st.sampled_from(KINDS))
        values = filled(values, facts)
        place(draw, layers, name, values)
        image = filled(template, facts).replace("V.", f".Values.{name}.")
        extra = draw(
            st.sampled_from(["--serve", image, f"--image={image}"]) if draw(st.booleans()) else st.just("x")
        )
        quote = draw(st.sampled_from(["", '"'])) if '"' not in image and "{{" not in image else ""
        manifest = WORKLOAD.format(
            kind=kind, name=name, image=image, quote=quote, extra=extra.replace('"', "`")
        )
        files[f"app/templates/{name}.yaml"] = manifest.encode()
        references[name] = kind, Reference.parse(f"{registry}/{repository}:{tag}")
    names = ["app/values.yaml", "env/base.yaml", "env/prod.yaml"]
    for path, layer in zip(names, layers, strict=True):
        files[path] = draw(printed(layer))
    known = draw(st.sets(st.sampled_from(sorted(references)))) | {min(references)}
    copies = {ref: str(NAMING.backup(ref)) for name, (_, ref) in references.items() if name in known}
    return ChartSample(
        files=files,
        value_files=("../env/base.yaml", "../env/prod.yaml"),
        replacements=tuple(
            Replacement(ObjectId("apps", kind, "shop", name), name, False, ref, copies[ref])
            for name, (kind, ref) in references.items()
            if name in known and kind != "StatefulSet"
        ),
        copies=copies,
    )


def place(draw: st.DrawFn, layers: list[dict[str, Any]], name: str, values: dict[str, Any]) -> None:
    """Puts each value into one of the layers, and perhaps something else into those below."""
    for key, value in values.items():
        if isinstance(value, dict):
            inner: list[dict[str, Any]] = [layer.setdefault(name, {}).setdefault(key, {}) for layer in layers]
            for leaf, text in value.items():
                number = draw(st.integers(0, 2))
                inner[number][leaf] = text
                if number and draw(st.booleans()):
                    inner[draw(st.integers(0, number - 1))][leaf] = draw(st.sampled_from([text, "other"]))
        else:
            layers[draw(st.integers(0, 2))].setdefault(name, {})[key] = value
    for layer in layers[1:]:
        for key in [key for key, value in layer.get(name, {}).items() if value == {}]:
            del layer[name][key]
        if layer.get(name) == {}:
            del layer[name]


def filled(value: Any, facts: dict[str, str]) -> Any:
    """The value with the image's facts in it."""
    if isinstance(value, dict):
        return {key: filled(inner, facts) for key, inner in value.items()}
    if isinstance(value, str):
        for fact, text in facts.items():
            value = value.replace(f"{{{fact}}}", text)
    return value


@st.composite
def printed(draw: st.DrawFn, layer: dict[str, Any]) -> bytes:
    """A value file, in one of many styles."""
    style = draw(st.sampled_from([False, False, None, True]))
    text = yaml.safe_dump(layer, default_flow_style=style, indent=draw(st.sampled_from([2, 4])))
    if not layer and draw(st.booleans()):
        text = ""
    text = (
        draw(st.sampled_from(["", "# values\n", "---\n"])) + text + draw(st.sampled_from(["", "# the end\n"]))
    )
    if draw(st.booleans()):
        text = text.rstrip("\n")
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))).encode()
