"""Files that are made from the code: the ones in the repository are current, and a stale one is noticed."""

import json
import shutil
import sys
from enum import StrEnum
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from gitops_backup.domain.reasons import Reason
from gitops_backup.generate.crd import custom_resource_definition
from gitops_backup.generate.schemas import plain_schema
from gitops_backup.generate.tables import reasons_page, settings_page
from gitops_backup.process import Completed, run
from gitops_backup.settings import RegistrySettings, Settings

ROOT = Path(__file__).parents[2]


def generate(*arguments: str, cwd: Path) -> Completed:
    """Run the generator as `make manifests` does."""
    return run(
        [sys.executable, "-m", "gitops_backup.generate", *arguments],
        timeout=60,
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT)},
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A folder with copies of the files that are made from the code."""
    for folder in ("crds", "docs"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def test_the_files_in_the_repository_are_current() -> None:
    """What the code makes today is what lies in the repository."""
    done = generate("--check", cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, b"")


def test_a_stale_file_is_named_and_left_as_it_is(copy: Path) -> None:
    """With --check, nothing is written, and the exit code says that something is stale."""
    stale = copy / "docs" / "reasons.md"
    stale.write_text("old\n")
    done = generate("--check", cwd=copy)
    assert done.returncode == 1
    assert b"docs/reasons.md is not current" in done.stdout
    assert stale.read_text() == "old\n"


def test_only_what_is_stale_is_written_and_only_once(copy: Path) -> None:
    """The generator repairs a stale file, and has nothing to do afterwards."""
    (copy / "docs" / "reasons.md").write_text("old\n")
    assert generate(cwd=copy).stdout == b"wrote docs/reasons.md\n"
    assert generate(cwd=copy).stdout == b""
    assert (copy / "docs" / "reasons.md").read_bytes() == (ROOT / "docs" / "reasons.md").read_bytes()


def test_one_file_can_be_named(copy: Path) -> None:
    """Named files alone are looked at."""
    for file in copy.rglob("*.md"):
        file.write_text("old\n")
    assert generate("settings-table", cwd=copy).stdout == b"wrote docs/settings.md\n"
    assert (copy / "docs" / "reasons.md").read_text() == "old\n"


def test_the_schema_has_no_references_no_defaults_and_no_null() -> None:
    """The schema is structural, and an object is stored as it was written."""
    text = yaml.safe_dump(custom_resource_definition(), default_flow_style=False)
    for word in ("$ref", "anyOf:", "default:", "nullable:", "additionalProperties:", "preserve-unknown"):
        assert word not in text


def test_every_field_is_described() -> None:
    """`kubectl explain` has a sentence for each field."""
    version = custom_resource_definition()["spec"]["versions"][0]
    undescribed = []

    def visit(path: str, schema: dict[str, object]) -> None:
        properties = schema.get("properties")
        items = schema.get("items")
        for name, child in properties.items() if isinstance(properties, dict) else ():
            if not child.get("description"):
                undescribed.append(f"{path}.{name}")
            visit(f"{path}.{name}", child)
        if isinstance(items, dict):
            visit(f"{path}[]", items)

    visit("", version["schema"]["openAPIV3Schema"])
    assert undescribed == []


def test_a_field_of_several_types_is_refused() -> None:
    """A structural schema cannot say "text or number", so the generator must not try."""

    class Odd(BaseModel):
        field: str | int

    with pytest.raises(TypeError, match="several types"):
        plain_schema(Odd)


def test_what_a_field_says_of_itself_counts_more_than_its_type() -> None:
    """The description beside a field wins over the docstring of the field's type."""

    class Colour(StrEnum):
        """A colour."""

        RED = "red"

    class Ball(BaseModel, use_attribute_docstrings=True):
        colour: Colour | None = None
        """The ball's colour."""

    assert plain_schema(Ball)["properties"]["colour"] == {
        "description": "The ball's colour.",
        "enum": ["red"],
        "type": "string",
        "default": None,
    }


def test_a_newer_report_still_fits_the_published_schema() -> None:
    """Within a version fields are added; a program that checks what it reads must not stumble over them."""
    schema = json.loads((ROOT / "docs" / "report.schema.json").read_bytes())
    Draft202012Validator.check_schema(schema)
    assert "additionalProperties" not in json.dumps(schema)


def test_every_setting_and_every_reason_has_a_row() -> None:
    """The tables leave nothing out."""
    names = {*Settings.model_fields, *RegistrySettings.model_fields}
    assert [name for name in names if f"\n| `{name}` | " not in settings_page()] == []
    assert [reason for reason in Reason if f"\n| `{reason}` | " not in reasons_page()] == []
