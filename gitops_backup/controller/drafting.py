"""What a branch would be changed to: drafted on a commit, with nothing written anywhere.

The controller pushes a draft, the dry run prints it.
"""

import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from gitops_backup.controller.along import Along, along_of_edit, unasked
from gitops_backup.controller.contents import Edited
from gitops_backup.controller.declaring import with_declarations
from gitops_backup.controller.evidence import Surroundings
from gitops_backup.controller.families import FamilyDisturbed, check_family, edit_family, not_followed
from gitops_backup.controller.generating import Family
from gitops_backup.controller.messages import ImageChange
from gitops_backup.controller.outcomes import Outcomes
from gitops_backup.controller.parents import parents_on
from gitops_backup.controller.parts import DueChange, Part
from gitops_backup.controller.reading import (
    RENDERED_AT_A_TIME,
    Elsewhere,
    Read,
    Readable,
    Reading,
    independent,
    read_sources,
)
from gitops_backup.controller.sets import Fleet, families_on
from gitops_backup.controller.shaping import Naming, Shaping, Shown, Unknown
from gitops_backup.controller.succession import Succession
from gitops_backup.controller.waiting import awaited
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.applications import Application
from gitops_backup.sources.composed.solutions import name_of
from gitops_backup.sources.mounts import Mounts
from gitops_backup.sources.rendered import Difference, differences, read_manifests
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.replacements import Refused, Replaced, Replacement
from gitops_backup.sources.trees import folder_of, with_files


class Branch(Readable, Protocol):
    """One branch of a repository."""

    def commit(self, parent: str, files: Mapping[str, bytes], *, message: str, when: datetime) -> str:
        """Make a commit on top of another, with other contents of files, and with new files."""

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

    `before` and `files` have the bytes of each file that changes, `before` not those of new ones; `edited` is
    what changes with them, `done` what Git says already, `left` what cannot be changed; `places` says where
    each edited image is written. `along` is what changes besides, by the same edits, and `mounts` what
    besides the commit this rests on. `generated` are the Applications that an ApplicationSet then generates
    otherwise.
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
    generated: set[str] = field(default_factory=set)


def draft(
    branch: Readable,
    commit: str,
    parts: Sequence[Part],
    *,
    renderer: Renderer,
    readers: Sequence[Part] = (),
    elsewhere: Elsewhere | None = None,
    outcomes: Outcomes | None = None,
    families: Sequence[Family] = (),
    fleet: Fleet | None = None,
) -> Draft:
    """What a branch would be changed to for all that is due, on a fetched commit.

    `readers` are the Applications for which nothing is due: what they are rendered to must stay the same, or
    change by verified copies alone. `elsewhere` has what is not on the branch, `outcomes` what came of
    sources in earlier drafts by this renderer; `families` are the sets of this commit that generate some of
    the Applications, and `fleet` is what those that the branch declares rest on besides. Raises what reading
    the clone raises; whatever is wrong with one file or source is a reason in the draft.
    """
    outcomes = outcomes or Outcomes()
    everybody = with_declarations(branch, commit, [*parts, *readers], elsewhere=elsewhere, outcomes=outcomes)
    parts, readers = everybody[: len(parts)], everybody[len(parts) :]
    reading = read_sources(branch, commit, parts, readers, elsewhere=elsewhere, outcomes=outcomes)
    declared = families_on(
        branch,
        commit,
        everybody,
        elsewhere=elsewhere,
        outcomes=outcomes,
        renderer=renderer,
        fleet=fleet or Fleet(),
    )
    parents = parents_on(branch, commit, everybody, elsewhere=elsewhere, outcomes=outcomes, renderer=renderer)
    drafting = _Drafting(commit, reading, renderer=renderer, families=[*families, *declared, *parents])
    refused: dict[ImageChange, Left] = {}
    while True:
        made = drafting.edited([part.without(refused) for part in parts] if refused else parts)
        shown = drafting.shown(made)
        if not shown.odd:
            made.left += refused.values()
            asked = ((each.application, each.workload, each.container) for each in made.edited)
            made.along = unasked([*made.along, *shown.along], asked)
            made.mounts = reading.mounts
            there = reading.contents.here(made.files)
            reading.contents.load(there)
            made.before = {path: reading.contents[path] for path in there}
            return made
        refused |= shown.odd


