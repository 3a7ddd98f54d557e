"""From settings to forges: where pull requests are opened, at which API, and as whom."""

import os
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from gitops_backup.cli.wiring import git_credentials, open_git
from gitops_backup.controller.proposals import Forge
from gitops_backup.domain.pull_requests import ForgeKind, WriteMode
from gitops_backup.errors import GitopsBackupError, UsageError
from gitops_backup.forges import gitea, github, github_app, gitlab
from gitops_backup.forges.api import Api, Authorize, Login
from gitops_backup.forges.errors import ForgeRefused, UnknownForge
from gitops_backup.forges.github_app import AppKey, GitHubApp
from gitops_backup.forges.kinds import api_address, kind_of
from gitops_backup.git.credentials import GitCredentials, Password, choose
from gitops_backup.git.errors import InvalidRepositoryUrl
from gitops_backup.git.repository import RepositoryUrl
from gitops_backup.git.store import GitStore
from gitops_backup.proxies import Proxies
from gitops_backup.settings import RepositorySettings, Settings

_AUTHORIZATIONS = {
    ForgeKind.GITHUB: github.authorization,
    ForgeKind.GITLAB: gitlab.authorization,
    ForgeKind.GITEA: gitea.authorization,
    ForgeKind.FORGEJO: gitea.authorization,
}


class ConfiguredForges:
    """The forges that the settings name; threads may share it. Raises `UsageError` for wrong settings."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._proxies = Proxies(os.environ)
        self._entries = [(_prefix(text), entry) for text, entry in settings.repositories.items()]
        self._apps = {prefix.key: app for prefix, entry in self._entries if (app := self._app(prefix, entry))}
        self._kinds: dict[str, ForgeKind] = {}
        self._forges: dict[str, Forge] = {}
        self._lock = threading.Lock()

    def git_credentials(self) -> list[GitCredentials]:
        """The logins of GitHub Apps, for Git over HTTPS. Raises what asking for a token raises."""
        return [
            GitCredentials(prefix, Password(github_app.USERNAME, self._apps[prefix.key].token()))
            for prefix, _ in self._entries
            if prefix.key in self._apps
        ]

    def proposes(self, url: str) -> bool:
        """Whether changes of the repository at this URL go through pull requests."""
        try:
            entry = self._entry(RepositoryUrl.parse(url))
        except InvalidRepositoryUrl:
            return False
        return entry is not None and entry.write == WriteMode.PULL_REQUEST

    def forge(self, url: str) -> Forge:
        """The repository's forge.

        Raises `UnknownForge`, `ForgeRefused` where there is no token for it, and what asking a host raises.
        """
        repository = RepositoryUrl.parse(url)
        entry = self._entry(repository) or RepositorySettings()
        with self._lock:
            if repository.key not in self._forges:
                self._forges[repository.key] = self._made(repository, entry)
            return self._forges[repository.key]

    def _made(self, repository: RepositoryUrl, entry: RepositorySettings) -> Forge:
        origin = _web(repository, entry)
        kind = entry.forge or self._kind(origin)
        path = repository.key.removeprefix(repository.origin).strip("/")
        if kind == ForgeKind.GITLAB and self._login(repository, entry) is None:
            return gitlab.GitLabByPush()
        api = Api(
            entry.api or api_address(origin, kind),
            authorize=self._authorize(repository, entry, kind),
            proxies=self._proxies,
        )
        match kind:
            case ForgeKind.GITHUB:
                return github.GitHub(api, path)
            case ForgeKind.GITLAB:
                return gitlab.GitLab(api, path)
        return gitea.Gitea(api, path)

    def _authorize(self, repository: RepositoryUrl, entry: RepositorySettings, kind: ForgeKind) -> Authorize:
        def authorize() -> Mapping[str, str]:
            login = self._login(repository, entry)
            if login is None:
                raise ForgeRefused(
                    f"there is no token for the API of the forge of {repository}",
                    hint="name a file with one as token, in the setting repositories",
                )
            return _AUTHORIZATIONS[kind](login)

        return authorize

    def _login(self, repository: RepositoryUrl, entry: RepositorySettings) -> Login | None:
        if entry.token is not None:
            return Login(_token(entry.token))
        app = self._app_of(repository)
        if app is not None:
            return Login(app.token())
        found = choose(git_credentials(self._settings), repository)
        if found is None or not isinstance(found.login, Password):
            return None
        return Login(found.login.password, found.login.username)

    def _app(self, prefix: RepositoryUrl, entry: RepositorySettings) -> GitHubApp | None:
        given = entry.app_id, entry.installation_id, entry.app_key
        if given == (None, None, None):
            return None
        if entry.app_id is None or entry.installation_id is None or entry.app_key is None:
            raise UsageError(
                f"the setting 'repositories' is wrong: {prefix} lacks something of a GitHub App",
                hint="set app_id, installation_id and app_key, or none of them",
            )
        api = entry.api or api_address(_web(prefix, entry), ForgeKind.GITHUB)
        return GitHubApp(AppKey(entry.app_id, entry.installation_id, entry.app_key), api, self._proxies)

    def _app_of(self, repository: RepositoryUrl) -> GitHubApp | None:
        fitting = [prefix for prefix, _ in self._entries if prefix.covers(repository)]
        longest = max(fitting, key=lambda prefix: len(prefix.key), default=None)
        return self._apps.get(longest.key) if longest is not None else None

    def _kind(self, origin: str) -> ForgeKind:
        if origin not in self._kinds:
            self._kinds[origin] = kind_of(origin, proxies=self._proxies)
        return self._kinds[origin]

    def _entry(self, repository: RepositoryUrl) -> RepositorySettings | None:
        fitting = [(prefix, entry) for prefix, entry in self._entries if prefix.covers(repository)]
        return max(fitting, key=lambda each: len(each[0].key), default=(None, None))[1]


def renew_git(git: GitStore, settings: Settings, forges: ConfiguredForges) -> bool:
    """Let git show what is in the files now, and tokens of GitHub Apps; whether these are others than before.

    Raises what reading and asking for them raises.
    """
    return git.use([*git_credentials(settings), *forges.git_credentials()])


def open_git_once(settings: Settings, cancel: threading.Event) -> GitStore:
    """The clones, for a command that ends soon. Raises as `open_git` and `renew_git` do."""
    with ExitStack() as stack:
        git = stack.enter_context(open_git(settings, cancel))
        renew_git(git, settings, ConfiguredForges(settings))
        stack.pop_all()
    return git


def _prefix(text: str) -> RepositoryUrl:
    try:
        return RepositoryUrl.parse_prefix(text)
    except InvalidRepositoryUrl as error:
        raise UsageError(f"the setting 'repositories' is wrong: {error.message}", hint=error.hint) from error


def _web(repository: RepositoryUrl, entry: RepositorySettings) -> str:
    """The scheme and host of the forge's pages, and by default of its API."""
    if repository.scheme in ("https", "http"):
        return repository.origin
    host = urlsplit(repository.origin).hostname
    if host is None and entry.api is None:
        raise UnknownForge(f"{repository} is at no forge")
    return f"https://{host}"


def _token(file: Path) -> str:
    try:
        token = file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise GitopsBackupError(f"the token in {file} cannot be read") from error
    if not token or not token.isprintable() or not token.isascii():
        raise GitopsBackupError(f"{file} holds no token")
    return token
