"""The targets that people know, and what they would do."""

from pathlib import Path

import pytest

from gitops_backup.process import Completed, run

ROOT = Path(__file__).parents[2]


def make(*arguments: str) -> Completed:
    """Run make in the repository; nothing is executed where `--dry-run` is among the arguments."""
    return run(["make", "--no-print-directory", *arguments], timeout=60, cwd=ROOT)


def test_make_says_what_there_is() -> None:
    """Without a target, make lists them all, each with a sentence."""
    done = make()
    assert done.returncode == 0
    listed = {line.split()[0] for line in done.stdout.decode().splitlines() if line.startswith("  ")}
    assert listed >= {
        *("install", "uninstall", "run", "deploy", "undeploy", "docker-build", "docker-push", "manifests"),
        *("demo", "test", "fuzz", "test-argocd", "lint", "bench"),
    }


def test_fuzzing_goes_on_in_rounds_that_are_not_the_same() -> None:
    """10,000 cases are tried, or as many as somebody has time for, and pytest gets what is asked of it."""
    commands = make("--dry-run", "fuzz", "VENV=.", "ARGS=-k helm").stdout.decode()
    assert "seq 20" in commands
    assert "--hypothesis-profile=fuzz tests/sources/test_*generated.py -k helm" in commands


@pytest.mark.parametrize(
    ("mode", "folder"),
    [("report", "argocd"), ("gitops", "argocd/overlays/gitops"), ("direct", "argocd/overlays/direct")],
)
def test_deploy_installs_the_mode_with_the_image(mode: str, folder: str) -> None:
    """MODE chooses the manifests, IMG the image."""
    done = make("--dry-run", "deploy", f"MODE={mode}", "IMG=registry.example.com:5000/a/b:1")
    commands = done.stdout.decode()
    assert f"kubectl kustomize {folder} |" in commands
    assert "|image: registry.example.com:5000/a/b:1|" in commands


def test_a_mode_that_is_none_is_refused() -> None:
    """Nothing is installed in a mode that does not exist."""
    done = make("deploy", "MODE=reprot", "KUBECTL=false")
    assert done.returncode != 0
    assert b"not 'reprot'" in done.stderr


def test_the_image_of_deploy_is_the_one_in_the_manifests() -> None:
    """What `deploy` replaces is there to be replaced."""
    manifest = (ROOT / "argocd" / "base" / "deployment.yaml").read_text()
    assert manifest.count("image: gitops-backup:") == 1
