"""What a commit says of itself: how much it changes, each image with its backup and its record, and where."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gitops_backup.controller.along import Along
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.errors import count

_MOST_NAMED = 5
_CONTROLLER = "Backup-Controller: "


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


def commit_title(changes: Sequence[ImageChange]) -> str:
    """How much is changed, in one line."""
    images = len({change.source for change in changes})
    applications = len({change.application for change in changes})
    return f"chore(images): use backups for {count(images, 'image')} in {count(applications, 'application')}"


def commit_message(
    changes: Sequence[ImageChange], along: Iterable[Along] = (), *, controller: str | None = None
) -> str:
    """The message of a commit that makes these changes: the same for the same changes, in any order.

    `along` is what changes together with them. On a branch of its own it names the `controller`, too, which
    may put another commit in its place.
    """
    by_source: dict[str, list[ImageChange]] = {}
    for change in sorted(changes, key=lambda c: (str(c.source), c.workload, c.container)):
        by_source.setdefault(str(change.source), []).append(change)
    others: dict[str, list[str]] = {}
    for each in sorted(along):
        others.setdefault(str(Reference.parse(each.before)), []).append(str(each))
    body = "\n".join(_line(group, others.get(source, ())) for source, group in by_source.items())
    trailers = "\n".join(f"Image-Backup: {object_name(group[0].source)}" for group in by_source.values())
    whose = "" if controller is None else f"{_CONTROLLER}{controller}\n"
    return f"{commit_title(changes)}\n\n{body}\n\n{trailers}\n{whose}"


def is_made_by(message: str, controller: str) -> bool:
    """Whether a commit's message names this controller."""
    return f"{_CONTROLLER}{controller}" in message.splitlines()


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
