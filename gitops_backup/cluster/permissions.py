"""A permission as RBAC grants it and a person reads it: a verb on a resource, somewhere."""

from dataclasses import dataclass
from typing import Self

from gitops_backup.cluster.resources import Location, Resource

_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class Permission:
    """A verb on a resource, in one namespace or, with none, in all of them.

    Prints as `list deployments.apps in all namespaces`.
    """

    verb: str
    resource: Resource
    namespace: str | None = None
    subresource: str | None = None

    @classmethod
    def of_request(cls, *, method: str, path: str, watching: bool) -> Self | None:
        """The permission that a request needs; None when its path is of no known resource.

        The verbs are those of the Kubernetes documentation, "Authorization", "Request verbs".
        """
        location = Location.of(path)
        if location is None:
            return None
        reading = "watch" if watching else "get" if location.name else "list"
        return cls(
            verb=_VERBS.get(method, reading),
            resource=location.resource,
            namespace=location.namespace,
            subresource=location.subresource,
        )

    def __str__(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else str(self.resource)
        if not self.resource.namespaced:
            return f"{self.verb} {what}"
        where = f"the namespace {self.namespace}" if self.namespace else "all namespaces"
        return f"{self.verb} {what} in {where}"
