"""What a registry stores under a digest: an index of manifests, or the manifest of one image.

The forms are those of the OCI image specification (1.1: image-index.md, manifest.md) and of Docker (Image
Manifest Version 2, Schema 2), which are alike in all that is read here. Nothing in a manifest is trusted:
what is to become part of a URL is checked to be a digest, a document that could be read as an index as well
as an image is refused (CVE-2021-41190), and so is one that would make us ask for very many others.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_backup.domain.images import DIGEST
from gitops_backup.errors import GitopsBackupError

MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_NO_PLATFORM = "unknown/unknown"
_MOST_CHILDREN = 1000


class InvalidManifest(GitopsBackupError):
    """The bytes are not a manifest that an image can be copied by."""


@dataclass(frozen=True, slots=True)
class Child:
    """A manifest that an index names; `platform` is None for attestations and where the index is silent."""

    digest: str
    media_type: str
    platform: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer, or the configuration of an image; `size` is in bytes."""

    digest: str
    size: int
    media_type: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest: an index has `children`, an image `config` and `layers`; sizes are in bytes."""

    digest: str
    media_type: str
    size: int
    children: tuple[Child, ...]
    config: Blob | None
    layers: tuple[Blob, ...]

    @property
    def blobs(self) -> tuple[Blob, ...]:
        """Everything that the manifest of an image names."""
        return self.layers if self.config is None else (self.config, *self.layers)


def digest_of(body: bytes, like: str) -> str:
    """The digest of the bytes, by the algorithm of the digest `like`."""
    algorithm = like.partition(":")[0]
    return f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"


def parse(body: bytes, *, digest: str, content_type: str) -> Manifest:
    """The manifest that these bytes are; `content_type` counts where they do not say it themselves.

    Raises `InvalidManifest`.
    """
    try:
        document = json.loads(body)
        if not isinstance(document, dict):
            raise InvalidManifest("the manifest is not a JSON object")
        children = tuple(_child(entry) for entry in document.get("manifests") or ())
        config = _blob(document["config"]) if document.get("config") else None
        layers = tuple(_blob(entry) for entry in document.get("layers") or ())
        if len(children) > _MOST_CHILDREN:
            raise InvalidManifest(f"the manifest names more than {_MOST_CHILDREN} others")
        if "manifests" in document and (config or layers):
            raise InvalidManifest("the manifest claims to be an index and an image at once")
        return Manifest(
            digest=digest,
            media_type=str(document.get("mediaType") or content_type),
            size=len(body),
            children=children,
            config=config,
            layers=layers,
        )
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError) as error:
        raise InvalidManifest("the manifest is not in a form that is known") from error


def platform_of(config: bytes) -> str | None:
    """The platform that the configuration of an image names, as `linux/arm64/v8`; None where it names none.

    Raises `InvalidManifest`.
    """
    try:
        return _platform(json.loads(config))
    except (ValueError, RecursionError, AttributeError) as error:
        raise InvalidManifest("the configuration of the image is not a JSON object") from error


def _child(entry: Mapping[str, Any]) -> Child:
    blob = _blob(entry)
    return Child(
        digest=blob.digest,
        media_type=str(entry.get("mediaType", "")),
        platform=_platform(entry.get("platform") or {}),
        size=blob.size,
    )


def _blob(entry: Mapping[str, Any]) -> Blob:
    digest, size = entry["digest"], entry["size"]
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise InvalidManifest("the manifest names something by what is no digest")
    if not isinstance(size, int) or size < 0:
        raise InvalidManifest("the manifest names something without its size")
    return Blob(digest, size, str(entry.get("mediaType", "")))


def _platform(entry: Mapping[str, Any]) -> str | None:
    parts = [entry.get("os"), entry.get("architecture"), entry.get("variant")]
    platform = "/".join(str(part) for part in parts if part)
    return platform if all(parts[:2]) and platform != _NO_PLATFORM else None
