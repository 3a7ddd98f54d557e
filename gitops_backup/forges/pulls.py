"""What the APIs of GitHub, and of Gitea and Forgejo, which follow it, have in common of pull requests."""

from typing import Any
from urllib.parse import quote

from gitops_backup.domain.pull_requests import PullRequest, PullRequestState, PullRequestText
from gitops_backup.forges.api import Api, understanding


class Pulls:
    """The pull requests of one repository, `owner/name`."""

    def __init__(self, api: Api, repository: str) -> None:
        self._api = api
        self._pulls = f"/repos/{quote(repository)}/pulls"

    def push_options(self, base: str, title: str) -> tuple[str, ...]:
        """Nothing: its API is what opens a pull request."""
        return ()

    def revise(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """Let an open pull request say something else."""
        body = {"title": text.title, "body": text.body}
        self._api.send("PATCH", f"{self._pulls}/{pull_request.number}", body)

    def close(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """Close a pull request, which says something else from then on."""
        body = {"title": text.title, "body": text.body, "state": "closed"}
        self._api.send("PATCH", f"{self._pulls}/{pull_request.number}", body)

    def _create(self, branch: str, base: str, text: PullRequestText) -> Any:
        body = {"head": branch, "base": base, "title": text.title, "body": text.body}
        return self._api.send("POST", self._pulls, body)


def read_pull(answer: Any, *, merged: str) -> PullRequest:
    """A pull request as the API describes it; the field `merged` is set if that is what became of it."""
    with understanding():
        state = PullRequestState.OPEN if answer["state"] == "open" else PullRequestState.CLOSED
        return PullRequest(
            number=int(answer["number"]),
            url=str(answer["html_url"]),
            state=PullRequestState.MERGED if answer[merged] else state,
            text=PullRequestText(str(answer["title"]), str(answer["body"] or "")),
        )
