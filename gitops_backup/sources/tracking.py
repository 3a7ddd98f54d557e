"""Whose a workload is, by what Argo CD writes on it (util/argo/resource_tracking.go in Argo CD).

- As a rule that is an annotation, which names the Application and the object that it was written on.
  Annotations are copied from parents to children, so it counts on the object that it names alone.
- A label with the Application's name counts where an Argo CD goes by labels, and nothing else does there.
  Elsewhere it says nothing: Helm charts set the label that is Argo CD's default themselves.
- Of several Argo CDs for one cluster, each may write down which one it is, beside the annotation: an
  Application of the same name may be another one's.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

from gitops_backup.domain.workloads import Workload
from gitops_backup.sources.replacements import ObjectId


class TrackingId(NamedTuple):
    """What Argo CD writes on an object that it manages: the Application's instance name, and the object."""

    instance: str
    tracked: ObjectId

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The id that an annotation says; None where it says none."""
        instance, _, rest = text.partition(":")
        kind, colon, name = rest.partition(":")
        if not colon or kind.count("/") != 1 or name.count("/") != 1:
            return None
        return cls(instance, ObjectId(*kind.split("/"), *name.split("/")))


@dataclass(frozen=True, slots=True)
class Tracking:
    """How an Argo CD knows again what it deployed.

    `label` is the key of the label that it goes by; None where it goes by annotations. `installation_id` is
    what it writes down of itself; empty where it does not.
    """

    label: str | None = None
    installation_id: str = ""

    def instance(self, workload: Workload) -> str:
        """The instance of the Application that a workload names as its own; empty where it names none."""
        if self.label is not None:
            return dict(workload.labels).get(self.label, "")
        tracking = TrackingId.parse(workload.tracking_id or "")
        own = tracking is not None and tracking.tracked == ObjectId.of(workload.key)
        return tracking.instance if tracking is not None and own else ""

    def is_ours(self, workload: Workload) -> bool:
        """Whether what a workload names is an Application of this Argo CD, and not of another one."""
        return self.label is not None or (workload.installation_id or "") == self.installation_id

    def is_foreign(self, workload: Workload) -> bool:
        """Whether a workload says outright that another Argo CD made it."""
        return bool(self.installation_id and workload.installation_id) and not self.is_ours(workload)
