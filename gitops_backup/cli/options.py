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
from pydantic_core import PydanticUndefined

from gitops_backup.settings import ENVIRONMENT_PREFIX, STRUCTURED, Settings

F = TypeVar("F", bound=Callable[..., Any])


def settings_options(*names: str) -> Callable[[F], F]:
    """A decorator that adds an option for each of these settings; their values are None where not given."""

    def decorate(command: F) -> F:
        for name in reversed(names):
            flag, field = f"--{name.replace('_', '-')}", Settings.model_fields[name]
            if _plain(field.annotation) is bool:
                flag += f"/--no-{flag.removeprefix('--')}"
            command = click.option(flag, name, **_option(field))(command)
        return command

    return decorate


ALL = tuple(
    name
    for name, field in Settings.model_fields.items()
    if SecretStr not in get_args(field.annotation) and name not in STRUCTURED
)
"""The settings that can be options."""

OTHER_WAYS = (
    "Each setting can be given by its name in a file (--config), and as"
    f" {ENVIRONMENT_PREFIX} with its name in capitals in the environment, too."
)
"""What help texts say of settings."""


def _option(field: FieldInfo) -> dict[str, Any]:
    text = " ".join((field.description or "").replace("`", "").split()) + _default(field.default)
    kind = _plain(field.annotation)
    if kind is bool:
        return {"help": text, "default": None}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return {"help": text, "type": click.Choice([member.value for member in kind])}
    click_types: dict[Any, Any] = {Path: click.Path(path_type=Path), int: int, float: float}
    metavar = "TEXT,..." if get_origin(kind) is tuple else None
    return {"help": text, "type": click_types.get(kind, str), "metavar": metavar}


def _default(value: Any) -> str:
    """As click shows defaults; it is no default of the option's, which would hide the file's."""
    if value in (None, (), PydanticUndefined):
        return ""
    return f"  [default: {','.join(value) if isinstance(value, tuple) else str(value).lower()}]"


def _plain(annotation: Any) -> Any:
    if get_origin(annotation) is types.UnionType:
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return annotation
