"""Schemas of a chart's values that refer to elsewhere, which are not read.

Helm validates values against each `values.schema.json`, and goes wherever one of these refers to: to a
server, or to a file anywhere on the machine, because what is relative is so to the machine's root. So all
that they may refer to is themselves, and the meta-schemas that Helm has. A schema that cannot be read refers
to who knows where.
"""

import json
import posixpath
import re
from collections.abc import Iterator, Mapping

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.helm.archives import files_of_archive
from gitops_backup.sources.helm.value_files import UnusableChart
from gitops_backup.sources.rendering import Files

SCHEMA = "values.schema.json"

_DEEPEST = 8
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_GZIP = b"\x1f\x8b"
_META = re.compile(r"https?://json-schema\.org/")


def refuse_schemas_elsewhere(files: Files, origins: Mapping[str, str]) -> None:
    """Raises `UnusableChart` where a schema among these files, or in an archive of a chart, is not all there.

    `origins` has the path in the repository of those files that stand elsewhere there.
    """
    for path, content in files.items():
        shown = one_line(origins.get(path, path))
        if posixpath.basename(path) == SCHEMA:
            _refuse(shown, content)
        elif _is_archive(path):
            _refuse_inside(shown, content, depth=1)


def _is_archive(path: str) -> bool:
    return path.endswith(".tgz") and posixpath.basename(posixpath.dirname(path)) == "charts"


def _refuse_inside(shown: str, archive: bytes, *, depth: int) -> None:
    if not archive.startswith(_GZIP):  # Helm says so
        return
    inside = files_of_archive(archive, whole=True)
    if not inside or depth > _DEEPEST:
        message = f"{shown} is no archive of a chart, or one that is too large to look into"
        raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message)
    for path, content in inside.items():
        inner = f"{shown}, {one_line(path)}"
        if posixpath.basename(path) == SCHEMA:
            _refuse(inner, content)
        elif _is_archive(path):
            _refuse_inside(inner, content, depth=depth + 1)


def _refuse(shown: str, content: bytes) -> None:
    try:
        schema = json.loads(content)
    except (ValueError, RecursionError) as error:
        message = f"{shown} cannot be read as JSON, and may refer to a schema elsewhere"
        raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message) from error
    for reference in _elsewhere(schema):
        line = content.count(b"\n", 0, max(0, content.find(json.dumps(reference).encode()))) + 1
        message = f"{shown}, line {line}, refers to the schema {one_line(reference)}, which is not read"
        raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message)


def _elsewhere(schema: object) -> Iterator[str]:
    stack = [schema]
    while stack:
        here = stack.pop()
        if isinstance(here, list):
            stack += here
        elif isinstance(here, dict):
            stack += here.values()
            for key, value in here.items():
                if isinstance(value, str) and (
                    (key in _REFERENCES and not value.startswith("#"))
                    or (key == "$schema" and not _META.match(value))
                ):
                    yield value
