"""Merge requests at GitLab: every request is as its API description has it."""

from pathlib import Path
from typing import Any

import pytest

from gitops_backup.domain.pull_requests import PullRequestState, PullRequestText
from gitops_backup.forges.api import Api, Login
from gitops_backup.forges.errors import ForgeConflict, ForgeUnavailable
from gitops_backup.forges.gitlab import GitLab, GitLabByPush, authorization
from gitops_backup.proxies import Proxies
from tests.forges.described import Act, DescribedForge, Refusal

_DESCRIPTION = Path(__file__).parent / "gitlab.json"
_TEXT = PullRequestText("Use backups", "Some | Markdown\n")
_BRANCH = "gitops-backup/main"
_NOW = 1_700_000_000.0


def _request(number: int, **more: Any) -> dict[str, Any]:
    return {
        "iid": number,
        "web_url": f"https://gitlab.example/team/apps/-/merge_requests/{number}",
        "state": "opened",
        "title": "t",
        "description": None,
        "source_project_id": 1,
        "target_project_id": 1,
        **more,
    }


def _serving(act: Act) -> DescribedForge:
    return DescribedForge(_DESCRIPTION, prefix="/api/v4", act=act)


def _forge(server: DescribedForge) -> GitLab:
    shown = authorization(Login("glpat-of-the-test"))
    api = Api(server.base, authorize=lambda: shown, proxies=Proxies({}), wall_clock=lambda: _NOW)
    return GitLab(api, "group/team/apps")


def test_a_merge_request_is_opened_changed_and_closed() -> None:
    """Each request names the project by its path, encoded as one, and shows the token."""
    with _serving(lambda request: _request(7)) as server:
        forge = _forge(server)
        opened = forge.open(_BRANCH, "main", _TEXT)
        forge.revise(opened, PullRequestText("a", "b"))
        forge.close(opened, PullRequestText("a", "c"))
    assert (opened.number, opened.text.body) == (7, "")
    first, second, third = server.requests
    assert first.body == {
        "source_branch": _BRANCH,
        "target_branch": "main",
        "title": "Use backups",
        "description": "Some | Markdown\n",
        "remove_source_branch": True,
    }
    assert second.body == {"title": "a", "description": "b"}
    assert third.body == {"title": "a", "description": "c", "state_event": "close"}
    assert third.path["merge_request_iid"] == "7"
    for request in server.requests:
        assert request.path["id"] == "group/team/apps"
        assert request.headers["private-token"] == "glpat-of-the-test"


@pytest.mark.parametrize(
    ("found", "number", "state"),
    [
        ([], None, None),
        ([_request(2)], 2, PullRequestState.OPEN),
        ([_request(4, source_project_id=9), _request(2)], 2, PullRequestState.OPEN),
        ([_request(3, state="closed"), _request(2, state="locked")], 2, PullRequestState.OPEN),
        ([_request(3, state="closed"), _request(2, state="merged")], 3, PullRequestState.CLOSED),
        ([_request(3, state="merged")], 3, PullRequestState.MERGED),
    ],
)
def test_the_open_one_is_found_or_the_newest(
    found: list[Any], number: int | None, state: PullRequestState | None
) -> None:
    """Of those from this very branch into that one; a fork's is none of them."""
    with _serving(lambda request: found) as server:
        seen = _forge(server).find(_BRANCH, "main")
    assert (seen and seen.number, seen and seen.state) == (number, state)
    (request,) = server.requests
    assert (request.query["source_branch"], request.query["target_branch"]) == (_BRANCH, "main")


def test_one_that_is_there_already_is_a_conflict() -> None:
    """Somebody else opened it in between."""
    said = {"message": ["Another open merge request already exists for this source branch: !5"]}
    refused = pytest.raises(ForgeConflict, match="Another open merge request already exists")
    with _serving(lambda request: Refusal(409, said)) as server, refused:
        _forge(server).open(_BRANCH, "main", _TEXT)


def test_a_limit_is_respected() -> None:
    """GitLab says until when, in a header of its own."""
    headers = {"RateLimit-Remaining": "0", "RateLimit-Reset": str(int(_NOW) + 42)}
    limited = pytest.raises(ForgeUnavailable, match="fewer requests")
    with _serving(lambda request: Refusal(429, None, headers)) as server, limited as caught:
        _forge(server).find(_BRANCH, "main")
    assert caught.value.retry_after == 42.0


def test_a_push_opens_a_merge_request_where_there_is_no_token() -> None:
    """By the options that GitLab documents ("Push options", "Push options for merge requests")."""
    forge = GitLabByPush()
    assert forge.push_options("main", "Use backups") == (
        "merge_request.create",
        "merge_request.target=main",
        "merge_request.title=Use backups",
        "merge_request.remove_source_branch",
    )
    assert forge.find(_BRANCH, "main") is None
    assert forge.open(_BRANCH, "main", _TEXT) is None
