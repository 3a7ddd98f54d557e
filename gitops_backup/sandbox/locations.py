"""Which registry of the sandbox an image is really in.

The longest prefix counts, and a prefix ends where a path component ends: `docker.io/marcosquesada` does not
cover `docker.io/marcosquesadax`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from gitops_backup.domain.images import Reference
from gitops_backup.errors import GitopsBackupError
from gitops_backup.sandbox.registry import Registry


class NoSuchPlace(GitopsBackupError):
    """No registry of the sandbox stands for the image's host."""


@dataclass(frozen=True, slots=True)
class Place:
    """A registry of the sandbox, and the path in it below which a prefix of names lies."""

    registry: Registry
    path: str


@dataclass(frozen=True, slots=True)
class Locations:
    """The places of prefixes such as `quay.io` or `docker.io/marcosquesada`."""

    places: Mapping[str, Place]

    def of(self, image: Reference) -> tuple[Registry, str]:
        """The registry that has the image, and the image's repository there. Raises `NoSuchPlace`."""
        covering = [prefix for prefix in self.places if f"{image.name}/".startswith(f"{prefix}/")]
        if not covering:
            raise NoSuchPlace(f"no registry of the sandbox stands for {image.registry}")
        prefix = max(covering, key=len)
        place = self.places[prefix]
        return place.registry, f"{place.path}{image.name.removeprefix(prefix)}"

    def settings(self) -> dict[str, dict[str, object]]:
        """The same as the product's setting `registries` has it."""
        return {
            prefix: {"location": f"{place.registry.address}/{place.path}", "insecure": True}
            for prefix, place in sorted(self.places.items())
        }
