"""What a branch would be changed to: drafted on a commit, with nothing written anywhere.

The controller pushes a draft, the dry run prints it.
"""

from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Protocol

from gitops_backup.controller.along import Along, along_of_edit, along_of_proof, unasked
from gitops_backup.controller.messages import ImageChange
from gitops_backup.controller.parts import DueChange, Part
from gitops_backup.controller.reading import (
    RENDERED_AT_A_TIME,
    Elsewhere,
    Readable,
    Reading,
    independent,
    read_sources,
)
from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.applications import Application, Source
from gitops_backup.sources.mounts import Mounts
from gitops_backup.sources.rendered_proof import NotExplained, proven
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.replacements import ObjectId, Refused, Replaced, Replacement, ShapeResult
from gitops_backup.sources.shapes import edit_source, files_to_read, render_source
from gitops_backup.sources.trees import folder_of


class Branch(Readable, Protocol):
    """One branch of a repository."""

    def commit(self, parent: str, files: Mapping[str, bytes], *, message: str, when: datetime) -> str:
        """Make a commit on top of another, with new contents for files that it has."""

    def push(self, commit: str, *, expected: str) -> None:
        """Move the branch on the server; `Conflict` where it is not at `expected`."""

    def contains(self, commit: str) -> bool:
        """Whether the branch has a commit in its history."""


