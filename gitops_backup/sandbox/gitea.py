"""A real forge: Gitea, with users, branch protection and pull requests, in a folder of its own.

Its two users are an administrator, who stands for the people who merge and close, and `bot`, which may push
to branches that are not protected, and open pull requests.
"""

import base64
import json
import os
import pwd
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import urllib3

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.process import run
from gitops_backup.sandbox.build import data_folder
from gitops_backup.sandbox.programs import Program, Programs
from gitops_backup.sandbox.servers import LOOPBACK, start_server
from gitops_backup.sandbox.waiting import until

ADMINISTRATOR, BOT = "root-of-all", "bot"

_SECONDS_FOR_A_COMMAND = 60.0
_PASSWORD = re.compile(rb"password is '([^']+)'")
_SETTINGS = """\
APP_NAME = sandbox
RUN_USER = {user}
RUN_MODE = prod
WORK_PATH = {folder}

[server]
PROTOCOL = http
HTTP_ADDR = {host}
HTTP_PORT = {port}
ROOT_URL = http://{host}:{port}/
DISABLE_SSH = true
OFFLINE_MODE = true
STATIC_ROOT_PATH = {data}
LFS_START_SERVER = false

[database]
DB_TYPE = sqlite3
PATH = {folder}/gitea.db

[repository]
ROOT = {folder}/repositories
DEFAULT_BRANCH = main

[security]
INSTALL_LOCK = true
SECRET_KEY = {secret}
PASSWORD_HASH_ALGO = pbkdf2$1$10
PASSWORD_COMPLEXITY = off

[service]
DISABLE_REGISTRATION = true

[log]
MODE = console
LEVEL = warn

[cron]
ENABLED = false

[indexer]
ISSUE_INDEXER_TYPE = db
"""


class GiteaRefused(GitopsBackupError):
    """Gitea did not do what the sandbox asked of it."""


