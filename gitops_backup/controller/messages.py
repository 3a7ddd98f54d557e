"""What a commit says of itself: how much it changes, each image with its backup and its record, and where."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gitops_backup.controller.along import Along
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.errors import count

_MOST_NAMED = 5


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


def commit_message(changes: Sequence[ImageChange], along: Iterable[Along] = ()) -> str:
    """The message of a commit that makes these changes: the same for the same changes, in any order.

    `along` is what changes together with them.
    """
    by_source: dict[str, list[ImageChange]] = {}
    for change in sorted(changes, key=lambda c: (str(c.source), c.workload, c.container)):
        by_source.setdefault(str(change.source), []).append(change)
    applications = {change.application for change in changes}
    title = (
        f"chore(images): use backups for {count(len(by_source), 'image')}"
        f" in {count(len(applications), 'application')}"
    )
    others: dict[str, list[str]] = {}
    for each in sorted(along):
        others.setdefault(str(Reference.parse(each.before)), []).append(str(each))
    body = "\n".join(_line(group, others.get(source, ())) for source, group in by_source.items())
    trailers = "\n".join(f"Image-Backup: {object_name(group[0].source)}" for group in by_source.values())
    return f"{title}\n\n{body}\n\n{trailers}\n"


def _line(group: Sequence[ImageChange], others: Sequence[str]) -> str:
    first = group[0]
    lines = [f"- {first.source} -> {first.backup}", first.digest]
    lines.append(_some(", ", [str(change.workload) for change in group]))
    if others:
        lines.append(f"also: {_some('; ', others)}")
    return "\n  ".join(lines)


def _some(separator: str, names: Sequence[str]) -> str:
    """The first few, each once, and how many there are besides."""
    different = list(dict.fromkeys(names))
    rest = len(different) - _MOST_NAMED
    more = f" and {rest} more" if rest > 0 else ""
    return separator.join(different[:_MOST_NAMED]) + more
