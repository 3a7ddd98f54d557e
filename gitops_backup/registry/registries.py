"""Both sides of every copy in one place: what sources offer, what the backup registry holds, and the copy."""

import threading
from collections.abc import Collection

from gitops_backup.domain.images import Reference
from gitops_backup.registry.client import RegistryClient
from gitops_backup.registry.copier import Copied, Copier, Resolution


class Registries:
    """The source registries and the backup registry; when `cancel` is set, copies under way end.

    All methods raise `CopyFailed`.
    """

    def __init__(
        self, *, source: RegistryClient, destination: RegistryClient, copier: Copier, cancel: threading.Event
    ) -> None:
        self._source = source
        self._destination = destination
        self._copier = copier
        self._cancel = cancel

    def resolve(self, source: Reference, running: Collection[str]) -> Resolution:
        """Which digest to copy for a source, given the digests that run of it."""
        return self._copier.resolve(source, running)

    def held(self, backup: Reference) -> str | None:
        """The digest that the backup registry has under this name; None where it has none."""
        found = self._destination.head(backup)
        return found.digest if found is not None else None

    def offers(self, source: Reference) -> bool:
        """Whether the source registry has this manifest."""
        return self._source.head(source) is not None

    def copy(self, source: Reference, backup: Reference, *, platforms: Collection[str]) -> Copied:
        """Copy a source, which names a digest, to a tag in the backup registry, and verify the copy."""
        if source.digest is None:
            raise ValueError(f"{source} names no digest")
        return self._copier.copy(source, backup, source.digest, platforms=platforms, cancel=self._cancel)
