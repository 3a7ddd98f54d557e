"""Changes as text: git applies what is a patch, and reads over the rest."""

from pathlib import Path

import pytest

from gitops_backup.domain.reasons import Reason
from gitops_backup.process import Completed, run
from gitops_backup.report.changes import render_changes
from gitops_backup.report.model import FileReport
from gitops_backup.sources.edits import unified_diff
from tests.controller.cluster import policy, workload
from tests.report.reports import deployed, report

_SHOP = "https://git.example/shop"
_COMMIT = "c" * 40


def _file(path: str, before: bytes, after: bytes, *, repository: str | None = _SHOP) -> FileReport:
    in_git = repository is not None
    return FileReport(
        repository=repository,
        branch="main" if in_git else None,
        commit=_COMMIT if in_git else None,
        path=path,
        diff=unified_diff(path, before, after),
    )


def _apply(folder: Path, patch: str) -> Completed:
    return run(["git", "apply", "-"], timeout=30, cwd=folder, input=patch.encode("utf-8", "surrogateescape"))


_WEB = _file("apps/web.yaml", b"a\nimage: x:1\n", b"a\nimage: bak/x:1\n")
_PATCH = _file("Deployment/shop/web", b"container c0: x:1\n", b"container c0: bak/x:1\n", repository=None)


def test_each_repository_has_a_heading_and_patches_are_remarks() -> None:
    """Word for word."""
    far = _file("far.yaml", b"image: y:1\n", b"image: bak/y:1\n", repository="https://git.example/far")
    assert render_changes(report(files=[far, _WEB, _PATCH]), colours=False) == (
        "# https://git.example/far main at cccccccccccc:\n"
        "diff --git a/far.yaml b/far.yaml\n"
        "--- a/far.yaml\n"
        "+++ b/far.yaml\n"
        "@@ -1 +1 @@\n"
        "-image: y:1\n"
        "+image: bak/y:1\n"
        "\n"
        "# https://git.example/shop main at cccccccccccc:\n"
        "diff --git a/apps/web.yaml b/apps/web.yaml\n"
        "--- a/apps/web.yaml\n"
        "+++ b/apps/web.yaml\n"
        "@@ -1,2 +1,2 @@\n"
        " a\n"
        "-image: x:1\n"
        "+image: bak/x:1\n"
        "\n"
        "# in the cluster, by patch:\n"
        "# Deployment/shop/web\n"
        "#   -container c0: x:1\n"
        "#   +container c0: bak/x:1\n"
    )


def test_without_changes_there_is_nothing() -> None:
    """Not even a heading."""
    assert render_changes(report(), colours=False) == ""


@pytest.mark.parametrize(
    "before",
    [
        b"a\nimage: x:1\nb\n",
        b"a\r\nimage: x:1\r\nb\r\n",
        b"\xef\xbb\xbfa\nimage: x:1",
        b"caf\xe9\x0b\x0c\x1c\xc2\x85\nimage: x:1\n\n\n",
        b"a\rb\nimage: x:1\rc\n",
    ],
    ids=["plain", "CRLF", "BOM, no end", "no UTF-8, odd breaks", "CR"],
)
def test_git_applies_it_to_the_byte(tmp_path: Path, before: bytes) -> None:
    """Several files of a repository, with remarks between and after them."""
    after = before.replace(b"x:1", b"bak/x:1")
    names = ("web.yaml", "with blank.yaml", "café.yaml")
    for name in names:
        (tmp_path / name).write_bytes(before)
    text = render_changes(report(files=[*(_file(n, before, after) for n in names), _PATCH]), colours=False)
    done = _apply(tmp_path, text)
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / name).read_bytes() for name in names] == [after] * 3


def test_a_patch_of_a_workload_alone_is_no_patch_for_git(tmp_path: Path) -> None:
    """It is not tried on a file of the workload's name."""
    assert (
        b"No valid patches in input"
        in _apply(tmp_path, render_changes(report(files=[_PATCH]), colours=False)).stderr
    )


def test_what_would_be_rendered_is_told_once_for_all_whom_it_is_about(tmp_path: Path) -> None:
    """Behind the patches, as remarks, which `git apply` passes over."""
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "web.yaml").write_bytes(b"a\nimage: x:1\n")
    why = Reason.PROOF_FAILED, "web.yaml, line 1: more than images would change", "--- A\n+++ A\n-x\n+y\n"
    things = [workload(name, "nginx:1.25") for name in ("web", "api", "db")]
    obstacles = {"web": why, "api": why, "db": (*why[:2], "--- B\n-z\n")}
    made = report(*things, deployed(*things), rules=policy(), obstacles=obstacles, files=[_WEB])
    text = render_changes(made, colours=False)
    assert text.endswith(
        "\n"
        "# not made (ProofFailed), because of what would be rendered; for Deployment/shop/api, container c0; "
        "Deployment/shop/web, container c0:\n"
        "#   --- A\n#   +++ A\n#   -x\n#   +y\n"
        "\n"
        "# not made (ProofFailed), because of what would be rendered; for Deployment/shop/db, container c0:\n"
        "#   --- B\n#   -z\n"
    )
    assert _apply(tmp_path, text).returncode == 0


def test_colours_are_those_of_git() -> None:
    """Red for what goes, green for what comes, in remarks as well."""
    text = render_changes(report(files=[_WEB, _PATCH]), colours=True)
    assert "\x1b[31m-image: x:1\x1b[0m\n\x1b[32m+image: bak/x:1\x1b[0m\n" in text
    assert "\x1b[31m#   -container c0: x:1\x1b[0m\n" in text
    assert "\n a\n" in text
