"""The report: what every image in use is, where its copy is, and what the controller would do about it.

It is the plan of the controller itself, put into words. The JSON form is versioned: within a version, fields
are added and never change their meaning.
"""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from gitops_backup.domain.planning import Action, Route
from gitops_backup.domain.reasons import OUT_OF_SCOPE, PASSING, Reason
from gitops_backup.domain.workloads import WorkloadKey

ASSUMED = "Assumed"
"""The state of an image whose copy is taken to be there, with nobody asked."""

FORMAT: Literal["gitops-backup/report/v1"] = "gitops-backup/report/v1"


class Standing(StrEnum):
    """How it stands with a container: what the report counts."""

    SETTLED = "settled"
    """Nothing is to be done, or no more than a copy."""
    DUE = "due"
    """It is to be rewritten now."""
    COMING = "coming"
    """It is to be rewritten once its image is copied."""
    WAITING = "waiting"
    """It is not rewritten yet, for a reason that passes by itself."""
    BLOCKED = "blocked"
    """It is not rewritten, for a reason that does not pass by itself."""
    LEFT_ALONE = "left alone"
    """It is out of scope."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, extra="forbid")


class Place(_Part):
    """Where an image is written in Git."""

    repository: str
    """The repository's URL, normalised."""
    branch: str
    """The branch."""
    commit: str
    """The commit that was looked at."""
    path: str
    """The file."""
    line: int
    """The line, counted from 1, with the change made."""
    line_before: int
    """The line in that commit, or the one behind which the image's name is put in; 1 in a new file."""
    new: bool = False
    """Whether the file is a new one: `.argocd-source-<name>.yaml`, which Argo CD merges over the source."""


class ContainerReport(_Part):
    """One container and its image."""

    name: str
    """The container's name."""
    init: bool
    """Whether it is an init container."""
    image: str
    """The image as the workload names it."""
    external: bool
    """Whether it comes from a registry that its owner does not control."""
    protected: bool
    """Whether it is a backup that is there, or has a verified one, or is trusted."""
    backup: str | None
    """The name of its backup, where there is one to be."""
    digest: str | None
    """The digest that the verified backup holds."""
    action: Action
    """What happens next to it."""
    then: Route | None
    """How the workload is made to use the backup, now or once it is copied; null where it is not."""
    reason: Reason | None
    """Why nothing happens, or not yet."""
    message: str
    """The same in a sentence."""
    remedy: str
    """What a person can do."""
    place: Place | None
    """Where it is written in Git, where that was looked up."""
    difference: str = ""
    """What would be rendered otherwise, as a diff, where that is the reason and diffs were asked for."""

    @property
    def standing(self) -> Standing:
        """How it stands with it."""
        if self.then is not None:
            return Standing.DUE if self.action == Action.REWRITE else Standing.COMING
        if self.reason is None:
            return Standing.SETTLED
        if self.reason in OUT_OF_SCOPE:
            return Standing.LEFT_ALONE
        return Standing.WAITING if self.reason in PASSING else Standing.BLOCKED


class WorkloadReport(_Part):
    """One workload and its containers."""

    kind: str
    """Deployment or DaemonSet."""
    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    application: str | None
    """The Argo CD Application that tracks it, as namespace/name."""
    containers: tuple[ContainerReport, ...]
    """Its containers, init containers first."""

    @property
    def key(self) -> WorkloadKey:
        """Which workload it is."""
        return WorkloadKey(self.kind, self.namespace, self.name)


class ImageReport(_Part):
    """One source image that is in use."""

    image: str
    """The source, in normal form."""
    backup: str
    """The name of its backup."""
    object: str
    """The name of its ImageBackup."""
    state: str
    """The phase of its ImageBackup; `Missing`; or `Assumed`, where nobody asked for it."""
    verified: bool
    """Whether the backup is there beyond doubt."""
    workloads: int
    """How many workloads name it, or its backup."""


class FileReport(_Part):
    """A file that would be changed, or a workload that would be patched."""

    repository: str | None
    """The repository's URL; null for a patch in the cluster."""
    branch: str | None
    """The branch."""
    commit: str | None
    """The commit that the change is on top of."""
    path: str
    """The file, or the workload."""
    diff: str
    """The change as a unified diff."""


class AlongReport(_Part):
    """A place that changes because the same text feeds it, though nobody asked for that."""

    application: str
    """The Application, as namespace/name."""
    kind: str
    """The object's kind."""
    namespace: str
    """Its namespace."""
    name: str
    """Its name."""
    place: str
    """Its container, or the place in it."""
    image: str
    """What stands there."""
    becomes: str
    """What would stand there."""


class Summary(_Part):
    """The report in numbers."""

    workloads: int
    """Workloads looked at."""
    containers: int
    """Their containers."""
    scope: int
    """Containers in scope: all but those that are left alone."""
    external: int
    """Containers in scope whose image comes from a registry that its owner does not control."""
    protected: int
    """Containers in scope whose image is a backup, trusted, or has a verified backup."""
    using: int
    """Those of the protected that name such an image already."""
    copies: int
    """Images to be copied."""
    rewrites: int
    """Containers to be rewritten now."""
    coming: int
    """Containers to be rewritten once their images are copied."""
    waiting: int
    """Containers that are not rewritten yet, for a reason that passes by itself."""
    blocked: int
    """Containers that are not rewritten, copied or not, for a reason that does not pass by itself."""
    coverage: float
    """`protected` as a share of `scope`: whose images would outlive every foreign registry, from 0 to 1."""


class Report(_Part):
    """The whole report."""

    format: Literal["gitops-backup/report/v1"] = FORMAT
    """The version of this format."""
    mode: str
    """The mode that was planned for."""
    backup_repository: str
    """The prefix of all backups."""
    summary: Summary
    """The report in numbers."""
    images: tuple[ImageReport, ...]
    """Each source image in use."""
    workloads: tuple[WorkloadReport, ...]
    """Each workload."""
    files: tuple[FileReport, ...] = ()
    """What would be changed, where diffs were asked for."""
    along: tuple[AlongReport, ...] = ()
    """What would change together with that, such as a StatefulSet that is fed by the same value."""
    problems: tuple[str, ...] = ()
    """What could not be looked at: repositories, files."""

    @property
    def clean(self) -> bool:
        """Whether nothing is due, and nothing waits or is blocked."""
        found = self.summary
        due = found.copies or found.rewrites or found.coming or found.waiting or found.blocked
        return not (due or self.problems)
