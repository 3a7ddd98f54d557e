"""A Deployment or DaemonSet, and a pod, reduced to what decisions rest on.

Objects come from the API server as plain dicts. They are projected once, at the edge, and forgotten: a
cluster has thousands of them, and one that is odd must not make the others unreadable, so a missing field
reads as the API's default.

Readiness follows `kubectl rollout status` (kubectl's polymorphichelpers/rollout_status.go), which has no
answer for a DaemonSet with the OnDelete strategy: there, available is enough.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from sys import intern
from typing import Any, NamedTuple, Self

from gitops_backup.domain.images import DIGEST, InvalidReference, Reference

ANNOTATION = "k8slab.io/image-backup"
ORIGINAL_IMAGES_ANNOTATION = "k8slab.io/original-images"
TRACKING_ANNOTATION = "argocd.argoproj.io/tracking-id"
INSTALLATION_ANNOTATION = "argocd.argoproj.io/installation-id"
IGNORING_ANNOTATION = "argocd.argoproj.io/ignore-differences"

Object = Mapping[str, Any]


class Kind(StrEnum):
    """The kinds of workload that are acted on."""

    DEPLOYMENT = "Deployment"
    DAEMON_SET = "DaemonSet"


class WorkloadKey(NamedTuple):
    """Which workload: its kind, namespace and name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that `str()` printed. Raises `ValueError` for anything else."""
        kind, namespace, name = text.split("/")
        return cls(kind, namespace, name)


@dataclass(frozen=True, slots=True)
class Container:
    """A container of a pod template: its name, its image as it is written, and its place in its list.

    `managers` are the field managers that own the image.
    """

    name: str
    image: str
    init: bool
    index: int
    managers: tuple[str, ...] = ()


class Rollout(StrEnum):
    """How far a workload's rollout is."""

    NOT_READY = "NotReady"
    """No available pod, or the newest generation was not looked at yet."""
    PROGRESSING = "Progressing"
    """Pods are available, but not all of them are of the current template."""
    COMPLETE = "Complete"
    """`kubectl rollout status` would say that it is rolled out."""
    FAILED = "Failed"
    """It ran into its progress deadline."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a decision needs to know of a workload.

    `directive` is the value of the annotation k8slab.io/image-backup; `owner` the controller that made the
    workload, as `Kind/name`; `originals` are the images that a patch replaced, by container. `version` is the
    resourceVersion that all this was read at, and `annotated` whether there is any annotation. `tracking_id`
    says which Application of Argo CD made it, and `installation_id` which Argo CD, where there are several;
    which of the `labels` does, Argo CD's settings tell. `ignoring` says what it passes over, in YAML.
    """

    key: WorkloadKey
    uid: str
    containers: tuple[Container, ...]
    rollout: Rollout
    available: bool
    scaled_to_zero: bool
    paused: bool
    deleting: bool
    owner: str | None
    directive: str | None
    tracking_id: str | None
    originals: tuple[tuple[str, str], ...] = ()
    updated: bool = True
    """Whether every pod that there is to be is of the current template."""
    annotated: bool = False
    version: str = ""
    installation_id: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    ignoring: str = ""

    @classmethod
    def project(cls, kind: str, obj: Object) -> Self:
        """The projection of an `apps/v1` object of this kind."""
        metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
        annotations = metadata.get("annotations") or {}
        observed = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
        progress = (
            _deployment_progress(spec, status)
            if kind == Kind.DEPLOYMENT
            else _daemon_set_progress(spec, status)
        )
        return cls(
            key=WorkloadKey(kind, metadata.get("namespace", ""), metadata["name"]),
            uid=metadata.get("uid", ""),
            containers=tuple(_containers(spec, metadata.get("managedFields") or ())),
            rollout=_rollout(observed, progress, status),
            available=observed and progress.available > 0,
            scaled_to_zero=observed and progress.desired == 0,
            paused=bool(spec.get("paused")),
            deleting="deletionTimestamp" in metadata,
            owner=_controller(metadata),
            directive=annotations.get(ANNOTATION),
            tracking_id=annotations.get(TRACKING_ANNOTATION),
            installation_id=annotations.get(INSTALLATION_ANNOTATION),
            ignoring=annotations.get(IGNORING_ANNOTATION, ""),
            labels=tuple(sorted((intern(k), intern(v)) for k, v in (metadata.get("labels") or {}).items())),
            originals=tuple(sorted(original_images(annotations).items())),
            updated=observed and progress.updated >= progress.desired,
            annotated=metadata.get("annotations") is not None,
            version=metadata.get("resourceVersion", ""),
        )

    def same_as(self, other: "Workload | None") -> bool:
        """Whether nothing changed from one to the other, but perhaps the version."""
        return other is not None and self == replace(other, version=self.version)

    def was_patched(self, container: str, source: Reference) -> bool:
        """Whether the workload says itself that a patch replaced this source in this container."""
        try:
            return any(
                name == container and Reference.parse(image) == source for name, image in self.originals
            )
        except InvalidReference:
            return False


class RunningImage(NamedTuple):
    """An image that a pod's container runs: as the pod's spec names it, and the digest that was pulled."""

    container: str
    image: str
    digest: str