@dataclass(slots=True)
class _Shown:
    """What renderings before and after show: what changes in them, and which edits they speak against."""

    odd: dict[ImageChange, Left] = field(default_factory=dict)
    along: list[Along] = field(default_factory=list)


class _Drafting:
    """All edits of a commit, and what renderings show of them; what is known is not worked out again."""

    def __init__(
        self, commit: str, reading: Reading, *, renderer: Renderer, families: Sequence[Family]
    ) -> None:
        self._commit = commit
        self._families = families
        self._reading = reading
        self._known = Shaping(known_only=True)
        self._shaping = Shaping()
        self._here = Surroundings(
            reading.tree, reading.contents, reading.mounts, renderer, shared=reading.shared
        )

    def edited(self, parts: Sequence[Part]) -> Draft:
        """What is due, edited: one part after the other where they share files, side by side elsewhere."""
        copies = {due.change.source: str(due.change.backup) for part in parts for due in part.due}
        here = replace(self._here, copies=copies)

        def edit(number: int, contents: Edited, anew: bool) -> Draft:
            shaping = self._shaping if anew else self._known
            editing = _Editing(self._reading, shaping, here, contents, Draft(self._commit))
            editing.edit(number, parts[number])
            return editing.made

        with ThreadPoolExecutor(RENDERED_AT_A_TIME) as pool:
            succession = Succession(
                self._reading.contents,
                edit=edit,
                paths=self._reading.paths,
                pool=pool,
                at_a_time=RENDERED_AT_A_TIME,
            )
            together = _together(self._commit, succession.of(independent(len(parts), self._reading)))
        due = {each.change: each for part in parts for each in part.due}
        for family in self._families:
            _edit_family(together, family, due, here)
        together.left = [_with_generator(left, parts, self._families) for left in together.left]
        return together

    def shown(self, made: Draft) -> _Shown:
        """What becomes of each Application that is rendered from a file that changes.

        Edits of files from which one is rendered that would change in more than copies are odd.
        """
        before = replace(self._here, copies={change.source: str(change.backup) for change in made.edited})
        after = self._here.edited(made.files)
        # the edited ones again, too: only the copies of what is edited here are asked for before a push
        touched = [
            read
            for read in (self._with_new(read, after) for read in self._reading.reads if read.rendered)
            if read.rendered & made.files.keys() and _name(read.subject.application) not in made.generated
        ]
        declared = self._declared(made, touched)
        remade, of_families = self._remade(made, before)

        def show(read: Read, shaping: Shaping) -> Shown:
            of_it = [each for path, each in declared if path in read.rendered]
            of_it += remade.get(_name(read.subject.application), ())
            return shaping.show(read.subject, before, after, of_it)

        known: dict[int, Shown] = {}
        for number, read in enumerate(touched):
            with contextlib.suppress(Unknown):
                known[number] = show(read, self._known)
        later = [number for number in range(len(touched)) if number not in known]
        new = made.files.keys() - self._reading.contents.here(made.files)
        self._reading.contents.load(path for number in later for path in touched[number].rendered - new)
        with ThreadPoolExecutor(RENDERED_AT_A_TIME) as pool:
            shown = pool.map(lambda number: show(touched[number], self._shaping), later)
            known |= dict(zip(later, shown, strict=True))
        found = _Shown()
        for number, read in enumerate(touched):
            found.along += known[number].along
            found.odd |= _odd(made, read, known[number])
        found.along += of_families.along
        found.odd |= of_families.odd
        return found

    def _remade(self, made: Draft, before: Surroundings) -> tuple[Mapping[str, Sequence[Difference]], _Shown]:
        """What changes in Applications that others render, by the others' names; what becomes of them."""
        changes: dict[str, tuple[Difference, ...]] = {}
        found = _Shown()
        for family in self._families:
            try:
                checked = check_family(family, here=before, edits=made.files)
            except FamilyDisturbed as error:
                found.odd |= _speaks_against(
                    made, error.files, who=str(family.maker), what=error.message, difference=error.difference
                )
            else:
                changes[family.parent] = (*changes.get(family.parent, ()), *checked.changes)
                found.along += checked.along
        return changes, found

    def _with_new(self, read: Read, after: Surroundings) -> Read:
        """What a source is read from with the new files that there are then."""
        if after.tree is self._here.tree or Naming(read.subject).recall(replace(self._here, tree=after.tree)):
            return read
        named = Naming(read.subject).ask(after)
        return read._replace(paths=read.paths | named.paths, rendered=read.rendered | named.together)

    def _declared(self, made: Draft, touched: Iterable[Read]) -> list[tuple[str, Difference]]:
        """What changes in manifests of Applications, all of whose sources are shown themselves."""
        places = (read.subject.source.declared for read in touched)
        paths = sorted({place.path for place in places if place is not None} & made.files.keys())
        self._reading.contents.load(paths)
        return [
            (path, difference)
            for path in paths
            for difference in differences(
                read_manifests(path, self._reading.contents[path], namespace=""),
                read_manifests(path, made.files[path], namespace=""),
            )
            if difference.object[:2] == ("argoproj.io", "Application")
        ]


