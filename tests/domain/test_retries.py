"""Copies that failed are tried again: after a while, and not for ever where that is no use."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.retries import retry_in

RETRIES: list[tuple[Reason, int, float | None, float, float | None]] = [
    (Reason.SOURCE_UNAVAILABLE, 1, None, 0, 5),
    (Reason.SOURCE_UNAVAILABLE, 2, None, 0, 10),
    (Reason.SOURCE_UNAVAILABLE, 7, None, 0, 300),
    (Reason.SOURCE_UNAVAILABLE, 10_000, None, 0, 300),
    (Reason.SOURCE_UNAVAILABLE, 1, None, 1, 6),
    (Reason.SOURCE_UNAVAILABLE, 1, 20, 0, 20),
    (Reason.DESTINATION_UNAVAILABLE, 1, 2, 0, 5),
    (Reason.DESTINATION_UNAVAILABLE, 1, -20, 0, 5),
    (Reason.DESTINATION_UNAVAILABLE, 1, 1e15, 0, 3600),
    (Reason.DESTINATION_UNAVAILABLE, 1, math.inf, 0, 3600),
    (Reason.DESTINATION_UNAVAILABLE, 1, math.nan, 0, 5),
    (Reason.SOURCE_NOT_FOUND, 1, None, 0, 300),
    (Reason.SOURCE_NOT_FOUND, 9, None, 0, 3600),
    (Reason.SOURCE_AUTH_FAILED, 1, None, 0, 300),
    (Reason.DESTINATION_AUTH_FAILED, 1, None, 0, 300),
    (Reason.QUOTA_EXCEEDED, 1, None, 0, 300),
    (Reason.RATE_LIMITED, 1, None, 0, 60),
    (Reason.RATE_LIMITED, 1, 900, 1, 1080),
    (Reason.DIGEST_MISMATCH, 1, None, 0, 5),
    (Reason.DIGEST_MISMATCH, 6, 60, 0, 60),
    (Reason.PLATFORM_MISSING, 1, None, 0, None),
    (Reason.NAME_CONFLICT, 1, None, 0, 3600),
    (Reason.INVALID_REFERENCE, 1, None, 0, None),
]


@pytest.mark.parametrize(("reason", "attempts", "retry_after", "jitter", "seconds"), RETRIES)
def test_retry_in(
    reason: Reason, attempts: int, retry_after: float | None, jitter: float, seconds: float | None
) -> None:
    """When a copy is tried again follows from why it failed, how often, and what the registry asked for."""
    wait = retry_in(reason, attempts=attempts, repeated=False, retry_after=retry_after, jitter=jitter)
    assert wait == seconds
    if reason != Reason.DIGEST_MISMATCH:
        again = retry_in(reason, attempts=attempts, repeated=True, retry_after=retry_after, jitter=jitter)
        assert again == seconds


@pytest.mark.parametrize("attempts", [2, 7])
def test_what_is_wrong_twice_in_a_row_is_wrong(attempts: int) -> None:
    """Another digest than was promised is asked for once more, however often other things failed before."""
    for repeated, seconds in ((False, 5), (True, None)):
        wait = retry_in(
            Reason.DIGEST_MISMATCH, attempts=attempts, repeated=repeated, retry_after=None, jitter=0
        )
        assert wait == seconds


@settings(max_examples=60)
@given(
    st.sampled_from(Reason),
    st.integers(1, 10**6),
    st.booleans(),
    st.none() | st.floats(),
    st.floats(0, 1),
)
def test_a_retry_is_never_at_once_and_always_a_time(
    reason: Reason, attempts: int, repeated: bool, retry_after: float | None, jitter: float
) -> None:
    """Neither a busy loop nor a wait that no clock can hold."""
    wait = retry_in(reason, attempts=attempts, repeated=repeated, retry_after=retry_after, jitter=jitter)
    if wait is not None:
        assert 5 <= wait <= 3600 * 1.2
