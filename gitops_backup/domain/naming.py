"""Names: of an image's backup, of the ImageBackup that stands for it, and the way back.

Every backup lies below one prefix: flat, because Docker Hub knows no deeper paths, or nested, for registries
that do. Both mappings are injective, and what they make tells its source again.

Flat names (`Shape.FLAT`):

- An image of Docker Hub with two components, the first without `_` and `.`, keeps the short form that users
  of the earlier system know: `nginx:1.25` becomes `library_nginx:1.25`.
- Everything else begins with its registry. `/` becomes `_`, and a `_` within a component becomes `__`, so
  that `ghcr.io/a/b_c` is `ghcr.io_a_b__c`. The first part of this form always has a dot and that of the
  short form never has one; a port is one more label (`localhost:5000/a` is `localhost.5000_a`).

Nested names (`Shape.NESTED`) are the source's whole name, its registry included: `ghcr.io/a/b_c`,
`docker.io/library/nginx`, `localhost.5000/a`. Charts that join a registry or a prefix with other parts of a
name can say these.

In both, what would be ambiguous or too long is cut and ends in `__` and 128 bits of a hash. It has no
inverse: the ImageBackup records its source. What only looks like such a name is hashed as well.

The tag stays what it is. A digest stays, too; since a registry may delete what has no tag, an image that is
named by its digest alone is held by an anchor tag.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Self

from gitops_backup.domain.images import (
    DEFAULT_REGISTRY,
    LONGEST_REPOSITORY,
    MOST_REMEMBERED,
    InvalidReference,
    Reference,
)
from gitops_backup.errors import one_line

_HASH_DIGITS = 32
_HASHED = re.compile(rf"__[0-9a-f]{{{_HASH_DIGITS}}}\Z")
_PORT = re.compile(r"[0-9]+", re.ASCII)
_IPV4 = re.compile(r"[0-9]+(?:\.[0-9]+){3}", re.ASCII)
_SINGLE_UNDERSCORE = re.compile(r"(?<!_)_(?!_)")
_LONGEST_READABLE_OBJECT_NAME = 200
_SHOWN_DIGEST_DIGITS = 12
_LONGEST_ANCHOR_HEX = 100
_LONGEST_PREFIX_PATH = 200
_EXAMPLE = "give a registry and a path, for example docker.io/acme"


@dataclass(frozen=True, slots=True)
class Prefix:
    """A registry, or a path in one, below which names are: `docker.io/acme`, `bak.example`.

    `path` is empty for a whole registry. A name lies below a prefix only at a `/`, so that `docker.io/acme`
    does not cover `docker.io/acmex`.
    """

    registry: str
    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The prefix that `text` names, with or without a trailing slash.

        Raises `InvalidReference` where it is none.
        """
        trimmed = text.strip().rstrip("/")
        try:
            # two components: Docker Hub adds library/ to a single one
            below = Reference.parse(f"{trimmed}/a/a")
        except InvalidReference as error:
            shown = one_line(text.rpartition("@")[2], limit=120)  # a URL may hold a password
            raise InvalidReference(f"{shown!r} is not a prefix of image names", hint=_EXAMPLE) from error
        return cls(below.registry, below.repository.removesuffix("a/a").removesuffix("/"))

    def covers(self, image: Reference) -> bool:
        """Whether the image's name lies below this prefix."""
        return image.registry == self.registry and (
            not self.path or image.repository.startswith(f"{self.path}/")
        )

    def __str__(self) -> str:
        return f"{self.registry}/{self.path}" if self.path else self.registry


class Shape(StrEnum):
    """How backups are named below the prefix."""

    FLAT = "flat"
    """In one component: `library_nginx`."""
    NESTED = "nested"
    """As the source is: `docker.io/library/nginx`."""


