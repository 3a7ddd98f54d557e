"""Reading a mapping as Argo CD reads it.

It converts YAML with the second version of Go's YAML library (sigs.k8s.io/yaml 1.6, decode.go of
go.yaml.in/yaml/v2), which takes the entries one after the other: of a key that is written twice the last
value holds, and a merge key (`<<`) sets what it merges just where it stands, so that it overrides the keys
before it, too. Other readers let an explicit key win over a merged one wherever it stands.
"""

from collections.abc import Iterator
from typing import NamedTuple

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitops_backup.sources.documents import Steps


class Found(NamedTuple):
    """A node, and the way to it from where one looked."""

    steps: Steps
    node: Node


def find(node: Node, *keys: str) -> Found | None:
    """The value that stands under the first key, in it under the second, and so on."""
    steps: Steps = ()
    for key in keys:
        held = _value(node, key)
        if held is None:
            return None
        steps += held[0]
        node = held[1]
    return Found(steps, node)


def text(node: Node, *keys: str) -> str | None:
    """The scalar that stands there, as text; None where there is none."""
    found = find(node, *keys)
    return found.node.value if found is not None and isinstance(found.node, ScalarNode) else None


def items(node: Node, *keys: str) -> Iterator[Found]:
    """The items of the sequence that stands there, with their ways from `node`."""
    found = find(node, *keys)
    if found is not None and isinstance(found.node, SequenceNode):
        for number, item in enumerate(found.node.value):
            yield Found((*found.steps, number), item)


def entries(mapping: MappingNode) -> list[tuple[Node, Found]]:
    """The keys and values that hold, those that are merged in among them."""
    held: dict[str | int, tuple[Node, Found]] = {}
    for number, (key, value) in enumerate(mapping.value):
        if not _merges(key):
            held[_identity(key)] = key, Found((number,), value)
            continue
        for way, merged in reversed(list(_merged(value))):
            for inner_key, inner in entries(merged):
                held[_identity(inner_key)] = inner_key, Found((number, *way, *inner.steps), inner.node)
    return list(held.values())


def _value(node: Node, key: str) -> tuple[Steps, Node] | None:
    if not isinstance(node, MappingNode):
        return None
    number = len(node.value)
    for candidate, value in reversed(node.value):
        number -= 1
        if candidate.value == key and isinstance(candidate, ScalarNode):
            return (number,), value
        if _merges(candidate):
            for way, merged in _merged(value):
                held = _value(merged, key)
                if held is not None:
                    return (number, *way, *held[0]), held[1]
    return None


def _merges(key: Node) -> bool:
    return key.value == "<<" and isinstance(key, ScalarNode) and not key.style


def _merged(value: Node) -> Iterator[tuple[Steps, MappingNode]]:
    """The mappings that a merge key merges; the first of a sequence wins."""
    if isinstance(value, MappingNode):
        yield (), value
    elif isinstance(value, SequenceNode):
        for number, item in enumerate(value.value):
            if isinstance(item, MappingNode):
                yield (number,), item


def _identity(key: Node) -> str | int:
    return key.value if isinstance(key, ScalarNode) else id(key)
