"""ImageBackup: the record of one image's copy.

An ImageBackup stands for an image as workloads write it. It fixes which digest its tag in the backup registry
holds before anything is pushed; the write that does so carries the object's resourceVersion, and is what
workers, replicas and a leader that was paused win or lose. The types here are the custom resource's schema:
the CustomResourceDefinition is generated from them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
)

from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import WorkloadKey

GROUP = "k8slab.io"
VERSION = "v1alpha1"
KIND = "ImageBackup"

MOST_REWRITES = 1000
MOST_DIGESTS = 50
MOST_NAMED_USERS = 5


def _utc(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        return aware.astimezone(UTC).replace(microsecond=0)
    except OverflowError as error:
        raise ValueError("the time is out of range") from error


def _rfc3339(moment: datetime) -> str:
    return _utc(moment).isoformat().replace("+00:00", "Z")


def _none_for_blank(value: Any) -> Any:
    return None if value == "" else value


Time = Annotated[
    datetime,
    AfterValidator(_utc),
    PlainSerializer(_rfc3339),
    Field(json_schema_extra={"format": "date-time"}),
]
"""A time as Kubernetes writes it: UTC, whole seconds."""


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="ignore", use_attribute_docstrings=True, populate_by_name=True
    )


class Phase(StrEnum):
    """How far the copy is, in the capitals of the earlier system."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class ConditionType(StrEnum):
    """What a condition of an ImageBackup speaks about."""

    COPIED = "Copied"
    VERIFIED = "Verified"
    ROLLED_OUT = "RolledOut"
    TAG_MOVED = "TagMoved"


class Condition(_Part):
    """One observation about the backup, in the form of Kubernetes' metav1.Condition."""

    type: str
    """Copied, Verified, RolledOut or TagMoved."""
    status: Literal["True", "False", "Unknown"]
    """Whether it is so."""
    reason: str
    """Why, in one CamelCase word."""
    message: str = ""
    """Why, in a sentence."""
    observed_generation: int = Field(default=0, alias="observedGeneration")
    """The generation of the ImageBackup that this was seen for."""
    last_transition: Time | None = Field(default=None, alias="lastTransitionTime")
    """When the status last changed."""


class DigestRecord(_Part):
    """One digest of the image that runs, or ran, and where its copy is."""

    digest: str
    """The digest that the nodes pulled."""
    tag: str
    """The tag in the backup registry that holds it."""
    verified: bool = False
    """Whether the copy was compared with the source."""
    since: Time | None = None
    """When it was first seen running."""
    workloads: tuple[str, ...] = ()
    """The first few workloads that run it."""


class Users(_Part):
    """The workloads that still name the source."""

    count: int = 0
    """How many there are."""
    first: tuple[str, ...] = ()
    """The first few of them, as Kind/namespace/name."""


class RewriteState(StrEnum):
    """What became of a rewrite."""

    PROPOSED = "Proposed"
    """The change is in a pull request that is open."""
    DECLINED = "Declined"
    """The change was in a pull request that a person closed, and did not merge."""
    COMMITTED = "Committed"
    """The change is in Git, or about to be; the workload does not show it yet."""
    APPLIED = "Applied"
    """The workload names the backup."""
    HEALTHY = "Healthy"
    """The workload names the backup and was rolled out with it."""
    REVERTED = "Reverted"
    """The workload named the backup once, and names the source again."""


class Rewrite(_Part):
    """One container that was made to use the backup."""

    workload: str
    """The workload, as Kind/namespace/name."""
    container: str
    """The name of the container."""
    state: RewriteState
    """What became of it."""
    at: Time
    """When it was made."""
    commit: str | None = None
    """The Git commit that made it, or proposes it; absent for a patch."""
    parent: str | None = None
    """The commit that it was made upon."""
    pull_request: str | None = None
    """Where the pull request is that it was proposed in."""
    was_healthy: bool = False
    """Whether it was ever rolled out."""
    reversals: tuple[Time, ...] = ()
    """When it was undone, the last three times."""

    @property
    def key(self) -> tuple[str, str]:
        """The workload and the container."""
        return self.workload, self.container


class Spec(_Part):
    """What is to be backed up."""

    image: str = Field(min_length=1, max_length=1024)
    """The source image in normal form, for example docker.io/library/nginx:1.25."""
    platforms: tuple[str, ...] = ()
    """The platforms to copy, for example linux/amd64; none means all."""


