"""Editing what ApplicationSets, and Applications that deploy others, say of images: for a family together.

Nothing of it is done before the Applications' own sources were edited: what a source can say itself is said
there. What remains, because the Application sets it, is said where that Application is made. One that is
another in the cluster than it is made is left alone, unless it has yet to become what Git says already.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from gitops_backup.controller.along import Along, along_of_proof
from gitops_backup.controller.evidence import Surroundings
from gitops_backup.controller.generating import Family
from gitops_backup.controller.messages import ImageChange
from gitops_backup.controller.parts import DueChange
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.makers.editing import MadeResult, MadeSite, Wanted, edit_made
from gitops_backup.sources.makers.proof import prove
from gitops_backup.sources.objects import Object
from gitops_backup.sources.places import places_of
from gitops_backup.sources.rendered import Difference, Rendered
from gitops_backup.sources.rendered_proof import NotExplained, asked
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.replacements import Refused, Replaced
from gitops_backup.sources.shapes import render_source


class FamilyDisturbed(GitopsBackupError):
    """What is made of these files would change in more than copies, as they are edited."""

    def __init__(self, files: frozenset[str], message: str, difference: str) -> None:
        super().__init__(message)
        self.files = files
        self.difference = difference


@dataclass(frozen=True, slots=True)
class FamilyEdits:
    """What is to change for a family, and why not for what is `refused`; `done` is what Git says already.

    `members` are the Applications that are then made otherwise: what becomes of them `check_family` shows.
    """

    files: Mapping[str, bytes] = field(default_factory=dict)
    replaced: Mapping[ImageChange, Replaced] = field(default_factory=dict)
    refused: Mapping[ImageChange, Refused] = field(default_factory=dict)
    done: Sequence[ImageChange] = ()
    members: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Checked:
    """What comes of edited files: `changes` of Applications where these are rendered themselves, and what is
    changed `along` in what they deploy."""

    changes: Sequence[Difference] = ()
    along: tuple[Along, ...] = ()


def edit_family(
    family: Family, due: Sequence[DueChange], *, here: Surroundings, edits: Mapping[str, bytes]
) -> FamilyEdits:
    """What is to change for a family where these changes are due, on a commit with files edited already.

    The copies are those of the surroundings.
    """
    if here.renderer is None:
        return FamilyEdits()
    editing = _FamilyEditing(family, here, here.renderer, edits)
    wanted = {(family.members[each.change.application], each.replacement): each.change for each in due}
    result = editing.result(list(wanted))
    done = [wanted[each] for each in result.done]
    if family.disagreement:
        message = not_followed(family)
        left = {change: each for each, change in wanted.items() if each not in result.done}
        return FamilyEdits(
            refused={c: Refused(each[1], Reason.CLUSTERS_DIFFER, message) for c, each in left.items()},
            done=done,
        )
    refused = {wanted[each]: refusal for each, refusal in result.refused.items()}
    names = {name: member for member, name in family.members.items()}
    return FamilyEdits(
        files=result.edits,
        replaced={wanted[each]: replaced for each, replaced in result.replaced.items()},
        refused=refused,
        done=done,
        members=frozenset(names[name] for name in result.applications if name in names),
    )


def not_followed(family: Family) -> str:
    """Why nothing is edited of what is in the cluster otherwise than it is made."""
    return f"{family.maker} is left as it is, as {family.disagreement}"


def check_family(family: Family, *, here: Surroundings, edits: Mapping[str, bytes]) -> Checked:
    """See that what a family makes of edited files changes in copies alone, and nothing of new ones.

    Raises `FamilyDisturbed` where it is not so, or cannot be told.
    """
    if here.renderer is None:
        return Checked()
    taken = family.maker.would_take(edits.keys())
    if taken:
        message = f"its generators would take {one_line(min(taken))} for a file of theirs"
        raise FamilyDisturbed(taken, message, "")
    files = edits.keys() & family.maker.files.keys()
    if not files:
        return Checked()
    editing = _FamilyEditing(family, here, here.renderer, edits)
    try:
        return editing.checked({path: edits[path] for path in files})
    except GitopsBackupError as error:
        difference = error.difference if isinstance(error, NotExplained) else ""
        raise FamilyDisturbed(frozenset(files), error.message, difference) from error


@dataclass(frozen=True, slots=True)
class _FamilyEditing:
    family: Family
    here: Surroundings
    renderer: Renderer
    edits: Mapping[str, bytes]

    def result(self, wanted: Sequence[Wanted]) -> MadeResult:
        """What is to change, on what was edited already. Raises a `GitopsBackupError`."""
        maker = self.family.maker
        edited = {path: new for path, new in self.edits.items() if path in maker.files}
        site = self._site(edited)
        others = self._others(wanted)
        result = edit_made(site, [each for each in wanted if each not in others], copies=self.here.copies)
        if edited and result.done:
            before = edit_made(self._site({}), result.done, copies=self.here.copies)
            result = replace(
                result,
                replaced={**result.replaced, **before.replaced},
                done=tuple(each for each in result.done if each not in before.replaced),
            )
        done = [each for each in others if self._is_done(each, site)]
        refused = {
            each: Refused(each[1], Reason.OVERRIDDEN, why) for each, why in others.items() if each not in done
        }
        return replace(result, refused={**result.refused, **refused}, done=(*result.done, *done))

    def checked(self, changed: Mapping[str, bytes]) -> Checked:
        """What comes of these files, where that is copies alone. Raises what says why not."""
        maker = self.family.maker
        if maker.is_beside(changed):
            return Checked()
        if self.family.disagreement:
            raise GitopsBackupError(self.family.disagreement)
        now = maker.with_files(changed)
        found = prove(
            maker.applications(),
            now.applications(),
            rendered_before=partial(self._rendered, self.here),
            rendered_after=partial(self._rendered, self.here.edited(self.edits)),
            copies=self.here.copies,
        )
        names = {name: member for member, name in self.family.members.items()}
        along = (each for name, its in found.items() for each in along_of_proof(names.get(name, name), its))
        return Checked(maker.changes(now), tuple(along))

    def _site(self, edited: Mapping[str, bytes]) -> MadeSite:
        """Where the family is made, with these contents of its files."""
        there = self.here.edited(self.edits) if edited else self.here
        return MadeSite(self.family.maker.with_files(edited), partial(self._rendered, there))

    def _others(self, wanted: Iterable[Wanted]) -> dict[Wanted, str]:
        """What is wanted of Applications that are others in the cluster than they are made, and how so."""
        members = {name: member for member, name in self.family.members.items()}
        try:
            made = self.family.maker.applications()
        except GitopsBackupError:  # of which the edit tells
            return {}
        found: dict[Wanted, str] = {}
        for each in wanted:
            field = self.family.differing(members[each[0]], made[each[0]]) if each[0] in made else ""
            if field:
                found[each] = f"{field} of the live Application is not what {self.family.maker} makes it"
        return found

    def _is_done(self, wanted: Wanted, site: MadeSite) -> bool:
        """Whether Git says already what is wanted."""
        name, replacement = wanted
        try:
            there = site.render(site.maker.applications()[name], False)
        except GitopsBackupError:
            return False
        return bool(asked([replacement], there, source=name).done)

    def _rendered(self, there: Surroundings, obj: Object, again: bool) -> Sequence[Rendered]:
        application = self.family.project(obj)
        for source in application.sources:
            unknown = self.here.mounts.unknown(places_of(application, source))
            if unknown:
                who = f"{one_line(application.namespace)}/{one_line(application.name)}"
                where = min(map(str, unknown))
                raise GitopsBackupError(f"the Application {who} is made of {where}, which is not looked at")
        return [
            each
            for source in application.sources
            for each in render_source(
                application,
                source,
                tree=there.tree,
                contents=there.contents,
                mounts=there.mounts,
                renderer=self.renderer,
                again=again,
            )
        ]