def _together(commit: str, drafts: Iterable[Draft]) -> Draft:
    made = Draft(commit)
    for each in drafts:
        made.files |= each.files
        made.edited += each.edited
        made.done += each.done
        made.left += each.left
        made.places |= each.places
        made.along += each.along
    return made


def _edit_family(
    made: Draft, family: Family, due: Mapping[ImageChange, DueChange], here: Surroundings
) -> None:
    """Edit what Applications of a family say of images, where these are made."""
    left = {each.change: each for each in made.left if each.reason == Reason.OVERRIDDEN}
    mine = [due[change] for change in left if change.application in family.members]
    if not mine:
        return
    result = edit_family(family, mine, here=here, edits=made.files)
    made.files |= result.files
    made.generated |= result.members
    for change, replaced in result.replaced.items():
        made.edited.append(change)
        made.places[change] = Written(replaced.path, replaced.line)
    made.done += result.done
    for change, refusal in result.refused.items():
        message = f"{left[change].message}: {refusal.message}"
        left[change] = Left(change, refusal.reason, message, refusal.difference)
    settled = {*result.replaced, *result.done}
    made.left = [left.get(each.change, each) for each in made.left if each.change not in settled]


def _with_generator(left: Left, parts: Sequence[Part], families: Sequence[Family]) -> Left:
    """What is left, with the set that would have to be changed, where that is not at hand."""
    known = any(left.change.application in family.members for family in families)
    if left.reason != Reason.OVERRIDDEN or known:
        return left
    applications = (part.application for part in parts)
    its = next(
        (each for each in applications if each.generator and _name(each) == left.change.application), None
    )
    if its is None:
        return left
    its_set = f"the ApplicationSet {its.namespace}/{its.generator}"
    family = next((each for each in families if str(each.maker) == its_set), None)
    if family is not None and family.disagreement:
        message = f"{left.message}: {not_followed(family)}"
        return replace(left, reason=Reason.CLUSTERS_DIFFER, message=message)
    what = f"{its_set} generates it, and is to be changed"
    unknown = _unknown_of(family) if family is not None else ""
    return replace(left, message=f"{left.message}; {what}{f': {unknown}' if unknown else ''}")


def _unknown_of(family: Family) -> str:
    """Why not all that a family makes can be told; empty where it can."""
    try:
        family.maker.applications()
    except GitopsBackupError as error:
        return error.message
    return ""


def _name(application: Application) -> str:
    return f"{application.namespace}/{application.name}"


def _odd(made: Draft, read: Read, shown: Shown) -> dict[ImageChange, Left]:
    """The changes in the files of a source, if what is shown of it speaks against them."""
    if shown.problem is None:
        return {}
    who = f"the Application {_name(read.subject.application)}"
    return _speaks_against(made, read.rendered, who=who, what=shown.problem, difference=shown.difference)


