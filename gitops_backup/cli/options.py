"""Settings as options of a command: made from the settings' own types, names and texts.

Secrets are no options: every process of a machine can see another's arguments.
"""

import types
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from gitops_backup.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])


def settings_options(*names: str) -> Callable[[F], F]:
    """A decorator that adds an option for each of these settings; their values are None where not given."""

    def decorate(command: F) -> F:
        for name in reversed(names):
            field = Settings.model_fields[name]
            command = click.option(f"--{name.replace('_', '-')}", name, **_option(field))(command)
        return command

    return decorate


ALL = tuple(
    name
    for name, field in Settings.model_fields.items()
    if SecretStr not in get_args(field.annotation) and name != "registries"
)
"""The settings that can be options."""


def _option(field: FieldInfo) -> dict[str, Any]:
    text = " ".join((field.description or "").replace("`", "").split())
    kind = _plain(field.annotation)
    if kind is bool:
        return {"help": text, "is_flag": True, "default": None}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"help": text, "type": click.Choice([member.value for member in kind])}
    click_types: dict[Any, Any] = {Path: click.Path(path_type=Path), int: int, float: float}
    return {"help": text, "type": click_types.get(kind, str)}


def _plain(annotation: Any) -> Any:
    if get_origin(annotation) is types.UnionType:
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return annotation
