"""What is read again before a decision is acted on, and every write but the Lease and events.

A write says what it was computed from: a status the object's resourceVersion, a patch its own `test`
operations, a delete the object's uid. When that does not hold any more, it is a `Conflict`: look again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gitops_backup.cluster.connection import Connection, Json
from gitops_backup.cluster.errors import Invalid, NotFound
from gitops_backup.cluster.listing import list_objects
from gitops_backup.cluster.resources import (
    APPLICATIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    IMAGE_BACKUPS,
    NAMESPACES,
    Resource,
)
from gitops_backup.domain.backups import ImageBackup, Status
from gitops_backup.domain.images import Reference
from gitops_backup.domain.workloads import ANNOTATION, Kind, WorkloadKey
from gitops_backup.errors import Conflict, GitopsBackupError, Transient

_REFRESH_ANNOTATION = "argocd.argoproj.io/refresh"
_HYDRATE_ANNOTATION = "argocd.argoproj.io/hydrate"
_WORKLOADS: dict[str, Resource] = {Kind.DEPLOYMENT: DEPLOYMENTS, Kind.DAEMON_SET: DAEMON_SETS}


class ClusterWriter:
    """Reads and writes single objects; ImageBackups live in `namespace`.

    Applications are where `argocd` leads to, where that is another API server.

    All methods raise what `Connection` raises, `Conflict` where an object is no longer as it was seen.
    """

    def __init__(self, connection: Connection, *, namespace: str, argocd: Connection | None = None) -> None:
        self._connection = connection
        self._argocd = argocd or connection
        self._namespace = namespace

    def read(self, key: WorkloadKey) -> Json | None:
        """The workload's object as it is now; None when it is gone."""
        try:
            return self._connection.get(_path(key))
        except NotFound:
            return None

    def directive(self, namespace: str) -> str | None:
        """The annotation k8slab.io/image-backup of a namespace as it is now."""
        try:
            found = self._connection.get(NAMESPACES.path(name=namespace))
        except NotFound:
            return None
        return directive_of(found)

    def directives(self) -> Mapping[str, str]:
        """The annotation k8slab.io/image-backup of each namespace that has it, as it is now."""
        listed = list_objects(self._connection, NAMESPACES, project=directive_of).objects
        return {key.name: directive for key, directive in listed.items()}

    def identity(self) -> str:
        """What tells this installation from others, as long as its namespace stays: the namespace's uid."""
        found = list_objects(self._connection, NAMESPACES, project=lambda obj: str(obj["metadata"]["uid"]))
        uids = {key.name: uid for key, uid in found.objects.items()}
        if self._namespace not in uids:
            raise Transient(f"there is no namespace {self._namespace}")
        return uids[self._namespace]

    def patch(self, key: WorkloadKey, operations: Sequence[dict[str, Any]]) -> None:
        """Apply a JSON patch to a workload as a whole; its first operation tests the resourceVersion.

        Raises `Conflict` when the workload is no longer at that version, or gone.
        """
        try:
            self._connection.json_patch(_path(key), operations)
        except NotFound as error:
            raise Conflict(f"{key} is gone") from error
        except Invalid as error:
            # a test that fails and an admission policy that denies answer alike
            now = self.read(key)
            if now is not None and now["metadata"]["resourceVersion"] == operations[0]["value"]:
                raise GitopsBackupError(
                    f"the API server refuses the patch of {key}: {error.message}"
                ) from error
            raise Conflict(f"{key} changed: {error.message}") from error

    def create_backup(self, name: str, image: Reference) -> None:
        """Make an ImageBackup; that it is there already is fine."""
        body: Json = {
            "apiVersion": IMAGE_BACKUPS.api_version,
            "kind": IMAGE_BACKUPS.kind,
            "metadata": {"name": name, "namespace": self._namespace},
            "spec": {"image": str(image)},
        }
        try:
            self._connection.create(IMAGE_BACKUPS.path(self._namespace), body)
        except Conflict:
            return

    def write_status(self, backup: ImageBackup, status: Status) -> ImageBackup:
        """Replace the status of an ImageBackup, and return what the object is afterwards."""
        body: Json = {
            "apiVersion": IMAGE_BACKUPS.api_version,
            "kind": IMAGE_BACKUPS.kind,
            "metadata": {
                "name": backup.name,
                "namespace": backup.namespace,
                "uid": backup.uid,
                "resourceVersion": backup.resource_version,
            },
            "spec": backup.spec.model_dump(mode="json", exclude_defaults=True),
            "status": status.as_json(),
        }
        path = IMAGE_BACKUPS.path(backup.namespace, backup.name)
        try:
            written = ImageBackup.project(self._connection.replace_status(path, body))
        except NotFound as error:
            raise Conflict(f"the ImageBackup {backup.name} is gone") from error
        if written is None:
            raise Conflict(f"the ImageBackup {backup.name} names no image any more")
        return written

    def delete(self, backup: ImageBackup) -> None:
        """Delete an ImageBackup as it was seen; that it is gone already is fine."""
        preconditions = {"uid": backup.uid, "resourceVersion": backup.resource_version}
        try:
            self._connection.delete(
                IMAGE_BACKUPS.path(backup.namespace, backup.name), preconditions=preconditions
            )
        except NotFound:
            return

    def refresh(self, namespace: str, name: str, *, hydrate: bool) -> None:
        """Ask Argo CD to look at an Application's source now, or, to `hydrate`, at what that is made from.

        That the Application is gone is fine.
        """
        annotation = _HYDRATE_ANNOTATION if hydrate else _REFRESH_ANNOTATION
        body: Json = {"metadata": {"annotations": {annotation: "normal"}}}
        try:
            self._argocd.merge_patch(APPLICATIONS.path(namespace, name), body)
        except NotFound:
            return


def directive_of(namespace: Json) -> str | None:
    """A namespace's annotation k8slab.io/image-backup."""
    directive: str | None = (namespace["metadata"].get("annotations") or {}).get(ANNOTATION)
    return directive


def _path(key: WorkloadKey) -> str:
    return _WORKLOADS[key.kind].path(key.namespace, key.name)
