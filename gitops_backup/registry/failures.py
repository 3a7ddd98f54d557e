"""How talking to a registry fails: one error, with the reason that its caller acts on.

The same answer means different things on the two sides of a copy: a 401 of the source is a matter of pull
credentials, one of the backup registry a matter of push credentials. So every failure carries its side.
"""

import re
from enum import StrEnum

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line

_MOST_FOREIGN_TEXT = 2000


class Side(StrEnum):
    """Which of the two registries of a copy: the one that is read, or the one that backups are pushed to."""

    SOURCE = "source"
    DESTINATION = "backup"

    @property
    def not_found(self) -> Reason:
        """The reason where this side says that there is no such thing.

        A backup registry says so to a push when it makes no repositories by itself.
        """
        return Reason.SOURCE_NOT_FOUND if self is Side.SOURCE else Reason.DESTINATION_UNAVAILABLE

    @property
    def refused(self) -> Reason:
        """The reason where this side does not accept the credentials, or wants some."""
        return Reason.SOURCE_AUTH_FAILED if self is Side.SOURCE else Reason.DESTINATION_AUTH_FAILED

    @property
    def unavailable(self) -> Reason:
        """The reason where this side cannot be reached, or fails by itself."""
        return Reason.SOURCE_UNAVAILABLE if self is Side.SOURCE else Reason.DESTINATION_UNAVAILABLE


class CopyFailed(GitopsBackupError):
    """An image could not be looked up, copied or verified, for a reason from the documented list.

    `registry` is the host that was talked to; `retry_after` is in seconds, where the registry named a time.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        side: Side,
        registry: str,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason
        self.side = side
        self.registry = registry
        self.retry_after = retry_after


def printable(text: str | bytes) -> str:
    """Foreign text for a message: one line, and no URL keeps its query, which may hold a signature."""
    # cut first: the text may be megabytes that were made to be searched slowly
    start = text[:_MOST_FOREIGN_TEXT]
    decoded = start.decode("utf-8", "replace") if isinstance(start, bytes) else start
    return one_line(re.sub(r"(https?://[^\s\"?]*)\?[^\s\"]*", r"\1?…", decoded))
