"""A mapping of keys to any number of values each."""

from collections.abc import Hashable
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)


class Multimap(Generic[K, V]):
    """Values by keys; a key without values takes no room."""

    def __init__(self) -> None:
        self._values: dict[K, set[V]] = {}

    def __getitem__(self, key: K) -> AbstractSet[V]:
        """The values of a key: as they are now, and none where there are none."""
        return self._values.get(key, frozenset())

    def add(self, key: K, value: V) -> None:
        """A key has this value, too."""
        self._values.setdefault(key, set()).add(value)

    def discard(self, key: K, value: V) -> None:
        """A key does not have this value any more, if it had it."""
        values = self._values.get(key, set())
        values.discard(value)
        if not values:
            self._values.pop(key, None)

    def clear(self) -> None:
        """No key has a value."""
        self._values.clear()
