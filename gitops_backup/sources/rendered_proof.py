"""What an edit may change in a rendering, and what is asked of one in the first place.

A container's image may become the verified copy of what it names, whichever container that is: a value often
feeds several. What such an image said may change in the same way anywhere else in the rendering, in an
argument or an environment variable, where exactly that text stood. Anything else speaks against the edit.

A rendering may differ from itself (random values, the time). So before a difference counts, the same is
rendered once more, and what differs there as well is left out, unless it is an image.
"""

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from typing import cast

from gitops_backup.domain.images import InvalidReference, Reference, means
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.rendered import (
    Difference,
    Rendered,
    RenderedImage,
    Way,
    differences,
    images_of,
    unexplained,
)
from gitops_backup.sources.rendered_diff import rendered_diff
from gitops_backup.sources.replacements import ObjectId, Refused, Replacement
from gitops_backup.sources.uncopied import uncopied


class NotExplained(GitopsBackupError):
    """A rendering would change in what no verified copy explains; `difference` shows it as a diff."""

    def __init__(self, reason: Reason, message: str, *, difference: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.difference = difference


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a rendering: what is `due`, with the image that is there, and what needs no edit."""

    due: Mapping[Replacement, RenderedImage]
    done: tuple[Replacement, ...]
    refused: tuple[Refused, ...]


@dataclass(frozen=True, slots=True)
class Proven:
    """What an edit changes in a rendering, all of it explained.

    `images` has the new text of each container's image that changes. `elsewhere` are the other places.
    """

    images: Mapping[RenderedImage, str]
    elsewhere: tuple[Difference, ...]


def asked(replacements: Iterable[Replacement], rendering: Sequence[Rendered], *, source: str) -> Asked:
    """What is to be done of these replacements; `source` says whose rendering it is, for people."""
    held = {each.identity: each for each in rendering}
    images = {(image.workload, image.container, image.init): image for image in images_of(held.values())}
    due: dict[Replacement, RenderedImage] = {}
    done: list[Replacement] = []
    refused: list[Refused] = []
    for each in replacements:
        image = images.get((each.workload, each.container, each.init))
        if image is None:
            message = f"{source} renders no {each}"
            refused.append(Refused(each, Reason.NOT_FOUND_IN_SOURCE, message))
        elif means(image.text, Reference.parse(each.new)):
            done.append(each)
        elif not means(image.text, each.old):
            message = f"{source} renders {one_line(image.text)} for {each}, not {each.old}"
            refused.append(Refused(each, Reason.AWAITING_SYNC, message))
        else:
            due[each] = image
    return Asked(due, tuple(done), tuple(refused))


def with_asked(
    copies: Mapping[Reference, str], replacements: Iterable[Replacement]
) -> Mapping[Reference, str]:
    """The copies, and those that are asked for; what is looked up is looked up in them, and not copied."""
    return ChainMap(
        {each.old: each.new for each in replacements}, cast("MutableMapping[Reference, str]", copies)
    )


def proven(
    before: Sequence[Rendered],
    after: Sequence[Rendered],
    *,
    copies: Mapping[Reference, str],
    again: Callable[[], Sequence[Rendered]],
    declared: Sequence[Difference] = (),
) -> Proven:
    """What changes between two renderings, where it is explained by images that became their copies.

    `copies` has the reference of each source's verified copy; `again` renders once more what `before` is of.
    `declared` is what may change in Applications that are among what is rendered, because it was shown what
    comes of that. Raises `NotExplained`, and what `again` raises.
    """
    changes = [each for each in differences(before, after) if not _is_declared(each, declared)]
    try:
        return _explained(before, changes, copies)
    except NotExplained:
        noise = {(each.object, each.steps) for each in differences(before, again())}
        images = {(image.workload, image.steps) for image in images_of(before)}
        noise -= images
        if not noise:
            raise
    return _explained(before, [each for each in changes if not _is_in(each, noise)], copies)


def _explained(
    before: Sequence[Rendered], changes: Sequence[Difference], copies: Mapping[Reference, str]
) -> Proven:
    places = {(image.workload, image.steps): image for image in images_of(before)}
    images: dict[RenderedImage, str] = {}
    elsewhere: list[Difference] = []
    for each in changes:
        image = places.get((each.object, each.steps))
        if image is None:
            elsewhere.append(each)
        else:
            images[image] = _copied(image, each, copies)
    odd = unexplained(elsewhere, {image.text: now for image, now in images.items()})
    if odd:
        message = f"more than images would change: {odd[0]}"
        raise NotExplained(Reason.PROOF_FAILED, message, difference=rendered_diff(odd))
    return Proven(images, tuple(elsewhere))


def _copied(image: RenderedImage, change: Difference, copies: Mapping[Reference, str]) -> str:
    try:
        copy = copies.get(Reference.parse(image.text))
    except InvalidReference:
        copy = None
    if copy is None:
        what = f"{one_line(image.text)} of {image.workload}, container {one_line(image.container)}"
        reason, why = uncopied(image.workload)
        message = f"with it would change {what}, {why}"
        raise NotExplained(reason, message, difference=rendered_diff([change]))
    if not isinstance(change.after, str) or not means(change.after, Reference.parse(copy)):
        message = f"expected {copy} in place of the image, but {change}"
        raise NotExplained(Reason.PROOF_FAILED, message, difference=rendered_diff([change]))
    return change.after


def _is_declared(change: Difference, declared: Iterable[Difference]) -> bool:
    """Whether it is one of these, in whatever namespace."""
    return any(
        (each.object[:2], each.object.name) == (change.object[:2], change.object.name)
        and (each.steps, each.before, each.after) == (change.steps, change.before, change.after)
        for each in declared
    )


def _is_in(change: Difference, noise: Iterable[tuple[ObjectId, Way]]) -> bool:
    return any(change.object == identity and change.steps[: len(steps)] == steps for identity, steps in noise)
