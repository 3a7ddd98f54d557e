"""What a commit says about itself: how much it changes, and each image with its backup and its record."""

from collections.abc import Sequence
from dataclasses import dataclass

from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.errors import count

_MOST_NAMED_WORKLOADS = 5


@dataclass(frozen=True, slots=True)
class ImageChange:
    """A container of a workload that names the backup in place of the source from now on.

    `application` is namespace/name; `digest` is what the backup holds.
    """

    application: str
    workload: WorkloadKey
    container: str
    source: Reference
    backup: Reference
    digest: str


def commit_message(changes: Sequence[ImageChange]) -> str:
    """The message of a commit that makes these changes: the same for the same changes, in any order."""
    by_source: dict[str, list[ImageChange]] = {}
    for change in sorted(changes, key=lambda c: (str(c.source), c.workload, c.container)):
        by_source.setdefault(str(change.source), []).append(change)
    applications = {change.application for change in changes}
    title = (
        f"chore(images): use backups for {count(len(by_source), 'image')}"
        f" in {count(len(applications), 'application')}"
    )
    body = "\n".join(_line(group) for group in by_source.values())
    trailers = "\n".join(f"Image-Backup: {object_name(group[0].source)}" for group in by_source.values())
    return f"{title}\n\n{body}\n\n{trailers}\n"


def _line(group: Sequence[ImageChange]) -> str:
    first = group[0]
    workloads = list(dict.fromkeys(str(change.workload) for change in group))
    named = ", ".join(workloads[:_MOST_NAMED_WORKLOADS])
    rest = len(workloads) - _MOST_NAMED_WORKLOADS
    more = f" and {rest} more" if rest > 0 else ""
    return f"- {first.source} -> {first.backup}\n  {first.digest}\n  {named}{more}"
