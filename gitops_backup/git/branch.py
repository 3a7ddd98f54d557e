"""One branch of a repository: look at its head, read files there, put a commit on top, push it.

Nothing here merges, and nothing is forced that the caller did not see. A commit is made on a parent that the
caller read, and is pushed only while the branch is still there; else the caller looks again and decides
again. Where a pull request is to be made of it, it is pushed to a branch beside this one, in place of what
the caller saw there.

What is on this machine is a cache. When it turns out damaged in the middle of an operation, it is made anew
and the operation taken again, once.
"""

import re
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from gitops_backup.errors import one_line
from gitops_backup.git.clone import Clone, Entry
from gitops_backup.git.commits import Change, Identity, commit_stream, signed_commit
from gitops_backup.git.errors import BranchMissing, CloneDamaged, PushRejected, RepositoryUnavailable
from gitops_backup.git.program import GitProgram
from gitops_backup.git.remote import Remote
from gitops_backup.git.signing import Signer
from gitops_backup.git.tips import Tip, blob_name

LARGEST_FILE = 10 * 1024 * 1024
"""In bytes; a manifest is a thousandth of that."""

_PREPARED = "refs/gitops-backup/prepared"
_DEPTHS = (50, 1000, None)
_NEW_MODE = "100644"
_PLAIN_NAME = re.compile(r"(?!\.\.?\Z|\.git)[A-Za-z0-9._-]+", re.ASCII | re.IGNORECASE)
_Result = TypeVar("_Result")
# git-check-ref-format(1), and no leading dash
_NO_BRANCH = re.compile(r"^[-/.]|/[/.]|\.\.|[\x00-\x20\x7f~^:?*\[\\]|@\{|[/.]$|\.lock(/|$)|^@?$|^HEAD$")


@dataclass(frozen=True, slots=True)
class Head:
    """The commit that a branch is at."""

    branch: str
    commit: str


@dataclass(frozen=True, slots=True)
class Files:
    """What was read: contents by path, and for what could not be read, why, in a few words."""

    contents: Mapping[str, bytes]
    refused: Mapping[str, str]


