"""Images that a deployment leaves as they are, whatever Git says of them."""

from dataclasses import dataclass

from gitops_backup.domain.workloads import Container, WorkloadKey


@dataclass(frozen=True, slots=True)
class Unheeded:
    """Which images, and the field that says so.

    `place` has the field, where it is not the Application itself that has it. The images are those of
    workloads of some kinds, in one namespace and with one name where these are not empty; of them, those of
    init containers or of the others where `init` is not None; and of these, the one at an index or with a
    name, and those that a field manager owns, where one is given.
    """

    field: str
    kinds: frozenset[str]
    place: str = ""
    namespace: str = ""
    name: str = ""
    init: bool | None = None
    index: int | None = None
    container: str = ""
    manager: str = ""

    def covers(self, key: WorkloadKey, container: Container) -> bool:
        """Whether the image of this container is one of them."""
        return (
            key.kind in self.kinds
            and self.namespace in ("", key.namespace)
            and self.name in ("", key.name)
            and self.init in (None, container.init)
            and self.index in (None, container.index)
            and self.container in ("", container.name)
            and (not self.manager or self.manager in container.managers)
        )