class Status(_Part):
    """What was done, and what was seen."""

    phase: Phase | None = None
    """How far the copy is."""
    backup: str | None = None
    """The name that workloads use the backup by."""
    digest: str | None = None
    """The digest that the backup's tag holds; fixed before anything is pushed."""
    manifests: tuple[str, ...] = ()
    """The digests of the manifests within it, one for each platform."""
    platforms: tuple[str, ...] = ()
    """The platforms that it holds."""
    size: int | None = Field(default=None, json_schema_extra={"format": "int64"})
    """Its size in bytes, compressed, as far as its manifests say."""
    digests: tuple[DigestRecord, ...] = ()
    """Each digest that runs or ran."""
    create_at: Annotated[Time | None, BeforeValidator(_none_for_blank)] = None
    """When the first copy was begun."""
    completed_at: Annotated[Time | None, BeforeValidator(_none_for_blank)] = None
    """When the copy was verified."""
    duration: str | None = None
    """How long the copy took, for example 4.2s."""
    attempts: int = 0
    """How often the copy was tried since it last succeeded or the spec changed."""
    next_attempt: Time | None = None
    """When it is tried again."""
    conditions: tuple[Condition, ...] = Field(
        default=(),
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    """Copied, Verified, RolledOut and TagMoved."""
    users: Users | None = None
    """The workloads that still name the source."""
    rewrites: tuple[Rewrite, ...] = ()
    """The containers that were made to use the backup; the newest thousand."""
    unused_since: Time | None = None
    """When the last use ended."""

    def condition(self, kind: ConditionType) -> Condition | None:
        """The condition of this type, if there is one."""
        return next((c for c in self.conditions if c.type == kind), None)

    def holds(self, kind: ConditionType) -> bool:
        """Whether the condition of this type is there and true."""
        found = self.condition(kind)
        return found is not None and found.status == "True"

    def with_condition(
        self,
        kind: ConditionType,
        status: bool | None,
        *,
        reason: str,
        message: str,
        generation: int,
        now: datetime,
    ) -> Self:
        """This status with one condition set; its transition time moves only when its status changes."""
        word: Literal["True", "False", "Unknown"] = (
            "Unknown" if status is None else "True" if status else "False"
        )
        old = self.condition(kind)
        since = old.last_transition if old is not None and old.status == word else now
        new = Condition(
            type=kind,
            status=word,
            reason=reason,
            message=message,
            observedGeneration=generation,
            lastTransitionTime=since,
        )
        others = [c for c in self.conditions if c.type != kind]
        return self.model_copy(update={"conditions": tuple(sorted([*others, new], key=lambda c: c.type))})

    def as_json(self) -> dict[str, Any]:
        """The status as it stands in the object, without what is not known and lists that are empty."""
        shown: dict[str, Any] = _without_empty_lists(
            self.model_dump(mode="json", by_alias=True, exclude_none=True)
        )
        return shown


@dataclass(frozen=True, slots=True)
class ImageBackup:
    """An ImageBackup object: which one it is, and what its spec and status say."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    generation: int
    deleting: bool
    image: Reference
    spec: Spec
    status: Status

    @classmethod
    def project(cls, obj: Mapping[str, Any]) -> Self | None:
        """The projection of an object from the API server; None where its spec names no image.

        Objects of the earlier system are read as well: their status has a phase and times alone. A part of
        the status that cannot be read is as good as absent; it is written again.
        """
        metadata = obj["metadata"]
        try:
            spec = Spec.model_validate(obj.get("spec") or {})
            image = Reference.parse(spec.image)
        except (InvalidReference, ValueError):
            return None
        return cls(
            namespace=metadata.get("namespace", ""),
            name=metadata["name"],
            uid=metadata.get("uid", ""),
            resource_version=metadata.get("resourceVersion", ""),
            generation=metadata.get("generation", 0),
            deleting="deletionTimestamp" in metadata,
            image=image,
            spec=spec,
            status=_readable(obj.get("status") or {}),
        )

    @property
    def well_named(self) -> bool:
        """Whether its name is the one that follows from its image; the earlier system had other names."""
        return self.name == object_name(self.image)

    @property
    def verified(self) -> bool:
        """Whether its backup holds, beyond doubt, `status.digest` of the source."""
        return self.status.digest is not None and self.status.holds(ConditionType.VERIFIED)

    @property
    def settled(self) -> bool:
        """Whether its first attempt has ended: verified, or failed at least once."""
        return self.verified or self.status.phase == Phase.FAILED or self.status.attempts > 1

    def failed_for(self, reason: Reason) -> bool:
        """Whether the last attempt for the present spec failed, and for this reason."""
        copied = self.status.condition(ConditionType.COPIED)
        failed = copied is not None and copied.status == "False" and copied.reason == reason
        return failed and not self.outdated

    @property
    def outdated(self) -> bool:
        """Whether its spec changed since a copy last succeeded or failed."""
        copied = self.status.condition(ConditionType.COPIED)
        return copied is not None and copied.observed_generation < self.generation

    def covers(self, digests: Iterable[str]) -> bool:
        """Whether each of these running digests is the one that the backup's tag holds, or one within it."""
        known = {self.status.digest, *self.status.manifests}
        return all(digest in known for digest in digests)

    def failure(self) -> tuple[Reason, str]:
        """Why it is not verified: a reason and a sentence."""
        found = self.status.condition(ConditionType.COPIED)
        verified = self.status.condition(ConditionType.VERIFIED)
        worst = next((c for c in (found, verified) if c is not None and c.status == "False"), None)
        if worst is not None and worst.reason in set(Reason):
            return Reason(worst.reason), worst.message
        return Reason.BACKUP_PENDING, "the copy is not verified yet"

    def rewrite(self, workload: WorkloadKey, container: str) -> Rewrite | None:
        """What is on record about this container of this workload."""
        key = (str(workload), container)
        return next((r for r in self.status.rewrites if r.key == key), None)


def _readable(status: Any) -> Status:
    try:
        return Status.model_validate(status)
    except ValidationError as error:
        wrong = {part["loc"][0] for part in error.errors() if part["loc"]}
        return _readable({key: value for key, value in status.items() if key not in wrong} if wrong else {})


def _without_empty_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_empty_lists(item) for key, item in value.items() if item != []}
    return [_without_empty_lists(item) for item in value] if isinstance(value, list) else value
