"""Who we are where charts and files are downloaded."""

from collections.abc import Callable

from gitops_backup.domain.images import Reference
from gitops_backup.registry.credentials import Authfile, Credential


class DownloadCredentials:
    """A docker config file as of the last time that it was read again, by host and path; None for nobody.

    `read` raises `UsageError`, and so does this.
    """

    def __init__(self, read: Callable[[], Authfile | None]) -> None:
        self._read = read
        self._known = read()

    def lookup(self, image: Reference) -> Credential | None:
        """The credential for a chart in a registry."""
        return self.named(image.name)

    def named(self, name: str) -> Credential | None:
        """The credential for a host and a path there."""
        return self._known.named(name) if self._known is not None else None

    def renew(self) -> bool:
        """Read again; whether it is something else now. What cannot be read leaves all as it was."""
        before, self._known = self._known, self._read()
        return self._known != before
