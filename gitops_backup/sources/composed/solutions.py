"""Which texts to change so that images become their copies, by where marks in them come out of a rendering.

What the texts are is for the shape of source to know: values of a chart, literals of a program.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from gitops_backup.domain.images import InvalidReference, Reference, means
from gitops_backup.domain.naming import Naming, Shape
from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.composed.compositions import Composition, NoCopy, NotWritable, solve
from gitops_backup.sources.composed.marks import Marks, Named
from gitops_backup.sources.rendered import Rendered, RenderedImage, images_of
from gitops_backup.sources.replacements import Refused, Replacement


class Unwritten(GitopsBackupError):
    """Texts cannot be written, or not be rendered."""


class Text(Named, Protocol):
    """A text that may be part of an image's name."""

    @property
    def writable(self) -> bool:
        """Whether another one can be written in its place."""


AnyText = TypeVar("AnyText", bound=Text)


@dataclass(frozen=True, slots=True)
class Solved(Generic[AnyText]):
    """A replacement, and the names that texts get for it."""

    replacement: Replacement
    image: RenderedImage
    names: Mapping[AnyText, str]


@dataclass(frozen=True, slots=True)
class Findings(Generic[AnyText]):
    """Where texts come out: in images, and, for some, also where something else than an image stands."""

    compositions: Mapping[RenderedImage, Composition[AnyText]] = field(default_factory=dict)
    strays: Mapping[AnyText, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan(Generic[AnyText]):
    """What to change, what cannot be, and of which texts images are made."""

    solved: Sequence[Solved[AnyText]] = ()
    refused: Sequence[Refused] = ()
    compositions: Mapping[RenderedImage, Composition[AnyText]] = field(default_factory=dict)


class Words(Protocol[AnyText]):
    """What is said of a source, for people."""

    def no_copy(self, replacement: Replacement, text: AnyText, image: RenderedImage) -> Refused:
        """A text also feeds an image without a copy."""

    def not_writable(
        self,
        replacement: Replacement,
        image: RenderedImage,
        *,
        composition: Composition[AnyText] | None,
        strays: Mapping[AnyText, str],
        user: RenderedImage,
    ) -> Refused:
        """Nothing that can be changed makes an image what it has to be: `user` is what stands against it.

        `composition` is the image's, where it is known, and `strays` say where else texts come out.
        """


def find(
    texts: Sequence[AnyText],
    *,
    contents: Iterable[bytes],
    before: Sequence[Rendered],
    tried: Callable[[Mapping[AnyText, str]], Sequence[Rendered]],
) -> Findings[AnyText]:
    """Where these texts of files with these contents come out.

    `before` is the rendering as it is, and `tried` renders with other names in texts; what it raises where
    that cannot be done, is raised.
    """
    if not texts:
        return Findings()
    marks = Marks([*contents, *(image.text.encode() for image in images_of(before))])
    after = tried({text: text.name + marks.mark(number) for number, text in enumerate(texts)})
    shown = {(marks.without(image.workload), image.steps): image.text for image in images_of(after)}
    found = (
        (image, marks.composition(name_of(image.text), shown.get((image.workload, image.steps), ""), texts))
        for image in images_of(before)
    )
    wholes = {image.text for image in images_of(before)}
    return Findings(
        compositions={image: composition for image, composition in found if composition is not None},
        strays=marks.strays(_other_than(before, after), texts, allowed=wholes),
    )


def solutions(
    due: Mapping[Replacement, RenderedImage],
    *,
    findings: Findings[AnyText],
    targets: Mapping[RenderedImage, str],
    words: Words[AnyText],
) -> Plan[AnyText]:
    """Which texts to change for all that is due; `targets` has the name that each image becomes, if any."""
    compositions = findings.compositions
    solved: list[Solved[AnyText]] = []
    refused: list[Refused] = []
    names: Mapping[AnyText, str] = {}
    pieces = {segment.piece for each in compositions.values() for segment in each.segments}
    fixed = frozenset(piece for piece in pieces if not piece.writable or piece in findings.strays)
    for replacement, image in due.items():
        try:
            found = solve(image, compositions, targets, changed=names, fixed=fixed)
        except NoCopy as error:
            refused.append(words.no_copy(replacement, error.piece, error.user))
        except NotWritable as error:
            refusal = words.not_writable(
                replacement,
                image,
                composition=compositions.get(image),
                strays=findings.strays,
                user=error.user,
            )
            if _fits_if_nested(image, compositions, targets, fixed):
                refusal = replace(
                    refusal,
                    message=f"{refusal.message}; with nested names (backup_names) it could be written",
                )
            refused.append(refusal)
        else:
            own = {segment.piece for segment in compositions[image].segments}
            new = {text: name for text, name in found.items() if text in own or text not in names}
            solved.append(Solved(replacement, image, new))
            names = found
    return Plan(solved, refused, compositions)


def targets_of(images: Iterable[RenderedImage], copies: Mapping[Reference, str]) -> dict[RenderedImage, str]:
    """The name that each image becomes that has a copy; its tag and digest stay where they are."""
    targets: dict[RenderedImage, str] = {}
    for image in images:
        try:
            copy = copies.get(Reference.parse(image.text))
        except InvalidReference:
            continue
        if copy is not None and means(
            name_of(copy) + image.text[len(name_of(image.text)) :], Reference.parse(copy)
        ):
            targets[image] = name_of(copy)
    return targets


def name_of(text: str) -> str:
    """A reference up to its tag or digest."""
    name = text.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]


def _fits_if_nested(
    image: RenderedImage,
    compositions: Mapping[RenderedImage, Composition[AnyText]],
    targets: Mapping[RenderedImage, str],
    fixed: frozenset[AnyText],
) -> bool:
    """Whether an image could be written, with all that change with it, if names were nested and not flat."""
    nested = {each: name for each, flat in targets.items() if (name := _nested(each, flat)) is not None}
    try:
        solve(image, compositions, nested, changed={}, fixed=fixed)
    except (NotWritable, NoCopy):
        return False
    return True


def _nested(image: RenderedImage, flat: str) -> str | None:
    source, prefix = Reference.parse(image.text), flat.rpartition("/")[0]
    try:
        if Naming.below(prefix).backup(source).name != flat:
            return None
        return Naming.below(prefix, Shape.NESTED).backup(source).name
    except InvalidReference:
        return None


def _other_than(before: Sequence[Rendered], after: Sequence[Rendered]) -> list[Rendered]:
    """The objects that are not the very same."""
    same = {id(each) for each in before}
    return [each for each in after if id(each) not in same]
