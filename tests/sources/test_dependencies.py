"""What charts depend on, and where that is."""

import pytest

from gitops_backup.sources.helm.dependencies import missing_dependencies, places_of_dependencies
from gitops_backup.sources.layouts import Layout
from gitops_backup.sources.mounts import folder_for
from gitops_backup.sources.places import Place, PlaceKind
from gitops_backup.sources.trees import Tree
from tests.downloads.repository import archive

CHARTS = "https://charts.example"


def listed(*dependencies: str) -> bytes:
    """A file that lists dependencies, each a name, a version and a repository."""
    keys = "name", "version", "repository"
    items = (dict(zip(keys, each.split(), strict=True)) for each in dependencies)
    return f"dependencies: {list(items)}\n".encode()


def places(files: dict[str, bytes]) -> list[tuple[str, str, str]]:
    """The chart, the version and the repository of what is elsewhere."""
    found = places_of_dependencies(Layout("app"), tree=Tree(dict.fromkeys(files, "100644")), contents=files)
    return sorted((each.chart, each.revision, each.url) for each in found)


@pytest.mark.parametrize("name", ["Chart", "requirements"])
def test_what_is_locked_is_that_version(name: str) -> None:
    """Where the lock file lists the same; another one Argo CD refuses, as what it is, with Helm."""
    files = {f"app/{name}.yaml": listed(f"web 1.x {CHARTS}", f"db ^2 {CHARTS}")}
    assert places(files) == [("db", "^2", CHARTS), ("web", "1.x", CHARTS)]
    files[f"app/{name}.lock"] = listed(f"web 1.2.3 {CHARTS}", f"db 2.0.1 {CHARTS}")
    assert places(files) == [("db", "2.0.1", CHARTS), ("web", "1.2.3", CHARTS)]
    files[f"app/{name}.lock"] = listed(f"db 2.0.1 {CHARTS}")
    assert places(files) == [("db", "^2", CHARTS), ("web", "1.x", CHARTS)]


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        ("app/charts/web/Chart.yaml", False),
        ("app/charts/web-1.0.0.tgz", False),
        ("app/charts/web-v1.0.0.tgz", False),
        ("app/charts/web-server-1.0.0.tgz", True),
        ("app/charts/web-server/Chart.yaml", True),
        ("app/charts/README.md", True),
    ],
)
def test_what_is_in_the_folder_for_charts_is_not_from_elsewhere(path: str, missing: bool) -> None:
    """Whether as a folder or as an archive, of whatever version."""
    files = {"app/Chart.yaml": listed(f"web 1.0.0 {CHARTS}"), path: b""}
    assert bool(places(files)) == missing


def test_a_chart_is_known_by_its_own_name() -> None:
    """Which its folder, or its archive, need not have."""
    files = {"app/Chart.yaml": listed(f"web 1.0.0 {CHARTS}", f"db 1.0.0 {CHARTS}")}
    files["app/charts/ours/Chart.yaml"] = b"name: web\n"
    files["app/charts/db.tgz"] = archive({"Chart.yaml": b"name: db\n"}, name="db")
    assert places(files) == []
    del files["app/charts/db.tgz"]
    assert places(files) == [("db", "1.0.0", CHARTS)]


@pytest.mark.parametrize("repository", ["@team", "alias:team", "''", "file:///web", "ftp://a.example"])
def test_what_is_nowhere_is_left_to_helm(repository: str) -> None:
    """Names of repositories that only Argo CD knows, and what is not for Helm."""
    assert places({"app/Chart.yaml": listed(f"web 1.0.0 {repository}")}) == []


def test_each_version_is_shown_once() -> None:
    """Two aliases of one chart are one chart in the folder; another version of it stands beside."""
    versions = (
        f"web 1.0.0 {CHARTS}",
        f"web 1.0.0 {CHARTS}",
        f"web 2.0.0 {CHARTS}",
        "lib 1 oci://r.example/charts",
    )
    files = {"app/Chart.yaml": listed(*versions)}
    found = missing_dependencies(Layout("app"), tree=Tree({"app/Chart.yaml": "100644"}), contents=files)
    assert found == {
        "web": folder_for(Place(PlaceKind.CHART, CHARTS, "1.0.0", "web")),
        "web-1": folder_for(Place(PlaceKind.CHART, CHARTS, "2.0.0", "web")),
        "lib": folder_for(Place(PlaceKind.CHART, "oci://r.example/charts", "1", "lib")),
    }
