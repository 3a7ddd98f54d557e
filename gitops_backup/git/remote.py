"""One repository on its server: which commit a branch is at, fetching it, pushing to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.git.answers import failure, push_failure
from gitops_backup.git.errors import (
    BranchMissing,
    CloneDamaged,
    RepositoryRefused,
    RepositoryUnavailable,
    TagInstead,
)
from gitops_backup.git.program import GitProgram
from gitops_backup.git.repository import RepositoryUrl
from gitops_backup.process import Completed

_BRANCHES = "refs/heads/"
_TAGS = "refs/tags/"
_PEELED = "^{}"
_LENGTH_OF_SHA1 = 40


@dataclass(frozen=True, slots=True)
class Remote:
    """The server's side of a repository.

    Every method raises `RepositoryUnavailable`, `RepositoryMissing`, `RepositoryRefused` or
    `AuthenticationFailed`; those that use a clone raise `CloneDamaged` where nothing that the server did
    explains why git failed.
    """

    program: GitProgram
    url: RepositoryUrl

    def default_branch(self) -> str:
        """The branch that HEAD names, as the server spells it. Raises `BranchMissing` where there is none."""
        for target, name in self._listed("HEAD", options=["--symref"]):
            if name == "HEAD" and target.startswith(f"ref: {_BRANCHES}"):
                return target.removeprefix(f"ref: {_BRANCHES}")
        raise BranchMissing(
            f"{self.url} has no default branch",
            hint="name a branch, or push a first commit to the repository",
        )

    def head(self, branch: str) -> str:
        """The commit that the branch is at. Raises `BranchMissing`, `TagInstead` where it is a tag."""
        found = self._listed(f"{_BRANCHES}{branch}", f"{_TAGS}{branch}")
        for commit, name in found:
            if name == f"{_BRANCHES}{branch}":
                if len(commit) != _LENGTH_OF_SHA1:
                    raise RepositoryRefused(f"{self.url} has SHA-256 names, which GitPython cannot read")
                return commit
        if any(name == f"{_TAGS}{branch}" for _, name in found):
            raise TagInstead(f"{branch} is a tag of {self.url}, which cannot be pushed to")
        raise BranchMissing(f"{self.url} has no branch {branch}")

    def has(self, branch: str) -> bool:
        """Whether there is such a branch."""
        return any(name == f"{_BRANCHES}{branch}" for _, name in self._listed(f"{_BRANCHES}{branch}"))

    def tags(self, pattern: str = "*") -> dict[str, str]:
        """The commits of the tags with names like this, by name."""
        found: dict[str, str] = {}
        for commit, name in self._listed(f"{_TAGS}{pattern}", f"{_TAGS}{pattern}{_PEELED}"):
            tag = name.removeprefix(_TAGS)
            # of a tag with a message, the commit is listed after the tag itself
            found[tag.removesuffix(_PEELED)] = commit
        return found

    def fetch(self, branch: str, *, into: Path) -> None:
        """Bring the branch's head into a clone, with its files and without its history."""
        self._fetch(branch, "--depth=1", into=into)

    def fetch_beside(self, branch: str, *, into: Path) -> None:
        """Bring another branch's head into a clone, and the commit before it, with the files of both."""
        self._fetch(branch, "--depth=2", into=into)

    def fetch_history(self, branch: str, *, into: Path, depth: int | None) -> None:
        """Bring the branch's last `depth` commits, or all; without files where the server can do that."""
        reach = "--unshallow" if depth is None else f"--depth={depth}"
        self._fetch(branch, "--filter=tree:0", reach, into=into)

    def push(
        self,
        branch: str,
        commit: str | None,
        *,
        expected: str | None,
        out_of: Path,
        options: Sequence[str] = (),
    ) -> None:
        """Move the branch from `expected` to `commit`, or leave it as it is.

        None stands for no branch: it is made, or removed. `options` are told to the server (git-push(1),
        `--push-option`). Raises `PushRejected` where the branch is not at `expected`, and `PushForbidden`.
        """
        ref = f"{_BRANCHES}{branch}"
        # the lease refuses a branch that somebody moved back, where a plain push would undo that
        completed = self.program.remote(
            [
                "push",
                "--porcelain",
                f"--force-with-lease={ref}:{expected or ''}",
                *(f"--push-option={option}" for option in options),
                "--",
                self.url.address,
                f"{commit or ''}:{ref}",
            ],
            url=self.url,
            clone=out_of,
        )
        refused = push_failure(completed.stdout, completed.stderr, url=self.url, branch=branch)
        if refused is not None:
            raise refused
        if completed.returncode != 0:
            raise self._failure(completed) or CloneDamaged(one_line(completed.stderr))

    def _fetch(self, branch: str, *options: str, into: Path, source: str | None = None) -> None:
        ref = f"{_BRANCHES}{branch}"
        flags = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-maintenance", *options)
        completed = self.program.remote(
            ["fetch", *flags, "--", self.url.address, f"+{source or ref}:{ref}"], url=self.url, clone=into
        )
        if completed.returncode != 0:
            raise self._failure(completed) or CloneDamaged(one_line(completed.stderr))

    def _listed(self, *patterns: str, options: Sequence[str] = ()) -> list[tuple[str, str]]:
        completed = self.program.remote(
            ["ls-remote", *options, "--", self.url.address, *patterns], url=self.url
        )
        if completed.returncode != 0:
            unknown = RepositoryUnavailable(f"{self.url} cannot be read: {one_line(completed.stderr)}")
            raise self._failure(completed) or unknown
        lines = completed.stdout.decode("utf-8", "replace").splitlines()
        return [(target, name) for target, _, name in (line.partition("\t") for line in lines)]

    def _failure(self, completed: Completed) -> GitopsBackupError | None:
        return failure(completed.stderr, url=self.url, has_credentials=self.program.has_credentials(self.url))


@dataclass(frozen=True, slots=True)
class PinnedRemote(Remote):
    """A repository of which one commit is looked at, in the place of a branch that stays where it is."""

    commit: str

    def head(self, branch: str) -> str:
        """The commit."""
        return self.commit

    def fetch(self, branch: str, *, into: Path) -> None:
        """Bring the commit into a clone, with its files and without its history."""
        self._fetch(branch, "--depth=1", into=into, source=self.commit)
