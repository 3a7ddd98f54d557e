"""The proof of an edit of what makes Applications: these say the same but for images, and deploy copies."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeAlias

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.makers.frames import frames
from gitops_backup.sources.objects import Object
from gitops_backup.sources.rendered import Rendered
from gitops_backup.sources.rendered_proof import NotExplained, Proven, proven

Render: TypeAlias = Callable[[Object, bool], Sequence[Rendered]]
"""Renders an Application, again if asked. Raises a `GitopsBackupError`."""


def prove(
    before: Mapping[str, Object],
    after: Mapping[str, Object],
    *,
    rendered_before: Render,
    rendered_after: Render,
    copies: Mapping[Reference, str],
) -> dict[str, Proven]:
    """What becomes of each Application that is made otherwise, by its name.

    `before` and `after` have all that are made, by their names. Raises `NotExplained` where more changes than
    images that become their copies, and what rendering raises.
    """
    if frames(before) != frames(after):
        what = "an Application that is generated would change in more than its values and images"
        raise NotExplained(Reason.PROOF_FAILED, what)
    found: dict[str, Proven] = {}
    for name, now in after.items():
        was = before[name]
        if now == was:
            continue
        try:
            found[name] = proven(
                rendered_before(was, False),
                rendered_after(now, False),
                copies=copies,
                again=partial(rendered_before, was, True),
            )
        except NotExplained as error:
            message = f"the Application {one_line(name)}: {error.message}"
            raise NotExplained(error.reason, message, difference=error.difference) from error
    return found
