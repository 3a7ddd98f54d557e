"""The page about the command: it leaves nothing out, and what it says can be done works."""

import re
from collections.abc import Iterator

import click
import pytest

from gitops_backup.cli.main import cli
from gitops_backup.settings import Settings
from tests.cli.command import PROJECT, command

_PAGE = (PROJECT / "docs" / "command.md").read_text()


def _options(group: click.Group) -> Iterator[str]:
    """All options, but those that are settings: these have a page of their own."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield from (
            option for each in found.params if each.name not in Settings.model_fields for option in each.opts
        )
        if isinstance(found, click.Group):
            yield from _options(found)


@pytest.mark.parametrize("name", ["name", "report", "run", "sandbox"])
def test_every_command_has_a_section(name: str) -> None:
    """And there is no other."""
    assert f"\n## {name}\n" in _PAGE
    assert set(re.findall(r"^## (\w+)$", _PAGE, re.MULTILINE)) == set(cli.list_commands(click.Context(cli)))


def test_every_option_that_is_no_setting_is_there() -> None:
    """Those before the command's name, and those after it."""
    wanted = {option for each in cli.params for option in each.opts} | set(_options(cli))
    wanted = {option for option in wanted if option.startswith("-")}
    assert {"--no-headers", "--diff", "-l", "--samples", "--context"} <= wanted
    assert [option for option in sorted(wanted) if not re.search(rf"`{option}\b", _PAGE)] == []


def test_the_names_on_the_page_are_what_the_command_prints() -> None:
    """To the letter."""
    images = ("nginx:1.14.2", "quay.io/argoproj/argocd:v3.0.0")
    answer = command("name", *images, env={"BACKUP_REPOSITORY": "docker.io/acme"})
    assert f"$ gitops-backup name {' '.join(images)}\n{answer.out}```" in _PAGE
