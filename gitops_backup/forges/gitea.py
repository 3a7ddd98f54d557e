"""Pull requests at Gitea and Forgejo, which have this part of their API in common.

The API is described by each server under `/swagger.v1.json`. It has no filter by branch, so what was found
once is remembered by its number.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_backup.domain.pull_requests import PullRequest, PullRequestText
from gitops_backup.forges.api import Api, Login, understanding
from gitops_backup.forges.errors import ForgeConflict
from gitops_backup.forges.pulls import Pulls, read_pull

_PAGE = 50
_MOST_PAGES = 20
_MERGED = "merged"


def authorization(login: Login) -> Mapping[str, str]:
    """The header for a login: a token, or a user name with a password or a token."""
    if login.username is None:
        return {"Authorization": f"token {login.secret}"}
    pair = base64.b64encode(f"{login.username}:{login.secret}".encode()).decode("ascii")
    return {"Authorization": f"Basic {pair}"}


class Gitea(Pulls):
    """The pull requests of one repository, `owner/name`."""

    def __init__(self, api: Api, repository: str) -> None:
        super().__init__(api, repository)
        self._known: dict[tuple[str, str], int] = {}

    def find(self, branch: str, base: str) -> PullRequest | None:
        """The newest pull request from a branch into another one, whatever became of it."""
        number = self._known.get((branch, base))
        if number is not None:
            return read_pull(self._api.get(f"{self._pulls}/{number}"), merged=_MERGED)
        with understanding():
            for each in self._newest_first(base):
                # the label keeps the branch's name after the branch is gone
                if each["head"]["label"] == branch and each["base"]["label"] == base and _is_within(each):
                    return self._remember(branch, base, each)
        return None

    def open(self, branch: str, base: str, text: PullRequestText) -> PullRequest:
        """Open one. Raises `ForgeConflict` where one is open already."""
        try:
            return self._remember(branch, base, self._create(branch, base, text))
        except ForgeConflict:
            self._known.pop((branch, base), None)
            raise

    def _newest_first(self, base: str) -> Iterator[Any]:
        for page in range(1, _MOST_PAGES + 1):
            found = self._api.get(
                self._pulls, state="all", base_branch=base, limit=str(_PAGE), page=str(page)
            )
            yield from found or ()
            if not found:
                return

    def _remember(self, branch: str, base: str, answer: Any) -> PullRequest:
        read = read_pull(answer, merged=_MERGED)
        self._known[branch, base] = read.number
        return read


def _is_within(answer: Any) -> bool:
    """Whether it is not from another repository, a fork."""
    return bool(answer["head"]["repo_id"] == answer["base"]["repo_id"])
