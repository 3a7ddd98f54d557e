"""Pull requests on a real Gitea."""

import pytest

from gitops_backup.domain.pull_requests import ForgeKind, PullRequestState, PullRequestText
from gitops_backup.forges.api import Api, Login
from gitops_backup.forges.errors import ForgeConflict, ForgeRefused
from gitops_backup.forges.gitea import Gitea as Forge
from gitops_backup.forges.gitea import authorization
from gitops_backup.forges.kinds import api_address, kind_of
from gitops_backup.proxies import Proxies
from gitops_backup.sandbox.gitea import ADMINISTRATOR, BOT, Gitea

_TEXT = PullRequestText("Use backups", "Some | Markdown\n")
_BRANCH = "gitops-backup/main"
_NO_PROXIES = Proxies({})


def _forge(gitea: Gitea, repository: str, *, login: Login | None = None) -> Forge:
    shown = authorization(login or Login(gitea.password, BOT))
    api = Api(f"{gitea.root}/api/v1", authorize=lambda: shown, proxies=_NO_PROXIES)
    return Forge(api, f"{ADMINISTRATOR}/{repository}")


def _with_branch(gitea: Gitea, repository: str) -> Forge:
    gitea.create(repository, {"a.yaml": b"a"})
    body = {"new_branch_name": _BRANCH, "old_branch_name": "main"}
    gitea.ask("POST", f"/repos/{ADMINISTRATOR}/{repository}/branches", body)
    gitea.commit(repository, {"a.yaml": b"b"}, branch=_BRANCH)
    return _forge(gitea, repository)


def test_a_pull_request_is_opened_found_and_changed(gitea: Gitea) -> None:
    """By the process that opened it, and by one that knows nothing of it."""
    forge = _with_branch(gitea, "opened")
    assert forge.find(_BRANCH, "main") is None
    opened = forge.open(_BRANCH, "main", _TEXT)
    assert opened.url == f"{gitea.root}/{ADMINISTRATOR}/opened/pulls/{opened.number}"
    assert forge.find(_BRANCH, "main") == opened
    revised = PullRequestText("Use more backups", "Less")
    forge.revise(opened, revised)
    for each in (forge, _forge(gitea, "opened")):
        found = each.find(_BRANCH, "main")
        assert found is not None
        assert (found.number, found.state, found.text) == (opened.number, PullRequestState.OPEN, revised)
    assert forge.find(_BRANCH, "other") is None
    assert forge.find("main", _BRANCH) is None


def test_what_became_of_it_is_seen(gitea: Gitea) -> None:
    """Closed by us, closed by a person, merged; the newest counts, also when its branch is gone."""
    forge = _with_branch(gitea, "became")
    first = forge.open(_BRANCH, "main", _TEXT)
    forge.close(first, PullRequestText("Use backups", "Nothing is left"))
    closed = forge.find(_BRANCH, "main")
    assert closed is not None
    assert (closed.state, closed.text.body) == (PullRequestState.CLOSED, "Nothing is left")
    second = forge.open(_BRANCH, "main", _TEXT)
    gitea.merge("became", second.number, "squash")
    gitea.ask("DELETE", f"/repos/{ADMINISTRATOR}/became/branches/{_BRANCH.replace('/', '%2F')}")
    found = _forge(gitea, "became").find(_BRANCH, "main")
    assert found is not None
    assert (found.number, found.state) == (second.number, PullRequestState.MERGED)


def test_a_second_one_of_the_same_branch_is_a_conflict(gitea: Gitea) -> None:
    """Somebody else opened one in between: the caller looks again, and finds it."""
    forge = _with_branch(gitea, "second")
    opened = _forge(gitea, "second").open(_BRANCH, "main", _TEXT)
    with pytest.raises(ForgeConflict):
        forge.open(_BRANCH, "main", _TEXT)
    assert forge.find(_BRANCH, "main") == opened


def test_who_may_not_is_told_so(gitea: Gitea) -> None:
    """In one line, with no password in it."""
    _with_branch(gitea, "refused")
    with pytest.raises(ForgeRefused, match=r"answers 401 for POST .*the token is wrong") as caught:
        _forge(gitea, "refused", login=Login("wrong-one", BOT)).open(_BRANCH, "main", _TEXT)
    assert "wrong-one" not in str(caught.value)
    with pytest.raises(ForgeRefused, match=r"answers 404 for GET .*/nowhere/pulls.* not there"):
        _forge(gitea, "nowhere").find(_BRANCH, "main")


def test_the_host_says_that_it_is_gitea(gitea: Gitea) -> None:
    """So nobody has to set it."""
    assert kind_of(gitea.root, proxies=_NO_PROXIES) == ForgeKind.GITEA
    assert api_address(gitea.root, ForgeKind.GITEA) == f"{gitea.root}/api/v1"


def test_a_token_is_as_good_as_a_password(gitea: Gitea) -> None:
    """As such, and in the place of a password."""
    _with_branch(gitea, "token")
    token = gitea.token()
    for login in (Login(token), Login(token, BOT)):
        assert _forge(gitea, "token", login=login).find(_BRANCH, "main") is None