@dataclass(frozen=True, slots=True)
class Naming:
    """The mapping between sources and their backups below one prefix."""

    prefix: Prefix
    shape: Shape = Shape.FLAT

    @classmethod
    def below(cls, prefix: str, shape: Shape = Shape.FLAT) -> Self:
        """The naming below the prefix that `prefix` names.

        Raises `InvalidReference` where it is none, or none that can hold backups: Docker Hub has no
        repositories without a namespace and none with deeper paths, and there must be room for names.
        """
        parsed = Prefix.parse(prefix)
        if parsed.registry == DEFAULT_REGISTRY and not parsed.path:
            raise InvalidReference(f"{DEFAULT_REGISTRY} takes no images without a namespace", hint=_EXAMPLE)
        if len(parsed.path) > _LONGEST_PREFIX_PATH:
            raise InvalidReference(f"a backup prefix has a path of at most {_LONGEST_PREFIX_PATH} characters")
        if shape == Shape.NESTED and parsed.registry == DEFAULT_REGISTRY:
            raise InvalidReference(f"{DEFAULT_REGISTRY} takes no {shape} names", hint="backup_names: flat")
        return cls(parsed, shape)

    def backup(self, source: Reference) -> Reference:
        """The name of the source's backup, with the source's tag and digest."""
        room = LONGEST_REPOSITORY - (len(self.prefix.path) + 1 if self.prefix.path else 0)
        name = _name(source, self.shape, room)
        path = f"{self.prefix.path}/{name}" if self.prefix.path else name
        return Reference(self.prefix.registry, path, source.tag, source.digest)

    def is_backup(self, image: Reference) -> bool:
        """Whether the name lies below the backup prefix."""
        return self.prefix.covers(image)

    def source(self, backup: Reference) -> Reference | None:
        """The one source whose backup has this name; None where no source has it, or a hash hides it."""
        if not self.is_backup(backup):
            return None
        start = len(self.prefix.path) + 1 if self.prefix.path else 0
        below = backup.repository[start:]
        name = _unnested(below) if self.shape == Shape.NESTED else _unflatten(below)
        if name is None:
            return None
        source = Reference(name[0], name[1], backup.tag, backup.digest)
        return source if self._parses(source) and self.backup(source) == backup else None

    def place(self, source: Reference, digest: str) -> Reference:
        """The tag in the backup registry that holds this digest of this source.

        It is the source's own tag, and the anchor of the digest where the source is written with one.
        """
        return self.anchor(source, digest) if source.digest else self.backup(source)

    def anchor(self, source: Reference, digest: str) -> Reference:
        """The tag that keeps a digest of this source from being deleted as untagged."""
        algorithm, _, digits = digest.partition(":")
        return self.backup(source).tagged(f"digest.{algorithm}.{digits[:_LONGEST_ANCHOR_HEX]}")

    def _parses(self, source: Reference) -> bool:
        try:
            return Reference.parse(str(source)) == source
        except InvalidReference:
            return False


@lru_cache(maxsize=MOST_REMEMBERED)
def object_name(source: Reference) -> str:
    """The name of the ImageBackup of this source: a DNS subdomain (RFC 1123) of at most 253 characters.

    It ends in 64 bits of a hash of the normal form; whoever uses it compares the recorded source.
    """
    digits = hashlib.sha256(str(source).encode()).hexdigest()[:16]
    text = str(source).removeprefix(f"{DEFAULT_REGISTRY}/")
    name, at, digest = text.partition("@")
    text = f"{name}{at}{digest[: len('sha256:') + _SHOWN_DIGEST_DIGITS]}"
    readable = re.sub(r"[^a-z0-9]+", "-", text.lower())[:_LONGEST_READABLE_OBJECT_NAME].strip("-")
    return f"{readable}-{digits}"


@lru_cache(maxsize=MOST_REMEMBERED)
def _name(source: Reference, shape: Shape, room: int) -> str:
    plain = _nested(source) if shape == Shape.NESTED else _flatten(source)
    if plain is not None and len(plain) <= room and not _HASHED.search(plain):
        return plain
    digits = hashlib.sha256(source.name.encode()).hexdigest()[:_HASH_DIGITS]
    readable = re.sub(r"[^a-z0-9.]+", "_", source.name)
    cut = re.sub(r"[^a-z0-9]+\Z", "", readable[: room - _HASH_DIGITS - 2])
    return f"{re.sub(r'[._]{2,}', '_', cut).lstrip('._')}__{digits}"


def _nested(source: Reference) -> str | None:
    registry = _flatten_registry(source.registry)
    return f"{registry}/{source.repository}" if registry is not None else None


def _unnested(nested: str) -> tuple[str, str] | None:
    first, slash, rest = nested.partition("/")
    return (_unflatten_registry(first), rest) if slash and not _HASHED.search(nested) else None


def _flatten(source: Reference) -> str | None:
    components = source.repository.split("/")
    if any("__" in component for component in components[:-1]):
        return None
    if source.registry == DEFAULT_REGISTRY and len(components) == 2 and not set("._") & set(components[0]):
        return "_".join(components)
    registry = _flatten_registry(source.registry)
    if registry is None or "__" in components[-1]:
        return None
    return "_".join([registry, *(component.replace("_", "__") for component in components)])


def _flatten_registry(registry: str) -> str | None:
    host, colon, port = registry.partition(":")
    if "[" in registry or _ends_like_a_port(host) or not ("." in host or colon):
        return None
    return f"{host}.{port}" if colon else host


def _ends_like_a_port(host: str) -> bool:
    return bool(_PORT.fullmatch(host.rpartition(".")[2])) and not _IPV4.fullmatch(host)


def _unflatten(flat: str) -> tuple[str, str] | None:
    if _HASHED.search(flat):
        return None
    first, underscore, rest = flat.partition("_")
    if not underscore:
        return None
    if "." not in first:
        return DEFAULT_REGISTRY, f"{first}/{rest}"
    components = [part.replace("__", "_") for part in _SINGLE_UNDERSCORE.split(rest)]
    return _unflatten_registry(first), "/".join(components)


def _unflatten_registry(first: str) -> str:
    host, _, last = first.rpartition(".")
    return f"{host}:{last}" if _ends_like_a_port(first) else first
