"""Accounts that wait after a 429, by a clock that is moved by hand."""

import pytest

from gitops_backup.domain.reasons import Reason
from gitops_backup.registry.cooldown import Account, Cooldowns
from gitops_backup.registry.failures import CopyFailed, Side
from tests.registry.parts import Clock

_HUB = Account("registry-1.docker.io", None)


def test_an_account_waits_for_as_long_as_it_was_told() -> None:
    """And not a moment longer; the error says how long."""
    clock = Clock()
    cooldowns = Cooldowns(clock)
    assert cooldowns.start(_HUB, 30) == 30
    clock.now += 29
    with pytest.raises(CopyFailed) as caught:
        cooldowns.check(_HUB, Side.SOURCE)
    assert caught.value.reason is Reason.RATE_LIMITED
    assert caught.value.retry_after == 1
    assert caught.value.registry == _HUB.host
    clock.now += 1
    cooldowns.check(_HUB, Side.SOURCE)
    assert cooldowns.remaining(_HUB) == 0


def test_other_accounts_and_other_hosts_go_on() -> None:
    """A registry counts by account."""
    cooldowns = Cooldowns(Clock())
    cooldowns.start(_HUB, 30)
    cooldowns.check(Account(_HUB.host, "me"), Side.DESTINATION)
    cooldowns.check(Account("quay.io", None), Side.SOURCE)


@pytest.mark.parametrize(
    ("asked", "waited"), [(None, 60), (0, 1), (0.2, 1), (7, 7), (3600, 3600), (86400, 3600)]
)
def test_a_wait_has_a_default_and_a_cap(asked: float | None, waited: float) -> None:
    """A registry may name no time, none that makes sense, or next week."""
    assert Cooldowns(Clock()).start(_HUB, asked) == waited


def test_a_later_answer_never_shortens_the_wait() -> None:
    """Answers to requests that were under way come in any order."""
    clock = Clock()
    cooldowns = Cooldowns(clock)
    cooldowns.start(_HUB, 100)
    clock.now += 10
    assert cooldowns.start(_HUB, 5) == 90
    assert cooldowns.start(_HUB, 200) == 200
