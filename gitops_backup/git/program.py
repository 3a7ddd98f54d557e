"""The git program, started so that nothing in a repository or on this machine decides what it does.

No configuration of the system or the user is read, and the settings below outrank what a repository's own
configuration says: no hooks, no helpers, no background work, only the transports that are wanted. Git takes
them from the environment (git(1), "GIT_CONFIG_COUNT"), so every process has them, whoever starts it.

A password reaches git through GIT_ASKPASS alone (gitcredentials(7)): a script in a private folder answers
from the environment of that one process, and only when it is asked for exactly the server that the
credentials are for. So a redirect to another host gets nothing.
"""

import hashlib
import shlex
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import git

from gitops_backup import process
from gitops_backup.errors import UsageError
from gitops_backup.git.credentials import GitCredentials, Password, SshKey, choose
from gitops_backup.git.errors import InvalidRepositoryUrl, RepositoryUnavailable
from gitops_backup.git.repository import RepositoryUrl

_OLDEST = (2, 32)  # the first that takes GIT_CONFIG_GLOBAL
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.symlinks": "false",
    "core.autocrlf": "false",
    "core.attributesFile": "/dev/null",
    "core.fsync": "none",  # a clone can be made again
    "credential.helper": "",
    "fetch.fsckObjects": "true",
    "fetch.fsck.zeroPaddedFilemode": "ignore",  # old tools wrote such trees, and they do no harm
    "fetch.recurseSubmodules": "false",
    "fetch.unpackLimit": "1",  # one pack for each fetch and commit, so that counting them tells a clone's age
    "fastimport.unpackLimit": "1",
    "gc.auto": "0",
    "http.followRedirects": "initial",
    "http.lowSpeedLimit": "1",  # our own limit is shorter; this one ends what outlived us
    "http.lowSpeedTime": "600",
    "maintenance.auto": "false",
    "protocol.version": "2",
    "push.gpgSign": "false",
    "push.recurseSubmodules": "no",
    "submodule.recurse": "false",
}
# what each kind of URL may use, redirects included
_TRANSPORTS = {"https": "https", "http": "http:https", "ssh": "ssh", "file": "file"}
_ASKPASS = """\
#!/bin/sh
case $1 in
"$GITOPS_BACKUP_ASKED_FOR_USERNAME") printf '%s\\n' "$GITOPS_BACKUP_USERNAME" ;;
"$GITOPS_BACKUP_ASKED_FOR_PASSWORD" | "$GITOPS_BACKUP_ASKED_FOR_PASSWORD_QUOTED")
    printf '%s\\n' "$GITOPS_BACKUP_PASSWORD" ;;
*) exit 1 ;;
esac
"""


