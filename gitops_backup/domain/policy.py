"""Which workloads and images are ours to act on, and why not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Naming, Prefix
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import Workload

IGNORE = "ignore"
PAUSE = "pause"
REWRITE = "rewrite"
THIS_CLUSTER = ("https://kubernetes.default.svc", "in-cluster")
"""The address and the name that Argo CD has for the cluster that it runs in."""


class Mode(StrEnum):
    """What the controller may write."""

    REPORT = "report"
    """Nothing."""
    GITOPS = "gitops"
    """ImageBackups, copies, and commits to the Git source of each Application."""
    DIRECT = "direct"
    """ImageBackups, copies, and patches of workloads."""


class Unmanaged(StrEnum):
    """What is done in gitops mode with a workload that no Application tracks."""

    REPORT = "report"
    PATCH = "patch"


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules that every decision follows.

    Applications in `argocd_namespaces` count, for workloads where they name one of `argocd_destinations` as
    the cluster that they deploy to; `exclusive` says that nothing but this controller pushes below
    the backup prefix; `trusted` are prefixes of other backup registries, whose images are not external;
    `signing_keys` are the ids of the OpenPGP key that commits are signed with, none where there is none.
    """

    mode: Mode
    naming: Naming
    backup_namespace: str = "image-backup"
    restricted_namespaces: frozenset[str] = frozenset(
        {"kube-system", "kube-public", "kube-node-lease", "image-backup"}
    )
    argocd_namespaces: frozenset[str] = frozenset({"argocd"})
    argocd_destinations: frozenset[str] = frozenset(THIS_CLUSTER)
    trusted: tuple[Prefix, ...] = ()
    exclusive: bool = False
    unmanaged: Unmanaged = Unmanaged.REPORT
    signing_keys: frozenset[str] = frozenset()

    def trusts(self, image: Reference) -> bool:
        """Whether the image lies in somebody's backup registry already, ours aside."""
        return any(prefix.covers(image) for prefix in self.trusted)


@dataclass(frozen=True, slots=True)
class Namespaces:
    """What namespaces say about themselves: the value of the annotation k8slab.io/image-backup of each."""

    directives: Mapping[str, str] = field(default_factory=dict)

    def ignored(self, namespace: str) -> bool:
        """Whether the namespace is annotated to be left alone."""
        return self.directives.get(namespace) == IGNORE

    def paused(self, policy: Policy) -> bool:
        """Whether the namespace of the backups is annotated to hold all rewriting."""
        return self.directives.get(policy.backup_namespace) == PAUSE


def out_of_scope(workload: Workload, namespaces: Namespaces, policy: Policy) -> Reason | None:
    """Why a workload's images are none of our business; None when they are."""
    if workload.key.namespace in policy.restricted_namespaces:
        return Reason.RESTRICTED_NAMESPACE
    if namespaces.ignored(workload.key.namespace) or workload.directive == IGNORE:
        return Reason.IGNORED
    if workload.deleting:
        return Reason.DELETING
    return None
