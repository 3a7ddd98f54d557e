"""Images that Applications set which are made of files: by an ApplicationSet, or by an Application of others.

What is made is a function of files; what is deployed is one of that. So texts are found as those of a chart
are: each that may be part of an image's name gets a mark, the Applications are made of that, they are
rendered, and where marks come out says how each image is put together, and from where. Then those are changed
that must be, and all Applications that come out otherwise are rendered before and after: the proof is that
images became their copies, and nothing else changed. A text that also says something else of an Application,
such as its name or its path, is not changed.

An Application in the cluster is never written to.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from gitops_backup.domain.images import InvalidReference, Reference, means
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.composed.compositions import Composition, NoCopy, NotWritable, solve
from gitops_backup.sources.composed.marks import Marks
from gitops_backup.sources.composed.solutions import name_of
from gitops_backup.sources.makers.findings import Findings, User
from gitops_backup.sources.makers.frames import frames
from gitops_backup.sources.makers.maker import Maker
from gitops_backup.sources.makers.pieces import Piece, line_of_piece, respelled
from gitops_backup.sources.makers.proof import Render, prove
from gitops_backup.sources.objects import Object
from gitops_backup.sources.rendered import Rendered, RenderedImage, images_of
from gitops_backup.sources.rendered_proof import NotExplained, asked
from gitops_backup.sources.replacements import Refused, Replaced, Replacement
from gitops_backup.sources.uncopied import uncopied

Wanted = tuple[str, Replacement]
"""A replacement in what the Application of this name deploys."""

_MOST_MARKED = 9_999
_MOST_ALONE = 50
"""How many replacements are looked at one by one."""

_MOST_TRIES = 100
"""How often it is tried which pieces say something else of an Application, too."""


@dataclass(frozen=True, slots=True)
class MadeSite:
    """What makes Applications, where its files can be edited.

    `render` renders an Application that it makes.
    """

    maker: Maker
    render: Render


@dataclass(frozen=True, slots=True)
class MadeResult:
    """What is to change in files. Each of what is wanted is in one of `replaced`, `done`, `refused`.

    `edits` has the new content of each file that changes, `applications` each Application that is made of
    them and then is another, by its name.
    """

    edits: Mapping[str, bytes] = field(default_factory=dict)
    replaced: Mapping[Wanted, Replaced] = field(default_factory=dict)
    refused: Mapping[Wanted, Refused] = field(default_factory=dict)
    done: tuple[Wanted, ...] = ()
    applications: Mapping[str, Object] = field(default_factory=dict)


def edit_made(site: MadeSite, wanted: Sequence[Wanted], *, copies: Mapping[Reference, str]) -> MadeResult:
    """What is to change in the files that Applications are made of, for these replacements.

    `copies` has the reference of each source's verified copy.
    """
    editing = _Editing(site, copies)
    try:
        return editing.result(wanted)
    except GitopsBackupError as error:
        message = f"what {site.maker} generates cannot be shown to change in images alone: {error.message}"
        return MadeResult(refused=_all(wanted, Reason.UNSUPPORTED_SOURCE, message))


def harmless(
    pieces: Sequence[Piece], are_harmless: Callable[[Sequence[Piece]], bool], *, tries: int
) -> list[Piece]:
    """The pieces but for those that do harm, each of which is found in halves of halves.

    What is not known to be harmless after so many `tries` is left out.
    """
    found: list[Piece] = []
    left = [list(pieces)] if pieces else []
    while left and tries:
        some, tries = left.pop(), tries - 1
        if are_harmless(some):
            found += some
        elif len(some) > 1:
            half = len(some) // 2
            left += [some[half:], some[:half]]
    return found


class _Unfit(GitopsBackupError):
    """A change that must not be made, and the reason."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class _Editing:
    site: MadeSite
    copies: Mapping[Reference, str]

    @cached_property
    def before(self) -> Mapping[str, Object]:
        """The Applications as they are, by their names."""
        return self.site.maker.applications()

    def result(self, wanted: Sequence[Wanted]) -> MadeResult:
        """What is to change. Raises a `GitopsBackupError` where nothing can be told."""
        due: dict[Wanted, RenderedImage] = {}
        refused: dict[Wanted, Refused] = {}
        done: list[Wanted] = []
        for name, replacement in wanted:
            if name not in self.before:
                message = f"{self.site.maker} generates no Application {name}"
                refused[name, replacement] = Refused(replacement, Reason.NOT_FOUND_IN_SOURCE, message)
                continue
            rendering = self._rendered(self.before[name])
            found = asked([replacement], rendering, source=f"the Application {name}")
            due |= {(name, one): image for one, image in found.due.items()}
            refused |= {(name, one.replacement): one for one in found.refused}
            done += [(name, one) for one in found.done]
        pieces = self._pieces({name_of(image.text) for image in due.values()})
        findings = self._findings(pieces)
        solved: dict[Wanted, Mapping[Piece, str]] = {}
        groups = {user: group for group in findings.groups() for user in group}
        changed: dict[int, Mapping[Piece, str]] = {}
        for each, image in due.items():
            user = each[0], image
            group = groups.get(user, {})
            try:
                there = replace(findings, compositions=group)
                spelling = self._solved(user, there, changed.get(id(group), {}))
            except _Unfit as error:
                refused[each] = Refused(each[1], error.reason, error.message)
            else:
                own = {segment.piece for segment in findings.compositions[user].segments}
                solved[each] = {piece: new for piece, new in spelling.items() if piece in own}
                changed[id(group)] = spelling
        names = {piece: new for spelling in changed.values() for piece, new in spelling.items()}
        return replace(self._proven(solved, names, refused), done=tuple(done))

    def _pieces(self, names: set[str]) -> list[Piece]:
        """The texts that come into question, but for those that say something else of an Application, too."""
        pieces = self.site.maker.pieces(names)[:_MOST_MARKED]
        found = harmless(pieces, self._same_frames, tries=_MOST_TRIES)
        return found if found in ([], pieces) or self._same_frames(found) else []

    def _same_frames(self, pieces: Sequence[Piece]) -> bool:
        try:
            return frames(self._marked(pieces)[1]) == frames(self.before)
        except GitopsBackupError:
            return False

    def _marked(self, pieces: Sequence[Piece]) -> tuple[Marks, Mapping[str, Object]]:
        marks = Marks(self.site.maker.files.values())
        return marks, self._made({piece: piece.name + marks.mark(n) for n, piece in enumerate(pieces)})

    def _changed(self, names: Mapping[Piece, str]) -> dict[str, bytes]:
        return respelled(self.site.maker.files, names)

    def _made(self, names: Mapping[Piece, str]) -> Mapping[str, Object]:
        """The Applications that are made with other names in these places."""
        return self.site.maker.with_files(self._changed(names)).applications()

    def _rendered(self, application: Object) -> Sequence[Rendered]:
        return self.site.render(application, False)

    def _findings(self, pieces: Sequence[Piece]) -> Findings:
        compositions: dict[User, Composition[Piece]] = {}
        targets: dict[User, str] = {}
        strays: dict[Piece, str] = {}
        if not pieces:
            return Findings(compositions, targets, strays)
        marks, marked = self._marked(pieces)
        for name, application in self.before.items():
            if marked[name] == application:
                continue
            before, after = self._rendered(application), self._rendered(marked[name])
            shown = {(marks.without(image.workload), image.steps): image.text for image in images_of(after)}
            for image in images_of(before):
                text = shown.get((image.workload, image.steps), "")
                composition = marks.composition(name_of(image.text), text, pieces)
                if composition is not None:
                    compositions[name, image] = composition
                target = self._target(image)
                if target is not None:
                    targets[name, image] = target
            wholes = {image.text for image in images_of(before)}
            where = marks.strays(after, pieces, allowed=wholes)
            strays |= {piece: f"{place} of the Application {name}" for piece, place in where.items()}
        return Findings(compositions, targets, strays)

    def _target(self, image: RenderedImage) -> str | None:
        """The name that an image becomes if it has a copy; its tag and digest stay where they are."""
        try:
            copy = self.copies.get(Reference.parse(image.text))
        except InvalidReference:
            return None
        rest = image.text[len(name_of(image.text)) :]
        if copy is None or not means(name_of(copy) + rest, Reference.parse(copy)):
            return None
        return name_of(copy)

    def _solved(self, user: User, findings: Findings, names: Mapping[Piece, str]) -> Mapping[Piece, str]:
        fixed = frozenset(findings.strays)
        compositions, targets = findings.compositions, findings.targets
        shown = f"{one_line(user[1].text)}, which the Application {user[0]} deploys,"
        composition = compositions.get(user)
        if composition is None or not composition.segments:
            what = "of no text that can be written"
            raise _Unfit(Reason.OVERRIDDEN, f"{self.site.maker} makes {shown} {what}")
        try:
            return solve(user, compositions, targets, changed=names, fixed=fixed)
        except NoCopy as error:
            name, image = error.user
            also = f"{self._place(error.piece)}, also sets {one_line(image.text)} of the Application {name}"
            reason, why = uncopied(image.workload)
            raise _Unfit(reason, f"{also}, {why}") from error
        except NotWritable as error:
            piece = composition.segments[-1].piece
            stray = next((s.piece for s in composition.segments if s.piece in findings.strays), None)
            if stray is not None:
                message = f"{self._place(stray)}, is also {findings.strays[stray]}, which must not change"
            elif error.user != user:
                name, image = error.user
                other = f"{one_line(image.text)} of the Application {name}"
                message = f"{self._place(piece)}, is also part of {other}, which it does not fit"
            else:
                message = f"{self._place(piece)}, is only a part of {shown} and the rest does not fit"
            raise _Unfit(Reason.SHARED_SCALAR, message) from error

    def _place(self, piece: Piece) -> str:
        line = line_of_piece(piece, self.site.maker.files[piece.path])
        return f"{one_line(piece.path)}, line {line}"

    def _proven(
        self,
        solved: Mapping[Wanted, Mapping[Piece, str]],
        names: Mapping[Piece, str],
        refused: Mapping[Wanted, Refused],
    ) -> MadeResult:
        """The result of what can be proven: all of it, or else one after the other."""
        refused = dict(refused)
        try:
            applications = self._proof(names, solved)
        except GitopsBackupError as error:
            names, kept = {}, dict[Wanted, Mapping[Piece, str]]()
            for each, own in solved.items():
                failure: GitopsBackupError | None = error
                if len(solved) <= _MOST_ALONE:
                    failure = self._failure({**names, **own}, {**kept, each: own})
                if failure is None:
                    names, kept = {**names, **own}, {**kept, each: own}
                else:
                    refused[each] = _refusal(each[1], failure)
            solved = kept
            applications = self._proof(names, solved)
        contents = self.site.maker.files
        edits = self._changed(names)
        replaced = {}
        for each, own in solved.items():
            first = min(own)
            line = line_of_piece(first, contents[first.path])
            replaced[each] = Replaced(each[1], first.path, line)
        return MadeResult(edits, replaced, refused, applications=applications)

    def _failure(
        self, names: Mapping[Piece, str], solved: Mapping[Wanted, Mapping[Piece, str]]
    ) -> GitopsBackupError | None:
        try:
            self._proof(names, solved)
        except GitopsBackupError as error:
            return error
        return None

    def _proof(
        self, names: Mapping[Piece, str], solved: Mapping[Wanted, Mapping[Piece, str]]
    ) -> dict[str, Object]:
        """The Applications that become others. Raises a `GitopsBackupError` where that is not all."""
        if not names:
            return {}
        after, render = self._made(names), self.site.render
        changed = prove(self.before, after, rendered_before=render, rendered_after=render, copies=self.copies)
        for name in changed:
            own = [each for owner, each in solved if owner == name]
            missing = asked(own, self._rendered(after[name]), source=name)
            if missing.due or missing.refused:
                raise _Unfit(Reason.PROOF_FAILED, f"the Application {name} would not deploy the backup")
        return {name: after[name] for name in changed}


def _refusal(replacement: Replacement, error: GitopsBackupError) -> Refused:
    reason = error.reason if isinstance(error, _Unfit | NotExplained) else Reason.PROOF_FAILED
    difference = error.difference if isinstance(error, NotExplained) else ""
    return Refused(replacement, reason, error.message, difference)


def _all(wanted: Sequence[Wanted], reason: Reason, message: str) -> dict[Wanted, Refused]:
    return {each: Refused(each[1], reason, message) for each in wanted}
