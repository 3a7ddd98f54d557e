"""Git in memory: branches with files, and what was read of them.

It can be read and not written: drafts and the dry run write nothing, and one that does fails its test.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from gitops_backup.errors import GitopsBackupError
from gitops_backup.rendering.renderer import LocalRenderer

LARGEST = 10_000
COMMIT = "c" * 40
NO_RENDERER = LocalRenderer(scratch=Path("/nonexistent"))
"""One without programs: where something has to be rendered, that fails."""


class Away(GitopsBackupError):
    """The repository cannot be reached."""


@dataclass(frozen=True)
class MemoryHead:
    """Where a branch is."""

    commit: str


@dataclass(frozen=True)
class MemoryEntry:
    """A name in a tree."""

    sha: str = ""
    mode: str = "100644"


@dataclass(frozen=True)
class MemoryFiles:
    """What was read."""

    contents: Mapping[str, bytes]
    refused: Mapping[str, str]


@dataclass
class MemoryBranch:
    """A branch that is at the commit `COMMIT`; `asked_for` has the paths that were read."""

    files: dict[str, bytes]
    name: str = "main"
    away: bool = False
    asked_for: set[str] = field(default_factory=set)

    def fetch(self) -> MemoryHead:
        """Where it is."""
        if self.away:
            raise Away("https://git.example/away cannot be reached")
        return MemoryHead(COMMIT)

    def tree(self, commit: str, path: str = "") -> dict[str, MemoryEntry]:
        """All its paths."""
        assert (commit, path) == (COMMIT, "")
        return {path: MemoryEntry(sha256(content).hexdigest()) for path, content in self.files.items()}

    def read(self, commit: str, paths: Iterable[str]) -> MemoryFiles:
        """The contents of those that are not too large."""
        assert commit == COMMIT
        contents = {path: self.files[path] for path in sorted(paths)}
        self.asked_for |= set(contents)
        large = {path: "is too large" for path, content in contents.items() if len(content) > LARGEST}
        return MemoryFiles({path: c for path, c in contents.items() if path not in large}, large)

    def commit(self, parent: str, files: Mapping[str, bytes], *, message: str, when: datetime) -> str:
        """Refused."""
        raise AssertionError(f"{sorted(files)} were committed, where nothing is to be written")

    def push(self, commit: str, *, expected: str) -> None:
        """Refused."""
        raise AssertionError(f"{commit} was pushed, where nothing is to be written")

    def contains(self, commit: str) -> bool:
        """It has one commit."""
        return commit == COMMIT


@dataclass
class MemoryGit:
    """Branches by the URL of their repository; the first one is the default branch."""

    repositories: dict[str, list[MemoryBranch]]
    opened: list[tuple[str, str | None]] = field(default_factory=list)

    def open(self, url: str, branch: str | None = None) -> MemoryBranch:
        """A branch."""
        self.opened.append((url, branch))
        branches = self.repositories.get(url, [])
        found = next((each for each in branches if branch in {None, each.name}), None)
        if found is None:
            raise Away(f"{url} has no branch {branch}")
        return found


def manifest(name: str, *images: str, kind: str = "Deployment") -> bytes:
    """A workload's manifest, with a comment and without a namespace; the first image is in line 10."""
    containers = "".join(
        f"        - name: c{n}\n          image: {image}\n" for n, image in enumerate(images)
    )
    return f"""\
# the {name}
apiVersion: apps/v1
kind: {kind}
metadata: {{name: {name}}}
spec:
  template:
    spec:
      containers:
{containers}""".encode()
