"""The Application that a template makes: the template of the set, its generators' own, and the patch."""

from collections.abc import Mapping
from typing import Any

from gitops_backup.errors import one_line
from gitops_backup.sources.applicationsets.parameters import CannotEvaluate

_Object = Mapping[str, Any]


def filled(own: Any, base: Any, *, name: str = "") -> Any:
    """A generator's template, with what it says nothing of from the set's (mergo, without override)."""
    if name not in _WHOLE and isinstance(own, Mapping) and isinstance(base, Mapping):
        keys = dict.fromkeys((*own, *base))
        return {key: filled(own.get(key), base.get(key), name=str(key)) for key in keys}
    return base if own in (None, "", 0, False) or own == [] or own == {} else own


def patched(application: _Object, patch: object) -> dict[str, Any]:
    """An Application with a `templatePatch` over it.

    Argo CD merges strategically: of an Application that means mapping by mapping, lists as a whole; null
    takes away. The project stays. Raises `CannotEvaluate` for what strategic merging knows besides.
    """
    if not isinstance(patch, Mapping):
        raise CannotEvaluate("templatePatch is expected to be a mapping")
    merged = _merged(application, patch, "templatePatch")
    spec = merged.get("spec")
    project = application["spec"].get("project")
    if isinstance(spec, dict) and project is not None:
        spec["project"] = project
    return merged


def _merged(base: _Object, patch: _Object, place: str) -> dict[str, Any]:
    merged = dict(base)
    for key, value in patch.items():
        held, where = merged.get(key), f"{place}.{one_line(str(key))}"
        if str(key).startswith("$") or key in _LISTS_OF_METADATA:
            raise CannotEvaluate(f"{where} is not understood here")
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(held, Mapping) and held:
            if key in _WHOLE:
                raise CannotEvaluate(f"{where} is merged with the template's, which is not understood here")
            merged[key] = _merged(held, value, where)
        else:
            merged[key] = _without_nulls(value)
    return merged


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return value


_WHOLE = frozenset({"valuesObject"})
_LISTS_OF_METADATA = frozenset({"finalizers", "ownerReferences"})
