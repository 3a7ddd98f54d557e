"""The block `helm` of an Application's source (ApplicationSourceHelm in Argo CD's types.go)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from gitops_backup.sources.objects import Object, parts_of, text_of, texts_of
from gitops_backup.sources.rendering import FileParameter, Parameter


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
        values = json.dumps(inline) if has_object else text_of(helm, "values")
        return cls(
            place=place,
            release=text_of(helm, "releaseName"),
            namespace=text_of(helm, "namespace"),
            value_files=texts_of(helm, "valueFiles"),
            ignore_missing_value_files=helm.get("ignoreMissingValueFiles") is True,
            values=values,
            values_field="valuesObject" if has_object else "values" if values else "",
            parameters=tuple(_parameters(helm)),
            skip_schema_validation=helm.get("skipSchemaValidation") is True,
            kube_version=text_of(helm, "kubeVersion"),
            api_versions=texts_of(helm, "apiVersions"),
            file_parameters=tuple(_file_parameters(helm)),
        )

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that are named, wherever they are: of values, and those that are a value as a whole."""
        return (*self.value_files, *(each.path for each in self.file_parameters))


def _parameters(helm: Object) -> list[Parameter]:
    return [
        Parameter(text_of(each, "name"), text_of(each, "value"), text=each.get("forceString") is True)
        for each in parts_of(helm, "parameters")
        if text_of(each, "name")
    ]


def _file_parameters(helm: Object) -> list[FileParameter]:
    return [
        FileParameter(text_of(each, "name"), text_of(each, "path"))
        for each in parts_of(helm, "fileParameters")
        if text_of(each, "name")
    ]
