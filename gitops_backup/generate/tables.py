"""The documentation's tables, in Markdown: every setting, and every reason."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from gitops_backup.domain.reasons import EXPLANATIONS, Reason
from gitops_backup.generate.schemas import Schema, plain_schema
from gitops_backup.settings import (
    ENVIRONMENT_PREFIX,
    ClusterSettings,
    RegistrySettings,
    RepositorySettings,
    Settings,
)

_SETTINGS = f"""\
<!-- Made from gitops_backup/settings.py by `make manifests`; change it there. -->

# Settings

Every setting can be given under its name in a YAML file (`--config`), and as `{ENVIRONMENT_PREFIX}` with its
name in capitals in the environment. Where a command has a flag for it, the flag wins over the environment,
and the environment over the file. An unknown name or a bad value ends the start with one line that names it.

In the environment, a list of texts is written with commas, and what is a mapping or a list of them as YAML.
`BACKUP_REPOSITORY`, `BACKUP_REPOSITORY_USERNAME` and `BACKUP_REPOSITORY_PASSWORD` work without the
prefix, too.

"""

_REGISTRIES = """
## Settings of a registry

`registries` maps a prefix of image names, a host for example, to these; the longest prefix counts.

"""

_REPOSITORIES = """
## Settings of a repository

`repositories` maps a prefix of repositories' URLs, such as `https://git.example/team`, to these; the longest
prefix counts. [Pull requests](pull-requests.md) says more.

"""

_CLUSTERS = """
## Settings of a cluster

Each cluster of `argocd_clusters` has these.
[Clusters that Argo CD knows](install.md#clusters-that-argo-cd-knows) says how to list them.

"""

_REASONS = """\
<!-- Made from gitops_backup/domain/reasons.py by `make manifests`; change it there. -->

# Reasons

Why an image was not copied or not rewritten, or why a workload was left alone. The same names stand in the
conditions of an ImageBackup, in events, in metrics and in the report.

"""


def settings_page() -> str:
    """The page with every setting: its name, its default, what it may be, and what it means."""
    registries = _REGISTRIES + _settings_table(RegistrySettings)
    repositories = _REPOSITORIES + _settings_table(RepositorySettings)
    clusters = _CLUSTERS + _settings_table(ClusterSettings)
    return _SETTINGS + _settings_table(Settings) + registries + repositories + clusters


def reasons_page() -> str:
    """The page with every reason: what it means, and what to do about it."""
    rows = [(f"`{reason}`", EXPLANATIONS[reason].meaning, EXPLANATIONS[reason].remedy) for reason in Reason]
    return _REASONS + _table(("Reason", "What it means", "What to do"), rows)


def _settings_table(model: type[BaseModel]) -> str:
    whole = plain_schema(model)
    properties: dict[str, Schema] = whole["properties"]
    needed = whole.get("required", ())
    rows = [
        (
            f"`{name}`",
            _kind(schema),
            "has to be said" if name in needed else _default(schema),
            schema["description"],
        )
        for name, schema in properties.items()
    ]
    return _table(("Name", "Value", "Default", "Meaning"), rows)


def _kind(schema: Schema) -> str:
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    match schema["type"]:
        case "string":
            return {"path": "path", "password": "secret text"}.get(schema.get("format", ""), "text")
        case "boolean":
            return "`true` or `false`"
        case "array" if schema["items"]["type"] == "object":
            return "list of mappings, see below"
        case "array":
            return "list of texts"
        case "object" if schema["additionalProperties"].get("type") == "string":
            return "mapping of texts"
        case "object":
            return "mapping, see below"
    unit = "whole number" if schema["type"] == "integer" else "number"
    return f"{unit}, {_number(schema['minimum'])} to {_number(schema['maximum'])}"


def _default(schema: Schema) -> str:
    if "default" not in schema:
        return "depends on the user"
    value = schema["default"]
    if value in (None, "", [], {}):
        return ""
    return f"`{', '.join(value) if isinstance(value, list) else _number(value)}`"


def _number(value: Any) -> str:
    # JSON has one kind of number: 300.0 is 300
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "".join(_row(cells) for cells in (head, ["---"] * len(head), *rows))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"
