"""When a copy that failed is tried again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from gitops_backup.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Backoff:
    """When a failed attempt is repeated: after `base` seconds, doubled each time, up to `most`.

    `tries` is how often for the same reason in a row: never (0), once (1), or for ever (None).
    """

    base: float
    most: float
    tries: Literal[0, 1] | None = None


_SOON = Backoff(base=5, most=300)
_LATE = Backoff(base=300, most=3600)
_NEVER = Backoff(base=0, most=0, tries=0)
_LONGEST_RETRY_AFTER = 3600.0
_BACKOFFS: Mapping[Reason, Backoff] = {
    Reason.SOURCE_NOT_FOUND: _LATE,
    Reason.SOURCE_AUTH_FAILED: _LATE,
    Reason.DESTINATION_AUTH_FAILED: _LATE,
    Reason.QUOTA_EXCEEDED: _LATE,
    Reason.RATE_LIMITED: Backoff(base=60, most=3600),
    Reason.DIGEST_MISMATCH: Backoff(base=5, most=5, tries=1),
    Reason.PLATFORM_MISSING: _NEVER,
    Reason.NAME_CONFLICT: Backoff(base=3600, most=3600),
    Reason.INVALID_REFERENCE: _NEVER,
}


def retry_in(
    reason: Reason, *, attempts: int, repeated: bool, retry_after: float | None, jitter: float
) -> float | None:
    """In how many seconds a copy that failed for this reason is tried again; None where it never is.

    `attempts` counts those that failed for whatever reason, from 1, and `repeated` says that the one before
    failed for this one; `retry_after` is the registry's own word, in seconds, of which an hour at the most is
    believed; `jitter` is a random number from 0 to 1, which adds up to a fifth.
    """
    backoff = _BACKOFFS.get(reason, _SOON)
    if backoff.tries == 0 or (backoff.tries == 1 and repeated):
        return None
    wait = min(backoff.base * 2.0 ** min(attempts - 1, 30), backoff.most)
    named = min(retry_after or 0.0, _LONGEST_RETRY_AFTER)
    # a registry that says when it wants to be asked again is taken at its word
    wait = max(named, _SOON.base) if named and reason == Reason.RATE_LIMITED else max(wait, named)
    return wait * (1 + jitter / 5)
