"""The block `kustomize` of an Application's source, and what it does to a rendering.

Argo CD changes the kustomization file of its checkout by `kustomize edit`, one command after the other, and
appends patches itself (util/kustomize/kustomize.go; the commands are in kustomize's commands/edit). Here the
same is done to the fields of the file that is rendered; nothing of it reaches Git. What kustomize would
refuse is refused. Variables of Argo CD stay as they are written.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.content import Bare, Value
from gitops_backup.sources.kustomize.kustomizations import Fields
from gitops_backup.sources.objects import Object, list_of, text_of

Pairs = tuple[tuple[str, str], ...]


class InvalidOptions(GitopsBackupError):
    """The Application's own options do not fit the kustomization: Argo CD cannot render it, either."""


@dataclass(frozen=True, slots=True)
class KustomizeOptions:
    """What an Application itself says of a kustomization.

    `place` is where in the Application it says so. `patches` are JSON texts.
    """

    place: str = "spec.source.kustomize"
    name_prefix: str = ""
    name_suffix: str = ""
    namespace: str = ""
    images: tuple[str, ...] = ()
    replicas: Pairs = ()
    common_labels: Pairs = ()
    force_common_labels: bool = False
    label_without_selector: bool = False
    label_include_templates: bool = False
    common_annotations: Pairs = ()
    force_common_annotations: bool = False
    patches: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    ignore_missing_components: bool = False

    @classmethod
    def project(cls, block: Object, *, place: str = "spec.source.kustomize") -> Self:
        """The projection of the block; what is missing, or of another type, reads as unset."""
        return cls(
            place=place,
            name_prefix=text_of(block, "namePrefix"),
            name_suffix=text_of(block, "nameSuffix"),
            namespace=text_of(block, "namespace"),
            images=tuple(str(image) for image in list_of(block, "images")),
            replicas=tuple(
                (text_of(each, "name"), str(each.get("count")))
                for each in list_of(block, "replicas")
                if isinstance(each, Mapping)
            ),
            common_labels=_pairs(block, "commonLabels"),
            force_common_labels=block.get("forceCommonLabels") is True,
            label_without_selector=block.get("labelWithoutSelector") is True,
            label_include_templates=block.get("labelIncludeTemplates") is True,
            common_annotations=_pairs(block, "commonAnnotations"),
            force_common_annotations=block.get("forceCommonAnnotations") is True,
            patches=tuple(json.dumps(patch, default=str) for patch in list_of(block, "patches")),
            components=tuple(str(component) for component in list_of(block, "components")),
            ignore_missing_components=block.get("ignoreMissingComponents") is True,
        )

    @property
    def patch_files(self) -> tuple[str, ...]:
        """The files that its patches are in."""
        patches = [json.loads(patch) for patch in self.patches]
        return tuple(
            path for patch in patches if isinstance(patch, dict) and (path := text_of(patch, "path"))
        )

    @property
    def changes_nothing(self) -> bool:
        """Whether a kustomization is rendered just as it is written."""
        return self == KustomizeOptions(place=self.place)


def applied(fields: Fields, options: KustomizeOptions, *, exists: Callable[[str], bool]) -> dict[str, Value]:
    """The fields that are rendered, but for images.

    `exists` says whether a component is there. Raises `InvalidOptions`.
    """
    texts = {
        "nameprefix": options.name_prefix,
        "namesuffix": options.name_suffix,
        "namespace": options.namespace,
    }
    changed = {**fields, **{name: text for name, text in texts.items() if text}}
    if options.replicas:
        changed["replicas"] = _replicas(fields, options)
    if options.common_labels:
        _add_labels(changed, options)
    if options.common_annotations:
        what = f"{options.place}.commonAnnotations"
        changed["commonannotations"] = _added(
            changed.get("commonannotations"),
            options.common_annotations,
            force=options.force_common_annotations,
            what=what,
        )
    if options.patches:
        patches = [_value(json.loads(patch)) for patch in options.patches]
        changed["patches"] = [*_items(fields, "patches"), *patches]
    if options.components:
        changed["components"] = _with_components(fields, options, exists)
    return changed


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """An entry of `images` that is rendered: what it says, and where it comes from.

    `number` counts from 0 among the file's own entries, or among the Application's where `live`.
    """

    says: Fields
    number: int
    live: bool


def effective_images(fields: Fields, options: KustomizeOptions) -> list[ImageEntry]:
    """The entries that are rendered, in their order: the file's, and the Application's.

    Where the Application has some, there is one entry of each name left, the Application's or else the file's
    first, and they are sorted (kustomize's commands/edit/set/setimage.go). Raises `InvalidOptions`.
    """
    items = [*_items(fields, "images"), *_items(fields, "imagetags")]
    own = [
        ImageEntry({str(key).lower(): value for key, value in says.items()}, number, live=False)
        for number, says in enumerate(items)
        if isinstance(says, Mapping)
    ]
    if not options.images:
        return own
    by_name = {_name(entry): entry for entry in map(_live_image, enumerate(options.images))}
    for entry in own:
        there = by_name.setdefault(_name(entry), entry)
        says = {key: entry.says.get(key, "") if value == "*" else value for key, value in there.says.items()}
        by_name[_name(entry)] = replace(there, says=says)
    return [_without_asterisks(by_name[name]) for name in sorted(by_name)]