class Gitea:
    """A running Gitea; `program` is where it was built, `folder` is its own."""

    def __init__(self, programs: Programs, program: Path, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._program = program
        self._pool = urllib3.PoolManager(retries=False, timeout=60.0)
        self._port = 0
        self._server, (self._port,) = start_server(
            lambda ports: self._launch(programs, ports[0]), ready=lambda ports: self._answers(ports[0])
        )
        self._passwords = {name: self._make_user(name) for name in (ADMINISTRATOR, BOT)}

    @property
    def root(self) -> str:
        """The address below which everything is."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def password(self) -> str:
        """The password of the user `bot`."""
        return self._passwords[BOT]

    def path(self, repository: str) -> Path:
        """The bare repository's folder."""
        return self._folder / "repositories" / ADMINISTRATOR / f"{repository}.git"

    def url(self, repository: str) -> str:
        """The address to clone a repository from."""
        return f"{self.root}/{ADMINISTRATOR}/{repository}.git"

    def create(self, repository: str, files: Mapping[str, bytes]) -> str:
        """Make a repository with these files on `main`, which nobody but the administrator may push to."""
        self.ask("POST", "/user/repos", {"name": repository, "default_branch": "main", "auto_init": True})
        self.commit(repository, files)
        self.ask("PUT", f"{_of(repository)}/collaborators/{BOT}", {"permission": "write"})
        protection = {
            "rule_name": "main",
            "enable_push": True,
            "enable_push_whitelist": True,
            "push_whitelist_usernames": [ADMINISTRATOR],
        }
        self.ask("POST", f"{_of(repository)}/branch_protections", protection)
        return self.url(repository)

    def commit(self, repository: str, files: Mapping[str, bytes], *, branch: str = "main") -> str:
        """Write files in one commit by the administrator; returns its name."""
        changes = [
            {
                "operation": "update" if (sha := self._blob(repository, path, branch)) else "create",
                "path": path,
                "content": base64.b64encode(content).decode(),
                **({"sha": sha} if sha else {}),
            }
            for path, content in files.items()
        ]
        body = {"branch": branch, "message": "Change", "files": changes}
        return str(self.ask("POST", f"{_of(repository)}/contents", body)["commit"]["sha"])

    def pull_requests(self, repository: str) -> list[Any]:
        """All pull requests, newest first."""
        return list(self.ask("GET", f"{_of(repository)}/pulls?state=all"))

    def merge(self, repository: str, number: int, how: str = "merge") -> None:
        """Merge a pull request as a person does: `merge`, `squash` or `rebase`."""

        def merged() -> bool:
            try:
                self.ask("POST", f"{_of(repository)}/pulls/{number}/merge", {"Do": how})
            except GiteaRefused as error:
                if "try again later" not in error.message:
                    raise
                return False  # it is still looking whether that can be merged
            return True

        until(merged, what=f"pull request {number} to be merged", timeout=_SECONDS_FOR_A_COMMAND)

    def close(self, repository: str, number: int) -> None:
        """Close a pull request as a person does."""
        self.ask("PATCH", f"{_of(repository)}/pulls/{number}", {"state": "closed"})

    def branches(self, repository: str) -> set[str]:
        """The names of the branches."""
        return {each["name"] for each in self.ask("GET", f"{_of(repository)}/branches")}

    def token(self) -> str:
        """A new token of the user `bot`, which may do with repositories what it may."""
        body = {"name": secrets.token_hex(4), "scopes": ["write:repository"]}
        return str(self.ask("POST", f"/users/{BOT}/tokens", body, user=BOT)["sha1"])

    def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, user: str = ADMINISTRATOR
    ) -> Any:
        """The API's answer to the administrator, or to another user."""
        login = urllib3.make_headers(basic_auth=f"{user}:{self._passwords[user]}")
        answer = self._pool.request(
            method,
            f"{self.root}/api/v1{path}",
            headers={**login, "Content-Type": "application/json"},
            body=None if body is None else json.dumps(body),
        )
        if answer.status >= 300:
            raise GiteaRefused(f"{method} {path} answers {answer.status}: {one_line(answer.data)}")
        return json.loads(answer.data) if answer.data else None

    def end(self) -> None:
        """Stop it."""
        self._server.kill()
        self._pool.clear()

    def _launch(self, programs: Programs, port: int) -> Program:
        settings = _SETTINGS.format(
            user=_user(),
            folder=self._folder,
            host=LOOPBACK,
            port=port,
            data=data_folder(self._program),
            secret=secrets.token_urlsafe(32),
        )
        self._config.touch(mode=0o600)
        self._config.write_text(settings)
        argv: list[str | Path] = [self._program, "web", "--config", self._config]
        return programs.start("gitea", argv, log=self._folder / "log", env=_environment(self._folder))

    def _answers(self, port: int) -> bool:
        try:
            answer = self._pool.request("GET", f"http://{LOOPBACK}:{port}/api/v1/version", timeout=5.0)
        except urllib3.exceptions.HTTPError:
            return False
        return answer.status == 200

    def _make_user(self, name: str) -> str:
        """Make a user, as the API has no way to make the first one; returns the password."""
        argv = [str(self._program), "admin", "user", "create", "--config", str(self._config)]
        argv += ["--username", name, "--random-password", "--email", f"{name}@sandbox.example"]
        argv += ["--must-change-password=false", *(["--admin"] if name == ADMINISTRATOR else [])]
        done = run(argv, timeout=_SECONDS_FOR_A_COMMAND, env=_environment(self._folder))
        told = _PASSWORD.search(done.stdout)
        if done.returncode or told is None:
            raise GiteaRefused(f"the user {name} cannot be made: {one_line(done.stderr)}")
        return told[1].decode()

    def _blob(self, repository: str, path: str, branch: str) -> str | None:
        try:
            found = self.ask("GET", f"{_of(repository)}/contents/{quote(path)}?ref={quote(branch)}")
        except GiteaRefused:
            return None
        return str(found["sha"])

    @property
    def _config(self) -> Path:
        return self._folder / "app.ini"


def _of(repository: str) -> str:
    return f"/repos/{ADMINISTRATOR}/{repository}"


def _user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _environment(folder: Path) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "USER": _user(),
        "GITEA_WORK_DIR": str(folder),
        "GITEA_I_AM_BEING_UNSAFE_RUNNING_AS_ROOT": "true",
    }