@dataclass(frozen=True, slots=True)
class Pod:
    """A workload's pod, reduced to the digests that it runs."""

    workload: WorkloadKey
    running: tuple[RunningImage, ...]

    @classmethod
    def project(cls, obj: Object) -> Self | None:
        """The projection of a pod; None where no Deployment or DaemonSet made it, or nothing runs."""
        workload = _workload_of_pod(obj["metadata"])
        if workload is None:
            return None
        spec, status = obj.get("spec") or {}, obj.get("status") or {}
        images = {c["name"]: c.get("image", "") for part in _CONTAINER_LISTS for c in spec.get(part) or ()}
        running = tuple(
            RunningImage(state["name"], images[state["name"]], digest)
            for part in ("initContainerStatuses", "containerStatuses")
            for state in status.get(part) or ()
            if state.get("name") in images and (digest := digest_of(state.get("imageID") or ""))
        )
        return cls(workload, running) if running else None


def original_images(annotations: Mapping[str, str]) -> dict[str, str]:
    """What the annotation k8slab.io/original-images says, by container; nothing where it is broken."""
    try:
        known = json.loads(annotations.get(ORIGINAL_IMAGES_ANNOTATION, "{}"))
    except (ValueError, RecursionError):
        return {}
    return {str(k): str(v) for k, v in known.items()} if isinstance(known, dict) else {}


def digest_of(image_id: str) -> str | None:
    """The digest in an `imageID`: `docker.io/library/nginx@sha256:…`, `docker://sha256:…` or bare.

    An imageID has no grammar of its own; each container runtime writes one of these.
    """
    found = _DIGEST_AT_THE_END.search(image_id)
    return found[0] if found else None


_DIGEST_AT_THE_END = re.compile(rf"(?:{DIGEST.pattern})\Z", re.ASCII)
_CONTAINER_LISTS = ("initContainers", "containers")


class _Progress(NamedTuple):
    desired: int
    updated: int
    current: int
    available: int
    must_be_updated: bool


def _deployment_progress(spec: Object, status: Object) -> _Progress:
    return _Progress(
        desired=spec.get("replicas", 1),
        updated=status.get("updatedReplicas", 0),
        current=status.get("replicas", 0),
        available=status.get("availableReplicas", 0),
        must_be_updated=True,
    )


def _daemon_set_progress(spec: Object, status: Object) -> _Progress:
    desired = status.get("desiredNumberScheduled", 0)
    return _Progress(
        desired=desired,
        updated=status.get("updatedNumberScheduled", 0),
        current=desired,
        available=status.get("numberAvailable", 0),
        must_be_updated=(spec.get("updateStrategy") or {}).get("type") != "OnDelete",
    )


def _rollout(observed: bool, progress: _Progress, status: Object) -> Rollout:
    if not observed:
        return Rollout.NOT_READY
    conditions = {c.get("type"): c for c in status.get("conditions") or ()}
    if (conditions.get("Progressing") or {}).get("reason") == "ProgressDeadlineExceeded":
        return Rollout.FAILED
    if progress.available == 0:
        return Rollout.NOT_READY
    if progress.must_be_updated and (
        progress.updated < progress.desired or progress.current > progress.updated
    ):
        return Rollout.PROGRESSING
    # while a Deployment is scaled down, more pods are updated than are desired
    wanted = max(progress.desired, progress.updated)
    return Rollout.COMPLETE if progress.available >= wanted else Rollout.PROGRESSING


def _containers(spec: Object, managed: Sequence[Object]) -> list[Container]:
    pod = (spec.get("template") or {}).get("spec") or {}
    owned = [(entry.get("manager", ""), _owned(entry)) for entry in managed]
    return [
        Container(
            name=c.get("name", ""),
            image=c.get("image", ""),
            init=part == "initContainers",
            index=index,
            managers=_managers(owned, part, c.get("name", "")),
        )
        for part in _CONTAINER_LISTS
        for index, c in enumerate(pod.get(part) or ())
    ]


def _owned(entry: Object) -> Object:
    """What a field manager owns of the pods' specification (Kubernetes API, `FieldsV1`)."""
    fields = entry.get("fieldsV1") or {}
    for step in ("f:spec", "f:template", "f:spec"):
        fields = fields.get(step) or {}
    return fields


def _managers(owned: Iterable[tuple[str, Object]], part: str, name: str) -> tuple[str, ...]:
    """Who owns the image of a container; in lists, elements are called by what identifies them."""
    lists, element = f"f:{part}", f'k:{{"name":"{name}"}}'
    found = [who for who, fields in owned if "f:image" in (fields.get(lists) or {}).get(element, ())]
    return tuple(map(intern, sorted(set(found))))


def _controller(metadata: Object) -> str | None:
    for owner in metadata.get("ownerReferences") or ():
        if owner.get("controller"):
            return f"{owner.get('kind')}/{owner.get('name')}"
    return None


def _workload_of_pod(metadata: Object) -> WorkloadKey | None:
    kind, _, name = (_controller(metadata) or "").partition("/")
    namespace = metadata.get("namespace", "")
    if kind == "DaemonSet":
        return WorkloadKey(Kind.DAEMON_SET, namespace, name)
    # a ReplicaSet is named after its Deployment and the hash that labels its pods
    template = (metadata.get("labels") or {}).get("pod-template-hash")
    if kind == "ReplicaSet" and template and name.endswith(f"-{template}"):
        return WorkloadKey(Kind.DEPLOYMENT, namespace, name.removesuffix(f"-{template}"))
    return None
