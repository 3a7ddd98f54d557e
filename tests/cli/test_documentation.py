"""The page about the command: it leaves nothing out, and what it says can be done works."""

import re
from collections.abc import Iterator

import click
import pytest

from gitops_backup.cli.main import cli
from gitops_backup.metrics import Metrics
from gitops_backup.settings import Settings
from tests.cli.command import PROJECT, command

_PAGE = (PROJECT / "docs" / "command.md").read_text()
_README = (PROJECT / "README.md").read_text()
_INSTALL = (PROJECT / "docs" / "install.md").read_text()
_ALL = _PAGE + _README + _INSTALL + (PROJECT / "CONTRIBUTING.md").read_text()


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


def test_the_names_in_the_readme_are_right() -> None:
    """Each row of its table of names."""
    rows = re.findall(r"^\| `([^`…]+)` \| `(docker\.io/acme/[^`…]+)` \|$", _README, re.MULTILINE)
    assert len(rows) == 3
    answer = command("name", *dict(rows), env={"BACKUP_REPOSITORY": "docker.io/acme"})
    assert [tuple(line.split()[:2]) for line in answer.out.splitlines()[1:]] == rows


def test_what_commands_of_the_documentation_name_is_there() -> None:
    """Targets of make, and folders and files for kubectl."""
    targets = set(re.findall(r"^([a-z-]+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"^make ([a-z][a-z -]*)", _ALL, re.MULTILINE) + re.findall(r"`make ([a-z-]+)", _ALL)
    assert {word for words in named for word in words.split()} - targets == set()
    paths = re.findall(r"kubectl (?:apply|delete) -[kf] ([\w./-]+)", _ALL)
    assert len(paths) >= 5
    assert [path for path in paths if not (PROJECT / path).exists()] == []


def test_links_lead_somewhere() -> None:
    """Those to other files of the project, and to headings."""
    for page in (PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *(PROJECT / "docs").glob("*.md")):
        for file, heading in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", page.read_text()):
            target = page.parent / file if file else page
            assert target.exists(), (page, file)
            headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE) if heading else []
            anchors = [re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings]
            assert not heading or heading in anchors, (page, heading)


def test_every_metric_is_explained() -> None:
    """By the name that Prometheus has it under."""
    metrics = Metrics()
    for queue in ("workloads", "backups", "repositories"):
        metrics.watch_queue(queue, lambda: 0)
    metrics.watch_images(dict)
    families = list(metrics.registry.collect())
    assert families
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        assert f"`{name}`" in _INSTALL, name
