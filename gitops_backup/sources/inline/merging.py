"""A source of an Application with what a parameter file says merged over it, as Argo CD does it.

The file is a JSON merge patch of the source (RFC 7396): mappings are merged, and everything else, lists among
them, is replaced. What comes of it is then decoded onto the source that was there before, so that a field can
be set, and not be taken away; of a list's items, what the new ones do not say stays as the old ones in their
places had it (mergeSourceParameters in Argo CD's reposerver/repository/repository.go, and encoding/json of
Go, which knows a field by its name in any letter case).
"""

from collections.abc import Mapping
from typing import Any

from gitops_backup.errors import GitopsBackupError
from gitops_backup.sources.objects import Object

FREE = frozenset({"valuesObject", "commonLabels", "commonAnnotations", "patches"})
"""The fields whose keys are people's own."""

_KEPT = ("repoURL", "path", "targetRevision", "chart")
_FIELDS = (
    "helm", "kustomize", "directory", "plugin", "ref", "name", "value", "valueFiles", "parameters",
    "forceString", "releaseName", "values", "valuesObject", "fileParameters", "ignoreMissingValueFiles",
    "skipCrds", "skipSchemaValidation", "skipTests", "passCredentials", "namespace", "kubeVersion",
    "apiVersions", "version", "images", "namePrefix", "nameSuffix", "commonLabels", "commonAnnotations",
    "forceCommonLabels", "forceCommonAnnotations", "labelWithoutSelector", "labelIncludeTemplates",
    "replicas", "count", "patches", "components", "ignoreMissingComponents", "recurse", "include",
    "exclude", "jsonnet", "extVars", "tlas", "libs", "code", "env", "repoURL", "path", "targetRevision",
    "chart",
)  # fmt: skip
_NAMES = {name.lower(): name for name in _FIELDS}


class CannotMerge(GitopsBackupError):
    """A parameter file says what does not fit the source; the message names it, with no place in it."""


def folded(patch: object) -> Any:
    """What a parameter file says, its fields by the names that they have here. Raises `CannotMerge`."""
    if isinstance(patch, Mapping):
        found: dict[str, Any] = {}
        for key, value in patch.items():
            name = _NAMES.get(str(key).lower(), str(key))
            if name in found:
                raise CannotMerge(f"it has {name} in two letter cases")
            found[name] = value if name in FREE else folded(value)
        return found
    return [folded(each) for each in patch] if isinstance(patch, list) else patch


def merged(source: Object, patch: object) -> Object:
    """The source with what a parameter file says, folded, merged over it. Raises `CannotMerge`."""
    if not isinstance(patch, Mapping):
        raise CannotMerge("expected a mapping, which Argo CD does, too")
    result = _decoded(source, _patched(source, patch))
    kept = {key: source[key] for key in _KEPT if key in source}
    return {**{key: value for key, value in result.items() if key not in _KEPT}, **kept}


def _patched(target: object, patch: object) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    found = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = _patched(found.get(key), value)
    return found


def _decoded(before: object, now: object) -> Any:
    """What is decoded onto what was there before."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        inner = {
            key: value if key == "valuesObject" else _decoded(before.get(key), value)
            for key, value in now.items()
        }
        return {**before, **inner}
    if isinstance(before, list) and isinstance(now, list):
        old = [*before, *[None] * len(now)]
        return [_decoded(old[number], each) for number, each in enumerate(now)]
    return now
