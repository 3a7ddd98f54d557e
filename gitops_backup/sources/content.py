"""What YAML says: the values that a node stands for, without where and how they are written.

Scalars that are no text stay as they are written, so that none is taken for another's equal.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.resolver import Resolver

from gitops_backup.sources.documents import line_of
from gitops_backup.sources.mappings import entries

Value: TypeAlias = object
"""A mapping by text, a list, a text, or `Bare`."""


class KeyIsNoText(ValueError):
    """A mapping has a list or a mapping for a key, on this line."""

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


@dataclass(frozen=True, slots=True)
class Bare:
    """A scalar that is no text, such as a number, a truth value or null: as it is written."""

    text: str


def content_of(node: Node) -> Value:
    """What a node stands for, aliases and merge keys followed. Raises `KeyIsNoText`."""
    if isinstance(node, MappingNode):
        return {_key(key): content_of(found.node) for key, found in entries(node)}
    if isinstance(node, SequenceNode):
        return [content_of(item) for item in node.value]
    text = str(node.value)
    if node.tag in _TEXT_TAGS or (node.tag == "?" and reads_as_text(text)):
        return text
    return Bare(text if node.tag == "?" else f"{node.tag} {text}")


def reads_as_text(plain: str) -> bool:
    """Whether a scalar without quotes is a text, and no number, date, truth value or null."""
    tag: object = _RESOLVER.resolve(ScalarNode, plain, (True, False))  # type: ignore[no-untyped-call]
    return tag in _PLAIN_TEXT


def decoded(value: Value) -> Any:
    """The value with numbers, truth values and null as a decoder of JSON has them."""
    if isinstance(value, dict):
        return {key: decoded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [decoded(each) for each in value]
    return _scalar(value.text) if isinstance(value, Bare) else value


def _scalar(text: str) -> Any:
    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text
    return read if read is None or isinstance(read, bool | int | float) else text


def _key(node: Node) -> str:
    if not isinstance(node, ScalarNode):
        raise KeyIsNoText(line_of(node))
    return str(node.value)


_TEXT_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
_PLAIN_TEXT = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "value", "merge"))
_RESOLVER = Resolver()
