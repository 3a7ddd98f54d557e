"""Git over HTTP as a host serves it: bare repositories behind `git http-backend`, reading open to all.

Pushing wants a user name and a password. What a client sees when a push is refused is what Git itself says.
Commits by "somebody else" are written straight into the bare repository, with no work tree.
"""

import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.process import run
from gitops_backup.sandbox.githttp import GitBridge

BRANCH = "main"

_SECONDS_FOR_A_REQUEST = 120.0
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ENV = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
_SOMEBODY = "Somebody Else <somebody@sandbox.example>"
# what hosts allow and check; housekeeping would run on after a request
_CONFIG = """
[http]
	receivepack = true
[receive]
	fsckObjects = true
	autogc = false
[uploadpack]
	allowFilter = true
	allowAnySHA1InWant = true
[gc]
	auto = 0
"""
# the number in `refusals` says how many pushes are still to be refused
_HOOK = """#!/bin/sh
left=$(cat refusals 2>/dev/null || echo 0)
test "$left" -gt 0 || exit 0
echo $((left - 1)) > refusals
echo "refused by the sandbox, as it was told to" >&2
exit 1
"""


class GitFailed(GitopsBackupError):
    """A Git command on the host's side failed."""


class GitHost:
    """Serves the bare repositories in `folder` from threads of this process until it is closed.

    `before_push`, when set, is called with a repository's name before each push is handed to Git: a commit
    that is made there is one that somebody else pushed first.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.username = "git"
        self.password = secrets.token_urlsafe(12)
        self.before_push: Callable[[str], None] | None = None
        self._elsewhere: dict[str, str] = {}
        self._bridge = GitBridge(
            folder, username=self.username, password=self.password, before_push=self._before_push
        )

    @property
    def root(self) -> str:
        """The address below which all repositories are."""
        return self._bridge.url

    def url(self, repository: str) -> str:
        """The address to clone a repository from, without credentials."""
        return self._elsewhere.get(repository) or f"{self.root}/{repository}.git"

    def path(self, repository: str) -> Path:
        """The bare repository's folder."""
        return self.folder / f"{repository}.git"

    def repository(self, url: str) -> str | None:
        """The name of the repository that this URL addresses; None when it is not one of this host's."""
        name = url.rstrip("/").removesuffix(".git").rpartition("/")[2]
        known = self.path(name).is_dir() and url.rstrip("/") in (
            self.url(name),
            self.url(name)[: -len(".git")],
        )
        return name if known else None

    def adopt(self, repository: str, path: Path, *, url: str) -> None:
        """Know a bare repository on this machine that another server serves at this URL."""
        self.path(repository).symlink_to(path)
        self._elsewhere[repository] = url

    def create(self, repository: str, files: Mapping[str, bytes] | None = None) -> str:
        """Create a bare repository, with a first commit of `files` where there are any; returns its URL."""
        path = self.path(repository)
        self._git(["init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(path)])
        with (path / "config").open("a") as config:
            config.write(_CONFIG)
        hook = path / "hooks" / "pre-receive"
        hook.write_text(_HOOK)
        hook.chmod(0o755)
        if files:
            self.commit(repository, files, message="Begin")
        return self.url(repository)

    def commit(
        self,
        repository: str,
        files: Mapping[str, bytes | None],
        *,
        message: str = "Change",
        branch: str = BRANCH,
    ) -> str:
        """Write these files (None removes one) in one commit by somebody else; returns its id.

        When somebody pushes at the same time, it is made anew on top of that.
        """
        while True:
            head = self.head(repository, branch)
            try:
                return self._commit(repository, files, message=message, branch=branch, head=head)
            except GitFailed:
                if self.head(repository, branch) == head:
                    raise

    def _commit(
        self,
        repository: str,
        files: Mapping[str, bytes | None],
        *,
        message: str,
        branch: str,
        head: str | None,
    ) -> str:
        parts = [
            f"commit refs/heads/{branch}\ncommitter {_SOMEBODY} now\n".encode(),
            _counted(message.encode()),
            f"from {head}\n".encode() if head else b"",
        ]
        for name, content in sorted(files.items()):
            if content is None:
                parts.append(f"D {name}\n".encode())
            else:
                parts += [f"M 100644 inline {name}\n".encode(), _counted(content)]
        self._git(
            ["-C", str(self.path(repository)), "fast-import", "--quiet", "--date-format=now"],
            input=b"".join(parts),
        )
        return self.head(repository, branch) or ""

    def head(self, repository: str, branch: str = BRANCH) -> str | None:
        """The commit that the branch names; None while there is none. Reads files only, so it is cheap."""
        return self._read_ref(repository, f"refs/heads/{branch}")

    def resolve(self, repository: str, revision: str) -> str | None:
        """The commit that `HEAD`, a branch, a tag or a commit's id names; None when there is none."""
        if _COMMIT.fullmatch(revision):
            return revision
        branch = BRANCH if revision == "HEAD" else revision.removeprefix("refs/heads/")
        head = self.head(repository, branch)
        tag = f"refs/tags/{revision.removeprefix('refs/tags/')}"
        if head is None and self._read_ref(repository, tag):
            at = str(self.path(repository))
            head = self._git(["-C", at, "rev-parse", f"{tag}^{{commit}}"]).decode().strip()
        return head

    def files(self, repository: str, revision: str = BRANCH, *, under: str = "") -> dict[str, bytes]:
        """The files of a revision below a folder, by their path from the repository's root."""
        at = str(self.path(repository))
        listed = self._git(["-C", at, "ls-tree", "-r", "-z", "--full-tree", revision, "--", under or "."])
        entries = [line.split(b"\t", 1) for line in listed.split(b"\0") if line]
        blobs = [(path.decode(), meta.split()[2]) for meta, path in entries if meta.startswith(b"100")]
        asked = b"".join(blob + b"\n" for _, blob in blobs)
        return dict(
            zip(
                (path for path, _ in blobs),
                _blobs(self._git(["-C", at, "cat-file", "--batch"], input=asked)),
                strict=True,
            )
        )

    def log(self, repository: str, branch: str = BRANCH) -> list[str]:
        """The commits of a branch, newest first."""
        at = str(self.path(repository))
        return self._git(["-C", at, "rev-list", branch]).decode().split()

    def show(self, repository: str, revision: str = BRANCH) -> str:
        """A commit as `git show` prints it: who, the message, and the diff."""
        at = str(self.path(repository))
        return self._git(["-C", at, "show", "--no-color", revision]).decode("utf-8", "replace")

    def revert(self, repository: str, revision: str, *, branch: str = BRANCH) -> str:
        """Undo a commit as `git revert` does, by somebody else, when nothing else touched its files since."""
        before = self.files(repository, f"{revision}^")
        after = self.files(repository, revision)
        undone = {
            name: before.get(name)
            for name in before.keys() | after.keys()
            if before.get(name) != after.get(name)
        }
        return self.commit(
            repository, undone, message=f"Revert\n\nThis reverts commit {revision}.", branch=branch
        )

    def refuse_pushes(self, repository: str, count: int) -> None:
        """Let the repository's hook refuse the next `count` pushes (`pre-receive hook declined`)."""
        (self.path(repository) / "refusals").write_text(f"{count}\n")

    def answer_unavailable(self, count: int) -> None:
        """Answer 503 to the next `count` requests that belong to a push, of whatever repository."""
        self._bridge.answer_unavailable(count)

    def requests(self) -> list[tuple[str, str, int]]:
        """Method, path with query, and status of what was asked so far, in order."""
        return self._bridge.requests()

    def close(self) -> None:
        """Stop serving."""
        self._bridge.close()

    def _git(self, argv: Sequence[str], *, input: bytes | None = None) -> bytes:  # noqa: A002
        done = run(["git", *argv], timeout=_SECONDS_FOR_A_REQUEST, env=_ENV, input=input)
        if done.returncode:
            raise GitFailed(f"git {' '.join(argv[:3])} failed: {one_line(done.stderr)}")
        return done.stdout

    def _read_ref(self, repository: str, ref: str) -> str | None:
        path = self.path(repository)
        try:
            return (path / ref).read_text().strip() or None
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            pass
        try:
            packed = (path / "packed-refs").read_text().splitlines()
        except FileNotFoundError:
            return None
        return next((line.split()[0] for line in packed if line.endswith(f" {ref}")), None)

    def _before_push(self, repository: str) -> None:
        if self.before_push is not None:
            self.before_push(repository)


def _counted(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _blobs(batch: bytes) -> Iterator[bytes]:
    position = 0
    while position < len(batch):
        header_end = batch.index(b"\n", position)
        size = int(batch[position:header_end].split()[2])
        yield batch[header_end + 1 : header_end + 1 + size]
        position = header_end + 1 + size + 1
