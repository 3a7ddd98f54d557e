"""Edits of generated sets: what they deploy afterwards is what they did, with the images' copies."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Naming
from gitops_backup.rendering.renderer import LocalRenderer
from gitops_backup.sources.applicationsets.generators import Surroundings
from gitops_backup.sources.applicationsets.sets import evaluate, read_sets
from gitops_backup.sources.makers.editing import MadeResult, MadeSite, Wanted, edit_made
from gitops_backup.sources.makers.sets import SetMaker
from gitops_backup.sources.objects import Object
from gitops_backup.sources.rendered import Rendered
from gitops_backup.sources.replacements import ObjectId, Replacement
from gitops_backup.sources.trees import Tree

_NAMING = Naming.below("bak.example/m")
_NO_PROGRAMS = LocalRenderer(scratch=Path("/nonexistent"))
_IMAGES = (("docker.io", "library/nginx"), ("quay.io", "acme/web"), ("docker.io", "acme/web"))
_TAGS = ("1.25", "v2", "latest")
# what a template says of the image, of what is left in the elements, and of something else
_IMAGE = (
    "{{image}}",
    "{{registry}}/{{repository}}",
    "docker.io/{{repository}}",
    "docker.io/library/nginx",
    "{{values.image}}",
)
_EXTRA = ("none", "from {{image}}", "{{image}}:{{tag}}", "{{app}}", "docker.io/library/nginx")


@dataclass(frozen=True, slots=True)
class SetSample:
    """The files of a set, what is wanted of it, and the copies that there are."""

    files: dict[str, bytes]
    wanted: tuple[Wanted, ...]
    copies: dict[Reference, str]


@st.composite
def sets(draw: st.DrawFn) -> SetSample:
    """A set with some elements, in its manifest or in files, written in one style or another."""
    elements = [
        {
            "app": f"app-{number}",
            "registry": registry,
            "repository": repository,
            "image": f"{registry}/{repository}",
            "tag": draw(st.sampled_from(_TAGS)),
        }
        for number in range(draw(st.integers(1, 4)))
        for registry, repository in [draw(st.sampled_from(_IMAGES))]
    ]
    generators: list[Any] = []
    files: dict[str, bytes] = {}
    for number, element in enumerate(elements):
        if draw(st.booleans()):
            generators.append({"list": {"elements": [{**element, "values": {"image": element["image"]}}]}})
        else:
            extension, text = draw(st.sampled_from(list(_written(element).items())))
            path = f"env/{number}.{extension}"
            files[path] = text.encode()
            git = {"repoURL": "https://git.example/shop", "revision": "HEAD", "files": [{"path": path}]}
            generators.append({"git": {**git, "values": {"image": "{{image}}"}}})
    parameters = [
        {"name": "image", "value": draw(st.sampled_from(_IMAGE))},
        {"name": "tag", "value": "{{tag}}"},
        {"name": "extra", "value": draw(st.sampled_from(_EXTRA))},
    ]
    source = {"repoURL": "https://git.example/shop", "path": "chart", "helm": {"parameters": parameters}}
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "shop"},
        "spec": {
            "generators": generators,
            "template": {"metadata": {"name": "{{app}}"}, "spec": {"project": "default", "source": source}},
        },
    }
    as_json = draw(st.booleans())
    files["set.yaml"] = (json.dumps(manifest) if as_json else yaml.safe_dump(manifest)).encode()
    known = {name: rendered[0] for name, rendered in _deployed(files).items()}
    images = {name: Reference.parse(_image(each)) for name, each in known.items()}
    copied = {image for image in images.values() if draw(st.integers(0, 3))}
    copies = {image: str(_NAMING.backup(image)) for image in copied}
    wanted = tuple(
        (name, Replacement(known[name].identity, "main", init=False, old=image, new=copies[image]))
        for name, image in images.items()
        if image in copies
    )
    return SetSample(files, wanted, copies)


@given(sample=sets())
def test_images_become_their_copies_and_nothing_else_changes(sample: SetSample) -> None:
    """Or there is a reason, and then nothing changes for that image; a second time nothing is done."""
    result = _edited(sample.files, sample.wanted, sample.copies)
    assert {*result.replaced, *result.refused} == set(sample.wanted)
    assert not result.replaced.keys() & result.refused.keys()
    after = {**sample.files, **result.edits}
    before_all, after_all = _deployed(sample.files), _deployed(after)
    assert before_all.keys() == after_all.keys()
    changed = {name for name, each in before_all.items() if each != after_all[name]}
    assert changed >= {name for name, _ in result.replaced}
    assert not changed & {name for name, _ in result.refused}
    for name in changed:
        (was,), (now,) = before_all[name], after_all[name]
        old, new = _image(was), _image(now)
        assert Reference.parse(new) == Reference.parse(sample.copies[Reference.parse(old)])
        # what is put together of other texts stays, what the same text feeds follows
        assert now.content in (_with(was, old, new), _with(was, old, new, everywhere=True))
    if result.replaced:
        again = _edited(after, tuple(result.replaced), sample.copies)
        assert (again.edits, set(again.done)) == ({}, set(result.replaced))


def _written(element: dict[str, str]) -> dict[str, str]:
    """The element in several styles, by the extension of its file's name."""
    return {
        "json": json.dumps(element, indent=1),
        "yaml": yaml.safe_dump(element) + "# the end, without docker.io/library/nginx",
        "yml": yaml.safe_dump(element, default_style='"').replace("\n", "\r\n"),
        "flow.yaml": yaml.safe_dump(element, default_flow_style=True, width=1000),
        "list.json": json.dumps([element]),
    }


def _edited(files: dict[str, bytes], wanted: Sequence[Wanted], copies: dict[Reference, str]) -> MadeResult:
    (found,) = read_sets("set.yaml", files["set.yaml"], namespace="argocd")
    maker = SetMaker.of(found, _around(files), renderer=_NO_PROGRAMS)
    site = MadeSite(maker, lambda obj, _: _rendered(obj))
    return edit_made(site, wanted, copies=copies)


def _deployed(files: dict[str, bytes]) -> dict[str, list[Rendered]]:
    (found,) = read_sets("set.yaml", files["set.yaml"], namespace="argocd")
    evaluation = evaluate(found, _around(files), renderer=_NO_PROGRAMS)
    assert evaluation.problems == ()
    return {each.name: _rendered(each.application) for each in evaluation.generated}


def _around(files: dict[str, bytes]) -> Surroundings:
    return Surroundings(Tree(dict.fromkeys(files, "100644")), is_here=lambda *_: True, contents=files)


def _rendered(application: Object) -> list[Rendered]:
    """What a chart makes of the parameters."""
    given = {each["name"]: each["value"] for each in application["spec"]["source"]["helm"]["parameters"]}
    container = {"name": "main", "image": f"{given['image']}:{given['tag']}", "args": [given["extra"]]}
    content = {"spec": {"template": {"spec": {"containers": [container]}}}}
    return [Rendered(ObjectId("apps", "Deployment", "default", "web"), content)]


def _image(rendered: Rendered) -> str:
    return str(rendered.content["spec"]["template"]["spec"]["containers"][0]["image"])


def _with(rendered: Rendered, old: str, new: str, *, everywhere: bool = False) -> Any:
    """The object with another image, and with it in place of the old one elsewhere."""
    image = json.dumps({"image": old}).strip("{}")
    text = json.dumps(rendered.content).replace(image, json.dumps({"image": new}).strip("{}"))
    return json.loads(text.replace(json.dumps(old), json.dumps(new)) if everywhere else text)
