"""Pull requests, as every forge knows them, and where they are wanted; GitLab calls them merge requests."""

from dataclasses import dataclass
from enum import StrEnum


class WriteMode(StrEnum):
    """How a repository's branches are written to."""

    PUSH = "push"
    PULL_REQUEST = "pull-request"


class ForgeKind(StrEnum):
    """The kinds of forge that pull requests can be opened at."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    FORGEJO = "forgejo"


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