def _name(entry: ImageEntry) -> str:
    name = entry.says.get("name")
    return name if isinstance(name, str) else ""


def _live_image(numbered: tuple[int, str]) -> ImageEntry:
    number, text = numbered
    name, equals, value = text.partition("=")
    new_name, tag, digest = split_image(value if equals else text)
    if new_name == text:
        raise InvalidOptions(f"kustomize takes no image {one_line(text)!r} without a new name, tag or digest")
    says: dict[str, Value] = {"name": name if equals else new_name, "newtag": tag, "digest": digest}
    if equals:
        says["newname"] = new_name
    return ImageEntry(says, number, live=True)


def _without_asterisks(entry: ImageEntry) -> ImageEntry:
    says = {key: value for key, value in entry.says.items() if not entry.live or value not in ("", "*")}
    return replace(entry, says=says)


def split_image(text: str) -> tuple[str, str, str]:
    """An image's name, tag and digest, as kustomize takes it apart (api/internal/image/image.go)."""
    slash = max(text.find("/"), 0)
    found = re.search("[:@]", text[slash:])
    if found is None:
        return text, "", ""
    at = slash + found.start()
    if text[at] == "@":
        return text[:at], "", text[at + 1 :]
    tag, _, digest = text[at + 1 :].partition("@")
    return text[:at], tag, digest


def _replicas(fields: Fields, options: KustomizeOptions) -> Value:
    by_name: dict[str, Value] = {}
    for each in _items(fields, "replicas"):
        if isinstance(each, Mapping):
            by_name[str(each.get("name", ""))] = each
    for name, count in options.replicas:
        if not re.fullmatch("[0-9]+", count):
            what = f"{options.place}.replicas of {one_line(name)}"
            raise InvalidOptions(f"{what} is no number: {one_line(count)}")
        by_name[name] = {"name": name, "count": Bare(count)}
    return [by_name[name] for name in sorted(by_name)]


def _add_labels(changed: dict[str, Value], options: KustomizeOptions) -> None:
    what = f"{options.place}.commonLabels"
    force = options.force_common_labels
    if not options.label_without_selector:
        if options.label_include_templates:
            raise InvalidOptions(f"{options.place}.labelIncludeTemplates needs labelWithoutSelector")
        pairs = _added(changed.get("commonlabels"), options.common_labels, force=force, what=what)
        changed["commonlabels"] = pairs
        return
    labels = [dict(each) for each in _items(changed, "labels") if isinstance(each, Mapping)]
    templates = options.label_include_templates
    fitting = next((each for each in labels if _flags(each) == (False, templates)), None)
    if fitting is None:
        fitting = {"includeTemplates": Bare("true")} if templates else {}
        labels.append(fitting)
    key = next((key for key in fitting if str(key).lower() == "pairs"), "pairs")
    fitting[key] = _added(fitting.get(key), options.common_labels, force=force, what=what)
    changed["labels"] = labels


def _flags(label: Mapping[Any, Value]) -> tuple[bool, bool]:
    """Whether a group of labels goes to selectors, and to templates."""
    said = {str(key).lower(): value == Bare("true") for key, value in label.items()}
    return said.get("includeselectors", False), said.get("includetemplates", False)


def _added(there: Value, pairs: Pairs, *, force: bool, what: str) -> Value:
    merged = dict(there) if isinstance(there, Mapping) else {}
    for key, text in pairs:
        if key in merged and not force:
            raise InvalidOptions(f"{what} has {one_line(key)}, which the kustomization has, too")
        merged[key] = text
    return merged


def _with_components(
    fields: Fields, options: KustomizeOptions, exists: Callable[[str], bool]
) -> Sequence[Value]:
    components = list(_items(fields, "components"))
    for component in options.components:
        if options.ignore_missing_components and not exists(component):
            continue
        if component not in components:
            components.append(component)
    return components


def _value(parsed: object) -> Value:
    """What was read from JSON, as what is read from YAML."""
    if isinstance(parsed, dict):
        return {str(key): _value(value) for key, value in parsed.items()}
    if isinstance(parsed, list):
        return [_value(item) for item in parsed]
    return parsed if isinstance(parsed, str) else Bare(json.dumps(parsed))


def _items(fields: Fields, name: str) -> Iterable[Value]:
    value = fields.get(name)
    return value if isinstance(value, list) else ()


def _pairs(block: Object, key: str) -> Pairs:
    value = block.get(key)
    pairs = value.items() if isinstance(value, Mapping) else ()
    return tuple(sorted((str(name), str(text)) for name, text in pairs))
