"""Showing that edits of texts make images their copies and change nothing else, by rendering."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic

from gitops_backup.domain.images import Reference, means
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.composed.compositions import Composition
from gitops_backup.sources.composed.solutions import AnyText, Solved, Unwritten
from gitops_backup.sources.rendered import InvalidRendering, Rendered, RenderedImage
from gitops_backup.sources.rendered_proof import NotExplained, proven
from gitops_backup.sources.rendering import RenderFailed
from gitops_backup.sources.replacements import ImageUse, Refused, Replaced, ShapeResult

_MOST_GROUPS = 8
"""How many groups of images are proven one by one when all together are not."""


@dataclass(frozen=True, slots=True)
class Changed(Generic[AnyText]):
    """A source with other texts: what is rendered of it, the files that are others, and where a text is."""

    objects: Sequence[Rendered]
    edits: Mapping[str, bytes]
    where: Callable[[AnyText], tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Proof(Generic[AnyText]):
    """Edits, rendered and compared.

    `before` is the rendering as it is, which `again` makes once more. `change` writes other names in texts;
    it raises `Unwritten`. `place` says for people where a text is, or would be; texts have an order.
    """

    before: Sequence[Rendered]
    copies: Mapping[Reference, str]
    compositions: Mapping[RenderedImage, Composition[AnyText]]
    change: Callable[[Mapping[AnyText, str]], Changed[AnyText]]
    again: Callable[[], Sequence[Rendered]]
    place: Callable[[AnyText], str]
    order: Callable[[AnyText], tuple[str, ...]]

    def of(self, solved: Sequence[Solved[AnyText]]) -> ShapeResult:
        """The edits that stand: all at once, or else those that stand beside the ones before."""
        if not solved:
            return ShapeResult()
        try:
            return self._result(solved)
        except _NotProven as error:
            groups = _groups(solved)
            if len(groups) == 1 or len(groups) > _MOST_GROUPS:
                return ShapeResult(refused=tuple(_refused(solved, error)))
        good: list[Solved[AnyText]] = []
        refused: list[Refused] = []
        result = ShapeResult()
        for group in groups:
            try:
                result = self._result([*good, *group])
                good += group
            except _NotProven as error:
                refused += _refused(group, error)
        return replace(result, refused=tuple(refused))

    def _result(self, solved: Sequence[Solved[AnyText]]) -> ShapeResult:
        """What these edits make. Raises `_NotProven`."""
        names = {text: name for each in solved for text, name in each.names.items()}
        where_first = self.place(min(names, key=self.order))
        try:
            changed = self.change(names)
            shown = proven(self.before, changed.objects, copies=self.copies, again=self.again)
        except NotExplained as error:
            message = f"{where_first}: {error.message}"
            raise _NotProven(error.reason, message, difference=error.difference) from error
        except (Unwritten, RenderFailed, InvalidRendering) as error:
            raise _NotProven(Reason.PROOF_FAILED, f"{where_first}: {error.message}") from error
        for each in solved:
            if not means(shown.images.get(each.image, ""), Reference.parse(each.replacement.new)):
                message = f"{where_first}: {each.image.text} would not become {each.replacement.new}"
                raise _NotProven(Reason.PROOF_FAILED, message)
        uses = {image: self._use(image, now, names, changed) for image, now in shown.images.items()}
        return ShapeResult(
            edits=changed.edits,
            replaced=tuple(self._replaced(each, uses) for each in solved),
            images=tuple(uses.values()),
        )

    def _replaced(self, solved: Solved[AnyText], uses: Mapping[RenderedImage, ImageUse]) -> Replaced:
        own = uses[solved.image]
        also = tuple(
            use for image, use in uses.items() if image != solved.image and self._goes_with(image, solved)
        )
        return Replaced(solved.replacement, own.path, own.line, also)

    def _use(
        self, image: RenderedImage, now: str, names: Mapping[AnyText, str], changed: Changed[AnyText]
    ) -> ImageUse:
        """An image that changes, and where: at the last text of its name that does."""
        composition = self.compositions.get(image)
        pieces = [segment.piece for segment in composition.segments] if composition is not None else []
        text = next((piece for piece in reversed(pieces) if piece in names), next(iter(names)))
        path, line = changed.where(text)
        return ImageUse(
            path=path,
            line=line,
            workload=image.workload,
            container=image.container,
            init=image.init,
            before=image.text,
            now=now,
        )

    def _goes_with(self, image: RenderedImage, solved: Solved[AnyText]) -> bool:
        composition = self.compositions.get(image)
        if composition is None:  # in an object whose name is another each time
            return image.text == solved.image.text
        return any(segment.piece in solved.names for segment in composition.segments)


class _NotProven(GitopsBackupError):
    """An edit does not do what it should, and nothing else."""

    def __init__(self, reason: Reason, message: str, *, difference: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.difference = difference


def _groups(solved: Sequence[Solved[AnyText]]) -> list[list[Solved[AnyText]]]:
    """Those that share texts, together."""
    groups: list[tuple[set[AnyText], list[Solved[AnyText]]]] = []
    for each in solved:
        texts, members = set(each.names), [each]
        apart = []
        for others, group in groups:
            if others & texts:
                texts |= others
                members = [*group, *members]
            else:
                apart.append((others, group))
        groups = [*apart, (texts, members)]
    return [members for _, members in groups]


def _refused(solved: Sequence[Solved[AnyText]], error: _NotProven) -> list[Refused]:
    return [Refused(s.replacement, error.reason, error.message, error.difference) for s in solved]
