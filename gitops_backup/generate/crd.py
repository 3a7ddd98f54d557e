"""The CustomResourceDefinition of ImageBackup, made from the types that read and write it.

- The schema is structural (Kubernetes documentation, "Extend the Kubernetes API with
  CustomResourceDefinitions", "Specifying a structural schema"). Fields that it does not know are pruned, so
  objects of the earlier system stay readable.
- It sets no defaults: a field that nobody wrote is absent, and a status says only what was seen.
- The image of an ImageBackup never changes, because its name, its backup and its digest follow from it.
"""

from typing import Any

import yaml

from gitops_backup.domain.backups import GROUP, KIND, VERSION, Spec, Status
from gitops_backup.generate.schemas import Schema, plain_schema

PLURAL = "imagebackups"

_HEADER = "# Made from gitops_backup/domain/backups.py by `make manifests`; change it there.\n"
# what may stand in a structural schema, in the order in which it is written
_KEYS = (
    "description",
    "type",
    "format",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "required",
    "properties",
    "items",
)
_IMMUTABLE = {
    "rule": "self == oldSelf",
    "message": "the image of an ImageBackup never changes; create another one for another image",
}


def render() -> str:
    """The CustomResourceDefinition as a YAML file."""
    return _HEADER + yaml.safe_dump(custom_resource_definition(), sort_keys=False, width=100)


def custom_resource_definition() -> dict[str, Any]:
    """The CustomResourceDefinition as an object."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["ib"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": _columns(),
                    "schema": {"openAPIV3Schema": _schema()},
                }
            ],
        },
    }


def _columns() -> list[dict[str, Any]]:
    return [
        _column("Phase", ".status.phase"),
        _column("Image", ".spec.image"),
        _column("Backup", ".status.backup"),
        _column("Age", ".metadata.creationTimestamp", type="date"),
        _column("Duration", ".status.duration"),
        # only shown by -o wide
        _column("Message", '.status.conditions[?(@.type=="Copied")].message', priority=1),
    ]


def _column(name: str, path: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "string", "jsonPath": path} | more


def _schema() -> Schema:
    spec = _structural(plain_schema(Spec))
    spec["properties"]["image"]["x-kubernetes-validations"] = [_IMMUTABLE]
    return {
        "description": "The backup of one image, as workloads write it, in a registry of your own.",
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": spec, "status": _structural(plain_schema(Status))},
    }


def _structural(plain: Schema) -> Schema:
    """The schema without defaults. Raises `TypeError` for what the API server would refuse or ignore."""
    unknown = plain.keys() - {*_KEYS, "default"}
    if unknown:
        raise TypeError(f"a structural schema has no {', '.join(sorted(unknown))}: {plain}")
    schema = {key: plain[key] for key in _KEYS if key in plain}
    if "properties" in schema:
        schema["properties"] = {name: _structural(value) for name, value in schema["properties"].items()}
    if "items" in schema:
        schema["items"] = _structural(schema["items"])
    return schema
