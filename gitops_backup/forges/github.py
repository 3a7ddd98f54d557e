"""Pull requests at GitHub and GitHub Enterprise Server (REST API, version 2022-11-28, "Pulls")."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gitops_backup.domain.pull_requests import PullRequest, PullRequestState, PullRequestText
from gitops_backup.forges.api import Api, Login, understanding

_FEW = 10


def authorization(login: Login) -> Mapping[str, str]:
    """The headers for a token."""
    return {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {login.secret}",
        "X-GitHub-Api-Version": "2022-11-28",
    }


class GitHub:
    """The pull requests of one repository, `owner/name`."""

    def __init__(self, api: Api, repository: str) -> None:
        self._api = api
        self._owner = repository.partition("/")[0]
        self._pulls = f"/repos/{quote(repository)}/pulls"

    def push_options(self, base: str, title: str) -> tuple[str, ...]:
        """Nothing: its API is what opens a pull request."""
        return ()

    def find(self, branch: str, base: str) -> PullRequest | None:
        """The open pull request from a branch into another one, else the newest, whatever became of it."""
        found = self._api.get(
            self._pulls,
            state="all",
            head=f"{self._owner}:{branch}",
            base=base,
            sort="created",
            direction="desc",
            per_page=str(_FEW),
        )
        read = [_read(each) for each in found or ()]
        opened = (each for each in read if each.state == PullRequestState.OPEN)
        return next(opened, read[0] if read else None)

    def open(self, branch: str, base: str, text: PullRequestText) -> PullRequest:
        """Open one. Raises `ForgeConflict` where one is open already."""
        body = {"head": branch, "base": base, "title": text.title, "body": text.body}
        return _read(self._api.send("POST", self._pulls, body))

    def revise(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """Let an open pull request say something else."""
        body = {"title": text.title, "body": text.body}
        self._api.send("PATCH", f"{self._pulls}/{pull_request.number}", body)

    def close(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """Close a pull request, which says something else from then on."""
        body = {"title": text.title, "body": text.body, "state": "closed"}
        self._api.send("PATCH", f"{self._pulls}/{pull_request.number}", body)


def _read(answer: Any) -> PullRequest:
    with understanding():
        state = PullRequestState.OPEN if answer["state"] == "open" else PullRequestState.CLOSED
        return PullRequest(
            number=int(answer["number"]),
            url=str(answer["html_url"]),
            state=PullRequestState.MERGED if answer["merged_at"] else state,
            text=PullRequestText(str(answer["title"]), str(answer["body"] or "")),
        )
