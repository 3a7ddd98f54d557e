"""A bare clone on this machine, of one branch, without history: what its trees hold, and new commits.

It can be made again at any time. So whatever is wrong with it, a lock that a killed process left, a pack cut
short, an object missing, is one error, `CloneDamaged`, and it is thrown away.

Each method opens the repository, runs at most one git process over many objects, and leaves no process
behind. None of them talks to a server.
"""

import configparser
import contextlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import git

from gitops_backup.errors import one_line
from gitops_backup.git.commits import Identity
from gitops_backup.git.errors import CloneDamaged
from gitops_backup.git.program import GitProgram
from gitops_backup.git.tips import Tip, changed_blobs

_MOST_PACKS = 100
# GitPython lets through what its parsers raise: it asserts, for one, that a ref's file is not empty
_UNREADABLE = (
    git.GitError,
    git.exc.ODBError,
    configparser.Error,
    AssertionError,
    LookupError,
    OSError,
    ValueError,
)
_HARMFUL_NAMES = frozenset({"", ".", "..", ".git"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a tree: a file, a symbolic link (mode 120000) or a submodule (160000).

    `sha` names its content; `size` is in bytes, None for a submodule.
    """

    mode: str
    sha: str
    size: int | None

    @property
    def is_file(self) -> bool:
        """Whether it is a file, executable or not."""
        return self.mode.startswith("100")

    @property
    def normal_mode(self) -> str:
        """A file's mode as git writes it today; trees of old tools have others, such as 100664."""
        return "100755" if int(self.mode, 8) & 0o100 else "100644"


class Clone:
    """A bare repository in `path`, for one branch."""

    def __init__(self, path: Path, *, program: GitProgram) -> None:
        self.path = path
        self._program = program
        self._environment = program.local(path)

    @classmethod
    def create(cls, folder: Path, *, branch: str, program: GitProgram) -> Self:
        """An empty clone in a new folder below `folder`.

        Its name is a new one, so that a process which outlived its parent cannot write into it.
        """
        with _damage():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = Path(tempfile.mkdtemp(dir=folder))
            environment = program.local(path)
            git.Repo.init(path, bare=True, initial_branch=branch, expand_vars=False, env=environment).close()
            return cls(path, program=program)

    @classmethod
    def adopt(cls, folder: Path, *, program: GitProgram) -> Self | None:
        """The clone that was left below `folder`, if it was left in order; else the folder is emptied."""
        found = list(folder.iterdir())
        if len(found) == 1 and _in_order(found[0]):
            return cls(found[0], program=program)
        for path in found:
            shutil.rmtree(path, ignore_errors=True)
        return None

    @property
    def worn(self) -> bool:
        """Whether it holds so many packs that a new clone is better."""
        return sum(1 for _ in self.path.glob("objects/pack/*.pack")) > _MOST_PACKS

    @property
    def shallow(self) -> bool:
        """Whether its history is cut off somewhere."""
        return (self.path / "shallow").exists()

    def head(self) -> str | None:
        """The commit that its branch is at; None before the first fetch, or where it is not there."""
        with self._opened() as repo:
            return str(repo.head.commit.hexsha) if repo.head.is_valid() else None

    def move(self, commit: str) -> None:
        """Point its branch at a commit that it holds."""
        with self._opened() as repo:
            repo.head.reference.set_commit(commit)

    def parents(self, commit: str) -> list[str]:
        """The parents of a commit that it holds."""
        with self._opened() as repo:
            return [str(parent.hexsha) for parent in repo.commit(commit).parents]

    def tip(self, commit: str, *, identity: Identity) -> Tip:
        """A commit that it holds together with its parents; `identity` is that of our own."""
        with self._opened() as repo:
            found = repo.commit(commit)
            parents = [str(parent.hexsha) for parent in found.parents]
            people = {f"{person.name} <{person.email}>" for person in (found.author, found.committer)}
            differences = self._run(repo, "diff-tree", "-r", "-z", "--no-renames", *parents[:1], commit)
            return Tip(
                commit=commit,
                message=str(found.message),
                own=len(parents) == 1 and people == {str(identity)},
                changed=changed_blobs(differences) if parents else {},
            )

    def history(self) -> frozenset[str]:
        """The commits that its branch's head can be traced back to, as far as they were fetched."""
        with self._opened() as repo:
            return frozenset(self._run(repo, "rev-list", "HEAD").decode("ascii").split())

    def entries(self, commit: str) -> dict[str, Entry]:
        """What the tree of a commit holds, by path, sorted.

        A name that is not UTF-8, and one that would lead out of a folder or into git's own, is left out.
        """
        with self._opened() as repo:
            listing = self._run(repo, "ls-tree", "-r", "-z", "-l", "--full-tree", commit)
            found = (_entry(record) for record in listing.split(b"\0")[:-1])
            return dict(sorted(item for item in found if item is not None))

    def blobs(self, names: Sequence[str]) -> list[bytes]:
        """The contents of blobs, in the order of their names."""
        with self._opened() as repo:
            output = self._run(
                repo, "cat-file", "--batch", given="".join(f"{name}\n" for name in names).encode()
            )
            return list(_contents(output, names))

    def write(self, stream: bytes) -> str:
        """Run a fast-import stream that ends by asking for a commit's name, and return that name."""
        with self._opened() as repo:
            options = ("--quiet", "--force", "--done", "--date-format=raw")
            return self._run(repo, "fast-import", *options, given=stream).decode("ascii").strip()

    def commit_object(self, commit: str) -> bytes:
        """A commit that it holds, as git stores it."""
        with self._opened() as repo:
            return self._run(repo, "cat-file", "commit", commit)

    def store_commit(self, content: bytes) -> str:
        """Store a commit object, and return its name."""
        with self._opened() as repo:
            stored = self._run(repo, "hash-object", "-t", "commit", "-w", "--stdin", given=content)
            return stored.decode("ascii").strip()

    @contextlib.contextmanager
    def _opened(self) -> Iterator[git.Repo]:
        with _damage():
            repo = git.Repo(self.path, expand_vars=False)
            repo.git.update_environment(**self._environment)
            try:
                yield repo
            finally:
                repo.close()

    def _run(self, repo: git.Repo, *arguments: str, given: bytes = b"") -> bytes:
        """Run git to its end, however much it reads and prints, and return what it printed."""
        running = repo.git.execute(["git", *arguments], istream=subprocess.PIPE, as_process=True)
        try:
            stdout, stderr = running.communicate(given, timeout=self._program.timeout)
        except subprocess.TimeoutExpired:
            running.kill()
            raise CloneDamaged(f"git {arguments[0]} did not end within {self._program.timeout:g} s") from None
        if running.returncode != 0:
            raise CloneDamaged(one_line(stderr))
        return bytes(stdout)


def _in_order(path: Path) -> bool:
    """Whether nothing in it is half done; a process that outlived its parent may still be at work there."""
    try:
        return not any(path.rglob("*.lock")) and not any((path / "objects").rglob("tmp_*"))
    except OSError:
        return False


@contextlib.contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except _UNREADABLE as error:
        raise CloneDamaged(one_line(str(error)) or type(error).__name__) from error


def _entry(record: bytes) -> tuple[str, Entry] | None:
    header, _, name = record.partition(b"\t")
    mode, _, sha, size = header.decode("ascii").split()
    try:
        path = name.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if _HARMFUL_NAMES & {part.lower() for part in path.split("/")}:
        return None
    return path, Entry(mode=mode, sha=sha, size=None if size == "-" else int(size))


def _contents(output: bytes, names: Sequence[str]) -> Iterator[bytes]:
    position = 0
    for name in names:
        end = output.find(b"\n", position)
        header = output[position:end].split()
        if header[:2] != [name.encode(), b"blob"]:
            raise CloneDamaged(f"object {name} is not there")
        start = end + 1
        stop = start + int(header[2])
        yield output[start:stop]
        position = stop + 1
