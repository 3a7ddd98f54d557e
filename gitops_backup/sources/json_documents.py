"""JSON as the same trees of nodes that YAML is composed to.

YAML refuses some JSON: surrogate pairs in escapes, keys of more than 1,024 characters, several values one
after the other. So JSON (RFC 8259) is composed here, with the standard library's reader of strings.
"""

import re
from bisect import bisect_left
from json import JSONDecodeError, JSONDecoder

from yaml.error import Mark
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode


class InvalidJson(ValueError):
    """The text is no JSON: what is wrong, at which offset."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.offset = offset


def compose_json(text: str, *, deepest: int) -> tuple[Node, ...]:
    """The values that stand in the text one after the other; marks count code points, and lines from 0.

    Raises `InvalidJson`, also for values that are nested more than `deepest` levels.
    """
    return _Composer(text).values(deepest)


class _Composer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._strings = JSONDecoder()
        self._line_breaks = [found.start() for found in re.finditer("\n", text)]

    def values(self, deepest: int) -> tuple[Node, ...]:
        roots: list[Node] = []
        offset = self._next(0)
        while offset < len(self._text):
            roots.append(self._value(offset, deepest))
            offset = self._next(roots[-1].end_mark.index)
        return tuple(roots)

    def _value(self, start: int, deepest: int) -> Node:
        opening = self._text[start : start + 1]
        if opening == '"':
            return self._string(start)
        if opening in ("{", "["):
            if not deepest:
                raise InvalidJson("values are nested too deeply", start)
            return self._mapping(start, deepest - 1) if opening == "{" else self._sequence(start, deepest - 1)
        literal = _LITERAL.match(self._text, start)
        if literal is None:
            raise InvalidJson("expected a JSON value", start)
        return ScalarNode("?", literal[0], self._mark(start), self._mark(literal.end()))

    def _string(self, start: int) -> ScalarNode:
        if not self._text.startswith('"', start):
            raise InvalidJson("expected a string in double quotes", start)
        try:
            value, end = self._strings.raw_decode(self._text, start)
        except JSONDecodeError as error:
            raise InvalidJson(error.msg, error.pos) from error
        return ScalarNode("!", value, self._mark(start), self._mark(end), style='"')

    def _mapping(self, start: int, deepest: int) -> MappingNode:
        pairs: list[tuple[Node, Node]] = []
        offset = self._next(start + 1)
        while not self._text.startswith("}", offset):
            key = self._string(self._past(",", offset) if pairs else offset)
            value = self._value(self._past(":", self._next(key.end_mark.index)), deepest)
            pairs.append((key, value))
            offset = self._next(value.end_mark.index)
        return MappingNode("?", pairs, self._mark(start), self._mark(offset + 1), flow_style=True)

    def _sequence(self, start: int, deepest: int) -> SequenceNode:
        items: list[Node] = []
        offset = self._next(start + 1)
        while not self._text.startswith("]", offset):
            items.append(self._value(self._past(",", offset) if items else offset, deepest))
            offset = self._next(items[-1].end_mark.index)
        return SequenceNode("?", items, self._mark(start), self._mark(offset + 1), flow_style=True)

    def _past(self, token: str, offset: int) -> int:
        if not self._text.startswith(token, offset):
            raise InvalidJson(f"expected {token!r}", offset)
        return self._next(offset + 1)

    def _next(self, offset: int) -> int:
        found = _SPACE.match(self._text, offset)
        return found.end() if found else offset

    def _mark(self, offset: int) -> Mark:
        return Mark("", offset, bisect_left(self._line_breaks, offset), 0, None, 0)


_SPACE = re.compile(r"[ \t\n\r]*")
_LITERAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null")
