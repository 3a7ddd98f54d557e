"""What the command needs of the machine: skopeo, git, a folder, ports."""

import socket
from pathlib import Path

import pytest

from gitops_backup.sandbox.sandbox import Sandbox
from tests.cli.command import path_with, refused, which
from tests.cli.conftest import Options


def test_skopeo_is_missing(options: Options, tmp_path: Path) -> None:
    """The modes that copy do not begin."""
    env = path_with(tmp_path / "bin", {"git": which("git")})
    assert refused(*options, "run", "--mode", "direct", env=env) == ("skopeo is not on PATH (install skopeo)")


def test_skopeo_is_too_old(options: Options, tmp_path: Path) -> None:
    """The option that it lacks is named."""
    env = path_with(tmp_path / "bin", {"git": which("git"), "skopeo": "echo skopeo version 1.2.2"})
    assert refused(*options, "run", "--mode", "direct", env=env) == (
        "skopeo 1.2.2 has no option --all (install skopeo 1.9 or newer)"
    )


@pytest.mark.parametrize("arguments", [["report"], ["run", "--mode", "gitops"]])
def test_git_is_missing(options: Options, tmp_path: Path, arguments: list[str]) -> None:
    """Neither a report nor the controller begins."""
    env = path_with(tmp_path / "bin", {"skopeo": which("skopeo")})
    assert refused(*options, *arguments, env=env) == "git is not on PATH (install git)"


def test_git_is_too_old(options: Options, tmp_path: Path) -> None:
    """The version that it has and the one that it should have are named."""
    env = path_with(tmp_path / "bin", {"git": "echo git version 2.20.1"})
    told = refused(*options, "report", env=env)
    assert "2.20.1" in told
    assert "2.32" in told


@pytest.mark.parametrize("arguments", [["report"], ["run", "--mode", "gitops"]])
def test_the_cache_cannot_be_written(options: Options, tmp_path: Path, arguments: list[str]) -> None:
    """The folder is named, and the setting that moves it."""
    (tmp_path / "file").touch()
    told = refused(*options, *arguments, "--cache", tmp_path / "file" / "cache")
    assert told == (
        f"the folder {tmp_path}/file/cache/git for clones cannot be used: Not a directory"
        " (set cache to a folder that can be written to)"
    )


@pytest.mark.parametrize("option", ["--probes-port", "--metrics-port"])
def test_a_port_is_taken(options: Options, option: str) -> None:
    """The address is named."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = refused(*options, "run", "--mode", "report", option, str(port))
    assert told == f"cannot listen on 127.0.0.1:{port}: Address already in use"


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"GITOPS_BACKUP_SOURCE_AUTHFILE": "/nope"}, "no prefix that it is for (set source_prefixes"),
        (
            {"GITOPS_BACKUP_SOURCE_AUTHFILE": "/nope", "GITOPS_BACKUP_SOURCE_PREFIXES": "quay.io"},
            "the docker config file /nope cannot be read: No such file or directory",
        ),
        (
            {"GITOPS_BACKUP_REGISTRIES": "{quay.io: {ca: /nope}}"},
            "the setting 'registries.quay.io.ca' is wrong: /nope: No such file or directory",
        ),
        (
            {"GITOPS_BACKUP_REGISTRIES": f"{{quay.io: {{ca: {__file__}}}}}"},
            f"the setting 'registries.quay.io.ca' is wrong: {__file__}: ",
        ),
        ({"GITOPS_BACKUP_BACKUP_CREDENTIALS": "/nope"}, "the folder /nope has no file 'password'"),
        ({"GITOPS_BACKUP_GIT_CREDENTIALS": "/nope"}, "lack username and password"),
        ({"GITOPS_BACKUP_GIT_PREFIX": "ftp://git.example/"}, "the setting 'git_prefix' is wrong: "),
    ],
)
def test_files_with_secrets_or_authorities_that_cannot_be_read(
    options: Options, env: dict[str, str], told: str
) -> None:
    """The file or the setting is named."""
    assert told in refused(*options, "run", "--mode", "gitops", env=env)


def test_half_of_a_login(sandbox: Sandbox) -> None:
    """A user name without a password is a mistake, and not nobody."""
    options = ("--kubeconfig", sandbox.kubeconfig)
    env = {"BACKUP_REPOSITORY": "docker.io/acme", "GITOPS_BACKUP_GIT_USERNAME": "me"}
    assert refused(*options, "report", env=env) == "the password for Git is missing (set both, or neither)"
    env = {"BACKUP_REPOSITORY": "docker.io/acme", "BACKUP_REPOSITORY_USERNAME": "me"}
    assert refused(*options, "run", "--mode", "direct", env=env) == (
        "the backup registry's password is missing (set both, or neither)"
    )
