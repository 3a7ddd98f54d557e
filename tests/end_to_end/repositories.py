"""A Git repository on the sandbox's host, as the people who write it see it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from gitops_backup.sandbox.githost import BRANCH, GitHost
from tests.git.bare import run_git


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository, by its name on the host."""

    host: GitHost
    name: str

    @property
    def url(self) -> str:
        """Where Applications find it."""
        return self.host.url(self.name)

    @property
    def head(self) -> str:
        """The commit that the branch names."""
        return self.host.head(self.name) or ""

    def commits(self, branch: str = BRANCH) -> int:
        """How many commits the branch has."""
        return len(self.host.log(self.name, branch))

    def file(self, path: str, branch: str = BRANCH) -> bytes:
        """The content of a file at the branch's head."""
        return self.host.files(self.name, branch)[path]

    def commit(self, files: Mapping[str, bytes | None], *, branch: str = BRANCH) -> str:
        """A commit by somebody else."""
        return self.host.commit(self.name, files, branch=branch)

    def replace(self, path: str, old: str, new: str) -> str:
        """A commit by somebody else that replaces a text in a file."""
        before = self.file(path)
        assert old.encode() in before, before
        return self.commit({path: before.replace(old.encode(), new.encode())})

    def revert(self) -> str:
        """`git revert` of the newest commit, by somebody else."""
        return self.host.revert(self.name, self.head)

    def tag(self, name: str) -> None:
        """A tag of the newest commit, by somebody else."""
        run_git(self.host.path(self.name), "tag", name, BRANCH)

    def show(self) -> str:
        """The newest commit as `git show` prints it."""
        return self.host.show(self.name)

    def history(self) -> list[str]:
        """Every commit of the branch as `git show` prints it, newest first."""
        return [self.host.show(self.name, commit) for commit in self.host.log(self.name)]

    @contextmanager
    def before_push(self, act: Callable[[], object], *, times: int = 1) -> Iterator[None]:
        """Let this happen before each of the next pushes is handed to Git."""
        left = [times]

        def first(name: str) -> None:
            if name == self.name and left[0] > 0:
                left[0] -= 1
                act()

        self.host.before_push = first
        try:
            yield
        finally:
            self.host.before_push = None
