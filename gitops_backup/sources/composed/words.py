"""Why an image is not written that is put together from texts, in words for people."""

from collections.abc import Callable, Mapping

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.composed.compositions import Composition
from gitops_backup.sources.composed.solutions import AnyText
from gitops_backup.sources.rendered import RenderedImage
from gitops_backup.sources.replacements import Refused, Replacement
from gitops_backup.sources.uncopied import uncopied


def without_copy(replacement: Replacement, image: RenderedImage, *, place: str) -> Refused:
    """The text at this place also feeds an image without a copy."""
    reason, why = uncopied(image.workload)
    return Refused(replacement, reason, f"{place}, also sets {_called(image)}, {why}")


def misfit(
    replacement: Replacement,
    image: RenderedImage,
    *,
    composition: Composition[AnyText] | None,
    strays: Mapping[AnyText, str],
    user: RenderedImage,
    place: Callable[[AnyText], str],
    adding: str,
) -> Refused | None:
    """What is wrong with the texts that an image is made of; None where there are none.

    `strays` say where else texts come out, `user` is the image that stands against it, and `adding` is what
    puts the image together.
    """
    texts = [segment.piece for segment in composition.segments] if composition is not None else []
    stray = next((text for text in texts if text in strays), None)
    if stray is not None:
        message = f"{place(stray)}, is also {strays[stray]}, which must not change"
        return Refused(replacement, Reason.SHARED_SCALAR, message)
    if composition is None or not texts:
        return None
    if user != image:
        message = f"{place(texts[-1])}, is also part of {_called(user)}, which it does not fit"
        return Refused(replacement, Reason.SHARED_SCALAR, message)
    message = f"{place(texts[-1])}, is only a part of {one_line(image.text)}"
    added = " and ".join(map(one_line, composition.added))
    message += f", and {adding} itself adds {added}" if added else ""
    return Refused(replacement, Reason.UNSUPPORTED_SOURCE, f"{message}: it cannot become {replacement.new}")


def _called(image: RenderedImage) -> str:
    return f"{one_line(image.text)} of {image.workload}, container {one_line(image.container)}"
