"""Charts in a real registry."""

from pathlib import Path

import pytest

from gitops_backup.sandbox.registry import Registry
from gitops_backup.sources.mounts import Unavailable
from gitops_backup.sources.places import Place, PlaceKind
from tests.downloads.repository import archive, chart, downloading
from tests.registry.faulty import FaultyServer, changes, error
from tests.registry.parts import Clock


@pytest.fixture
def charts(upstream: Registry, repository: str) -> str:
    """A repository with a chart in three versions, and an image."""
    for version in ("1.0.0", "1.2.0", "1.3.0+build.7"):
        body = archive(chart(version))
        upstream.push_chart(f"{repository}/web", version.replace("+", "_"), body)
    upstream.push_image(f"{repository}/web", "2.0.0")
    return repository


def place(host: str, repository: str, revision: str, *, scheme: str = "", name: str = "web") -> Place:
    """A chart as an Application names it."""
    return Place(PlaceKind.CHART, f"{scheme}{host}/{repository}", revision, name)


@pytest.mark.parametrize(
    ("revision", "version"),
    [("1.0.0", "1.0.0"), ("~1.2", "1.2.0"), ("1.x", "1.3.0+build.7"), ("1.3.0+build.7", "1.3.0+build.7")],
)
def test_a_chart_is_the_one_that_the_revision_means(
    upstream: Registry, charts: str, tmp_path: Path, revision: str, version: str
) -> None:
    """By its tag, in which a plus is an underscore, or by the newest tag that fits."""
    with downloading(tmp_path, f"oci://{upstream.address}", insecure=upstream.address) as made:
        whole = place(upstream.address, f"{charts}/web", revision, scheme="oci://", name="")
        for each in (place(upstream.address, charts, revision), whole):
            opened = made.open(each)
            assert opened.read(["Chart.yaml"]).contents["Chart.yaml"] == chart(version)["Chart.yaml"]


def test_what_is_there_costs_no_request(upstream: Registry, charts: str, tmp_path: Path) -> None:
    """And later one of the manifest alone."""
    clock = Clock()
    with (
        FaultyServer(upstream.address) as server,
        downloading(tmp_path, f"oci://{server.host}", insecure=server.host, clock=clock) as made,
    ):
        for _ in range(3):
            made.open(place(server.host, charts, "1.0.0"))
        first = [
            seen.path.rpartition(f"{charts}/web/")[2].split("/")[0]
            for seen in server.asked("GET", "/v2/test")
        ]
        clock.now += 3600
        server.forget()
        made.open(place(server.host, charts, "1.0.0"))
        assert [seen.path for seen in server.asked()] == [f"/v2/{charts}/web/manifests/1.0.0"]
    assert first == ["manifests", "blobs"]


@pytest.mark.parametrize(
    ("revision", "name", "why"),
    [
        ("9.9.9", "web", "ChartNotFound: {place} is not there: the registry has no such tag"),
        ("9.x", "web", "ChartNotFound: {place} is not there: no version fits, the newest is 2.0.0"),
        ("1.x", "gone", "ChartNotFound: {place} is not there: no version fits, there is none at all"),
        ("2.0.0", "web", "UnsupportedSource: {place} is an artifact, and no Helm chart"),
        ("1.0.0", "We b", "DownloadNotAllowed: {place} cannot be downloaded from"),
        ("1.0.0", "WEB", "ChartNotFound: {place} is in a registry under a name that none has"),
    ],
)
def test_what_is_no_chart_is_named(
    upstream: Registry, charts: str, tmp_path: Path, revision: str, name: str, why: str
) -> None:
    """With what there is."""
    wanted = place(upstream.address, charts, revision, name=name)
    with (
        downloading(tmp_path, f"oci://{upstream.address}", insecure=upstream.address) as made,
        pytest.raises(Unavailable) as failed,
    ):
        made.open(wanted)
    assert f"{failed.value.reason}: {failed.value}".startswith(why.format(place=wanted))


def test_a_registry_may_fail(upstream: Registry, charts: str, tmp_path: Path) -> None:
    """It refuses, is busy, or serves something else than it names; and is asked only where it is listed."""
    with FaultyServer(upstream.address) as server:
        wanted = place(server.host, charts, "1.0.0")

        def failure(folder: str, prefix: str = "") -> str:
            prefixes = [prefix or f"oci://{server.host}/{charts}"]
            with (
                downloading(tmp_path / folder, *prefixes, insecure=server.host) as made,
                pytest.raises(Unavailable) as failed,
            ):
                made.open(wanted)
            return f"{failed.value.reason}: {failed.value}"

        server.forget()
        assert "may not be downloaded" in failure("a", f"oci://{server.host}/other")
        assert "may not be downloaded" in failure("b", f"https://{server.host}")
        assert not server.asked()
        server.on("GET", "/manifests/", error(401, "UNAUTHORIZED"), times=1)
        assert f"DownloadFailed: {wanted} cannot be downloaded: the source registry" in failure("c")
        server.on("GET", "/manifests/", error(500, "UNKNOWN"), times=1)
        assert "answers 500" in failure("d")
        server.on("GET", "/blobs/", changes(lambda answer: type(answer)(200, b"other", {})), times=1)
        assert failure("e").startswith(f"DigestMismatch: {wanted} cannot be downloaded: ")
