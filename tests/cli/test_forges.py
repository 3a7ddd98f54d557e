"""Which repositories have pull requests, at which forge, and as whom."""

from pathlib import Path
from typing import Any

import pytest

from gitops_backup.cli.forges import ConfiguredForges
from gitops_backup.errors import GitopsBackupError, UsageError
from gitops_backup.forges.errors import ForgeRefused
from gitops_backup.forges.gitea import Gitea
from gitops_backup.forges.github import GitHub
from gitops_backup.forges.gitlab import GitLab, GitLabByPush
from gitops_backup.sandbox.gitea import BOT
from gitops_backup.sandbox.gitea import Gitea as RunningGitea
from gitops_backup.settings import Settings

_PULL_REQUEST = {"write": "pull-request"}


def _forges(repositories: dict[str, dict[str, Any]], **more: Any) -> ConfiguredForges:
    return ConfiguredForges(Settings.model_validate({"repositories": repositories, **more}))


def test_the_longest_prefix_says_how_a_repository_is_written_to() -> None:
    """However its URL is spelt; by default with a push."""
    forges = _forges(
        {"https://git.example/team": _PULL_REQUEST, "https://git.example/team/tools": {"write": "push"}}
    )
    assert forges.proposes("https://git.example/team/apps.git")
    assert forges.proposes("https://GIT.example:443/team/apps/")
    assert not forges.proposes("https://git.example/team/tools")
    assert not forges.proposes("https://git.example/teams/apps")
    assert not forges.proposes("git@git.example:team/apps")
    assert not forges.proposes("no URL")


@pytest.mark.parametrize(
    ("url", "forge", "kind"),
    [
        ("https://github.com/o/r.git", None, GitHub),
        ("git@github.com:o/r.git", None, GitHub),
        ("https://gitlab.com/group/team/apps", None, GitLab),
        ("https://codeberg.org/o/r", None, Gitea),
        ("https://git.example/o/r", "forgejo", Gitea),
        ("https://git.example/o/r", "github", GitHub),
    ],
)
def test_a_forge_is_known_or_said(url: str, forge: str | None, kind: type, tmp_path: Path) -> None:
    """Nobody is asked for it then."""
    token = tmp_path / "token"
    token.write_text("t\n")
    prefix = url.removesuffix("/r.git").removesuffix("/r")
    entry = {**_PULL_REQUEST, "token": str(token), **({"forge": forge} if forge else {})}
    assert isinstance(_forges({prefix: entry}).forge(url), kind)


def test_gitlab_without_a_token_is_told_by_pushes() -> None:
    """A deploy key is enough."""
    forges = _forges({"ssh://git@gitlab.com/team": _PULL_REQUEST})
    assert isinstance(forges.forge("git@gitlab.com:team/apps.git"), GitLabByPush)


def test_a_host_is_asked_what_it_is(gitea: RunningGitea) -> None:
    """With the Git password, where no other token is set."""
    url = gitea.create("configured", {"a.yaml": b"a"})
    login = {"git_prefix": gitea.root, "git_username": BOT, "git_password": gitea.password}
    found = _forges({gitea.root: _PULL_REQUEST}, **login).forge(url)
    assert isinstance(found, Gitea)
    assert found.find("gitops-backup/main", "main") is None


def test_a_missing_token_is_told_when_it_is_needed(tmp_path: Path) -> None:
    """And so is a file that has none."""
    without = _forges({"https://github.com/o": _PULL_REQUEST})
    with pytest.raises(
        ForgeRefused, match=r"there is no token for the API of the forge of https://github\.com/o/r"
    ):
        without.forge("https://github.com/o/r").find("a", "b")
    for name in ("missing", "empty"):
        (tmp_path / "empty").write_text("\n")
        forges = _forges({"https://github.com/o": {**_PULL_REQUEST, "token": str(tmp_path / name)}})
        with pytest.raises(GitopsBackupError, match=name):
            forges.forge("https://github.com/o/r").find("a", "b")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"app_id": 1}, "lacks something of a GitHub App"),
        ({"app_id": 1, "installation_id": 2}, "lacks something of a GitHub App"),
    ],
)
def test_half_of_an_app_is_refused_at_the_start(entry: dict[str, Any], message: str) -> None:
    """By the setting's name."""
    with pytest.raises(UsageError, match=message):
        _forges({"https://github.com/o": entry})


def test_a_prefix_that_is_no_url_is_refused_at_the_start() -> None:
    """By the setting's name."""
    with pytest.raises(UsageError, match="the setting 'repositories' is wrong"):
        _forges({"team": _PULL_REQUEST})
