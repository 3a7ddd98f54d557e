"""Programs of jsonnet: the strings that their images are made of are found by evaluating, and edited.

It is done as with charts (see `helm.editing`): the programs are evaluated as they are, then with a mark in
every string that may be part of an image's name, then with the edits, which have to make images their copies
and change nothing else. A string is written in any file that is imported, with its quotes as they are; what
the Application gives to its programs is not written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.composed.compositions import Composition, Segment
from gitops_backup.sources.composed.proof import Changed, Proof
from gitops_backup.sources.composed.solutions import (
    Findings,
    Plan,
    Unwritten,
    find,
    name_of,
    solutions,
    targets_of,
)
from gitops_backup.sources.composed.words import misfit, without_copy
from gitops_backup.sources.jsonnet.options import JsonnetBlock
from gitops_backup.sources.jsonnet.programs import Programs, UnusableProgram
from gitops_backup.sources.jsonnet.search import Likelihood, Text, line_of, search, written
from gitops_backup.sources.rendered import InvalidRendering, Rendered, RenderedImage, images_of
from gitops_backup.sources.rendered_proof import asked, with_asked
from gitops_backup.sources.rendering import Files
from gitops_backup.sources.replacements import Refused, Replacement, ShapeResult


def edit_programs(
    replacements: Sequence[Replacement],
    programs: Programs,
    block: JsonnetBlock,
    *,
    before: Sequence[Rendered],
    copies: Mapping[Reference, str],
) -> ShapeResult:
    """What is to change in programs for these replacements.

    `before` is what they evaluate to as they are, and `copies` has the reference of each source's verified
    copy. Of `images` in the result, those are listed that change.
    """
    editing = _Editing(programs, block)
    sorted_out = asked(replacements, before, source="jsonnet")
    copies = with_asked(copies, sorted_out.due)
    plan = editing.plan(sorted_out.due, before, copies)
    proof = Proof(
        before=before,
        copies=copies,
        compositions=plan.compositions,
        change=editing.changed,
        again=editing.again,
        place=editing.place,
        order=lambda text: (text.path, f"{text.start:012}"),
    )
    result = proof.of(plan.solved)
    return ShapeResult(
        edits=result.edits,
        replaced=result.replaced,
        done=sorted_out.done,
        refused=(*sorted_out.refused, *plan.refused, *result.refused),
        images=result.images,
    )


_MOST_ALONE = 30
"""How many texts are tried one by one where all together have a program fail."""


@dataclass(frozen=True, slots=True)
class _Editing:
    programs: Programs
    block: JsonnetBlock

    def plan(
        self,
        due: Mapping[Replacement, RenderedImage],
        before: Sequence[Rendered],
        copies: Mapping[Reference, str],
    ) -> Plan[Text]:
        """Which texts to change: the likely ones, and where these do not suffice, of all of them."""
        if not due:
            return Plan()
        targets = targets_of(images_of(before), copies)
        names = {name_of(image.text) for image in targets}
        texts = search(self.programs.files, self.programs.evaluated, names)
        likely = [text for text in texts if text.likelihood < Likelihood.ALIKE]
        plan = solutions(due, findings=self._findings(likely, before, targets), targets=targets, words=self)
        if not plan.refused or len(texts) == len(likely):
            return plan
        other = solutions(due, findings=self._findings(texts, before, targets), targets=targets, words=self)
        return other if len(other.solved) > len(plan.solved) else plan

    def _findings(
        self, texts: Sequence[Text], before: Sequence[Rendered], targets: Mapping[RenderedImage, str]
    ) -> Findings[Text]:
        """Where texts come out; those with which no program can be evaluated are left out, or taken alone."""
        contents = self.programs.files.values()
        try:
            return find(texts, contents=contents, before=before, tried=self._tried)
        except Unwritten:
            sound = [text for text in texts if text.likelihood == Likelihood.REFERENCE]
        if len(texts) <= _MOST_ALONE:
            sound = [text for text in texts if self._stands(text)]
        try:
            found = find(sound, contents=contents, before=before, tried=self._tried)
        except Unwritten:
            return Findings(_spelled(texts, targets))
        made = {image: each for image, each in found.compositions.items() if each.segments}
        return Findings({**_spelled(texts, targets), **made}, found.strays)

    def _stands(self, text: Text) -> bool:
        """Whether the programs can be evaluated with another text in its place."""
        try:
            self._tried({text: f"{text.name}0"})
        except Unwritten:
            return False
        return True

    def changed(self, names: Mapping[Text, str]) -> Changed[Text]:
        """The programs with other names. Raises `Unwritten`."""
        files = written(self.programs.files, names)
        edits = {text.path: files[text.path] for text in names}
        return Changed(self._objects(files), edits, lambda text: (text.path, line_of(text, self._of(text))))

    def again(self) -> list[Rendered]:
        """What the programs evaluate to, once more. Raises `InvalidRendering`."""
        try:
            return flat(self.programs.objects(self.programs.files, again=True))
        except UnusableProgram as error:
            raise InvalidRendering(error.message) from error

    def place(self, text: Text) -> str:
        """Where a text is, for people."""
        return f"{one_line(text.path)}, line {line_of(text, self._of(text))}"

    def no_copy(self, replacement: Replacement, text: Text, image: RenderedImage) -> Refused:
        """A text also feeds an image without a copy."""
        return without_copy(replacement, image, place=self.place(text))

    def not_writable(
        self,
        replacement: Replacement,
        image: RenderedImage,
        *,
        composition: Composition[Text] | None,
        strays: Mapping[Text, str],
        user: RenderedImage,
    ) -> Refused:
        """No strings make an image what it has to be."""
        wrong = misfit(
            replacement,
            image,
            composition=composition,
            strays=strays,
            user=user,
            place=self.place,
            adding="the program",
        )
        shown = one_line(image.text)
        if wrong is not None:
            return wrong
        variable = self.block.saying(name_of(image.text).rpartition("/")[2])
        if variable is not None:
            message = f"{variable} of the live Application sets {shown}"
            return Refused(replacement, Reason.OVERRIDDEN, message)
        message = f"jsonnet puts {shown} together where no string of a program begins with it"
        return Refused(replacement, Reason.UNSUPPORTED_SOURCE, message)

    def _of(self, text: Text) -> bytes:
        return self.programs.files[text.path]

    def _tried(self, names: Mapping[Text, str]) -> list[Rendered]:
        return self._objects(written(self.programs.files, names))

    def _objects(self, files: Files) -> list[Rendered]:
        try:
            return flat(self.programs.objects(files))
        except UnusableProgram as error:
            raise Unwritten(error.message) from error


def flat(objects: Mapping[str, Sequence[Rendered]]) -> list[Rendered]:
    """The objects of all programs, one after the other."""
    return [each for made in objects.values() for each in made]


def _spelled(
    texts: Sequence[Text], targets: Mapping[RenderedImage, str]
) -> dict[RenderedImage, Composition[Text]]:
    """The images whose name is that of one text alone."""
    found: dict[RenderedImage, Composition[Text]] = {}
    for image in targets:
        name = name_of(image.text)
        alike = [text for text in texts if text.name == name]
        if len(alike) == 1:
            found[image] = Composition(name, (Segment(alike[0], 0, len(name)),))
    return found
