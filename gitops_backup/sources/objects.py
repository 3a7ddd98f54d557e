"""Reading parts of untyped objects: what is missing, or of another type, reads as empty."""

from collections.abc import Mapping
from typing import Any

Object = Mapping[str, Any]
"""An object of an API, or a mapping in a file, as it was read."""


def text_of(obj: Object, key: str) -> str:
    """The text under a key."""
    value = obj.get(key)
    return value if isinstance(value, str) else ""


def list_of(obj: Object, key: str) -> list[Any]:
    """The list under a key."""
    value = obj.get(key)
    return value if isinstance(value, list) else []


def texts_of(obj: Object, key: str) -> tuple[str, ...]:
    """The texts in the list under a key."""
    return tuple(each for each in list_of(obj, key) if isinstance(each, str))


def part_of(obj: Object, key: str) -> Object:
    """The mapping under a key."""
    value = obj.get(key)
    return value if isinstance(value, Mapping) else {}


def parts_of(obj: Object, key: str) -> list[Object]:
    """The mappings in the list under a key."""
    return [each for each in list_of(obj, key) if isinstance(each, Mapping)]
