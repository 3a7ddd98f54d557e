"""Which kinds the API server knows: a custom one once its CustomResourceDefinition is established."""

from gitops_backup.cluster.connection import Connection
from gitops_backup.cluster.errors import NotFound
from gitops_backup.cluster.resources import Resource


def serves(connection: Connection, resource: Resource) -> bool:
    """Whether the API server serves `resource` in its version; raises what `Connection.get` raises."""
    try:
        known = connection.get(resource.api_path)
    except NotFound:
        return False
    return any(kind["name"] == resource.plural for kind in known["resources"])
