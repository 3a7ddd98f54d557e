"""A repository on this machine, looked at where it is: its commit at HEAD, and nothing that is not committed.

Nothing is cloned, so that what a pipeline checks out will do: a commit without a branch, or without history.
It is named by a folder of its work tree, or is bare. Nothing in it is run, nobody is asked for what is not
there, and nothing is written.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from gitops_backup import process
from gitops_backup.errors import GitopsBackupError, UsageError
from gitops_backup.git.branch import LARGEST_FILE, Files, Head, unreadable
from gitops_backup.git.clone import Clone, Entry
from gitops_backup.git.errors import CloneDamaged
from gitops_backup.git.program import GitProgram, check_version

_LONGEST_POINTER = 4096
_SHA1 = re.compile(r"[0-9a-f]{40}")


class RepositoryDamaged(GitopsBackupError):
    """The repository lacks what its commit names, or git cannot read it."""


class LocalRepository:
    """A repository at its HEAD; `name` stands for the branch."""

    name = "HEAD"

    def __init__(self, folder: Path, *, git_folder: Path, program: GitProgram) -> None:
        self._folder = folder
        self._git_folder = git_folder
        self._program = program
        self._clone = Clone(git_folder, program=program)
        self._entries: dict[str, dict[str, Entry]] = {}

    def fetch(self) -> Head:
        """The commit that is checked out, or that a bare repository's HEAD names.

        Raises `UsageError` where there is none, or none that can be read.
        """
        try:
            commit = self._clone.head()
        except CloneDamaged as error:
            raise UsageError(f"git cannot read {self._folder}: {error.message}") from error
        if commit is None:
            raise UsageError(f"{self._folder} has no commit at HEAD", hint="commit first")
        if not _SHA1.fullmatch(commit):
            raise UsageError(f"{self._folder} has SHA-256 names, which GitPython cannot read")
        return Head(branch=self.name, commit=commit)

    def tree(self, commit: str, path: str = "") -> dict[str, Entry]:
        """What a commit holds at or below `path`, by full path, sorted. Raises `RepositoryDamaged`."""
        if commit not in self._entries:
            with self._readable():
                self._entries[commit] = self._clone.entries(commit)
        inside = path.strip("/")
        return {
            name: entry
            for name, entry in self._entries[commit].items()
            if not inside or name == inside or name.startswith(f"{inside}/")
        }

    def read(self, commit: str, paths: Iterable[str], *, limit: int = LARGEST_FILE) -> Files:
        """Files of a commit; what is no file there, or has more than `limit` bytes, is refused.

        Raises `RepositoryDamaged`.
        """
        entries = self.tree(commit)
        wanted = sorted(set(paths))
        refused = {path: why for path in wanted if (why := unreadable(entries.get(path), limit))}
        names = {path: entries[path].sha for path in wanted if path not in refused}
        with self._readable():
            contents = self._clone.blobs(list(names.values()))
        return Files(dict(zip(names, contents, strict=True)), refused)

    def remotes(self) -> tuple[str, ...]:
        """The URLs of its remotes, as its own configuration has them: of `origin` first, then by name."""
        done = process.run(
            ["git", "config", "--local", "--null", "--get-regexp", r"^remote\..*\.url$"],
            timeout=self._program.timeout,
            env=self._program.local(self._git_folder),
        )
        pairs = [pair.partition("\n") for pair in done.stdout.decode("utf-8", "replace").split("\0")[:-1]]
        ordered = sorted((key != "remote.origin.url", key, url) for key, _, url in pairs)
        return tuple(url for _, _, url in ordered)

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except CloneDamaged as error:
            raise RepositoryDamaged(f"git cannot read {self._folder}: {error.message}") from error


@contextlib.contextmanager
def open_local(folder: Path, *, timeout: float) -> Iterator[LocalRepository]:
    """The repository that a folder belongs to, or is; `timeout` is for each run of git, in seconds.

    Raises `UsageError` where there is none, `ProgramMissing` where there is no git.
    """
    check_version()
    git_folder = _git_folder(folder)
    with TemporaryDirectory(prefix="gitops-backup-") as private:
        program = GitProgram(
            Path(private) / "git",
            credentials=(),
            timeout=timeout,
            allow_file=False,
            environment={},
            cancel=None,
        )
        yield LocalRepository(folder, git_folder=git_folder, program=program)


def _git_folder(folder: Path) -> Path:
    """Where the repository's own files are (gitrepository-layout(5)), from any folder of it."""
    try:
        for place in (folder.resolve(), *folder.resolve().parents):
            found = place / ".git"
            if _is_git_folder(found):
                return found
            if found.is_file():
                return _pointed_at(found)
            if _is_git_folder(place):
                return place
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder} cannot be read: {getattr(error, 'strerror', error)}") from error
    raise UsageError(f"{folder} is no Git repository", hint="name a work tree, a bare repository or a URL")


def _pointed_at(file: Path) -> Path:
    """What the file `.git` of a further work tree, or of a submodule, points at."""
    with file.open("rb") as opened:
        text = opened.read(_LONGEST_POINTER).decode("utf-8", "surrogateescape")
    target = file.parent / text.partition("\n")[0].removeprefix("gitdir:").strip()
    if not text.startswith("gitdir:") or not (target / "HEAD").is_file():
        raise UsageError(f"{file} points at no Git repository")
    return target.resolve()


def _is_git_folder(place: Path) -> bool:
    return (place / "HEAD").is_file() and (place / "objects").is_dir() and (place / "refs").is_dir()
