"""Merge requests at GitLab (REST API, version 4, "Merge requests"; "Push options").

Where there is no token for the API, the push itself asks for the merge request. Then nothing is known of what
became of it, and its text is the commit's.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from gitops_backup.domain.pull_requests import PullRequest, PullRequestState, PullRequestText
from gitops_backup.forges.api import Api, Login, understanding

_FEW = 10
_STATES = {
    "opened": PullRequestState.OPEN,
    # while it is being merged
    "locked": PullRequestState.OPEN,
    "merged": PullRequestState.MERGED,
    "closed": PullRequestState.CLOSED,
}


def authorization(login: Login) -> Mapping[str, str]:
    """The header for a token: a personal, project or group access token."""
    return {"PRIVATE-TOKEN": login.secret}


class GitLabByPush:
    """Merge requests that pushes open, and of which nothing is known."""

    def push_options(self, base: str, title: str) -> tuple[str, ...]:
        """What a push tells GitLab, so that it opens a merge request into `base`, unless one is open."""
        return (
            "merge_request.create",
            f"merge_request.target={base}",
            f"merge_request.title={title}",
            "merge_request.remove_source_branch",
        )

    def find(self, branch: str, base: str) -> PullRequest | None:
        """None is known."""
        return None

    def open(self, branch: str, base: str, text: PullRequestText) -> PullRequest | None:
        """The push has done it."""
        return None

    def revise(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """There is none that is known."""

    def close(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """There is none that is known."""


class GitLab:
    """The merge requests of one project, by its full path."""

    def __init__(self, api: Api, project: str) -> None:
        self._api = api
        self._requests = f"/projects/{quote(project, safe='')}/merge_requests"

    def push_options(self, base: str, title: str) -> tuple[str, ...]:
        """Nothing: its API is what opens a merge request."""
        return ()

    def find(self, branch: str, base: str) -> PullRequest | None:
        """The open merge request from a branch into another one, else the newest, whatever became of it."""
        found = self._api.get(
            self._requests,
            source_branch=branch,
            target_branch=base,
            state="all",
            order_by="created_at",
            sort="desc",
            per_page=str(_FEW),
        )
        with understanding():
            within = [each for each in found or () if each["source_project_id"] == each["target_project_id"]]
        read = [_read(each) for each in within]
        opened = (each for each in read if each.state == PullRequestState.OPEN)
        return next(opened, read[0] if read else None)

    def open(self, branch: str, base: str, text: PullRequestText) -> PullRequest:
        """Open one. Raises `ForgeConflict` where one is open already."""
        body = {
            "source_branch": branch,
            "target_branch": base,
            "title": text.title,
            "description": text.body,
            "remove_source_branch": True,
        }
        return _read(self._api.send("POST", self._requests, body))

    def revise(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """Let an open merge request say something else."""
        self._put(pull_request, {"title": text.title, "description": text.body})

    def close(self, pull_request: PullRequest, text: PullRequestText) -> None:
        """Close a merge request, which says something else from then on."""
        self._put(pull_request, {"title": text.title, "description": text.body, "state_event": "close"})

    def _put(self, pull_request: PullRequest, body: Mapping[str, Any]) -> None:
        self._api.send("PUT", f"{self._requests}/{pull_request.number}", body)


def _read(answer: Any) -> PullRequest:
    with understanding():
        return PullRequest(
            number=int(answer["iid"]),
            url=str(answer["web_url"]),
            state=_STATES[answer["state"]],
            text=PullRequestText(str(answer["title"]), str(answer["description"] or "")),
        )
