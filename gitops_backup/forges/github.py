"""Pull requests at GitHub and GitHub Enterprise Server (REST API, version 2022-11-28, "Pulls")."""

from collections.abc import Mapping

from gitops_backup.domain.pull_requests import PullRequest, PullRequestState, PullRequestText
from gitops_backup.forges.api import Api, Login
from gitops_backup.forges.pulls import Pulls, read_pull

_FEW = 10
_MERGED = "merged_at"


def authorization(login: Login) -> Mapping[str, str]:
    """The headers for a token."""
    return {
        "Accept": "application/vnd.github+json",
        "Authorization": f"Bearer {login.secret}",
        "X-GitHub-Api-Version": "2022-11-28",
    }


class GitHub(Pulls):
    """The pull requests of one repository, `owner/name`."""

    def __init__(self, api: Api, repository: str) -> None:
        super().__init__(api, repository)
        self._owner = repository.partition("/")[0]

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
        read = [read_pull(each, merged=_MERGED) for each in found or ()]
        opened = (each for each in read if each.state == PullRequestState.OPEN)
        return next(opened, read[0] if read else None)

    def open(self, branch: str, base: str, text: PullRequestText) -> PullRequest:
        """Open one. Raises `ForgeConflict` where one is open already."""
        return read_pull(self._create(branch, base, text), merged=_MERGED)
