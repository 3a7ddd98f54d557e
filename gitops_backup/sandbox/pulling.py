"""What a node does with an image name: ask the registry, and get a digest or a reason why not.

`imageID` has the form that containerd reports: the repository's name and the digest that the tag named, the
index's where there is an index.
"""

from dataclasses import dataclass

from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.sandbox.locations import Locations, NoSuchPlace
from gitops_backup.sandbox.registry import RegistryRefused


@dataclass(frozen=True, slots=True)
class Pulled:
    """An image that a node has: its name in normal form, and its `imageID`."""

    image: str
    image_id: str


@dataclass(frozen=True, slots=True)
class NotPulled:
    """An image that a node cannot have, with the kubelet's word for the reason."""

    image: str
    reason: str
    message: str


def pull(image: str, locations: Locations) -> Pulled | NotPulled:
    """Ask the real registry for the image, as a node would."""
    try:
        reference = Reference.parse(image)
        registry, repository = locations.of(reference)
        digest = registry.digest(repository, reference.digest or reference.tag or "latest")
    except InvalidReference as error:
        return NotPulled(image, "InvalidImageName", error.message)
    except (NoSuchPlace, RegistryRefused) as error:
        return NotPulled(image, "ImagePullBackOff", error.message)
    if digest is None:
        return NotPulled(image, "ImagePullBackOff", f"{reference}: not found")
    return Pulled(str(reference), f"{reference.name}@{digest}")
