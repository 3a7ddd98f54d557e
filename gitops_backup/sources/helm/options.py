"""The block `helm` of an Application's source (ApplicationSourceHelm in Argo CD's types.go)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from gitops_backup.sources.rendering import FileParameter, Parameter

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class HelmBlock:
    """What an Application itself says of a chart.

    `place` is the block's own in the Application. `values` is a YAML document, empty for none, and
    `values_field` is the field that it comes from: an object wins over a text. The paths of `file_parameters`
    are as the Application has them. What is set inline may be secret, and is not printed. Whether custom
    resource definitions and tests are rendered does not matter here, and is not kept.
    """

    place: str = "helm"
    release: str = ""
    namespace: str = ""
    value_files: tuple[str, ...] = ()
    ignore_missing_value_files: bool = False
    values: str = field(default="", repr=False)
    values_field: str = ""
    parameters: tuple[Parameter, ...] = field(default=(), repr=False)
    file_parameters: tuple[FileParameter, ...] = ()
    skip_schema_validation: bool = False
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()

    @classmethod
    def project(cls, helm: Object, *, place: str) -> Self:
        """The projection of the block; what is missing, or of another type, reads as unset."""
        inline = helm.get("valuesObject")
        has_object = isinstance(inline, Mapping)  # an empty one, too
        values = json.dumps(inline) if has_object else _text(helm, "values")
        return cls(
            place=place,
            release=_text(helm, "releaseName"),
            namespace=_text(helm, "namespace"),
            value_files=_texts(helm, "valueFiles"),
            ignore_missing_value_files=helm.get("ignoreMissingValueFiles") is True,
            values=values,
            values_field="valuesObject" if has_object else "values" if values else "",
            parameters=tuple(_parameters(helm)),
            skip_schema_validation=helm.get("skipSchemaValidation") is True,
            kube_version=_text(helm, "kubeVersion"),
            api_versions=_texts(helm, "apiVersions"),
            file_parameters=tuple(_file_parameters(helm)),
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that are named, wherever they are: of values, and those that are a value as a whole."""
        return (*self.value_files, *(each.path for each in self.file_parameters))


def _parameters(helm: Object) -> list[Parameter]:
    return [
        Parameter(_text(each, "name"), _text(each, "value"), text=each.get("forceString") is True)
        for each in _list(helm, "parameters")
        if isinstance(each, Mapping) and _text(each, "name")
    ]


def _file_parameters(helm: Object) -> list[FileParameter]:
    return [
        FileParameter(_text(each, "name"), _text(each, "path"))
        for each in _list(helm, "fileParameters")
        if isinstance(each, Mapping) and _text(each, "name")
    ]


def _texts(helm: Object, key: str) -> tuple[str, ...]:
    return tuple(each for each in _list(helm, key) if isinstance(each, str))


def _list(helm: Object, key: str) -> list[Any]:
    value = helm.get(key)
    return value if isinstance(value, list) else []


def _text(helm: Object, key: str) -> str:
    value = helm.get(key)
    return value if isinstance(value, str) else ""
