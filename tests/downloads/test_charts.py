"""Charts of a chart repository: what is asked of its server, what is kept, and how it fails."""

import base64
import json
import time
from pathlib import Path

import pytest

from gitops_backup.downloads import charts
from gitops_backup.sources.mounts import Unavailable
from gitops_backup.sources.places import Place
from tests.downloads.repository import SECONDS, ChartRepository, archive, chart, downloading, tagged
from tests.registry.faulty import Answer, Exchange, FaultyServer, answers, resets
from tests.registry.parts import Clock

VERSIONS = ("1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1")


def failure(folder: Path, repository: ChartRepository, place: Place, *prefixes: str) -> str:
    """Why a chart cannot be had."""
    with downloading(folder, *(prefixes or (repository.url,))) as made, pytest.raises(Unavailable) as failed:
        made.open(place).tree()
    return f"{failed.value.reason}: {failed.value}"


@pytest.mark.parametrize(
    ("revision", "version"),
    [("1.2.0", "1.2.0"), ("1.x", "1.10.0"), ("~1.0", "1.0.0"), ("2.0.0-rc.1", "2.0.0-rc.1")],
)
def test_a_chart_is_the_one_that_the_revision_means(
    server: FaultyServer, tmp_path: Path, revision: str, version: str
) -> None:
    """A version, or the newest of a range; its files are there by their paths."""
    repository = ChartRepository(server, *VERSIONS)
    with downloading(tmp_path, repository.url) as made:
        opened = made.open(repository.place(revision))
        assert opened.identity == repository.digests[version]
        assert set(opened.tree()) == {"Chart.yaml", "values.yaml"}
        assert opened.read(["Chart.yaml"]).contents == {"Chart.yaml": chart(version)["Chart.yaml"]}


def test_what_is_there_costs_no_request(server: FaultyServer, tmp_path: Path) -> None:
    """As long as the index is fresh; then that is asked for again by its ETag, also by the next process."""
    repository, clock = ChartRepository(server, *VERSIONS), Clock()
    with downloading(tmp_path, repository.url, clock=clock) as made:
        for _ in range(3):
            made.open(repository.place())
        made.open(repository.place("~1.10"))
        assert repository.asked() == ["/charts/index.yaml", "/charts/web-1.10.0.tgz"]
        clock.now += 3600
        made.open(repository.place())
    with downloading(tmp_path, repository.url) as again:
        again.open(repository.place())
    assert repository.asked() == ["/charts/index.yaml", "/charts/web-1.10.0.tgz", *["/charts/index.yaml"] * 2]
    assert all("if-none-match" in seen.headers for seen in server.asked()[2:])
    server.on("GET", "/charts/index.yaml", answers(500))
    assert "answers 500" in failure(tmp_path, repository, repository.place())


def test_a_new_version_is_seen_when_the_index_is_read_again(server: FaultyServer, tmp_path: Path) -> None:
    """A range may mean another chart then, which has another identity."""
    repository, clock = ChartRepository(server, "1.0.0"), Clock()
    with downloading(tmp_path, repository.url, clock=clock) as made:
        before = made.open(repository.place()).identity
        newer = ChartRepository(server, "1.0.0", "1.1.0")
        assert made.open(repository.place()).identity == before
        clock.now += 3600
        assert made.open(repository.place()).identity == newer.digests["1.1.0"]


def test_an_index_without_digests_will_do(server: FaultyServer, tmp_path: Path) -> None:
    """What came is kept by its own."""
    repository = ChartRepository(server, "1.0.0")
    repository.publish(digest=None)
    with downloading(tmp_path, repository.url) as made:
        assert [made.open(repository.place()).identity for _ in range(2)] == [repository.digests["1.0.0"]] * 2
    assert repository.asked() == ["/charts/index.yaml", "/charts/web-1.0.0.tgz"]


