"""Pull requests at GitHub: every request is as its API description has it."""

from pathlib import Path
from typing import Any

import pytest

from gitops_backup.domain.pull_requests import PullRequestState, PullRequestText
from gitops_backup.forges.api import Api, Login
from gitops_backup.forges.errors import ForgeConflict, ForgeRefused, ForgeUnavailable
from gitops_backup.forges.github import GitHub, authorization
from gitops_backup.proxies import Proxies
from tests.forges.described import Act, DescribedForge, Refusal, Request

_DESCRIPTION = Path(__file__).parent / "github.json"
_TOKEN = "ghp-of-the-test"
_TEXT = PullRequestText("Use backups", "Some | Markdown\n")
_BRANCH = "gitops-backup/main"
_NOW = 1_700_000_000.0


def _pull(number: int, **more: Any) -> dict[str, Any]:
    found = {"number": number, "html_url": f"https://github.example/o/r/pull/{number}", "state": "open"}
    return {**found, "merged_at": None, "title": "t", "body": "b", **more}


def _serving(act: Act) -> DescribedForge:
    return DescribedForge(_DESCRIPTION, prefix="/api/v3", act=act)


def _forge(server: DescribedForge) -> GitHub:
    shown = authorization(Login(_TOKEN))
    api = Api(server.base, authorize=lambda: shown, proxies=Proxies({}), wall_clock=lambda: _NOW)
    return GitHub(api, "o/r")


def test_a_pull_request_is_opened_changed_and_closed() -> None:
    """Each request names the repository, shows the token, and asks for the API's version."""
    with _serving(lambda request: _pull(7)) as server:
        forge = _forge(server)
        opened = forge.open(_BRANCH, "main", _TEXT)
        forge.revise(opened, PullRequestText("a", "b"))
        forge.close(opened, PullRequestText("a", "c"))
    assert (opened.number, opened.state) == (7, PullRequestState.OPEN)
    first, second, third = server.requests
    assert first.body == {
        "head": _BRANCH,
        "base": "main",
        "title": "Use backups",
        "body": "Some | Markdown\n",
    }
    assert second.body == {"title": "a", "body": "b"}
    assert third.body == {"title": "a", "body": "c", "state": "closed"}
    assert (second.path["pull_number"], third.operation) == ("7", "pulls/update")
    for request in server.requests:
        assert (request.path["owner"], request.path["repo"]) == ("o", "r")
        assert request.headers["authorization"] == f"Bearer {_TOKEN}"
        assert request.headers["accept"] == "application/vnd.github+json"
        assert request.headers["x-github-api-version"] == "2022-11-28"
    assert forge.push_options("main", "title") == ()


@pytest.mark.parametrize(
    ("found", "number", "state"),
    [
        ([], None, None),
        ([_pull(2)], 2, PullRequestState.OPEN),
        ([_pull(3, state="closed"), _pull(2)], 2, PullRequestState.OPEN),
        ([_pull(3, state="closed"), _pull(2, state="closed")], 3, PullRequestState.CLOSED),
        ([_pull(3, state="closed", merged_at="2026-01-01T00:00:00Z")], 3, PullRequestState.MERGED),
    ],
)
def test_the_open_one_is_found_or_the_newest(
    found: list[Any], number: int | None, state: PullRequestState | None
) -> None:
    """Of those from this very branch of this repository into that one."""
    with _serving(lambda request: found) as server:
        seen = _forge(server).find(_BRANCH, "main")
    assert (seen and seen.number, seen and seen.state) == (number, state)
    (request,) = server.requests
    assert (request.query["head"], request.query["base"]) == (f"o:{_BRANCH}", "main")
    assert (request.query["state"], request.query["sort"], request.query["direction"]) == (
        "all",
        "created",
        "desc",
    )


_THERE_ALREADY = {
    "message": "Validation Failed",
    "errors": [{"resource": "PullRequest", "message": "A pull request already exists for o:x."}],
}


@pytest.mark.parametrize(
    ("refusal", "kind", "message", "retry_after"),
    [
        (
            Refusal(422, _THERE_ALREADY),
            ForgeConflict,
            "Validation Failed; A pull request already exists",
            None,
        ),
        (Refusal(401, {"message": "Bad credentials"}), ForgeRefused, "Bad credentials (the token is", None),
        (Refusal(403, {"message": "Resource not accessible"}), ForgeRefused, "has to have|must have", None),
        (Refusal(404, {"message": "Not Found"}), ForgeRefused, "not there, or not for this token", None),
        (Refusal(301, {"message": "Moved"}, {"Location": "/x"}), ForgeRefused, "was renamed", None),
        (Refusal(502, None), ForgeUnavailable, "answers 502", None),
        (Refusal(429, None, {"Retry-After": "17"}), ForgeUnavailable, "fewer requests", 17.0),
        (Refusal(403, {"message": "secondary"}, {"Retry-After": "60"}), ForgeUnavailable, "secondary", 60.0),
        (
            Refusal(403, None, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(_NOW) + 90)}),
            ForgeUnavailable,
            "fewer requests",
            90.0,
        ),
        (
            Refusal(429, None, {"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"}),
            ForgeUnavailable,
            "fewer requests",
            30.0,
        ),
        (Refusal(200, {"message": "no pull request"}), ForgeRefused, "not what its API is described", None),
    ],
)
def test_a_refusal_says_what_to_do_about_it(
    refusal: Refusal, kind: type[Exception], message: str, retry_after: float | None
) -> None:
    """By its class, with a time where GitHub names one, in one line."""
    with (
        _serving(lambda request: refusal) as server,
        pytest.raises(kind, match=message.replace("(", r"\(")) as e,
    ):
        _forge(server).open(_BRANCH, "main", _TEXT)
    assert getattr(e.value, "retry_after", None) == retry_after
    assert str(e.value).isprintable()


def test_a_token_that_comes_back_is_not_repeated() -> None:
    """Not in a message."""

    def act(request: Request) -> Refusal:
        return Refusal(401, {"message": f"what is {request.headers['authorization']}?"})

    with _serving(act) as server, pytest.raises(ForgeRefused, match=r"what is \*\*\* \*\*\*\?") as caught:
        _forge(server).find(_BRANCH, "main")
    assert _TOKEN not in str(caught.value)


def test_a_forge_that_is_away_is_away() -> None:
    """And is asked again later."""
    with _serving(lambda request: []) as server:
        forge = _forge(server)
    with pytest.raises(ForgeUnavailable, match="cannot be reached"):
        forge.find(_BRANCH, "main")
