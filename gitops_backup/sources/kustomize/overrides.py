"""Editing `kustomize.images` where an Application itself, or a parameter file, says it: an entry's new name.

An entry is `name=new-name:tag`, or leaves the new name out. Its tag and its digest stay, as they do in a
kustomization file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gitops_backup.sources.inline.layers import Layers, Way
from gitops_backup.sources.inline.texts import CannotWrite
from gitops_backup.sources.kustomize.options import KustomizeOptions, split_image


@dataclass(frozen=True, slots=True)
class Override:
    """An edit: the entry with this number, counted from 0, is to have the new name."""

    number: int
    new_name: str

    @property
    def way(self) -> Way:
        """Where the entry is in the source."""
        return "kustomize", "images", self.number


def renamed(entry: str, new_name: str) -> str:
    """An entry with a new name."""
    name, equals, value = entry.partition("=")
    if not equals:
        name, value = split_image(entry)[0], entry
    return f"{name}={new_name}{value[len(split_image(value)[0]) :]}"


def with_overrides(options: KustomizeOptions, overrides: Sequence[Override]) -> tuple[str, ...]:
    """All entries, some of them with new names."""
    new = {each.number: renamed(options.images[each.number], each.new_name) for each in overrides}
    return tuple(new.get(number, entry) for number, entry in enumerate(options.images))


def written(layers: Layers, overrides: Sequence[Override]) -> Layers:
    """The same with these edits, in files. Raises `CannotWrite`."""
    images = with_overrides(layers.source.kustomize, overrides)
    changed = layers.changed({each.way: images[each.number] for each in overrides}, {})
    if changed.source.kustomize.images != images:
        raise CannotWrite("what would be written is not what was tried")
    return changed
