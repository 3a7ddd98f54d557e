"""Putting parameters into texts: all texts that are known at a time together.

Without Go templates, a name in double braces is replaced by its parameter, where that is a text; one that is
not known stays as it is (Replace in applicationset/utils/utils.go in Argo CD).
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from gitops_backup.sources.applicationsets.parameters import CannotEvaluate, Values


class Asked(NamedTuple):
    """A text, and the parameters that are to be put into it.

    Where it is `tried`, a text that takes a parameter that is not there stays as it is.
    """

    text: str
    values: Values
    tried: bool = False


class Templating(Protocol):
    """One of the two ways."""

    def __call__(self, asked: Sequence[Asked]) -> list[str]:
        """What becomes of each text. Raises `CannotEvaluate`."""


def fast_templating(asked: Sequence[Asked]) -> list[str]:
    """Names in double braces are replaced."""
    return [_replaced(each) for each in asked]


def templated(
    pairs: Iterable[tuple[Any, Values]], templating: Templating, *, generators: bool = False
) -> list[Any]:
    """Objects with their parameters in all texts, keys among them; the objects themselves stay as they are.

    The `values` of `generators` are tried alone, because they may name the generator's own parameters.
    Raises `CannotEvaluate`.
    """
    held = list(pairs)
    asked = [Asked(text, values, t) for obj, values in held for text, t in _texts(obj, generators=generators)]
    results = iter(templating(asked) if asked else ())
    return [_rebuilt(obj, results) for obj, _ in held]


def is_templated(text: str) -> bool:
    """Whether there are braces in a text that something could be put into."""
    return "{{" in text


def _replaced(asked: Asked) -> str:
    if not _BOTH.search(asked.text):
        return asked.text
    unclosed = asked.text.rfind("{{") > asked.text.rfind("}}")
    if unclosed:
        raise CannotEvaluate("a template has {{ without }} behind it")

    def parameter(match: re.Match[str]) -> str:
        value = asked.values.get(match[1].strip())
        return value if isinstance(value, str) and match[1].strip() else match[0]

    return _TAG.sub(parameter, asked.text)


def _texts(
    obj: object, *, generators: bool, parent: object = "", tried: bool = False
) -> Iterator[tuple[str, bool]]:
    """The texts that have braces in them, in the order in which `_rebuilt` takes them."""
    if isinstance(obj, str):
        if is_templated(obj):
            yield obj, tried
    elif isinstance(obj, Mapping):
        for key, value in obj.items():
            yield from _texts(key, generators=generators, tried=tried)
            own = generators and (parent, key) in _OWN_VALUES
            inner = generators and key != "elements"
            yield from _texts(value, generators=inner, parent=key, tried=tried or own)
    elif isinstance(obj, list):
        for item in obj:
            yield from _texts(item, generators=generators, tried=tried)


def _rebuilt(obj: Any, results: Iterator[str]) -> Any:
    if isinstance(obj, str):
        return next(results) if is_templated(obj) else obj
    if isinstance(obj, Mapping):
        return {_rebuilt(key, results): _rebuilt(value, results) for key, value in obj.items()}
    if isinstance(obj, list):
        return [_rebuilt(item, results) for item in obj]
    return obj


_OWN_VALUES = frozenset({("git", "values"), ("clusters", "values")})
_BOTH = re.compile(r"\{\{.*\}\}")
_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
