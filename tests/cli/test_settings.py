"""Settings that are wrong: one line that names the key, wherever they come from."""

from pathlib import Path

import pytest

from tests.cli.command import command, refused

_GOOD = {"BACKUP_REPOSITORY": "docker.io/acme"}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("copies: 0\n", "the setting 'copies' is wrong: Input should be greater than or equal to 1"),
        ("registries: {quay.io: {locatoin: x}}\n", "there is no setting 'registries.quay.io.locatoin'"),
        ("trusted_prefixes: ['-']\n", "the setting 'trusted_prefixes.0' is wrong: '-' is not a prefix"),
        ("- copies\n", "is not a mapping of names to values"),
        ("copies: [1\nmode: direct\n", "is not YAML (line 2, column 5)"),
    ],
)
def test_a_file_with_something_wrong_in_it(tmp_path: Path, content: str, told: str) -> None:
    """The key is named, with its way through what is nested; of what is no YAML, the place."""
    file = tmp_path / "settings.yaml"
    file.write_text(content)
    assert told in refused("--config", file, "name", "nginx", env=_GOOD)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The file is named."""
    file = tmp_path / "settings.yaml"
    assert refused("--config", file, "name", "nginx") == (
        f"the settings file {file} cannot be read: No such file or directory"
    )


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("GITOPS_BACKUP_COPIES", "many", "the setting 'copies' is wrong: Input should be a valid integer"),
        ("GITOPS_BACKUP_COPPIES", "1", "there is no setting 'coppies'"),
        ("BACKUP_REPOSITORY", "https://docker.io/acme", "the setting 'backup_repository' is wrong"),
    ],
)
def test_the_environment_with_something_wrong_in_it(name: str, value: str, told: str) -> None:
    """The key is named as in a file."""
    assert told in refused("name", "nginx", env={**_GOOD, name: value})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run", "--copies", "many"], "Invalid value for '--copies': 'many' is not a valid integer"),
        (["run", "--copies", "0"], "the setting 'copies' is wrong"),
        (["report", "--output", "xml"], "Invalid value for '-o' / '--output': 'xml' is not one of"),
        (["run", "--backup-repository-password", "x"], "No such option '--backup-repository-password'"),
        (["report", "--copies", "1"], "No such option '--copies'"),
        (["report", "--context", "here"], "No such option '--context'"),
        (["rebort"], "No such command 'rebort'"),
        (["name"], "Missing argument 'IMAGE...'"),
        (["-v"], "Missing command"),
    ],
)
def test_arguments_with_something_wrong_in_them(arguments: list[str], told: str) -> None:
    """The argument is named; where the parser refuses it, the line says where to read on."""
    line = refused(*arguments, env=_GOOD)
    assert told in line
    assert "the setting" in line or line.endswith(("--help)", "(it goes before the command's name)"))


def test_a_flag_says_no_to_a_file(tmp_path: Path) -> None:
    """What the file has does not count then, not even where it is wrong."""
    file = tmp_path / "settings.yaml"
    file.write_text("exclusive: nonsense\nmode: report\n")
    env = {**_GOOD, "KUBECONFIG": "/nowhere"}
    assert "'exclusive'" in refused("--config", file, "run", env=env)
    for flag in ("--exclusive", "--no-exclusive"):
        assert refused("--config", file, "run", flag, env=env).startswith("no kubeconfig")


def test_the_help_has_the_defaults_of_settings() -> None:
    """As the page has them."""
    text = " ".join(command("run", "--help").out.split())
    assert "--copies INTEGER How many images are copied at a time. [default: 4]" in text
    assert "[default: kube-system,kube-" in text
    assert text.endswith("as GITOPS_BACKUP_ with its name in capitals in the environment, too.")


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    """Neither where it stands in a file that is no YAML, nor where its key is wrong."""
    file = tmp_path / "settings.yaml"
    file.write_text("backup_repository_password: {hunter2\n")
    assert "hunter2" not in refused("--config", file, "name", "nginx")
    file.write_text("backup_repository_passwort: hunter2\n")
    assert "hunter2" not in refused("--config", file, "name", "nginx")


def test_run_needs_a_mode() -> None:
    """There is no default: one chooses."""
    assert refused("run", env=_GOOD).startswith("no mode is chosen (--mode report writes nothing")


def test_without_arguments_there_is_help() -> None:
    """And the exit code of a command that is not complete."""
    answer = command()
    assert answer.code == 2
    assert "Usage: python -m gitops_backup [OPTIONS] COMMAND" in answer.err
    assert all(name in answer.err for name in ("name", "report", "run", "sandbox"))


@pytest.mark.parametrize("arguments", [["run", "-h"], ["--version"]])
def test_help_and_version_are_no_errors(arguments: list[str]) -> None:
    """They go to standard output."""
    answer = command(*arguments)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out
