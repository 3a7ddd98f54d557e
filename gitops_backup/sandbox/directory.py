"""What Argo CD makes of a directory of plain manifests: which files count, and which objects they hold.

After its documentation of directory sources: files that end in yaml, yml or json, those of the folder itself
or, with `recurse`, of those below; `include` and `exclude` are globs over the path from that folder, in which
`*` goes across slashes and `{a,b}` means either; exclusion wins. A file with a certain marker is passed over.
Globs with a backslash are refused, as they are understood differently, and so are programs of jsonnet.
"""

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

import yaml

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sandbox.api import Json

_MANIFEST = re.compile(r".*\.(ya?ml|json|jsonnet)")
_BRACES = re.compile(r"\{([^{}]*)\}")
_SKIPPED = b"+argocd:skip-file-rendering"
_KUSTOMIZATIONS = ("kustomization.yaml", "kustomization.yml", "Kustomization")


class ManifestError(GitopsBackupError):
    """A manifest cannot be read; the message names the file."""


def source_type(files: Mapping[str, bytes], source: Json) -> str:
    """`Directory`, `Kustomize`, `Helm` or `Plugin`: a block that says something, or the names there."""
    for block in ("plugin", "kustomize", "helm", "directory"):
        if any(value not in (None, "", [], False) for value in (source.get(block) or {}).values()):
            return block.capitalize()
    folder = _folder(source)
    if any(str(folder / name) in files for name in _KUSTOMIZATIONS):
        return "Kustomize"
    charts = (PurePosixPath(path) for path in files if path.endswith("Chart.yaml"))
    return "Helm" if any(path.parent == folder for path in charts) else "Directory"


def manifests(files: Mapping[str, bytes], source: Json) -> list[Json]:
    """The objects in the files that the source selects, in the files' order. Raises `ManifestError`."""
    options = source.get("directory") or {}
    folder = _folder(source)
    # nearly every file of a large repository is somewhere else
    prefix = "" if folder == PurePosixPath() else f"{folder}/"
    objects: list[Json] = []
    for path in sorted(path for path in files if path.startswith(prefix)):
        if _selected(PurePosixPath(path), folder, options) and _SKIPPED not in files[path]:
            objects += _objects(path, files[path])
    return objects


def _folder(source: Json) -> PurePosixPath:
    return PurePosixPath(source.get("path") or ".")


def _selected(path: PurePosixPath, folder: PurePosixPath, options: Json) -> bool:
    if not path.is_relative_to(folder) or not _MANIFEST.fullmatch(path.name):
        return False
    inside = path.relative_to(folder)
    if len(inside.parts) > 1 and not options.get("recurse"):
        return False
    if options.get("exclude") and _matches(str(inside), options["exclude"]):
        return False
    return not options.get("include") or _matches(str(inside), options["include"])


def _matches(path: str, pattern: str) -> bool:
    if "\\" in pattern:
        raise ManifestError(f"this stand-in knows no glob like {one_line(pattern)}")
    braces = _BRACES.search(pattern)
    if braces is None:
        return fnmatch.fnmatchcase(path, pattern)
    head, tail = pattern[: braces.start()], pattern[braces.end() :]
    return any(_matches(path, f"{head}{choice}{tail}") for choice in braces[1].split(","))


def _objects(path: str, content: bytes) -> Iterator[Json]:
    if path.endswith(".jsonnet"):
        raise ManifestError(f"{path}: this stand-in knows no jsonnet")
    try:
        documents = [json.loads(content)] if path.endswith(".json") else list(yaml.load_all(content, _Loader))
    except (ValueError, yaml.YAMLError) as error:
        raise ManifestError(f"{path}: {one_line(str(error))}") from error
    for document in documents:
        if document is None:
            continue
        if not isinstance(document, dict) or "kind" not in document:
            raise ManifestError(f"{path}: not a Kubernetes object")
        # kubectl's list kinds are wrappers around what they list
        listed = document["kind"].endswith("List") and "items" in document
        yield from document["items"] if listed else [document]


_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
