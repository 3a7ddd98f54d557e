"""JSON schemas of our types in the plain form that readers of schemas agree on.

pydantic describes an optional value as "this or null" and a type of its own as a reference. A structural
schema of Kubernetes knows neither, and a table has no room for them: here, each type stands where it is used,
and what is optional is simply not required.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]


def plain_schema(model: type[BaseModel]) -> Schema:
    """The schema of a model without references and without null.

    Raises `TypeError` for a type that cannot be said so: a union of several types.
    """
    schema = model.model_json_schema()
    return _plain(schema, schema.get("$defs", {}))


def _plain(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    merged = _referenced(node, definitions)
    plain = {key: value for key, value in merged.items() if key not in ("$defs", "title")}
    if "properties" in plain:
        plain["properties"] = {
            name: _plain(value, definitions) for name, value in plain["properties"].items()
        }
    for key in ("items", "additionalProperties"):
        if isinstance(plain.get(key), dict):
            plain[key] = _plain(plain[key], definitions)
    if "description" in plain:
        plain["description"] = " ".join(plain["description"].split())
    return plain


def _referenced(node: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """The node with what it refers to put in its place; what the node says itself goes first."""
    own = dict(node)
    if "anyOf" in own:
        choices = [choice for choice in own.pop("anyOf") if choice != {"type": "null"}]
        if len(choices) != 1:
            raise TypeError(f"a value of several types has no plain schema: {choices}")
        own = _referenced(choices[0], definitions) | own
    if "$ref" in own:
        name = own.pop("$ref").removeprefix("#/$defs/")
        own = _referenced(definitions[name], definitions) | own
    return own
