"""The clones of one process, in a folder that it has for itself, and at most so many of them.

A process takes the first free slot of the folder, by a lock that ends with the process (flock(2)). So one
that was killed leaves its clones to the next; one that was only stopped, or that runs beside, keeps its own.
No two ever work on the same clone, and none waits for another.
"""

import fcntl
import hashlib
import itertools
import re
import shutil
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from gitops_backup.domain.versions import Range, Version, newest
from gitops_backup.errors import one_line
from gitops_backup.git.branch import Branch, branch_name
from gitops_backup.git.commits import Identity
from gitops_backup.git.credentials import GitCredentials
from gitops_backup.git.errors import BranchMissing
from gitops_backup.git.program import GitProgram, check_version
from gitops_backup.git.remote import PinnedRemote, Remote
from gitops_backup.git.repository import RepositoryUrl
from gitops_backup.git.signing import Signer

_COMMIT = re.compile(r"[0-9a-f]{40}")
_PINNED = "pinned"


class GitStore:
    """Branches of repositories, by URL; to be closed.

    `identity` stands in the commits, and `signer` signs them. `timeout` is for each conversation with a
    server, in seconds; when `cancel` is set, those under way end. `environment` is handed on to them, for a
    proxy or an authority (`HTTPS_PROXY`, `GIT_SSL_CAINFO`). `allow_file` lets `file://` URLs pass. Of more
    than `most_clones` clones, those that were not opened for longest are removed. Raises `UsageError` where
    git is too old, `ProgramMissing` where there is none.
    """

    def __init__(
        self,
        folder: Path,
        *,
        identity: Identity,
        signer: Signer | None = None,
        credentials: Sequence[GitCredentials] = (),
        timeout: float = 120.0,
        environment: Mapping[str, str] | None = None,
        allow_file: bool = False,
        cancel: threading.Event | None = None,
        most_clones: int = 100,
    ) -> None:
        check_version()
        slot, self._held = _take_slot(folder)
        self._clones = slot / "clones"
        self._clones.mkdir(exist_ok=True)
        self._private = slot / "private"
        shutil.rmtree(self._private, ignore_errors=True)
        self._program = GitProgram(
            self._private,
            credentials=tuple(credentials),
            timeout=timeout,
            environment=environment or {},
            allow_file=allow_file,
            cancel=cancel,
        )
        self._identity = identity
        self._signer = signer
        self._most_clones = most_clones
        # by use, the longest ago first; those that an earlier process left have no branch yet
        left = sorted(self._clones.iterdir(), key=lambda folder: folder.stat().st_mtime_ns)
        self._branches: dict[Path, Branch | None] = dict.fromkeys(left)
        self._lock = threading.Lock()

    def open(self, url: str, branch: str | None = None) -> Branch:
        """A branch of the repository at `url`; for None, an empty name or `HEAD` its default branch.

        The server is asked for a default branch only. Raises `InvalidRepositoryUrl`, `BranchMissing`, and
        what `Remote` raises.
        """
        remote = Remote(self._program, RepositoryUrl.parse(url))
        name = branch_name(remote.default_branch() if branch in (None, "", "HEAD") else branch)
        return self._opened(name, remote, f"{remote.url.key}\n{name}")

    def snapshot(self, url: str, revision: str) -> Branch:
        """A revision of the repository at `url` to look at, as Argo CD reads it.

        It is a branch, a tag, a commit by its whole name, or a range of versions, which tags are taken to be.
        Raises what `open` raises.
        """
        if revision in ("", "HEAD") or revision.startswith("refs/heads/"):
            return self.open(url, revision)
        remote = Remote(self._program, RepositoryUrl.parse(url))
        name = revision.removeprefix("refs/tags/")
        if _COMMIT.fullmatch(revision):
            commit: str | None = revision
        elif Range.parse(name) is not None and Version.parse(name) is None:
            tags = remote.tags()
            commit = tags.get(newest(name, tags) or "")
        else:
            commit = remote.tags(branch_name(name)).get(name)
            if commit is None or (name == revision and remote.has(name)):
                return self.open(url, revision)
        if commit is None:
            raise BranchMissing(f"{remote.url} has no tag that fits {one_line(revision)}")
        pinned = PinnedRemote(self._program, remote.url, commit)
        return self._opened(_PINNED, pinned, f"{remote.url.key}\n\n{commit}")

    def use(self, credentials: Iterable[GitCredentials]) -> bool:
        """Use these credentials from now on, in place of others; whether they are others."""
        return self._program.use(credentials)

    def close(self) -> None:
        """Leave the slot, and the clones in it, to the next process; keys are removed."""
        shutil.rmtree(self._private, ignore_errors=True)
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self, name: str, remote: Remote, what: str) -> Branch:
        folder = self._clones / hashlib.sha256(what.encode()).hexdigest()[:24]
        with self._lock:
            opened = self._branches.pop(folder, None) or self._branch(name, remote, folder)
            self._branches[folder] = opened
            surplus = list(self._branches.items())[: max(0, len(self._branches) - self._most_clones)]
            for other, _ in surplus:
                del self._branches[other]
        for other, unused in surplus:
            if unused is not None:
                unused.forget()
            shutil.rmtree(other, ignore_errors=True)
        return opened

    def _branch(self, name: str, remote: Remote, folder: Path) -> Branch:
        folder.mkdir(mode=0o700, exist_ok=True)
        return Branch(
            name,
            remote=remote,
            folder=folder,
            program=self._program,
            identity=self._identity,
            signer=self._signer,
        )


def _take_slot(folder: Path) -> tuple[Path, IO[bytes]]:
    """A folder that nobody else uses, and the open file that holds it; other unused ones are removed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    slots = (folder / f"slot-{number}" for number in itertools.count())
    slot, held = next((slot, held) for slot in slots if (held := _try_lock(slot)) is not None)
    for lock in folder.glob("slot-*.lock"):
        other = lock.with_suffix("")
        unused = _try_lock(other) if other != slot else None
        if unused is not None:
            shutil.rmtree(other, ignore_errors=True)
            unused.close()
    slot.mkdir(mode=0o700, exist_ok=True)
    return slot, held


def _try_lock(slot: Path) -> IO[bytes] | None:
    # the lock files stay: one that is removed could be locked by two
    lock = slot.with_suffix(".lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock
