"""A pull request, as every forge knows it; GitLab calls it a merge request."""

from dataclasses import dataclass
from enum import StrEnum


class PullRequestState(StrEnum):
    """What became of a pull request."""

    OPEN = "Open"
    MERGED = "Merged"
    CLOSED = "Closed"
    """Closed, and not merged."""


@dataclass(frozen=True, slots=True)
class PullRequestText:
    """What a pull request says: one line, and Markdown."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class PullRequest:
    """A pull request: its number in the repository, and where people find it."""

    number: int
    url: str
    state: PullRequestState
    text: PullRequestText
