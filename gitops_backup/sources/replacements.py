"""What is asked of a place in Git, and what came of it: values that every shape of source shares."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import WorkloadKey
from gitops_backup.errors import one_line


class ObjectId(NamedTuple):
    """A Kubernetes object; `group` is empty for the core group, as `namespace` is where there is none."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return one_line(f"{self.kind} {self.namespace}/{self.name}")

    @classmethod
    def of(cls, workload: WorkloadKey) -> Self:
        """A Deployment or DaemonSet."""
        return cls("apps", workload.kind, workload.namespace, workload.name)


@dataclass(frozen=True, slots=True)
class Replacement:
    """A container's image is to be written as `new`, where it now stands for `old`, in whatever form.

    `new` is a reference; it is written as it is given.
    """

    workload: ObjectId
    container: str
    init: bool
    old: Reference
    new: str

    def __str__(self) -> str:
        return f"{self.workload}, {'init container' if self.init else 'container'} {self.container}"


@dataclass(frozen=True, slots=True)
class ImageUse:
    """A container of a pod template in a file, and its image's text; `before` an edit and now.

    `line` is where the image is written, from 1: with an alias, that is at its anchor.
    """

    path: str
    line: int
    workload: ObjectId
    container: str
    init: bool
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """A replacement that an edit makes, and where; `also` get the new image by sharing an anchor."""

    replacement: Replacement
    path: str
    line: int
    also: tuple[ImageUse, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A replacement that is not made, and why; `message` is one line for people.

    Where that is what would be rendered, `difference` shows it as a diff.
    """

    replacement: Replacement
    reason: Reason
    message: str
    difference: str = ""


@dataclass(frozen=True, slots=True)
class ShapeResult:
    """What is to change in a source. Each replacement asked for is in one of `replaced`, `done`, `refused`.

    `edits` has the new content of each file that changes, by its path. `done` is what Git says already.
    `images` lists all that the workloads of the changed files name afterwards, other kinds than Deployments
    and DaemonSets among them, so that a caller can see that each is unchanged or known to be good.
    """

    edits: Mapping[str, bytes] = field(default_factory=dict)
    replaced: tuple[Replaced, ...] = ()
    done: tuple[Replacement, ...] = ()
    refused: tuple[Refused, ...] = ()
    images: tuple[ImageUse, ...] = ()
