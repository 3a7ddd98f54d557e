"""Pull requests at Gitea and Forgejo, which have this part of their API in common.

The API is described by each server under `/swagger.v1.json`. It has no filter by branch, so what was found
once is remembered by its number.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from gitops_backup.domain.pull_requests import PullRequest, PullRequestState, PullRequestText
from gitops_backup.forges.api import Api, Login, understanding
from gitops_backup.forges.errors import ForgeConflict

_PAGE = 50
_MOST_PAGES = 20


def authorization(login: Login) -> Mapping[str, str]:
    """The header for a login: a token, or a user name with a password or a token."""
    if login.username is None:
        return {"Authorization": f"token {login.secret}"}
    pair = base64.b64encode(f"{login.username}:{login.secret}".encode()).decode("ascii")
    return {"Authorization": f"Basic {pair}"}


class Gitea:
    """The pull requests of one repository, `owner/name`."""

    def __init__(self, api: Api, repository: str) -> None:
        self._api = api
        self._pulls = f"/repos/{quote(repository)}/pulls"
        self._known: dict[tuple[str, str], int] = {}

    def push_options(self, base: str, title: str) -> tuple[str, ...]:
        """Nothing: its API is what opens a pull request."""
        return ()

    def find(self, branch: str, base: str) -> PullRequest | None:
        """The newest pull request from a branch into another one, whatever became of it."""
        number = self._known.get((branch, base))
        if number is not None:
            return _read(self._api.get(f"{self._pulls}/{number}"))
        with understanding():
            for each in self._newest_first(base):
                # the label keeps the branch's name after the branch is gone
                if each["head"]["label"] == branch and each["base"]["label"] == base and _is_within(each):
                    return self._remember(branch, base, each)
        return None

    def open(self, branch: str, base: str, text: PullRequestText) -> PullRequest:
        """Open one. Raises `ForgeConflict` where one is open already."""
        body = {"head": branch, "base": base, "title": text.title, "body": text.body}
        try:
            return self._remember(branch, base, self._api.send("POST", self._pulls, body))
        except ForgeConflict:
            self._known.pop((branch, base), None)
            raise

    def revise(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """Let an open pull request say something else."""
        body = {"title": text.title, "body": text.body}
        self._api.send("PATCH", f"{self._pulls}/{pull_request.number}", body)

    def close(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """Close a pull request, which says something else from then on."""
        body = {"title": text.title, "body": text.body, "state": "closed"}
        self._api.send("PATCH", f"{self._pulls}/{pull_request.number}", body)

    def _newest_first(self, base: str) -> Iterator[Any]:
        for page in range(1, _MOST_PAGES + 1):
            found = self._api.get(
                self._pulls, state="all", base_branch=base, limit=str(_PAGE), page=str(page)
            )
            yield from found or ()
            if not found:
                return

    def _remember(self, branch: str, base: str, answer: Any) -> PullRequest:
        read = _read(answer)
        self._known[branch, base] = read.number
        return read


def _is_within(answer: Any) -> bool:
    """Whether it is not from another repository, a fork."""
    return bool(answer["head"]["repo_id"] == answer["base"]["repo_id"])


def _read(answer: Any) -> PullRequest:
    with understanding():
        state = PullRequestState.OPEN if answer["state"] == "open" else PullRequestState.CLOSED
        return PullRequest(
            number=int(answer["number"]),
            url=str(answer["html_url"]),
            state=PullRequestState.MERGED if answer["merged"] else state,
            text=PullRequestText(str(answer["title"]), str(answer["body"] or "")),
        )
