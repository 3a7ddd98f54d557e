"""Both sides of every copy in one place: what sources offer, what the backup registry holds, and the copy."""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from gitops_backup.domain.images import Reference
from gitops_backup.registry.client import RegistryClient
from gitops_backup.registry.copier import Copied, Copier, Resolution
from gitops_backup.registry.credentials import RenewableCredentials
from gitops_backup.registry.slots import Slots


class Registries:
    """The source registries and the backup registry; when `cancel` is set, copies under way end.

    `sources` and `public` are the same source registries, with credentials and without. `credentials` are
    those of both sides. All methods raise `CopyFailed`.
    """

    def __init__(
        self,
        *,
        sources: "Sources",
        public: "Sources",
        destination: RegistryClient,
        slots: Slots,
        credentials: Iterable[RenewableCredentials],
        cancel: threading.Event,
    ) -> None:
        self._sources = sources
        self._public = public
        self._destination = destination
        self._slots = slots
        self._credentials = tuple(credentials)
        self._cancel = cancel

    def resolve(self, source: Reference, running: Collection[str], *, public: bool) -> Resolution:
        """Which digest to copy for a source, given the digests that run of it."""
        return self._asked(public).copier.resolve(source, running)

    def held(self, backup: Reference) -> str | None:
        """The digest that the backup registry has under this name; None where it has none."""
        found = self._destination.head(backup)
        return found.digest if found is not None else None

    def offers(self, source: Reference, *, public: bool) -> bool:
        """Whether the source registry has this manifest."""
        return self._asked(public).client.head(source) is not None

    def parts(self, backup: Reference, digests: Collection[str]) -> Collection[str]:
        """Those of these digests that are parts of what the backup registry has under this name."""
        return self._sources.copier.parts(backup, digests)

    def take_place(self, who: str, source: Reference, backup: Reference) -> bool:
        """Whether there is a place for a copy at both registries; where not, `who` is called when there is.

        It is kept until `who` gives it back.
        """
        remotes = self._sources.client.remote(source), self._destination.remote(backup)
        return self._slots.take(who, [remote.endpoint.host for remote in remotes])

    def give_place_back(self, who: str) -> None:
        """The copy has ended, or is not wanted any more."""
        self._slots.leave(who)

    def present(self, source: Reference, backup: Reference, *, platforms: Collection[str]) -> Copied | None:
        """The verified copy of a source, which names a digest, under a tag; None where there is none yet."""
        return self._sources.copier.present(backup, _digest(source), platforms=platforms)

    def transfer(
        self, source: Reference, backup: Reference, *, platforms: Collection[str], public: bool
    ) -> Copied:
        """Copy a source, which names a digest, to a tag in the backup registry, and verify the copy."""
        copier = self._asked(public).copier
        return copier.transfer(source, backup, _digest(source), platforms=platforms, cancel=self._cancel)

    def renew_credentials(self) -> bool:
        """Read the credentials again; whether they are others now. Raises `UsageError`."""
        changed = [credentials.renew() for credentials in self._credentials]
        return any(changed)

    def _asked(self, public: bool) -> "Sources":
        return self._public if public else self._sources


def _digest(source: Reference) -> str:
    if source.digest is None:
        raise ValueError(f"{source} names no digest")
    return source.digest


@dataclass(frozen=True, slots=True)
class Sources:
    """The source registries as somebody, or nobody, may use them: asking them, and copying from them."""

    client: RegistryClient
    copier: Copier
