"""Completion in the shells that people use, and the command as a plugin of kubectl."""

import sys
from pathlib import Path

import pytest

from gitops_backup.process import run

_PROGRAMS = Path(sys.executable).parent


@pytest.mark.parametrize(
    ("shell", "word"),
    [("bash", "complete -o nosort -F"), ("zsh", "#compdef gitops-backup"), ("fish", "complete --no-files")],
)
def test_a_shell_is_told_how_to_complete(shell: str, word: str) -> None:
    """The line that the documentation has prints a script for it."""
    env = {"_GITOPS_BACKUP_COMPLETE": f"{shell}_source"}
    done = run([str(_PROGRAMS / "gitops-backup")], timeout=30, env=env)
    assert (done.returncode, done.stderr) == (0, b"")
    assert word in done.stdout.decode()


def test_commands_and_options_are_completed() -> None:
    """As bash asks for it."""
    env = {"_GITOPS_BACKUP_COMPLETE": "bash_complete", "COMP_WORDS": "gitops-backup re", "COMP_CWORD": "1"}
    done = run([str(_PROGRAMS / "gitops-backup")], timeout=30, env=env)
    assert done.stdout == b"plain,report\n"
    env |= {"COMP_WORDS": "gitops-backup report --exi", "COMP_CWORD": "2"}
    done = run([str(_PROGRAMS / "gitops-backup")], timeout=30, env=env)
    assert done.stdout == b"plain,--exit-code\n"


def test_kubectl_finds_it_as_a_plugin() -> None:
    """By the name that makes `kubectl gitops-backup` of it."""
    env = {"BACKUP_REPOSITORY": "docker.io/acme"}
    plugin = str(_PROGRAMS / "kubectl-gitops_backup")
    done = run([plugin, "name", "--no-headers", "nginx"], timeout=30, env=env)
    assert done.stdout.split()[1] == b"docker.io/acme/library_nginx:latest"
