"""Why an image that would change has no copy: it may not be made yet, or nobody may ever make it.

Copies are made of the images of Deployments and DaemonSets. What another kind of workload names has one only
where one of these names it, too, so to wait for it would mostly be to wait for ever.
"""

from typing import NamedTuple

from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import Kind
from gitops_backup.sources.replacements import ObjectId


class Uncopied(NamedTuple):
    """A reason, and the end of a sentence about the image, behind a comma."""

    reason: Reason
    message: str


def uncopied(workload: ObjectId) -> Uncopied:
    """Why there is no copy of an image of this workload."""
    if workload.group == "apps" and workload.kind in set(Kind):
        return Uncopied(Reason.BACKUP_PENDING, "of which there is no verified copy yet")
    kinds = " and ".join(f"{kind}s" for kind in Kind)
    return Uncopied(
        Reason.SHARED_SCALAR, f"of which there is no verified copy: only images of {kinds} are copied"
    )
