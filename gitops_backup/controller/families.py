"""Editing what ApplicationSets say of images, for all the Applications of a set together.

Nothing of it is done before the Applications' own sources were edited: what a source can say itself is said
there. What remains, because the Application sets it, is a set's to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from gitops_backup.controller.along import Along, along_of_proof
from gitops_backup.controller.contents import Edited, Identified
from gitops_backup.controller.evidence import Surroundings
from gitops_backup.controller.generating import Family
from gitops_backup.controller.messages import ImageChange
from gitops_backup.controller.parts import DueChange
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.applicationsets.editing import (
    MORE_THAN_IMAGES,
    SetResult,
    SetSite,
    edit_set,
    frames,
    generated_by,
    generated_with,
)
from gitops_backup.sources.applicationsets.sets import Object, read_sets
from gitops_backup.sources.rendered import Rendered
from gitops_backup.sources.rendered_proof import NotExplained, Proven, proven
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.replacements import Refused, Replaced
from gitops_backup.sources.shapes import render_source


class SetDisturbed(GitopsBackupError):
    """A set would generate what changes in more than copies, by edits of these files."""

    def __init__(self, files: frozenset[str], message: str, difference: str) -> None:
        super().__init__(message)
        self.files = files
        self.difference = difference


@dataclass(frozen=True, slots=True)
class FamilyEdits:
    """What is to change for a set, and why not for what is `refused`; `done` is what Git says already.

    `along` is what changes besides, and `members` are the Applications that the set then generates otherwise;
    what becomes of these was shown.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    replaced: Mapping[ImageChange, Replaced] = field(default_factory=dict)
    refused: Mapping[ImageChange, Refused] = field(default_factory=dict)
    done: Sequence[ImageChange] = ()
    along: Sequence[Along] = ()
    members: frozenset[str] = frozenset()


def edit_family(
    family: Family, due: Sequence[DueChange], *, here: Surroundings, edits: Mapping[str, bytes]
) -> FamilyEdits:
    """What is to change for a set where these changes are due, on a commit with files edited already.

    The copies are those of the surroundings.
    """
    if here.renderer is None:
        return FamilyEdits()
    editing = _FamilyEditing(family, here, here.renderer, edits)
    wanted = {(family.members[each.change.application], each.replacement): each.change for each in due}
    result = edit_set(editing.site(), list(wanted), copies=here.copies)
    refused = {wanted[each]: refusal for each, refusal in result.refused.items()}
    done = [wanted[each] for each in result.done]
    if not result.replaced:
        return FamilyEdits(refused=refused, done=done)
    try:
        along = editing.shown(result)
    except GitopsBackupError as error:
        difference = error.difference if isinstance(error, NotExplained) else ""
        for (name, replacement), change in wanted.items():
            if (name, replacement) in result.replaced:
                refused[change] = Refused(replacement, Reason.PROOF_FAILED, error.message, difference)
        return FamilyEdits(refused=refused, done=done)
    names = {name: member for member, name in family.members.items()}
    return FamilyEdits(
        files=result.edits,
        replaced={wanted[each]: replaced for each, replaced in result.replaced.items()},
        refused=refused,
        done=done,
        along=along,
        members=frozenset(names[name] for name in result.applications if name in names),
    )


def check_family(family: Family, *, here: Surroundings, edits: Mapping[str, bytes]) -> None:
    """See that what a set generates from edited files changes in copies alone.

    Raises `SetDisturbed` where that is not so, or cannot be told.
    """
    files = edits.keys() & family.around.contents.keys()
    if files and here.renderer is not None:
        editing = _FamilyEditing(family, here, here.renderer, edits)
        try:
            editing.prove({path: edits[path] for path in files})
        except GitopsBackupError as error:
            difference = error.difference if isinstance(error, NotExplained) else ""
            raise SetDisturbed(frozenset(files), error.message, difference) from error


@dataclass(frozen=True, slots=True)
class _FamilyEditing:
    family: Family
    here: Surroundings
    renderer: Renderer
    edits: Mapping[str, bytes]

    def site(self) -> SetSite:
        """The set, with what was edited already."""
        known = self.family.around.contents
        contents = {**known, **{path: new for path, new in self.edits.items() if path in known}}
        files = Edited(self.here.contents, self.edits)

        def render(obj: Object, again: bool) -> Sequence[Rendered]:
            return self._rendered(obj, files, again=again)

        around = replace(self.family.around, contents=contents)
        return SetSite(self.family.set, around, self.renderer, render)

    def shown(self, result: SetResult) -> list[Along]:
        """What becomes of the set's Applications by all edits. Raises a `GitopsBackupError`."""
        after = Edited(self.here.contents, {**self.edits, **result.edits})
        before = {each.name: each.application for each in self.family.evaluation.generated}
        names = {name: member for member, name in self.family.members.items()}
        return [
            along
            for name, obj in result.applications.items()
            for along in along_of_proof(names.get(name, name), self._proof(before[name], obj, after))
        ]

    def prove(self, changed: Mapping[str, bytes]) -> None:
        """See that what is generated with these files changes in copies alone, or raise what says why not."""
        own, around = self.family.set, self.family.around
        if set(changed) == {own.path} and own in read_sets(
            own.path, changed[own.path], namespace=own.namespace
        ):
            return  # something else in its file
        before = generated_by(own, self.family.evaluation)
        after = generated_with(changed, own, around, renderer=self.renderer)
        if frames(before) != frames(after):
            raise GitopsBackupError(MORE_THAN_IMAGES)
        files = Edited(self.here.contents, self.edits)
        for name, obj in after.items():
            if obj != before[name]:
                self._proof(before[name], obj, files)

    def _proof(self, before: Object, obj: Object, after: Identified) -> Proven:
        """That an Application becomes another, with other contents of files, in copies alone."""
        return proven(
            self._rendered(before, self.here.contents),
            self._rendered(obj, after),
            copies=self.here.copies,
            again=partial(self._rendered, before, self.here.contents, again=True),
        )

    def _rendered(self, obj: Object, contents: Identified, *, again: bool = False) -> list[Rendered]:
        application = self.family.project(obj)
        return [
            each
            for source in application.sources
            for each in render_source(
                application,
                source,
                tree=self.here.tree,
                contents=contents,
                mounts=self.here.mounts,
                renderer=self.renderer,
                again=again,
            )
        ]
