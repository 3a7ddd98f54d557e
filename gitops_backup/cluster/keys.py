"""What an object is known by in caches and queues: its namespace and its name."""

from typing import NamedTuple, Self

from gitops_backup.cluster.connection import Json


class ObjectKey(NamedTuple):
    """An object among those of its kind; the namespace of a cluster-scoped one is the empty string."""

    namespace: str
    name: str

    @classmethod
    def of(cls, thing: Json) -> Self:
        """The key of an object as the API server sent it."""
        metadata = thing["metadata"]
        return cls(metadata.get("namespace", ""), metadata["name"])

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name
