"""Schemas of values that refer to elsewhere."""

import json
from contextlib import nullcontext
from typing import Any

import pytest

from gitops_backup.sources.helm.archives import LARGEST
from gitops_backup.sources.helm.schemas import refuse_schemas_elsewhere
from gitops_backup.sources.helm.value_files import UnusableChart
from tests.hostile.traps_in_charts import archive

_PLACE = "app/values.schema.json"
_DRAFT = "http://json-schema.org/draft-07/schema#"


def refused(files: dict[str, bytes], why: str | None) -> None:
    """Fails unless these files are refused for this, or not at all."""
    expected = pytest.raises(UnusableChart) if why is not None else nullcontext()
    with expected as caught:
        refuse_schemas_elsewhere(files, {})
    if caught is not None:
        assert caught.value.message == why


@pytest.mark.parametrize(
    ("schema", "reference"),
    [
        ({"$schema": _DRAFT, "properties": {"a": {"$ref": "#/definitions/a"}}}, None),
        ({"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://x/y"}, None),
        ({"properties": {"$ref": {"type": "string"}}}, None),
        ([True, None, 1.5, "http://x"], None),
        ({"properties": {"a": {"$ref": "https://x/y.json"}}}, "https://x/y.json"),
        ({"allOf": [{"$ref": "etc/passwd"}]}, "etc/passwd"),
        ({"$ref": "file:///etc/passwd#/a"}, "file:///etc/passwd#/a"),
        ({"$ref": ""}, ""),
        ({"$dynamicRef": "//x/y"}, "//x/y"),
        ({"$recursiveRef": "../y"}, "../y"),
        ({"$schema": "https://x/json-schema.org/"}, "https://x/json-schema.org/"),
    ],
)
def test_a_schema_refers_to_itself_alone(schema: Any, reference: str | None) -> None:
    """To its own parts, and to what Helm knows; what it is called makes no difference."""
    why = f"{_PLACE}, line 1, refers to the schema {reference}, which is not read"
    refused({_PLACE: json.dumps(schema).encode()}, why if reference is not None else None)


def test_the_line_is_told() -> None:
    """Also where the key is written with escapes."""
    content = b'{\n"a":\n{"\\u0024ref":\n "https://x/y"}}'
    refused({_PLACE: content}, f"{_PLACE}, line 4, refers to the schema https://x/y, which is not read")


@pytest.mark.parametrize(
    "content", [b"{", b"\xff", b"[" * 100_000, b'{"a": 1' + b"0" * 10_000 + b"}"], ids=lambda c: str(len(c))
)
def test_a_schema_that_cannot_be_read_is_refused(content: bytes) -> None:
    """Helm may read what Python does not."""
    refused({_PLACE: content}, f"{_PLACE} cannot be read as JSON, and may refer to a schema elsewhere")


def test_archives_are_looked_into() -> None:
    """However deep they are in each other; those that hold no dependency are not."""
    bad = b'{"$ref": "https://x/y"}'
    inner = archive({"b/Chart.yaml": b"", "b/values.schema.json": bad})
    outer = archive({"a/Chart.yaml": b"", "a/charts/b-1.tgz": inner})
    why = "c/charts/a-1.tgz, charts/b-1.tgz, values.schema.json, line 1, refers to the schema https://x/y"
    refused({"c/charts/a-1.tgz": outer}, f"{why}, which is not read")
    refused({"c/files/a-1.tgz": outer}, None)
    good = archive({"a/Chart.yaml": b"", "a/values.schema.json": b"{}"})
    refused({"c/charts/a-1.tgz": good}, None)


def test_archives_that_cannot_be_looked_into_are_refused() -> None:
    """They are damaged, too large, or too deep in each other."""
    packed = archive({"a/Chart.yaml": b""})
    for _ in range(10):
        packed = archive({"a/charts/a-1.tgz": packed})
    large = archive({"a/Chart.yaml": b"\0" * LARGEST})
    refused({"c/charts/a-1.tgz": b"no archive, as Helm says"}, None)
    for content in (b"\x1f\x8bx", large, packed):
        with pytest.raises(UnusableChart, match=r"^c/charts/a-1\.tgz.* too large to look into$"):
            refuse_schemas_elsewhere({"c/charts/a-1.tgz": content}, {})


def test_the_path_is_that_in_the_repository() -> None:
    """Where the renderer sees a dependency that is next door."""
    with pytest.raises(UnusableChart, match=r"^lib/values\.schema\.json, line 1"):
        refuse_schemas_elsewhere(
            {"app/charts/lib/values.schema.json": b'{"$ref": "x"}'},
            {"app/charts/lib/values.schema.json": "lib/values.schema.json"},
        )
