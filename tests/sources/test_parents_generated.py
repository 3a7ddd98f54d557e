"""Edits of generated charts of Applications: what these deploy is what they did, with the copies."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Naming
from gitops_backup.rendering.cache import CachingRenderer
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applications import Application
from gitops_backup.sources.makers.editing import MadeSite, edit_made
from gitops_backup.sources.makers.parents import Parent
from gitops_backup.sources.mounts import Mounts
from gitops_backup.sources.objects import Object
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendered import Rendered
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.replacements import ObjectId, Replacement
from gitops_backup.sources.trees import Tree

_NAMING = Naming.below("bak.example/m")
_IMAGES = (("docker.io", "library/nginx"), ("quay.io", "acme/web"), ("docker.io", "acme/web"))
_TAGS = ("1.25", "v2")
# what the template says of the image, of something else, and of the Application itself
_IMAGE = (
    "{{ $app.image }}",
    "{{ $app.registry }}/{{ $app.repository }}",
    "{{ $.Values.registry }}/{{ $app.repository }}",
    "docker.io/library/nginx",
    "{{ $app.image | upper | lower }}",
    "{{ $.Values.image }}",
)
_EXTRA = ("none", "from {{ $app.image }}", "{{ $app.image }}:{{ $app.tag }}", "docker.io/library/nginx")
_NOTES = ("none", "none", "{{ $app.image }}", "{{ $app.repository }}")
_TEMPLATE = """\
{{- range $name, $app := .Values.applications }}
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata:
  name: {{ $name }}
  annotations:
    note: "NOTE"
spec:
  source:
    repoURL: https://git.example/shop
    path: web
    helm:
      parameters:
      - name: image
        value: IMAGE  # as it is
      - name: tag
        value: "{{ $app.tag }}"
      - name: extra
        value: "EXTRA"
{{- end }}
"""


@dataclass(frozen=True, slots=True)
class ParentSample:
    """The files of a chart of Applications, and the copies that there are."""

    files: Mapping[str, bytes]
    copied: frozenset[str]


@st.composite
def parents(draw: st.DrawFn) -> ParentSample:
    """A chart of some Applications, its values written in one style or another."""
    applications = {
        f"app-{number}": {
            "registry": registry,
            "repository": repository,
            "image": f"{registry}/{repository}",
            "tag": draw(st.sampled_from(_TAGS)),
        }
        for number in range(draw(st.integers(1, 3)))
        for registry, repository in [draw(st.sampled_from(_IMAGES))]
    }
    values = {"registry": "docker.io", "image": "docker.io/acme/web", "applications": applications}
    styles = (
        json.dumps(values, indent=1),
        yaml.safe_dump(values) + "# the end, without docker.io/library/nginx",
        yaml.safe_dump(values, default_style='"').replace("\n", "\r\n"),
        yaml.safe_dump(values, default_flow_style=True, width=1000),
    )
    template = _TEMPLATE
    for name, choice in (("IMAGE", _IMAGE), ("EXTRA", _EXTRA), ("NOTE", _NOTES)):
        template = template.replace(name, draw(st.sampled_from(choice)))
    files = {
        "apps/Chart.yaml": "apiVersion: v2\nname: apps\nversion: 0.1.0\n",
        "apps/values.yaml": draw(st.sampled_from(styles)),
        "apps/templates/applications.yaml": template,
    }
    copied = draw(
        st.frozensets(st.sampled_from([f"{r}/{n}:{t}" for r, n in _IMAGES for t in _TAGS]), min_size=3)
    )
    return ParentSample({path: content.encode() for path, content in files.items()}, copied)


@pytest.mark.timeout(1200)
@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(sample=parents())
def test_images_become_their_copies_and_nothing_else_changes(
    helm_renderer: LocalRenderer, sample: ParentSample
) -> None:
    """Or there is a reason, and then nothing changes for that image; a second time nothing is done."""
    renderer = CachingRenderer(helm_renderer, version="")
    before = _parent(sample.files, renderer)
    copies = {each: str(_NAMING.backup(each)) for each in map(Reference.parse, sample.copied)}
    wanted = [
        (name, Replacement(_WORKLOAD, "main", init=False, old=image, new=copies[image]))
        for name, obj in before.applications().items()
        if (image := Reference.parse(_image(obj))) in copies
    ]
    result = edit_made(_site(before), wanted, copies=copies)
    assert {*result.replaced, *result.refused} == set(wanted)
    assert not result.replaced.keys() & result.refused.keys()
    after = _parent({**sample.files, **result.edits}, renderer)
    one, other = before.applications(), after.applications()
    changed = {name for name, obj in one.items() if obj != other[name]}
    assert one.keys() == other.keys()
    assert changed >= {name for name, _ in result.replaced}
    for name in changed:
        old, new = _image(one[name]), _image(other[name])
        assert Reference.parse(new) == Reference.parse(copies[Reference.parse(old)])
        names = old.rpartition(":")[0], new.rpartition(":")[0]
        # what is put together of other texts stays, what the same text feeds follows
        assert other[name] in (_with(one[name], *names), _with(one[name], *names, extra=(old, new)))
    for name, replacement in result.refused:
        assert name not in changed or Reference.parse(_image(other[name])) == Reference.parse(replacement.new)
    if result.replaced:
        again = edit_made(_site(after), list(result.replaced), copies=copies)
        assert (again.edits, set(again.done)) == ({}, set(result.replaced))


def _parent(files: Mapping[str, bytes], renderer: Renderer) -> Parent:
    root = Application.project(
        {
            "metadata": {"name": "root"},
            "spec": {"source": {"repoURL": "https://git.example/shop", "path": "apps"}},
        }
    )
    (source,) = root.sources
    tree, mounts = Tree(dict.fromkeys(files, "100644")), Mounts(frozenset({Place.of(source)}))
    return Parent(root, source, "argocd", tree, files, mounts, renderer)


def _site(parent: Parent) -> MadeSite:
    return MadeSite(parent, lambda obj, _: _rendered(obj))


def _parameters(obj: Object) -> dict[str, str]:
    return {each["name"]: each["value"] for each in obj["spec"]["source"]["helm"]["parameters"]}


def _image(obj: Object) -> str:
    given = _parameters(obj)
    return f"{given['image']}:{given['tag']}"


def _rendered(obj: Object) -> list[Rendered]:
    """What a chart makes of the parameters."""
    container = {"name": "main", "image": _image(obj), "args": [_parameters(obj)["extra"]]}
    return [Rendered(_WORKLOAD, {"spec": {"template": {"spec": {"containers": [container]}}}})]


def _with(obj: Object, old: str, new: str, *, extra: tuple[str, str] = ("", "")) -> Any:
    """The Application with another name of the image, and perhaps with another image in `extra`."""
    made = json.loads(json.dumps(obj))
    for each in made["spec"]["source"]["helm"]["parameters"]:
        if each["name"] == "image" and each["value"] == old:
            each["value"] = new
        elif each["name"] == "extra" and each["value"] == extra[0]:
            each["value"] = extra[1]
    return made


_WORKLOAD = ObjectId("apps", "Deployment", "default", "web")
