"""Container images of some two kilobytes, made on the spot: the same content makes the same digest.

On every machine, too: the layer is "compressed" by hand, without compression, because what zlib makes differs
between its versions.

The formats are those of the OCI image specification (v1.1: manifest, config, index) and, for what older
registries hold, of Docker's image manifest version 2, schema 2.
"""

import hashlib
import io
import json
import struct
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_OCI = {
    "index": "application/vnd.oci.image.index.v1+json",
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "config": "application/vnd.oci.image.config.v1+json",
    "layer": "application/vnd.oci.image.layer.v1.tar+gzip",
}
_DOCKER = {
    "index": "application/vnd.docker.distribution.manifest.list.v2+json",
    "manifest": "application/vnd.docker.distribution.manifest.v2+json",
    "config": "application/vnd.docker.container.image.v1+json",
    "layer": "application/vnd.docker.image.rootfs.diff.tar.gzip",
}
_LONGEST_STORED_BLOCK = 0xFFFF
MANIFEST_TYPES = tuple(types[kind] for types in (_OCI, _DOCKER) for kind in ("index", "manifest"))


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest or an index as it is pushed: its media type and its bytes."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """The name that a registry gives it."""
        return digest_of(self.content)


@dataclass(frozen=True, slots=True)
class TinyImage:
    """What has to be pushed, in this order: blobs by digest, manifests by digest, `top` by tag.

    `top` is the index where there is one, else the only manifest.
    """

    blobs: Mapping[str, bytes]
    manifests: Sequence[Manifest]
    top: Manifest


def tiny_image(content: bytes, *, platforms: Sequence[str], docker: bool = False) -> TinyImage:
    """An image whose one layer has one file with this content, for platforms such as `linux/arm64`.

    Several platforms make an index; `docker` chooses Docker's media types instead of OCI's.
    """
    types = _DOCKER if docker else _OCI
    blobs: dict[str, bytes] = {}
    manifests = [_manifest(content, platform=platform, types=types, blobs=blobs) for platform in platforms]
    if len(manifests) == 1:
        return TinyImage(blobs=blobs, manifests=(), top=manifests[0])
    entries = [
        {**_described(manifest.media_type, manifest.content), "platform": _platform(platform)}
        for platform, manifest in zip(platforms, manifests, strict=True)
    ]
    top = Manifest(types["index"], _json(_versioned(types["index"], {"manifests": entries})))
    return TinyImage(blobs=blobs, manifests=manifests, top=top)


def digest_of(content: bytes) -> str:
    """The content's digest as registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _manifest(
    content: bytes, *, platform: str, types: Mapping[str, str], blobs: dict[str, bytes]
) -> Manifest:
    files = _tar(content)
    layer = _gzip_stored(files)
    rootfs = {"type": "layers", "diff_ids": [digest_of(files)]}
    config = _json({**_platform(platform), "config": {}, "rootfs": rootfs, "created": "1970-01-01T00:00:00Z"})
    blobs[digest_of(config)] = config
    blobs[digest_of(layer)] = layer
    body = {"config": _described(types["config"], config), "layers": [_described(types["layer"], layer)]}
    return Manifest(types["manifest"], _json(_versioned(types["manifest"], body)))


def _tar(content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        member = tarfile.TarInfo("content")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
        end = archive.offset
    # two empty blocks end an archive; the rest of a tape's record is only padding
    return buffer.getvalue()[: end + 2 * tarfile.BLOCKSIZE]


def _gzip_stored(content: bytes) -> bytes:
    """RFC 1952 around the stored blocks of RFC 1951, section 3.2.4."""
    parts = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"]
    for start in range(0, len(content), _LONGEST_STORED_BLOCK):
        block = content[start : start + _LONGEST_STORED_BLOCK]
        last = start + _LONGEST_STORED_BLOCK >= len(content)
        parts += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    parts.append(struct.pack("<II", zlib.crc32(content), len(content) & 0xFFFFFFFF))
    return b"".join(parts)


def _platform(text: str) -> dict[str, str]:
    system, architecture, *variant = text.split("/")
    return {"os": system, "architecture": architecture, **({"variant": variant[0]} if variant else {})}


def _described(media_type: str, content: bytes) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def _versioned(media_type: str, body: Mapping[str, object]) -> dict[str, object]:
    return {"schemaVersion": 2, "mediaType": media_type, **body}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
