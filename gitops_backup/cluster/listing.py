"""All objects of a kind as of one moment, projected to what is used of them.

Pages are read one by one and forgotten, so that what is held is the projections and a page. When the token of
the next page has expired, what was seen is no whole any more and the list starts over.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from gitops_backup.cluster.connection import Connection, Json
from gitops_backup.cluster.errors import Gone
from gitops_backup.cluster.keys import ObjectKey
from gitops_backup.cluster.resources import Resource
from gitops_backup.errors import Transient

T = TypeVar("T")

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """The projections of all objects of a kind, and the resource version that they are of."""

    objects: dict[ObjectKey, T]
    resource_version: str


def list_objects(
    connection: Connection,
    resource: Resource,
    *,
    project: Callable[[Json], T | None],
    namespace: str | None = None,
    page_size: int = 500,
) -> Listing[T]:
    """All objects of a kind, in one namespace or all, but those that `project` answers None for.

    `project` gets objects without `apiVersion` and `kind`, as lists have them. Raises what
    `Connection.get` raises, and `Transient` when pages expire again and again.
    """
    for _ in range(_ATTEMPTS):
        try:
            return _list_once(connection, resource.path(namespace), project, page_size)
        except Gone:
            continue
    raise Transient(f"the pages of {resource} expire faster than they can be read")


def _list_once(
    connection: Connection, path: str, project: Callable[[Json], T | None], page_size: int
) -> Listing[T]:
    objects: dict[ObjectKey, T] = {}
    version = ""
    for page in connection.list_pages(path, limit=page_size):
        version = page["metadata"]["resourceVersion"]
        for item in page["items"] or ():
            projection = project(item)
            if projection is not None:
                objects[ObjectKey.of(item)] = projection
        page.clear()  # or two pages would be held while the next one is read
    return Listing(objects, version)
