"""What a branch would be changed to: drafted on a commit, with nothing written anywhere.

The controller pushes a draft, the dry run prints it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gitops_backup.controller.messages import ImageChange
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.replacements import ImageUse, ObjectId, Refused, Replacement, ShapeResult
from gitops_backup.sources.shapes import edit_source, files_to_read
from gitops_backup.sources.trees import Tree, folder_of


class Entry(Protocol):
    """What Git keeps at a path."""

    @property
    def mode(self) -> str:
        """As `git ls-tree` prints it."""


class Files(Protocol):
    """What was read of a commit."""

    @property
    def contents(self) -> Mapping[str, bytes]:
        """The bytes by path."""

    @property
    def refused(self) -> Mapping[str, str]:
        """Why a path could not be read."""


class Head(Protocol):
    """Where a branch is."""

    @property
    def commit(self) -> str:
        """The commit."""


class Branch(Protocol):
    """One branch of a repository."""

    @property
    def name(self) -> str:
        """Its name."""

    def fetch(self) -> Head:
        """Where the branch is now."""

    def tree(self, commit: str, path: str = "") -> Mapping[str, Entry]:
        """The paths of a commit, with what is there."""

    def read(self, commit: str, paths: Iterable[str]) -> Files:
        """The contents of files of a commit."""

    def commit(self, parent: str, files: Mapping[str, bytes], *, message: str, when: datetime) -> str:
        """Make a commit on top of another, with new contents for files that it has."""

    def push(self, commit: str, *, expected: str) -> None:
        """Move the branch on the server; `Conflict` where it is not at `expected`."""

    def contains(self, commit: str) -> bool:
        """Whether the branch has a commit in its history."""


@dataclass(frozen=True, slots=True)
class DueChange:
    """A change that is due, and whether its container is an init container."""

    change: ImageChange
    init: bool


@dataclass(frozen=True, slots=True)
class Part:
    """What is due for one Application, and those of its sources that are on the branch, in its order.

    `elsewhere` says that it has sources on other branches too, where a workload may be found.
    """

    application: Application
    sources: tuple[Source, ...]
    due: tuple[DueChange, ...]
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """A change that cannot be made, and why."""

    change: ImageChange
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Written:
    """Where in a file an image is written; `line` counts from 1."""

    path: str
    line: int


@dataclass(slots=True)
class Draft:
    """What the branch would be changed to, on top of `commit`.

    `before` and `files` have the bytes of each file that changes; `edited` is what changes with them, `done`
    what Git says already, `left` what cannot be changed; `places` says where each edited image is written.
    """

    commit: str
    before: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    edited: list[ImageChange] = field(default_factory=list)
    done: list[ImageChange] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    places: dict[ImageChange, Written] = field(default_factory=dict)


def draft(branch: Branch, commit: str, parts: Sequence[Part]) -> Draft:
    """What a branch would be changed to for all that is due, on a fetched commit.

    Raises what reading the clone raises; whatever is wrong with one file or source is a reason in the draft.
    """
    tree = Tree({path: entry.mode for path, entry in branch.tree(commit).items()})
    read = [files_to_read(part.application, source, tree) for part in parts for source in part.sources]
    files = branch.read(commit, {path for paths in read for path in paths})
    made = Draft(commit)
    # what one Application's edit made of a file is what the next one finds there
    contents = dict(files.contents) | dict.fromkeys(files.refused, b"")
    for part in parts:
        _edit(part, tree=tree, contents=contents, refused=files.refused, made=made)
    made.before = {path: files.contents[path] for path in made.files}
    return made


def _edit(
    part: Part, *, tree: Tree, contents: dict[str, bytes], refused: Mapping[str, str], made: Draft
) -> None:
    wanted = {_replacement(due): due.change for due in part.due}
    why: dict[Replacement, Refused] = {}
    # where several sources have the same object, the last one holds
    for source in reversed(part.sources):
        open_ones = [
            replacement for replacement in wanted if replacement not in why or _elsewhere(why[replacement])
        ]
        if not open_ones:
            break
        result = edit_source(part.application, source, open_ones, tree=tree, contents=contents)
        result = _safe(result, wanted)
        contents.update(result.edits)
        made.files.update(result.edits)
        for replaced in result.replaced:
            change = wanted.pop(replaced.replacement)
            made.edited.append(change)
            made.places[change] = Written(replaced.path, replaced.line)
        made.done += [wanted.pop(replacement) for replacement in result.done]
        why |= {refusal.replacement: refusal for refusal in result.refused}
    for replacement, change in wanted.items():
        refusal = why.get(replacement)
        if refusal is not None and not (part.elsewhere and refusal.reason == Reason.NOT_FOUND_IN_SOURCE):
            made.left.append(Left(change, refusal.reason, _explained(refusal, part, refused)))


def _elsewhere(refusal: Refused) -> bool:
    return refusal.reason in {Reason.NOT_FOUND_IN_SOURCE, Reason.UNSUPPORTED_SOURCE}


def _replacement(due: DueChange) -> Replacement:
    change = due.change
    return Replacement(
        workload=ObjectId.of(change.workload),
        container=change.container,
        init=due.init,
        old=change.source,
        new=str(change.backup),
    )


def _safe(result: ShapeResult, wanted: Mapping[Replacement, ImageChange]) -> ShapeResult:
    """The result, if all that its files name afterwards is as before, or a backup known to be good."""
    good = {replacement.new for replacement in wanted}
    stranger = next((use for use in result.images if use.now not in {use.before, *good}), None)
    if stranger is None:
        return result
    refused = [Refused(r.replacement, Reason.PROOF_FAILED, _strange(stranger)) for r in result.replaced]
    return ShapeResult(done=result.done, refused=(*result.refused, *refused))


def _strange(use: ImageUse) -> str:
    return f"{use.path}, line {use.line}, would say {use.now}, of which no verified copy is known"


def _explained(refusal: Refused, part: Part, unread: Mapping[str, str]) -> str:
    folders = [folder_of(source.path) for source in part.sources]
    here = [path for path in unread if any(folder is not None and _is_in(path, folder) for folder in folders)]
    if refusal.reason != Reason.NOT_FOUND_IN_SOURCE or not here:
        return refusal.message
    return f"{refusal.message}; {one_line(here[0])} {unread[here[0]]}"


def _is_in(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")