@pytest.mark.parametrize(
    ("prefix", "allowed"),
    [
        ("{url}", True),
        ("{host}", True),
        ("{url}/", True),
        ("{url}/web", False),
        ("{url}2", False),
        ("https://127.0.0.1", False),
        ("", False),
    ],
)
def test_nothing_is_asked_of_who_is_not_listed(
    server: FaultyServer, tmp_path: Path, prefix: str, allowed: bool
) -> None:
    """A prefix ends at a slash, and tells a scheme and a port."""
    repository = ChartRepository(server, "1.0.0")
    host = f"http://{server.host}"
    prefixes = [prefix.format(url=repository.url, host=host)] if prefix else []
    with downloading(tmp_path, *prefixes) as made:
        if allowed:
            made.open(repository.place())
            return
        with pytest.raises(Unavailable) as refused:
            made.open(repository.place())
    assert str(refused.value) == (
        f"the chart web 1.x of {repository.url} may not be downloaded: {repository.url} is below none of the"
        f" setting download_prefixes (add {host}, or a path there, to download_prefixes)"
    )
    assert refused.value.reason == "DownloadNotAllowed"
    assert not repository.asked()


def test_an_index_cannot_name_servers_that_are_not_listed(server: FaultyServer, tmp_path: Path) -> None:
    """Whoever publishes a chart must not choose what is asked for from here."""
    repository = ChartRepository(server, "1.0.0")
    for url in (
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "/../secret",
        "../charts%2f..%2f..%2fsecret",
    ):
        repository.publish(urls=[url])
        assert failure(tmp_path / url[:4], repository, repository.place()).startswith("DownloadNotAllowed: ")
    assert set(repository.asked()) == {"/charts/index.yaml"}


def test_redirects_are_followed_without_credentials(server: FaultyServer, tmp_path: Path) -> None:
    """As to the storage that a server keeps its archives in."""
    repository = ChartRepository(server, "1.0.0")
    login = base64.b64encode(b"me:secret").decode()
    authfile = json.dumps({"auths": {f"http://{server.host}/charts": {"auth": login}}}).encode()
    with FaultyServer() as storage:
        storage.on("GET", "/blob", answers(200, repository.archives["1.0.0"]))
        server.on("GET", "tgz$", answers(302, headers={"Location": f"http://{storage.host}/blob"}))
        with downloading(tmp_path, repository.url, authfile=authfile) as made:
            assert made.open(repository.place()).identity == repository.digests["1.0.0"]
        assert all(seen.headers["authorization"] == f"Basic {login}" for seen in server.asked())
        assert ["authorization" in seen.headers for seen in storage.asked()] == [False]


def endless(exchange: Exchange) -> None:
    """A body that claims to go on for gigabytes, and does for as long as somebody reads it."""
    exchange.send(Answer(200, b"a: b\n" * 5_000_000, {}, length=1 << 40))


def test_what_fails_says_so(server: FaultyServer, tmp_path: Path) -> None:
    """With the URL, without the password in it, and with what to do."""
    repository = ChartRepository(server, "1.0.0")
    host, place = f"http://{server.host}", repository.place()
    index, tgz = "/charts/index.yaml", "/charts/web-1.0.0.tgz"
    shown = f"the archive of the chart web 1.x of {host}/charts"
    table = [
        (
            index,
            answers(404),
            f"ChartNotFound: the index of {host}/charts is not there: {host}{index} answers 404",
        ),
        (
            index,
            answers(500),
            f"DownloadFailed: the index of {host}/charts cannot be downloaded: {host}{index} answers 500",
        ),
        (index, answers(401), "answers 401 (list it in download_authfile)"),
        (index, answers(200, b"<html>"), f"{host}/charts cannot be read: it has no list of charts"),
        (index, answers(200, b"{}"), f"{host}/charts cannot be read: it has no list of charts"),
        (
            index,
            answers(200, b"a: [b"),
            f"the index of {host}/charts cannot be read: it is neither YAML nor JSON",
        ),
        (index, resets, "cannot be downloaded from"),
        (tgz, answers(404), f"ChartNotFound: {shown} is not there: {host}{tgz} answers 404"),
        (tgz, tagged(archive(chart("6.6.6"))), f"DigestMismatch: {shown} has the digest "),
        (tgz, endless, "the answer is larger than 20 MiB"),
    ]
    for number, (path, action, why) in enumerate(table):
        server.on("GET", path, action, times=1)
        said = failure(tmp_path / str(number), repository, repository.place(url=place.url))
        assert why in said, said
    secret = repository.place(url=repository.url.replace("http://", "http://me:secret@"))
    server.on("GET", index, answers(500), times=1)
    assert "secret" not in failure(tmp_path / "secret", repository, secret, repository.url)
    assert not any("authorization" in seen.headers for seen in server.asked())