class GitProgram:
    """Starts git for one store; `folder` is private to it and made anew.

    `timeout` is for each process, in seconds. `environment` is handed on to what talks to a server: a proxy,
    an authority's certificate (`HTTPS_PROXY`, `GIT_SSL_CAINFO`).
    """

    def __init__(
        self,
        folder: Path,
        *,
        credentials: Sequence[GitCredentials],
        timeout: float,
        allow_file: bool,
        environment: Mapping[str, str],
        cancel: threading.Event | None,
    ) -> None:
        self.timeout = timeout
        self._folder = folder
        self._allow_file = allow_file
        self._environment = dict(environment)
        self._cancel = cancel
        for private in (folder, folder / "home", folder / "ssh"):
            private.mkdir(mode=0o700)
        self._askpass = _private_file(folder / "askpass", _ASKPASS, mode=0o700)
        self._credentials: tuple[GitCredentials, ...] = ()
        self.use(credentials)

    def use(self, credentials: Iterable[GitCredentials]) -> bool:
        """Use these from now on; whether they are others than before.

        The files of keys that were replaced stay as long as the store does: a connection may be reading them.
        """
        before, now = self._credentials, tuple(credentials)
        if now == before:
            return False
        for one in now:
            if isinstance(one.login, SshKey) and one not in before:
                _private_file(self._key_file(one.login), one.login.private_key)
                _private_file(self._hosts_file(one.login), one.login.known_hosts)
        self._credentials = now
        return True

    def local(self, clone: Path) -> dict[str, str]:
        """The environment of a git process that works on a clone and may not talk to anybody."""
        return {
            **self._common(),
            "GIT_ALLOW_PROTOCOL": "none",
            "GIT_DIR": str(clone),
            "GIT_TEMPLATE_DIR": str(self._folder / "home"),
        }

    def remote(
        self, arguments: Sequence[str], *, url: RepositoryUrl, clone: Path | None = None
    ) -> process.Completed:
        """Run git with `arguments`, with the credentials for `url`, and return what it left; secrets masked.

        Raises `RepositoryUnavailable` when its time is up, `ProcessCancelled` when the store is stopped.
        """
        if url.scheme == "file" and not self._allow_file:
            raise InvalidRepositoryUrl(f"{url} is on this machine, and only servers can be used")
        chosen = choose(self._credentials, url)
        try:
            completed = process.run(
                ["git", *arguments],
                timeout=self.timeout,
                env={
                    **self._environment,
                    **self._common(),
                    **({"GIT_DIR": str(clone)} if clone else {}),
                    "GIT_ALLOW_PROTOCOL": _TRANSPORTS[url.scheme],
                    **self._login(url, chosen),
                },
                cwd=clone or self._folder,
                cancel=self._cancel,
            )
        except process.ProcessTimeout as error:
            raise RepositoryUnavailable(
                f"git {arguments[0]} of {url} did not end within {self.timeout:g} s"
            ) from error
        if chosen is None:
            return completed
        stdout, stderr = (
            chosen.mask(output.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
            for output in (completed.stdout, completed.stderr)
        )
        return process.Completed(completed.returncode, stdout, stderr)

    def has_credentials(self, url: RepositoryUrl) -> bool:
        """Whether credentials are configured for this URL."""
        return choose(self._credentials, url) is not None

    def _common(self) -> dict[str, str]:
        settings = {
            name: value
            for number, (key, setting) in enumerate(_SETTINGS.items())
            for name, value in ((f"GIT_CONFIG_KEY_{number}", key), (f"GIT_CONFIG_VALUE_{number}", setting))
        }
        return {
            **settings,
            "GIT_CONFIG_COUNT": str(len(_SETTINGS)),
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": str(self._askpass),
            "HOME": str(self._folder / "home"),  # no .netrc
        }

    def _login(self, url: RepositoryUrl, chosen: GitCredentials | None) -> dict[str, str]:
        if url.scheme == "ssh":
            return {"GIT_SSH_COMMAND": self._ssh(chosen), "GIT_SSH_VARIANT": "ssh"}
        if chosen is None or not isinstance(chosen.login, Password):
            return {}
        username = chosen.login.username
        # newer versions of git quote the user name in the question
        plain, quoted = (
            url.origin.replace("://", f"://{user}@") for user in (username, quote(username, safe=""))
        )
        return {
            "GITOPS_BACKUP_ASKED_FOR_USERNAME": f"Username for '{url.origin}': ",
            "GITOPS_BACKUP_ASKED_FOR_PASSWORD": f"Password for '{plain}': ",
            "GITOPS_BACKUP_ASKED_FOR_PASSWORD_QUOTED": f"Password for '{quoted}': ",
            "GITOPS_BACKUP_USERNAME": username,
            "GITOPS_BACKUP_PASSWORD": chosen.login.password,
        }

    def _ssh(self, chosen: GitCredentials | None) -> str:
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "30",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "IdentityFile": "none",
            "StrictHostKeyChecking": "yes",
        }
        if chosen is not None and isinstance(chosen.login, SshKey):
            options["IdentityFile"] = f'"{self._key_file(chosen.login)}"'
            options["UserKnownHostsFile"] = f'"{self._hosts_file(chosen.login)}"'
        arguments = [f"-o{name}={value}" for name, value in options.items()]
        # git hands this to a shell
        return shlex.join(["ssh", "-F", "/dev/null", *arguments])

    def _key_file(self, key: SshKey) -> Path:
        return self._folder / "ssh" / f"{_fingerprint(key.private_key)}.key"

    def _hosts_file(self, key: SshKey) -> Path:
        return self._folder / "ssh" / f"{_fingerprint(key.known_hosts)}.hosts"


def check_version() -> None:
    """Raise `ProgramMissing` where there is no git, `UsageError` where it is too old to be kept in check."""
    try:
        version = git.Git().version_info
    except git.GitCommandNotFound as error:
        raise process.ProgramMissing("git is not on PATH", hint="install git") from error
    if version < _OLDEST:
        seen, wanted = (".".join(map(str, numbers)) for numbers in (version, _OLDEST))
        raise UsageError(f"git {seen} is too old: {wanted} or newer is needed")


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _private_file(path: Path, text: str, *, mode: int = 0o600) -> Path:
    path.touch(mode=mode)
    path.write_text(text, encoding="utf-8")
    return path