def _speaks_against(
    made: Draft, paths: Collection[str], *, who: str, what: str, difference: str
) -> dict[ImageChange, Left]:
    """The changes in these files; all, where the texts that matter are not those that places name."""
    places = {change: made.places[change] for change in made.edited}
    concerned = [change for change, place in places.items() if place.path in paths]
    found: dict[ImageChange, Left] = {}
    for change in concerned or made.edited:
        where = f"{one_line(places[change].path)}, line {places[change].line}"
        message = f"{where}, is read for {who}, too: {what}"
        if not concerned:
            message = f"{where}, changes with files that are read for {who}: {what}"
        found[change] = Left(change, Reason.PROOF_FAILED, message, difference)
    return found


class _Editing:
    """The edit of one part, on what the ones before have made of the files."""

    def __init__(
        self, reading: Reading, shaping: Shaping, here: Surroundings, contents: Edited, made: Draft
    ) -> None:
        self._reading = reading
        self._shaping = shaping
        self._before = here
        self._edited_before = contents.edits.keys()
        self._contents = Edited(contents)
        self._now = replace(here, contents=self._contents, tree=with_files(here.tree, contents.edits))
        self.made = made

    def edit(self, number: int, part: Part) -> None:
        """Edit for a part, which has this number."""
        wanted = {due.replacement: due.change for due in part.due}
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
            read = self._reading.of(number, source)
            result = self._shaping.edit(read.subject, open_ones, self._now)
            in_passing = self._in_passing(read, result.done)
            self._contents.update(result.edits)
            self._now = replace(self._now, tree=with_files(self._now.tree, result.edits))
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
            if refusal is not None and not part.leaves(refusal.reason):
                explained = _explained(refusal, part, self._reading.refused)
                reason = awaited(refusal.reason, part)
                self.made.left.append(Left(change, reason, explained, refusal.difference))

    def _in_passing(self, read: Read, done: Sequence[Replacement]) -> Sequence[Replaced]:
        """Those of what is done that the commit itself does, by an edit for another Application."""
        edited = self._edited_before | self._contents.edits.keys()
        if not done or (edited.isdisjoint(read.paths) and self._now.tree is self._before.tree):
            return ()
        alone = self._shaping.edit(read.subject, done, self._before).replaced
        return [each if each.path in edited else self._where_it_is(each, read, edited) for each in alone]

    def _where_it_is(self, replaced: Replaced, read: Read, edited: AbstractSet[str]) -> Replaced:
        """What would be edited elsewhere, but for an edit of these files that does it, too: at its place."""
        name = name_of(replaced.replacement.new).encode()
        paths = sorted(edited & read.paths) or sorted(edited)
        path = next((each for each in paths if name in self._contents[each]), paths[0])
        lines = self._contents[path].split(b"\n")
        line = next((number for number, line in enumerate(lines, 1) if name in line), 1)
        return replace(replaced, path=path, line=line)


def _elsewhere(refusal: Refused) -> bool:
    return refusal.reason in {
        Reason.NOT_FOUND_IN_SOURCE,
        Reason.UNSUPPORTED_SOURCE,
        Reason.RENDER_FAILED,
        Reason.DOWNLOAD_NOT_ALLOWED,
        Reason.DOWNLOAD_FAILED,
        Reason.CHART_NOT_FOUND,
        Reason.DIGEST_MISMATCH,
        Reason.REPOSITORY_UNAVAILABLE,
    }


def _explained(refusal: Refused, part: Part, unread: Mapping[str, str]) -> str:
    folders = [folder_of(source.path) for source in part.sources]
    here = [path for path in unread if any(folder is not None and _is_in(path, folder) for folder in folders)]
    if refusal.reason == Reason.OVERRIDDEN and part.undeclared:
        return f"{refusal.message}; {part.undeclared}"
    if refusal.reason != Reason.NOT_FOUND_IN_SOURCE or not here:
        return refusal.message
    return f"{refusal.message}; {one_line(here[0])} {unread[here[0]]}"


def _is_in(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")
