"""The kinds of object that are read or written, and the paths at which the API server has them.

A path says everything about a request but its verb, so a refusal can be explained from the path alone:
`Location.of` is the inverse of `Resource.path` for the kinds named here, and knows no others.
"""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of object in one version of its API group; the core group is the empty string."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    def __str__(self) -> str:
        """As RBAC and kubectl name it: `deployments.apps`, `pods`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        """As an object's `apiVersion` has it; objects inside a list carry neither that nor their kind."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def api_path(self) -> str:
        """Where discovery lists the kinds of this group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(
        self, namespace: str | None = None, name: str | None = None, subresource: str | None = None
    ) -> str:
        """The path of the collection, of one object, or of a subresource of it.

        With no namespace, the collection spans all of them.
        """
        parts = [self.api_path]
        if self.namespaced and namespace:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        return "/".join([*parts, *(part for part in (name, subresource) if part)])


@dataclass(frozen=True, slots=True)
class Location:
    """What a path names."""

    resource: Resource
    namespace: str | None = None
    name: str | None = None
    subresource: str | None = None

    @classmethod
    def of(cls, path: str) -> Self | None:
        """What `path` names; None for a path of no kind that this module knows."""
        for resource in _ALL:
            prefix = f"{resource.api_path}/"
            if not path.startswith(prefix):
                continue
            parts = path.removeprefix(prefix).split("/")
            namespace = None
            if resource.namespaced and len(parts) > 2 and parts[0] == "namespaces":
                namespace, parts = parts[1], parts[2:]
            if parts[0] == resource.plural:
                name, subresource = (*parts[1:3], None, None)[:2]
                return cls(resource, namespace, name, subresource)
        return None


CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap")
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
PODS = Resource("", "v1", "pods", "Pod")
SECRETS = Resource("", "v1", "secrets", "Secret")
DAEMON_SETS = Resource("apps", "v1", "daemonsets", "DaemonSet")
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
REPLICA_SETS = Resource("apps", "v1", "replicasets", "ReplicaSet")
IMAGE_BACKUPS = Resource("k8slab.io", "v1alpha1", "imagebackups", "ImageBackup")
APPLICATIONS = Resource("argoproj.io", "v1alpha1", "applications", "Application")
APP_PROJECTS = Resource("argoproj.io", "v1alpha1", "appprojects", "AppProject")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
EVENTS = Resource("events.k8s.io", "v1", "events", "Event")
CUSTOM_RESOURCE_DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
SELF_SUBJECT_ACCESS_REVIEWS = Resource(
    "authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced=False
)

_ALL = (
    CONFIG_MAPS,
    NODES,
    PODS,
    SECRETS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    IMAGE_BACKUPS,
    APPLICATIONS,
    APP_PROJECTS,
    LEASES,
    EVENTS,
    CUSTOM_RESOURCE_DEFINITIONS,
    SELF_SUBJECT_ACCESS_REVIEWS,
    NAMESPACES,  # the last: its objects' paths begin like those of everything inside a namespace
)
