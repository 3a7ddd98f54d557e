"""What changes along with an edit: whatever else is fed by the text that is edited.

A key of a value file may feed a StatefulSet or a Job as well, or an argument or an environment variable that
holds the same reference. Nobody asked for these, and they can only follow: so they are told.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.errors import one_line
from gitops_backup.sources.rendered import described
from gitops_backup.sources.rendered_proof import Proven
from gitops_backup.sources.replacements import ObjectId, Replaced


@dataclass(frozen=True, slots=True, order=True)
class Along:
    """A place in an object of an Application, namespace/name, that says `now` what was `before`."""

    application: str
    object: ObjectId
    place: str
    before: str
    now: str

    def __str__(self) -> str:
        return f"{self.object}, {self.place}"


def along_of_proof(application: str, proof: Proven) -> Iterator[Along]:
    """All that changes in the rendering of an Application, what was asked for as well."""
    for image, now in proof.images.items():
        yield Along(application, image.workload, _container(image.container), image.text, now)
    for each in proof.elsewhere:
        yield Along(application, each.object, described(each.steps), str(each.before), str(each.after))


def along_of_edit(application: str, replaced: Replaced) -> Iterator[Along]:
    """What gets a new image together with the one that was asked for."""
    for use in replaced.also:
        yield Along(application, use.workload, _container(use.container), use.before, use.now)


def unasked(found: Iterable[Along], asked: Iterable[tuple[str, WorkloadKey, str]]) -> list[Along]:
    """What was not asked for, sorted, each thing once; `asked` are Applications, workloads, containers."""
    known = {(application, ObjectId.of(key), _container(name)) for application, key, name in asked}
    return sorted({each for each in found if (each.application, each.object, each.place) not in known})


def _container(name: str) -> str:
    return f"container {one_line(name)}"
