"""The benchmarks, as small as they can be: each measures all that it promises, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitops_backup.process import environment, run
from gitops_backup.sandbox.binaries import CONTROL_PLANE, Binaries
from gitops_backup.sandbox.cache import cache_folder
from gitops_backup.sandbox.renderers import RENDERERS

_PROJECT = Path(__file__).resolve().parents[2]
_COMMAND = (sys.executable, "-m", "benchmarks", "--quick")
_SECONDS = 120.0
_HEAD = "FIGURE MEASURED REFERENCE RATIO AIM MEMORY"
_FIGURES = {
    "direct": (
        "direct: from started to the last patch",
        "direct: the first patch",
        "direct: resident",
    ),
    "git": ("git: 40 Applications, from a snapshot to the push",),
    "idle": (
        "idle: objects written but Leases",
        "idle: requests to registries",
        "idle: processor time",
    ),
    "latency": ("latency: 10 updates a second, 99th percentile",),
    "plan": ("plan: 100 Deployments", "plan: 100 Deployments, resident"),
    "rendered": (
        "rendered: 40 Applications, first plan",
        "rendered: 40 Applications, nothing changed",
        "rendered: 40 Applications, one file changed",
        "rendered: most renderings of one",
        "rendered: kustomize, processor time of a rendering",
        "rendered: helm, processor time of a rendering",
        "rendered: resident afterwards",
    ),
    "upstream": (
        "upstream: 4 images, 50 ms away, 20 at a time, cold",
        "upstream: 4 images, 50 ms away, 20 at a time, all there",
    ),
}


@pytest.fixture
def env(tmp_path: Path) -> Mapping[str, str]:
    """An environment in which everything is below a folder of this test's, but for the programs."""
    binaries = Binaries(cache=cache_folder(os.environ), environ=os.environ, progress=lambda _: None)
    assets = tmp_path / "assets"
    assets.mkdir()
    for name, path in binaries.provide((*CONTROL_PLANE, *RENDERERS)).items():
        (assets / name).symlink_to(path)
    return {"KUBEBUILDER_ASSETS": str(assets), "GITOPS_BACKUP_CACHE": str(tmp_path / "cache")}


def _left_behind(folder: Path) -> list[str]:
    """The processes that have to do with this folder, and the sandboxes in it."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (FileNotFoundError, ProcessLookupError):
            continue
        lines += [line] if str(folder) in line else []
    return lines + [str(path) for path in (folder / "cache" / "sandboxes").glob("*")]


def test_every_benchmark_is_tried_here() -> None:
    """Or one could break unseen."""
    modules = (_PROJECT / "benchmarks").glob("*.py")
    assert {path.stem for path in modules if "\ndef measure(bench" in path.read_text()} == _FIGURES.keys()


@pytest.mark.parametrize("name", sorted(_FIGURES))
def test_a_benchmark_prints_each_of_its_figures(name: str, env: Mapping[str, str], tmp_path: Path) -> None:
    """A line each, measured in numbers, with the notes below; no server runs on."""
    done = run([*_COMMAND, name], timeout=_SECONDS, env=env, cwd=_PROJECT)
    assert done.returncode == 0, done.stderr.decode()
    head, *lines = done.stdout.decode().splitlines()
    assert " ".join(head.split()) == _HEAD
    rows = [re.split(" {3,}", line) for line in lines if not line.startswith("- ")]
    assert tuple(row[0] for row in rows) == _FIGURES[name]
    assert all(re.match(r"\d+(\.\d+)? \S", row[1]) for row in rows), rows
    notes = [line for line in lines if line.startswith("- ")]
    assert notes
    assert all(note.startswith(f"- {name}: ") for note in notes)
    assert _left_behind(tmp_path) == []


def test_a_benchmark_that_is_interrupted_ends_its_servers(env: Mapping[str, str], tmp_path: Path) -> None:
    """In the middle of whatever it does."""
    with subprocess.Popen(
        [*_COMMAND, "plan"], stderr=subprocess.PIPE, text=True, env=environment(env), cwd=_PROJECT
    ) as process:
        assert process.stderr is not None
        assert any("plan: making" in line for line in process.stderr)
        assert len(_left_behind(tmp_path)) > 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(_SECONDS) == 130
    assert _left_behind(tmp_path) == []