class Branch:
    """One branch; threads may share it, and take turns. Its commits are signed where there is a `signer`.

    Every method that needs the server raises what `Remote` raises, but never `CloneDamaged`.
    """

    def __init__(
        self,
        name: str,
        *,
        remote: Remote,
        folder: Path,
        program: GitProgram,
        identity: Identity,
        signer: Signer | None = None,
    ) -> None:
        self.name = name
        self._remote = remote
        self._folder = folder
        self._program = program
        self._identity = identity
        self._signer = signer
        self._last_signed = "", ""
        self._lock = threading.Lock()
        self._clone = Clone.adopt(folder, program=program)
        self._listed: tuple[str, dict[str, Entry]] | None = None
        self._tip: Tip | None = None

    def fetch(self) -> Head:
        """Where the branch is now; what it holds there is on this machine then. Raises `BranchMissing`."""
        with self._lock:
            return self._healing(self._fetch)

    def tree(self, commit: str, path: str = "") -> dict[str, Entry]:
        """What a fetched commit holds at or below `path`, by full path, sorted; links are not followed."""
        inside = path.strip("/")
        with self._lock:
            entries = self._healing(lambda: self._entries(commit))
        if not inside:
            return dict(entries)
        return {
            name: entry for name, entry in entries.items() if name == inside or name.startswith(f"{inside}/")
        }

    def read(self, commit: str, paths: Iterable[str], *, limit: int = LARGEST_FILE) -> Files:
        """Files of a fetched commit; what is no file there, or has more than `limit` bytes, is refused."""
        with self._lock:
            return self._healing(lambda: self._read(commit, frozenset(paths), limit))

    def commit(self, parent: str, files: Mapping[str, bytes], *, message: str, when: datetime) -> str:
        """Make a commit on top of `parent`, a fetched commit, in which files have these contents.

        Modes stay. A file may be new, by a plain name in a folder that is there. Returns the commit's name,
        the same for the same arguments (and for the same commit twice in a row, whatever kind of key signs
        it); `parent` itself, and no commit, when it holds exactly these contents. Raises `ValueError` for
        any other path that is no file there, `SigningFailed`.
        """
        with self._lock:
            return self._healing(lambda: self._write(parent, files, message, when))

    def push(self, commit: str, *, expected: str) -> None:
        """Move the branch on the server from `expected` to `commit`, made by `commit()` on top of it.

        Does nothing where the branch is at `commit` already. Raises `PushRejected` where it is anywhere else
        than at `expected`, or where the clone that held the commit was lost; `PushForbidden` where the server
        does not take it.
        """
        _check_name(commit)
        _check_name(expected)
        if commit == expected:
            return
        with self._lock:
            try:
                self._push(commit, expected)
            except CloneDamaged as error:
                self._discard()
                raise PushRejected(f"the clone of {self._remote.url} was lost: {error}") from error

    def tip(self, name: str) -> Tip | None:
        """What another branch of the repository is at; None where there is no such branch."""
        with self._lock:
            return self._healing(lambda: self._look_beside(branch_name(name)))

    def push_beside(
        self, name: str, commit: str | None, *, expected: str | None, options: Sequence[str] = ()
    ) -> None:
        """Put a commit made by `commit()` onto another branch in place of `expected`, or remove the branch.

        For `expected`, None is for a branch that is not there. `options` are told to the server. Raises as
        `push` does.
        """
        for each in (commit, expected):
            if each is not None:
                _check_name(each)
        with self._lock:
            clone = self._healing(self._ready)
            try:
                self._remote.push(
                    branch_name(name), commit, expected=expected, out_of=clone.path, options=options
                )
            except CloneDamaged as error:
                self._discard()
                raise PushRejected(f"the clone of {self._remote.url} was lost: {error}") from error

    def contains(self, commit: str) -> bool:
        """Whether the branch on the server has a commit in its history."""
        with self._lock:
            return self._healing(lambda: self._traced(commit))

    def forget(self) -> None:
        """Remove the clone from the disk; the next call makes a new one."""
        with self._lock:
            self._discard()

    def _fetch(self) -> Head:
        commit = self._remote.head(self.name)
        clone = self._clone
        if clone is None or clone.head() != commit:
            fetched = self._fetched().head()
            if fetched is None:
                raise CloneDamaged("the fetched commit is not there")
            commit = fetched
        return Head(branch=self.name, commit=commit)

    def _fetched(self) -> Clone:
        if self._clone is not None and self._clone.worn:
            self._discard()
        if self._clone is None:
            self._clone = Clone.create(self._folder, branch=self.name, program=self._program)
        self._remote.fetch(self.name, into=self._clone.path)
        return self._clone

    def _ready(self) -> Clone:
        return self._clone or self._fetched()

    def _entries(self, commit: str) -> dict[str, Entry]:
        _check_name(commit)
        if self._listed is None or self._listed[0] != commit:
            self._listed = commit, self._ready().entries(commit)
        return self._listed[1]

    def _read(self, commit: str, paths: frozenset[str], limit: int) -> Files:
        entries = self._entries(commit)
        refused = {path: why for path in sorted(paths) if (why := unreadable(entries.get(path), limit))}
        names = {path: entries[path].sha for path in sorted(paths - refused.keys())}
        contents = self._ready().blobs(list(names.values()))
        return Files(dict(zip(names, contents, strict=True)), refused)

    def _write(self, parent: str, files: Mapping[str, bytes], message: str, when: datetime) -> str:
        entries = self._entries(parent)
        new = {path for path in files if _may_be_new(path, entries)}
        strangers = [path for path in files.keys() - new if path not in entries or not entries[path].is_file]
        if strangers:
            raise ValueError(f"not a file in {parent}: {', '.join(sorted(strangers))}")
        changes = [
            Change(path=path, mode=_NEW_MODE if path in new else entries[path].normal_mode, content=content)
            for path, content in files.items()
            if path in new or entries[path].sha != blob_name(content)
        ]
        if not changes:
            return parent
        stream = commit_stream(
            changes, parent=parent, ref=_PREPARED, message=message, identity=self._identity, when=when
        )
        commit = self._ready().write(stream)
        return commit if self._signer is None else self._signed(self._signer, commit, when)

    def _signed(self, signer: Signer, commit: str, when: datetime) -> str:
        clone = self._ready()
        if self._last_signed[0] != commit:
            content = clone.commit_object(commit)
            signature = signer.sign(content, when=when)
            self._last_signed = commit, clone.store_commit(signed_commit(content, signature))
        return self._last_signed[1]

    def _push(self, commit: str, expected: str) -> None:
        clone = self._clone
        if clone is None:
            raise CloneDamaged("it is not there any more")
        if clone.parents(commit) != [expected]:
            raise ValueError(f"{commit} is not a commit on top of {expected}")
        self._remote.push(self.name, commit, expected=expected, out_of=clone.path)
        try:
            clone.move(commit)
        except CloneDamaged:
            # the commit is where it should be; what is wrong here must not look like a failed push
            self._discard()

    def _look_beside(self, name: str) -> Tip | None:
        try:
            commit = self._remote.head(name)
        except BranchMissing:
            return None
        if self._tip is None or self._tip.commit != commit:
            clone = self._ready()
            self._remote.fetch_beside(name, into=clone.path)
            self._tip = clone.tip(commit, identity=self._identity)
        return self._tip

    def _traced(self, commit: str) -> bool:
        folder = self._folder.with_name(f"{self._folder.name}-history")
        clone = Clone.create(folder, branch=self.name, program=self._program)
        try:
            for depth in _DEPTHS:
                self._remote.fetch_history(self.name, into=clone.path, depth=depth)
                if commit in clone.history():
                    return True
                if not clone.shallow:
                    break
            return False
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _healing(self, operation: Callable[[], _Result]) -> _Result:
        try:
            return operation()
        except CloneDamaged:
            self._discard()
        try:
            return operation()
        except CloneDamaged as error:
            raise RepositoryUnavailable(
                f"a new clone of {self._remote.url} cannot be used: {error}"
            ) from error

    def _discard(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._clone = None
        self._listed = None
        self._last_signed = "", ""
        self._tip = None


def branch_name(text: str) -> str:
    """The branch that a revision such as `main` or `refs/heads/main` names.

    Raises `BranchMissing` for what cannot be a branch's name (git-check-ref-format(1)).
    """
    name = text.removeprefix("refs/heads/")
    if _NO_BRANCH.search(name):
        raise BranchMissing(f"{one_line(text)!r} cannot be the name of a branch")
    return name


def unreadable(entry: Entry | None, limit: int) -> str | None:
    """Why a name in a tree cannot be read as a file of at most `limit` bytes, in a few words."""
    if entry is None:
        return "is not there"
    if not entry.is_file or entry.size is None:
        return "is a symbolic link" if entry.mode == "120000" else "is a submodule"
    return f"has {entry.size} bytes, more than {limit}" if entry.size > limit else None


def _may_be_new(path: str, entries: Mapping[str, Entry]) -> bool:
    """Whether there is room for a file at a path: a plain name, which git does not care for, in a folder."""
    folder, slash, name = path.rpartition("/")
    if path in entries or not _PLAIN_NAME.fullmatch(name):
        return False
    return not any(each.startswith(f"{path}/") for each in entries) and (
        not slash or any(each.startswith(f"{folder}/") for each in entries)
    )


def _check_name(commit: str) -> None:
    # git would take an empty one for a deletion, and others for options
    if not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise ValueError(f"{commit!r} is not a commit's full name")
