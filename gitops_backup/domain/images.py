"""Image references: parsed once, printed back by our own grammar, equal when they mean the same image.

The grammar is the one of the `reference` package of the distribution project (reference.go) with the limits
of the OCI distribution specification (v1.1, "Pulling manifests"). The normal form is the one that a container
runtime uses: `nginx` is `docker.io/library/nginx:latest`. Text that comes from a manifest reaches an argument
list or a URL only as a `Reference`, so it can hold neither an option nor a path.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache, total_ordering
from typing import Self

from gitops_backup.errors import GitopsBackupError, one_line

DEFAULT_REGISTRY = "docker.io"
LONGEST_REPOSITORY = 255
LONGEST_TAG = 128
MOST_REMEMBERED = 4096
"""How many images are kept parsed and named: thousands of workloads share a few hundred of them."""
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", re.ASCII)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)

_DEFAULT_NAMESPACE = "library"
_DOCKER_HUB_HOSTS = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]+\])(?::[0-9]{{1,5}})?", re.ASCII)
_LONGEST_HOST = 255


class InvalidReference(GitopsBackupError):
    """The text is not an image reference; the message says which part is wrong."""


@total_ordering
@dataclass(frozen=True, slots=True)
class Reference:
    """An image in normal form: a registry, a repository, and a tag, a digest, or both. Ordered as its text.

    `registry` is a host with an optional port, lower case; `repository` a path of lower-case components;
    `digest` is `sha256:` and 64, or `sha512:` and 128, hexadecimal digits.
    """

    registry: str
    repository: str
    tag: str | None
    digest: str | None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """The reference that `text` stands for, as a container runtime reads it.

        Raises `InvalidReference` where `text` is none, with the part that is wrong.
        """
        return _parsed(text)

    @property
    def name(self) -> str:
        """The registry and the repository, with neither tag nor digest."""
        return f"{self.registry}/{self.repository}"

    def at(self, digest: str) -> Self:
        """The manifest of this repository that has this digest."""
        return replace(self, tag=None, digest=digest)

    def tagged(self, tag: str) -> Self:
        """The manifest that this tag of this repository names."""
        return replace(self, tag=tag, digest=None)

    def __lt__(self, other: "Reference") -> bool:
        return str(self) < str(other)

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


@lru_cache(maxsize=MOST_REMEMBERED)
def _parsed(text: str) -> Reference:
    # str.lower() turns some other letters, such as the Kelvin sign, into ASCII
    if not text.isascii():
        raise _invalid(text, "it has characters other than ASCII")
    rest, at, digest = text.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise _invalid(text, "its digest is not sha256: and 64 (or sha512: and 128) lower-case hex digits")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not TAG.fullmatch(tag):
        raise _invalid(text, f"its tag is not 1 to {LONGEST_TAG} letters, digits, '_', '.' or '-'")
    registry, repository = _split_registry(head + slash + last)
    if not _HOST.fullmatch(registry) or len(registry) > _LONGEST_HOST:
        raise _invalid(text, "its registry is not a host name with an optional port")
    if not all(COMPONENT.fullmatch(part) for part in repository.split("/")):
        raise _invalid(text, "its repository is not lower-case letters and digits with single separators")
    if len(repository) > LONGEST_REPOSITORY:
        raise _invalid(text, f"its repository has more than {LONGEST_REPOSITORY} characters")
    return Reference(registry, repository, tag or (None if digest else "latest"), digest or None)


def means(text: str, reference: Reference) -> bool:
    """Whether a text, in whatever form, stands for this image."""
    try:
        return Reference.parse(text) == reference
    except InvalidReference:
        return False


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if not slash or not _names_a_registry(first):
        first, rest = DEFAULT_REGISTRY, name
    registry = first.lower()
    if registry in _DOCKER_HUB_HOSTS:
        registry = DEFAULT_REGISTRY
        if "/" not in rest:
            rest = f"{_DEFAULT_NAMESPACE}/{rest}"
    return registry, rest


def _names_a_registry(first: str) -> bool:
    return "." in first or ":" in first or first == "localhost"


def _invalid(text: str, why: str) -> InvalidReference:
    return InvalidReference(f"{one_line(text, limit=120)!r} is not an image reference: {why}")
