"""What YAML stands for where Argo CD evaluates it, and how Go prints it.

The ApplicationSet controller turns YAML into JSON (sigs.k8s.io/yaml 1.6, which reads scalars as resolve.go of
go.yaml.in/yaml/v2 does: `yes` and `y` are truth values, `1:30` is a text), and reads that with every number
as a float64. So `1000000` is printed as `1e+06`.
"""

import math
import re
from decimal import Decimal
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitops_backup.sources.content import KeyIsNoText
from gitops_backup.sources.documents import line_of
from gitops_backup.sources.mappings import entries


def value_of(node: Node) -> Any:
    """What a node stands for: mappings, lists, texts, numbers, truth values and None.

    Raises `KeyIsNoText`.
    """
    if isinstance(node, MappingNode):
        return {_key(key): value_of(found.node) for key, found in entries(node)}
    if isinstance(node, SequenceNode):
        return [value_of(item) for item in node.value]
    text = str(node.value)
    return _plain(text) if node.tag == "?" else text


def printed(value: Any) -> str:
    """A value as Go's `%v` prints it, for what comes from JSON and is no mapping or list."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _number(float(value)) if isinstance(value, int | float) else str(value)


def _key(node: Node) -> str:
    """A key as JSON has it: that of `on: 1` is `true`."""
    if not isinstance(node, ScalarNode):
        raise KeyIsNoText(line_of(node))
    value = _plain(str(node.value)) if node.tag == "?" else str(node.value)
    if value is None:
        raise KeyIsNoText(line_of(node))
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else printed(value)


def _plain(text: str) -> Any:
    """A scalar without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    plain = text.replace("_", "")
    for pattern, base in _INTEGERS:
        match = pattern.fullmatch(plain)
        if match is not None:
            return int(f"{match[1]}{match[2]}", base)
    return float(plain) if text[:1] in _NUMERIC and _FLOAT.fullmatch(plain) else text


def _number(value: float) -> str:
    """The shortest digits that say it, with an exponent below -4 and from 6 on, as `%v` has it."""
    if not math.isfinite(value):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    point = len(text) + int(exponent)
    minus = "-" if sign else ""
    if value and not -4 <= point - 1 < _EXPONENT_FROM:
        fraction = f".{text[1:]}" if len(text) > 1 else ""
        return f"{minus}{text[0]}{fraction}e{'-' if point < 1 else '+'}{abs(point - 1):02d}"
    if point <= 0:
        return f"{minus}0.{'0' * -point}{text}" if value else f"{minus}0"
    whole, rest = text[:point].ljust(point, "0"), text[point:]
    return f"{minus}{whole}.{rest}" if rest else f"{minus}{whole}"


_EXPONENT_FROM = 6
_TRUE = ("y", "yes", "true", "on")
_FALSE = ("n", "no", "false", "off")
_WORDS: dict[str, bool | None] = {
    **{form: True for word in _TRUE for form in (word, word.capitalize(), word.upper())},
    **{form: False for word in _FALSE for form in (word, word.capitalize(), word.upper())},
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_INTEGERS = (
    (re.compile(r"([-+]?)(0|[1-9][0-9]*)"), 10),
    (re.compile(r"([-+]?)0[xX]([0-9a-fA-F]+)"), 16),
    (re.compile(r"([-+]?)0[oO]?([0-7]+)"), 8),
    (re.compile(r"([-+]?)0[bB]([01]+)"), 2),
)
_NUMERIC = tuple("+-.0123456789")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