@dataclass(frozen=True, slots=True)
class Left:
    """A change that cannot be made, and why; `difference` shows what would be rendered, where that is why."""

    change: ImageChange
    reason: Reason
    message: str
    difference: str = ""


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
    `along` is what changes besides, by the same edits, and `mounts` what besides the commit this rests on.
    """

    commit: str
    before: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    edited: list[ImageChange] = field(default_factory=list)
    done: list[ImageChange] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    places: dict[ImageChange, Written] = field(default_factory=dict)
    along: list[Along] = field(default_factory=list)
    mounts: Mounts | None = None


def draft(
    branch: Readable,
    commit: str,
    parts: Sequence[Part],
    *,
    renderer: Renderer,
    readers: Sequence[Part] = (),
    elsewhere: Elsewhere | None = None,
) -> Draft:
    """What a branch would be changed to for all that is due, on a fetched commit.

    `readers` are the Applications for which nothing is due: what they are rendered to must stay the same, or
    change by verified copies alone. `elsewhere` has what is not on the branch. Raises what reading the clone
    raises; whatever is wrong with one file or source is a reason in the draft.
    """
    reading = read_sources(branch, commit, parts, readers, elsewhere=elsewhere)
    refused: dict[ImageChange, Left] = {}
    while True:
        made = _edited(commit, [part.without(refused) for part in parts], reading, renderer)
        shown = _shown(made, (*parts, *readers), reading, renderer)
        if not shown.odd:
            made.left += refused.values()
            asked = ((each.application, each.workload, each.container) for each in made.edited)
            made.along = unasked([*made.along, *shown.along], asked)
            made.mounts = reading.mounts
            return made
        refused |= shown.odd


def _edited(commit: str, parts: Sequence[Part], reading: Reading, renderer: Renderer) -> Draft:
    copies = _copies(parts)

    def edit(numbers: Sequence[int]) -> Draft:
        editing = _Editing(
            reading=reading,
            # what one Application's edit made of a file is what the next one finds there
            contents=ChainMap({}, reading.contents),
            renderer=renderer,
            copies=copies,
            made=Draft(commit),
        )
        for number in numbers:
            editing.edit(parts[number])
        return editing.made

    plain, rendered = independent(len(parts), reading)
    with ThreadPoolExecutor(RENDERED_AT_A_TIME) as pool:
        later = [pool.submit(edit, group) for group in rendered]
        drafts = [edit(plain), *(each.result() for each in later)]
    made = Draft(commit)
    for each in drafts:
        made.files |= each.files
        made.edited += each.edited
        made.done += each.done
        made.left += each.left
        made.places |= each.places
        made.along += each.along
    made.before = {path: reading.contents[path] for path in made.files}
    return made


def _copies(parts: Iterable[Part]) -> dict[Reference, str]:
    return {due.change.source: str(due.change.backup) for part in parts for due in part.due}


@dataclass(slots=True)
class _Shown:
    """What renderings before and after show: what changes in them, and which edits they speak against."""

    odd: dict[ImageChange, Left] = field(default_factory=dict)
    along: list[Along] = field(default_factory=list)


def _shown(made: Draft, parts: Sequence[Part], reading: Reading, renderer: Renderer) -> _Shown:
    """What becomes of each Application that is rendered from a file that changes.

    Edits of files from which one is rendered that would change in more than copies are odd.
    """
    copies = {change.source: str(change.backup) for change in made.edited}
    after = {**reading.contents, **made.files}
    found = _Shown()
    for number, source, read in reading.rendered:
        # the edited ones again, too: only the copies of what is edited here are asked for before a push
        touched = read & made.files.keys()
        if not touched:
            continue
        application = parts[number].application
        name = f"{application.namespace}/{application.name}"
        render = partial(
            render_source, application, source, tree=reading.tree, mounts=reading.mounts, renderer=renderer
        )
        try:
            before = render(contents=reading.contents)
            again = partial(render, contents=reading.contents, again=True)
            proof = proven(before, render(contents=after), copies=copies, again=again)
        except GitopsBackupError as error:
            difference = error.difference if isinstance(error, NotExplained) else ""
            for change in made.edited:
                path = made.places[change].path
                if path in touched:
                    message = f"{one_line(path)} is read for the Application {name}, too: {error.message}"
                    found.odd[change] = Left(change, Reason.PROOF_FAILED, message, difference)
        else:
            found.along += along_of_proof(name, proof)
    return found


@dataclass(slots=True)
class _Editing:
    """One edit after the other, each on what the ones before have made of the files."""

    reading: Reading
    contents: MutableMapping[str, bytes]
    renderer: Renderer
    copies: Mapping[Reference, str]
    made: Draft

    def edit(self, part: Part) -> None:
        wanted = {_replacement(due): due.change for due in part.due}
        why: dict[Replacement, Refused] = {}
        # where several sources have the same object, the last one holds
        for source in reversed(part.sources):
            open_ones = [
                replacement
                for replacement in wanted
                if replacement not in why or _elsewhere(why[replacement])
            ]
            if not open_ones:
                break
            result = self._result(part.application, source, open_ones, self.contents)
            in_passing = self._in_passing(part.application, source, result.done)
            self.contents.update(result.edits)
            self.made.files.update(result.edits)
            for replaced in (*result.replaced, *in_passing):
                change = wanted.pop(replaced.replacement)
                self.made.edited.append(change)
                self.made.places[change] = Written(replaced.path, replaced.line)
                self.made.along += along_of_edit(change.application, replaced)
            self.made.done += [wanted.pop(each) for each in result.done if each in wanted]
            why |= {refusal.replacement: refusal for refusal in result.refused}
        for replacement, change in wanted.items():
            refusal = why.get(replacement)
            if refusal is not None and not (part.elsewhere and refusal.reason == Reason.NOT_FOUND_IN_SOURCE):
                explained = _explained(refusal, part, self.reading.refused)
                self.made.left.append(Left(change, refusal.reason, explained, refusal.difference))

    def _in_passing(
        self, application: Application, source: Source, done: Sequence[Replacement]
    ) -> Sequence[Replaced]:
        """Those of what is done that the commit itself does, by an edit for another Application."""
        if not done or not self.made.files:
            return ()
        reading = self.reading
        read = files_to_read(application, source, reading.tree, reading.contents, mounts=reading.mounts).paths
        if self.made.files.keys().isdisjoint(read):
            return ()
        return self._result(application, source, done, self.reading.contents).replaced

    def _result(
        self,
        application: Application,
        source: Source,
        replacements: Sequence[Replacement],
        contents: Mapping[str, bytes],
    ) -> ShapeResult:
        return edit_source(
            application,
            source,
            replacements,
            tree=self.reading.tree,
            contents=contents,
            mounts=self.reading.mounts,
            renderer=self.renderer,
            copies=self.copies,
            shared=self.reading.shared,
        )


def _elsewhere(refusal: Refused) -> bool:
    return refusal.reason in {
        Reason.NOT_FOUND_IN_SOURCE,
        Reason.UNSUPPORTED_SOURCE,
        Reason.RENDER_FAILED,
    }


def _replacement(due: DueChange) -> Replacement:
    change = due.change
    return Replacement(
        workload=ObjectId.of(change.workload),
        container=change.container,
        init=due.init,
        old=change.source,
        new=str(change.backup),
    )


def _explained(refusal: Refused, part: Part, unread: Mapping[str, str]) -> str:
    folders = [folder_of(source.path) for source in part.sources]
    here = [path for path in unread if any(folder is not None and _is_in(path, folder) for folder in folders)]
    if refusal.reason != Reason.NOT_FOUND_IN_SOURCE or not here:
        return refusal.message
    return f"{refusal.message}; {one_line(here[0])} {unread[here[0]]}"


def _is_in(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")