def test_what_drips_ends_in_time(server: FaultyServer, tmp_path: Path) -> None:
    """No worker waits for a server that sends a byte now and then."""
    repository = ChartRepository(server, "1.0.0")
    server.on("GET", "index.yaml", lambda exchange: exchange.drip(Answer(200, b"a" * 1000, {}), seconds=0.5))
    begun = time.monotonic()
    assert "did not end within" in failure(tmp_path, repository, repository.place())
    assert time.monotonic() - begun < 10 * SECONDS


@pytest.mark.parametrize(
    ("place", "why"),
    [
        (("3.x", "web"), "the chart web 3.x of {url} is not there: no version fits, the newest is 1.10.0"),
        (
            ("1.x", "redis"),
            "the chart redis 1.x of {url} is not there: no version fits, there is none at all",
        ),
        (
            ("1.x", "other"),
            "the chart other 1.x of {url} is not there: no version fits, there is none at all",
        ),
    ],
)
def test_a_chart_that_is_not_there_is_named(
    server: FaultyServer, tmp_path: Path, place: tuple[str, str], why: str
) -> None:
    """With the newest version that there is."""
    repository = ChartRepository(server, *VERSIONS)
    revision, name = place
    said = failure(tmp_path, repository, repository.place(revision, chart=name))
    assert said == f"ChartNotFound: {why.format(url=repository.url)}"


def test_an_archive_that_is_none_is_named(server: FaultyServer, tmp_path: Path) -> None:
    """It may come with the right digest all the same."""
    repository = ChartRepository(server, "1.0.0")
    repository.publish(digest=None)
    for number, body in enumerate((b"", b"<html>", archive({"README.md": b""}))):
        server.on("GET", "tgz$", answers(200, body))
        said = failure(tmp_path / str(number), repository, repository.place())
        assert said.startswith("DownloadFailed: the archive of the chart web 1.x of ")
        assert "is no chart" in said


def test_what_failed_is_not_asked_for_again_at_once(server: FaultyServer, tmp_path: Path) -> None:
    """Many Applications may name it; a minute later it may be there."""
    repository, clock = ChartRepository(server, "1.0.0"), Clock()
    server.on("GET", "index.yaml", answers(500), times=1)
    with downloading(tmp_path, repository.url, clock=clock) as made:
        for revision in ("1.x", "1.0.0"):
            with pytest.raises(Unavailable):
                made.open(repository.place(revision))
        assert len(repository.asked()) == 1
        clock.now += 120
        assert made.open(repository.place()).identity == repository.digests["1.0.0"]


def test_a_damaged_archive_is_downloaded_again(server: FaultyServer, tmp_path: Path) -> None:
    """The disk is a cache, and nothing is believed that has another digest."""
    repository = ChartRepository(server, "1.0.0")
    with downloading(tmp_path, repository.url) as made:
        made.open(repository.place())
        (kept,) = tmp_path.glob("chart-*")
        kept.write_bytes(b"x")
        assert made.open(repository.place()).tree()
    assert kept.read_bytes() == repository.archives["1.0.0"]


def test_large_answers_are_not_read_to_their_end() -> None:
    """Bounds that are far above what there is, and far below what hurts."""
    assert charts.LARGEST_FILE < charts.LARGEST_ARCHIVE < charts.LARGEST_INDEX <= 64 * 1024 * 1024


def test_a_value_file_is_downloaded_by_its_url(server: FaultyServer, tmp_path: Path) -> None:
    """And kept for some minutes."""
    url, clock = f"http://me:secret@{server.host}/prod.yaml?token=secret", Clock()
    server.on("GET", "/prod.yaml", tagged(b"a: b\n"))
    with downloading(tmp_path, f"http://{server.host}", clock=clock) as made:
        place = Place.of_file(url)
        opened = made.open(place)
        (path,) = opened.tree()
        assert opened.read([path]).contents == {path: b"a: b\n"}
        assert made.open(place).identity == opened.identity
        assert [seen.path for seen in server.asked()] == ["/prod.yaml?token=secret"]
        clock.now += 3600
        server.on("GET", "/prod.yaml", answers(500))
        with pytest.raises(Unavailable) as failed:
            made.open(place)
    where = f"http://{server.host}/prod.yaml"
    assert str(failed.value) == f"the value file {where} cannot be downloaded: {where} answers 500"
