"""Who is not to be asked for a while: a registry that said 429, for everybody who uses the same account.

A registry counts by account, or by address for those who are anonymous. So one worker's 429 stops all
workers, and neither the other side's account on the same host nor another registry.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from gitops_backup.domain.reasons import Reason
from gitops_backup.registry.failures import CopyFailed, Side


@dataclass(frozen=True, slots=True)
class Account:
    """What a registry counts requests by; `username` is None for those without credentials."""

    host: str
    username: str | None


class Cooldowns:
    """The accounts that wait, and until when, by a monotonic clock in seconds; safe for many threads.

    `otherwise` is how long to wait where the registry names no time; `longest` how long at the most.
    """

    def __init__(
        self, clock: Callable[[], float], *, otherwise: float = 60.0, longest: float = 3600.0
    ) -> None:
        self._clock = clock
        self._otherwise = otherwise
        self._longest = longest
        self._until: dict[Account, float] = {}
        self._lock = threading.Lock()

    def start(self, account: Account, retry_after: float | None) -> float:
        """Let the account wait for `retry_after` seconds, and return for how long it does.

        A wait that is under way is never made shorter.
        """
        wait = min(self._otherwise if retry_after is None else max(retry_after, 1.0), self._longest)
        with self._lock:
            now = self._clock()
            self._until[account] = max(now + wait, self._until.get(account, now))
            return self._until[account] - now

    def remaining(self, account: Account) -> float:
        """For how many seconds the account still waits; 0 when it does not."""
        with self._lock:
            left = self._until.get(account, 0.0) - self._clock()
            if left <= 0:
                self._until.pop(account, None)
            return max(left, 0.0) if account in self._until else 0.0

    def check(self, account: Account, side: Side) -> None:
        """Raise `CopyFailed` with the reason RateLimited while the account waits."""
        left = self.remaining(account)
        if left > 0:
            raise CopyFailed(
                Reason.RATE_LIMITED,
                f"the {side} registry {account.host} asked for fewer requests; next one in {left:.0f} s",
                side=side,
                registry=account.host,
                retry_after=left,
            )
