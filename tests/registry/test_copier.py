"""The whole copy between two real registries: what is decided, what is sent, and what counts as done."""

import base64
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitops_backup.domain.naming import Prefix
from gitops_backup.domain.reasons import Reason
from gitops_backup.process import ProcessCancelled
from gitops_backup.registry.copier import Resolution, decide
from gitops_backup.registry.credentials import Authfile, Credential, SourceCredentials
from gitops_backup.registry.failures import CopyFailed, Side
from gitops_backup.sandbox.registry import Registry
from gitops_backup.sandbox.tiny_images import tiny_image
from tests.registry.faulty import Exchange, FaultyServer, answers, error, with_header
from tests.registry.parts import PASSWORD, SOURCES, USERNAME, Parts, backup_image, copy, source_image

_TWO = ["linux/amd64", "linux/arm64/v8"]
_T, _A, _B, _X, _Y = (f"sha256:{letter * 64}" for letter in "7ab89")
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.mark.parametrize(
    ("tag", "same", "running", "there", "decided"),
    [
        pytest.param(_T, [_T], [], [], Resolution(_T), id="nothing runs"),
        pytest.param(_T, [_T], [_T], [_T], Resolution(_T), id="the tag runs"),
        pytest.param(_T, [_T, _A], [_A], [_A], Resolution(_T, (_A,)), id="a part of the tag runs"),
        pytest.param(_T, [_T, _A, _B], [_B, _T, _A], [], Resolution(_T, (_A, _B)), id="all of it runs"),
        pytest.param(_T, [_T], [_X], [_X], Resolution(_X, (), True), id="something else runs"),
        pytest.param(_T, [_T, _A], [_A, _X], [_X], Resolution(_T, (_A,), True), id="both run"),
        pytest.param(_T, [_T], [_Y, _X], [_X, _Y], Resolution(_X, (), True), id="two others run"),
        pytest.param(_T, [_T], [_Y, _X], [_Y], Resolution(_Y, (), True), id="one of two others is left"),
        pytest.param(_T, [_T], [_X], [], None, id="what runs is gone"),
        pytest.param(None, [], [_X], [_X], Resolution(_X, (), True), id="the tag is gone"),
        pytest.param(None, [], [], [], None, id="there is nothing"),
    ],
)
def test_what_runs_is_what_is_copied(
    tag: str | None, same: list[str], running: list[str], there: list[str], decided: Resolution | None
) -> None:
    """The index where it is part of what the tag names, else itself."""
    assert decide(tag, same=same, running=running, there=there) == decided


def test_a_tag_takes_one_request_to_resolve(
    parts: Parts, upstream: Registry, source_server: FaultyServer, repository: str
) -> None:
    """With nothing running, or with itself running; a digest takes none."""
    digest = upstream.push_image(repository, "1", platforms=_TWO)
    image = source_image(repository)
    assert parts.copier.resolve(image) == Resolution(digest)
    assert parts.copier.resolve(image, [digest]) == Resolution(digest)
    assert [seen.method for seen in source_server.asked(path="/manifests/")] == ["HEAD", "HEAD"]
    source_server.forget()
    assert parts.copier.resolve(image.at(_X), [_Y]) == Resolution(_X)
    assert source_server.requests == []


@pytest.mark.parametrize("kind", ["manifest", "configuration"])
def test_a_platform_that_runs_stands_for_its_index(
    parts: Parts, upstream: Registry, repository: str, kind: str
) -> None:
    """Nodes report the manifest of their platform, or a configuration where the image was loaded by hand."""
    image = tiny_image(b"x", platforms=_TWO)
    digest = upstream.push_image(repository, "1", platforms=_TWO, content=b"x")
    manifest = image.manifests[1]
    configuration = json.loads(manifest.content)["config"]["digest"]
    runs = manifest.digest if kind == "manifest" else configuration
    assert parts.copier.resolve(source_image(repository), [runs]) == Resolution(digest, (runs,))


@pytest.mark.parametrize("number", [0, 1])
def test_what_a_node_reports_is_looked_for_in_the_copy(
    parts: Parts,
    upstream: Registry,
    source_server: FaultyServer,
    backup_server: FaultyServer,
    repository: str,
    number: int,
) -> None:
    """Each platform's manifest and configuration; the source is not asked, nor more than is needed."""
    manifest = tiny_image(b"x", platforms=_TWO).manifests[number]
    configuration = json.loads(manifest.content)["config"]["digest"]
    digest = upstream.push_image(repository, "1", platforms=_TWO, content=b"x")
    target = backup_image(repository)
    assert parts.copier.parts(target, [configuration]) == frozenset()
    copy(parts.copier, source_image(repository), target, digest)
    for server in (source_server, backup_server):
        server.forget()
    assert parts.copier.parts(target, [manifest.digest, _X]) == {manifest.digest}
    backup_server.forget()
    assert parts.copier.parts(target, [configuration]) == {configuration}
    assert len(backup_server.asked("GET", "/manifests/")) == 2 + number
    assert source_server.requests == []


def test_a_source_that_fails_at_what_runs_is_not_taken_to_have_lost_it(
    parts: Parts, upstream: Registry, source_server: FaultyServer, repository: str
) -> None:
    """A 500 is no answer, nor is a refusal; neither is passed over because the tag is known."""
    upstream.push_image(repository, "1", platforms=_TWO)
    for status, reason in ((500, Reason.SOURCE_UNAVAILABLE), (403, Reason.SOURCE_AUTH_FAILED)):
        source_server.on("HEAD", f"/manifests/{_X}", error(status, "X"))
        with pytest.raises(CopyFailed) as caught:
            parts.copier.resolve(source_image(repository), [_X])
        assert caught.value.reason is reason


def test_the_configuration_of_a_single_image_stands_for_it(
    parts: Parts, upstream: Registry, repository: str
) -> None:
    """There is no index to look into."""
    digest = upstream.push_image(repository, "1", content=b"x")
    configuration = json.loads(tiny_image(b"x", platforms=["linux/amd64"]).top.content)["config"]["digest"]
    assert parts.copier.resolve(source_image(repository), [configuration]).digest == digest


def test_a_tag_that_moved_leaves_what_runs(parts: Parts, upstream: Registry, repository: str) -> None:
    """It is still there by its digest; when the tag is deleted, too."""
    old = upstream.push_image(repository, "1", content=b"old")
    new = upstream.push_image(repository, "1", content=b"new")
    assert parts.copier.resolve(source_image(repository), [old]) == Resolution(old, (), True)
    assert parts.copier.resolve(source_image(repository), [old, new]) == Resolution(new, (), True)
    upstream.delete(repository, new)
    assert parts.copier.resolve(source_image(repository), [old]) == Resolution(old, (), True)


@pytest.mark.parametrize("running", [[], [_X]])
@pytest.mark.parametrize("tagged", [False, True])
def test_what_is_gone_is_not_found(
    parts: Parts, upstream: Registry, repository: str, running: list[str], tagged: bool
) -> None:
    """The tag, or what runs: another image than the running one is no backup of it."""
    if tagged:
        digest = upstream.push_image(repository, "1")
        if not running:
            assert parts.copier.resolve(source_image(repository)) == Resolution(digest)
            return
    with pytest.raises(CopyFailed, match=repository) as caught:
        parts.copier.resolve(source_image(repository), running)
    assert caught.value.reason is Reason.SOURCE_NOT_FOUND


@pytest.mark.parametrize("docker", [False, True])
@pytest.mark.parametrize("platforms", [["linux/amd64"], _TWO])
def test_a_copy_is_the_same_to_the_byte(
    parts: Parts, upstream: Registry, backup: Registry, repository: str, docker: bool, platforms: list[str]
) -> None:
    """With every platform of an index, in OCI's form and in Docker's."""
    digest = upstream.push_image(repository, "1", platforms=platforms, docker=docker)
    copied = copy(parts.copier, source_image(repository), backup_image(repository), digest)
    image = tiny_image(f"{repository}:1".encode(), platforms=platforms, docker=docker)
    assert copied.copied
    assert copied.digest == digest
    assert copied.manifests == tuple(manifest.digest for manifest in image.manifests)
    assert copied.platforms == (tuple(platforms) if len(platforms) > 1 else ())
    documents = {image.top, *image.manifests}
    assert copied.size == sum(map(len, image.blobs.values())) + sum(len(each.content) for each in documents)
    assert backup.manifest(f"kept/{repository}", "1") == upstream.manifest(repository, "1")
    for manifest in image.manifests:
        assert backup.manifest(f"kept/{repository}", manifest.digest) == manifest.content
    assert backup.digest(f"kept/{repository}", "1") == digest


def test_the_requests_of_a_copy_are_few(
    parts: Parts,
    upstream: Registry,
    source_server: FaultyServer,
    backup_server: FaultyServer,
    repository: str,
) -> None:
    """Beside skopeo's own: two at the source, and two at the backup and one for each platform."""
    upstream.push_image(repository, "1", platforms=_TWO)
    parts.destination.head(backup_image(repository))
    for server in (source_server, backup_server):
        server.forget()
    resolved = parts.copier.resolve(source_image(repository))
    first = copy(parts.copier, source_image(repository), backup_image(repository), resolved.digest)
    signature = f"{resolved.digest.replace(':', '-')}.sig"
    assert _ours(source_server) == [f"HEAD {repository}/1", f"HEAD {repository}/{signature}"]
    look = [f"GET kept/{repository}/{reference}" for reference in ("1", *first.manifests)]
    assert _ours(backup_server) == [f"GET kept/{repository}/1", *look]


def test_what_is_there_is_looked_at_and_not_copied(
    parts: Parts,
    upstream: Registry,
    source_server: FaultyServer,
    backup_server: FaultyServer,
    repository: str,
) -> None:
    """One to the backup registry, none to the source, and no write."""
    digest = upstream.push_image(repository, "1")
    image, target = source_image(repository), backup_image(repository)
    copy(parts.copier, image, target, digest)
    for server in (source_server, backup_server):
        server.forget()
    assert not copy(parts.copier, image, target, digest).copied
    assert source_server.requests == []
    assert [seen.method for seen in backup_server.requests] == ["GET"]


def test_a_layer_that_another_backup_has_is_neither_read_nor_sent_again(
    parts: Parts,
    upstream: Registry,
    source_server: FaultyServer,
    backup_server: FaultyServer,
    repository: str,
) -> None:
    """The backup registry is told to take it from there."""
    layer = json.loads(tiny_image(b"shared", platforms=["linux/amd64"]).top.content)["layers"][0]["digest"]
    for name, platform in (("one", "linux/amd64"), ("two", "linux/arm64")):
        own = f"{repository}/{name}"
        digest = upstream.push_image(own, "1", content=b"shared", platforms=[platform])
        copy(parts.copier, source_image(own), backup_image(own), digest)
    assert [seen.path for seen in source_server.asked("GET", layer)] == [
        f"/v2/{repository}/one/blobs/{layer}"
    ]
    assert len(backup_server.asked("POST", "mount=")) == 1


def test_a_tag_that_moves_meanwhile_changes_nothing(
    parts: Parts, upstream: Registry, backup: Registry, repository: str
) -> None:
    """What was resolved is what is copied."""
    digest = upstream.push_image(repository, "1", content=b"old")
    upstream.push_image(repository, "1", content=b"new")
    copy(parts.copier, source_image(repository), backup_image(repository), digest)
    assert backup.digest(f"kept/{repository}", "1") == digest


def test_a_tag_that_holds_something_else_is_left_alone(
    parts: Parts, upstream: Registry, backup: Registry, backup_server: FaultyServer, repository: str
) -> None:
    """It is a conflict; nothing is written."""
    digest = upstream.push_image(repository, "1")
    held = backup.push_image(f"kept/{repository}", "1", content=b"somebody else's")
    with pytest.raises(CopyFailed, match=held) as caught:
        copy(parts.copier, source_image(repository), backup_image(repository), digest)
    assert caught.value.reason is Reason.NAME_CONFLICT
    assert backup.digest(f"kept/{repository}", "1") == held
    assert backup_server.asked("PUT|POST|PATCH|DELETE") == []


def test_an_index_whose_parts_are_gone_is_not_verified(
    parts: Parts, upstream: Registry, backup_server: FaultyServer, repository: str
) -> None:
    """Somebody deleted one platform from the backup registry, or it never arrived."""
    digest = upstream.push_image(repository, "1", platforms=_TWO)
    image, target = source_image(repository), backup_image(repository)
    lost = copy(parts.copier, image, target, digest).manifests[1]
    backup_server.on("GET|HEAD", f"/manifests/{lost}", error(404, "MANIFEST_UNKNOWN"))
    with pytest.raises(CopyFailed, match=lost) as caught:
        copy(parts.copier, image, target, digest)
    assert caught.value.reason is Reason.DIGEST_MISMATCH


def test_parts_that_are_gone_are_copied_again(
    parts: Parts, upstream: Registry, backup: Registry, repository: str
) -> None:
    """A registry's clean-up may take what has no tag of its own."""
    digest = upstream.push_image(repository, "1", platforms=_TWO)
    image, target = source_image(repository), backup_image(repository)
    lost = copy(parts.copier, image, target, digest).manifests[1]
    backup.delete(f"kept/{repository}", lost)
    assert backup.digest(f"kept/{repository}", lost) is None
    assert copy(parts.copier, image, target, digest).copied
    assert backup.digest(f"kept/{repository}", lost) == lost
    assert not copy(parts.copier, image, target, digest).copied


def test_a_registry_that_forgets_what_was_pushed_is_found_out(
    parts: Parts, upstream: Registry, backup_server: FaultyServer, repository: str
) -> None:
    """It said 201 to the manifest, and has none."""
    digest = upstream.push_image(repository, "1")
    backup_server.on("PUT", "/manifests/1$", answers(201))
    with pytest.raises(CopyFailed, match="is not there") as caught:
        copy(parts.copier, source_image(repository), backup_image(repository), digest)
    assert caught.value.reason is Reason.DIGEST_MISMATCH


def test_a_source_that_serves_something_else_than_it_promised_is_found_out(
    parts: Parts, upstream: Registry, source_server: FaultyServer, backup: Registry, repository: str
) -> None:
    """Its HEAD names one digest, its GET has the bytes of another; nothing gets the tag."""
    digest = upstream.push_image(repository, "1")
    other = upstream.push_image(repository, "2")
    upstream.delete(repository, other)
    source_server.on("HEAD", "/manifests/1$", with_header("Docker-Content-Digest", other))
    source_server.on("GET", f"/manifests/{other}$", answers(200, upstream.manifest(repository, "1") or b""))
    resolved = parts.copier.resolve(source_image(repository))
    assert resolved.digest == other != digest
    with pytest.raises(CopyFailed) as caught:
        copy(parts.copier, source_image(repository), backup_image(repository), resolved.digest)
    assert caught.value.reason is Reason.DIGEST_MISMATCH
    assert backup.tags(f"kept/{repository}") == []


@pytest.mark.parametrize("pushed", [["linux/amd64"], _TWO])
def test_a_platform_that_is_wanted_has_to_be_there(
    parts: Parts, upstream: Registry, repository: str, pushed: list[str]
) -> None:
    """In an index, or in the configuration of a single image."""
    digest = upstream.push_image(repository, "1", platforms=pushed)
    image, target = source_image(repository), backup_image(repository)
    assert copy(parts.copier, image, target, digest, platforms=["linux/amd64"]).platforms == tuple(pushed)
    with pytest.raises(CopyFailed, match="linux/s390x") as caught:
        copy(parts.copier, image, target, digest, platforms=["linux/amd64", "linux/s390x"])
    assert caught.value.reason is Reason.PLATFORM_MISSING


def test_what_names_no_platform_has_none(parts: Parts, backup: Registry, repository: str) -> None:
    """An artifact's configuration may be anything, here its layer."""
    place = f"kept/{repository}"
    backup.push_image(place, "for-its-blobs", content=b"x")
    manifest = json.loads(tiny_image(b"x", platforms=["linux/amd64"]).top.content)
    manifest["config"] = manifest["layers"][0]
    digest = backup.push_manifest(place, "1", json.dumps(manifest).encode(), media_type=_MANIFEST)
    image, target = source_image(repository), backup_image(repository)
    with pytest.raises(CopyFailed) as caught:
        copy(parts.copier, image, target, digest, platforms=["linux/amd64"])
    assert caught.value.reason is Reason.PLATFORM_MISSING


def test_a_configuration_that_is_gone_is_not_verified(
    parts: Parts, upstream: Registry, backup_server: FaultyServer, repository: str
) -> None:
    """It is looked at where a platform is wanted."""
    digest = upstream.push_image(repository, "1")
    backup_server.on("GET", "/blobs/", error(404, "BLOB_UNKNOWN"))
    image, target = source_image(repository), backup_image(repository)
    with pytest.raises(CopyFailed, match="lacks its configuration") as caught:
        copy(parts.copier, image, target, digest, platforms=["linux/amd64"])
    assert caught.value.reason is Reason.DIGEST_MISMATCH


def test_where_pulls_are_counted_parts_are_looked_at_by_head(
    parts: Parts, upstream: Registry, backup_server: FaultyServer, repository: str
) -> None:
    """A GET of each platform would use up what the nodes need; the size is not known then."""
    digest = upstream.push_image(repository, "1", platforms=_TWO)
    backup_server.on("GET|HEAD", "/manifests/", with_header("RateLimit-Remaining", "100;w=21600"))
    copied = copy(parts.copier, source_image(repository), backup_image(repository), digest)
    assert copied.size is None
    assert len(copied.manifests) == 2
    for child in copied.manifests:
        assert [seen.method for seen in backup_server.asked("GET|HEAD", f"/manifests/{child}")] == ["HEAD"]


def test_a_signature_comes_along_before_the_image(
    parts: Parts, upstream: Registry, backup: Registry, backup_server: FaultyServer, repository: str
) -> None:
    """As cosign keeps it beside the image, with the attestations of what is signed."""
    digest = upstream.push_image(repository, "1", platforms=_TWO)
    stem = digest.replace(":", "-")
    layer = "application/vnd.dev.cosign.simplesigning.v1+json"
    for kind in ("sig", "att"):
        _push_artifact(upstream, repository, f"{stem}.{kind}", layer=layer)
    copy(parts.copier, source_image(repository), backup_image(repository), digest)
    tags = [seen.path.rpartition("/")[2] for seen in backup_server.asked("PUT", "/manifests/(?!sha256:)")]
    assert tags == [f"{stem}.sig", f"{stem}.att", "1"]
    for tag in tags:
        assert backup.manifest(f"kept/{repository}", tag) == upstream.manifest(repository, tag)


def test_a_signature_that_is_there_is_left_alone(
    parts: Parts, upstream: Registry, backup: Registry, repository: str
) -> None:
    """A source may gain signatures; the backup's tag never changes."""
    digest = upstream.push_image(repository, "1")
    tag = f"{digest.replace(':', '-')}.sig"
    upstream.push_image(repository, tag, content=b"new")
    held = backup.push_image(f"kept/{repository}", tag, content=b"old")
    assert copy(parts.copier, source_image(repository), backup_image(repository), digest).copied
    assert backup.digest(f"kept/{repository}", tag) == held


def test_a_refusal_to_show_a_signature_is_as_good_as_none(
    parts: Parts, upstream: Registry, source_server: FaultyServer, repository: str
) -> None:
    """Some proxies refuse what they do not know; other failures fail the copy."""
    digest = upstream.push_image(repository, "1")
    image, target = source_image(repository), backup_image(repository)
    source_server.on("HEAD", r"\.sig$", error(500, "UNKNOWN"))
    with pytest.raises(CopyFailed) as caught:
        copy(parts.copier, image, target, digest)
    assert caught.value.reason is Reason.SOURCE_UNAVAILABLE
    source_server.on("HEAD", r"\.sig$", error(403, "DENIED"))
    assert copy(parts.copier, image, target, digest).copied


def test_many_workers_that_copy_one_image_end_with_one_digest(
    parts: Parts, upstream: Registry, backup: Registry, repository: str
) -> None:
    """Each may push; none pushes anything else."""
    digest = upstream.push_image(repository, "1", platforms=_TWO)
    with ThreadPoolExecutor(6) as pool:
        copies = pool.map(
            lambda _: copy(parts.copier, source_image(repository), backup_image(repository), digest),
            range(6),
        )
        assert {copy.digest for copy in copies} == {digest}
    assert backup.digest(f"kept/{repository}", "1") == digest


def test_a_429_in_the_middle_of_a_copy_cools_the_account_down(
    parts: Parts, upstream: Registry, backup_server: FaultyServer, repository: str
) -> None:
    """skopeo is told no; the next one is not even started."""
    digest = upstream.push_image(repository, "1")
    backup_server.on("PATCH", "", error(429, "TOOMANYREQUESTS"))
    for _ in range(2):
        with pytest.raises(CopyFailed) as caught:
            copy(parts.copier, source_image(repository), backup_image(repository), digest)
        assert caught.value.reason is Reason.RATE_LIMITED
        assert caught.value.side is Side.DESTINATION
        assert caught.value.retry_after is not None
        assert caught.value.retry_after > 0
    assert len(backup_server.asked("PATCH")) == 1
    assert parts.source.head(source_image(repository)) is not None


def test_a_source_that_cools_down_is_not_copied_from(
    parts: Parts, upstream: Registry, source_server: FaultyServer, repository: str
) -> None:
    """By digest nothing would have been asked before."""
    digest = upstream.push_image(repository, "1")
    parts.cooldowns.start(parts.source.remote(source_image(repository)).account, 50)
    with pytest.raises(CopyFailed) as caught:
        copy(parts.copier, source_image(repository), backup_image(repository), digest)
    assert (caught.value.reason, caught.value.side) == (Reason.RATE_LIMITED, Side.SOURCE)
    assert source_server.requests == []


def test_no_pull_is_tried_where_none_is_granted(
    parts: Parts, upstream: Registry, source_server: FaultyServer, repository: str
) -> None:
    """skopeo would ask five times; what is there already needs no pull."""
    digest = upstream.push_image(repository, "1")
    image, target = source_image(repository), backup_image(repository)
    source_server.on("HEAD", "", with_header("RateLimit-Remaining", "0;w=21600"))
    assert parts.copier.resolve(image).digest == digest
    with pytest.raises(CopyFailed) as caught:
        copy(parts.copier, image, target, digest)
    assert (caught.value.reason, caught.value.side) == (Reason.RATE_LIMITED, Side.SOURCE)
    assert not source_server.asked("GET")
    source_server.on("HEAD", "", with_header("RateLimit-Remaining", "100;w=21600"))
    assert copy(parts.copier, image, target, digest).copied
    source_server.on("HEAD", "", with_header("RateLimit-Remaining", "0;w=21600"))
    parts.source.head(image)
    assert not copy(parts.copier, image, target, digest).copied


def test_a_copy_can_be_stopped_in_the_middle(
    parts: Parts, upstream: Registry, source_server: FaultyServer, backup: Registry, repository: str
) -> None:
    """Nothing has the tag then; the next attempt makes it."""
    digest = upstream.push_image(repository, "1")
    cancel, hold = threading.Event(), threading.Event()

    def stall(exchange: Exchange) -> None:
        cancel.set()
        hold.wait(30)
        exchange.send(exchange.forward())

    source_server.on("GET", "/blobs/", stall, times=1)
    with pytest.raises(ProcessCancelled):
        copy(parts.copier, source_image(repository), backup_image(repository), digest, cancel=cancel)
    hold.set()
    assert backup.tags(f"kept/{repository}") == []
    assert copy(parts.copier, source_image(repository), backup_image(repository), digest).copied


@contextmanager
def _one_host_for_both(server: FaultyServer, folder: Path) -> Iterator[Parts]:
    """Sources with credentials of their own, and backups, on the same host below different prefixes."""
    known = Authfile({SOURCES: Credential("reader", "r-secret")})
    sources = SourceCredentials(known, [Prefix.parse(SOURCES)])
    with Parts.between(server.host, server.host, folder=folder, sources=sources) as parts:
        yield parts


def test_neither_side_is_shown_the_credentials_of_the_other(
    upstream: Registry, repository: str, tmp_path: Path
) -> None:
    """Even on one and the same host, by our requests and by skopeo's; every request was written down."""
    digest = upstream.push_image(repository, "1", platforms=_TWO)
    expected = {
        name: f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"
        for name, password in (("reader", "r-secret"), (USERNAME, PASSWORD))
    }
    with FaultyServer(upstream.address) as server:

        def wants_somebody(exchange: Exchange) -> None:
            challenge = answers(401, b"{}", {"WWW-Authenticate": 'Basic realm="x"'})
            known = "authorization" in exchange.seen.headers
            exchange.send(exchange.forward()) if known else challenge(exchange)

        server.on(".*", "", wants_somebody)
        with _one_host_for_both(server, tmp_path) as parts:
            resolved = parts.copier.resolve(source_image(repository))
            assert copy(parts.copier, source_image(repository), backup_image(repository), digest).copied
        assert resolved.digest == digest
        for path, name in ((f"/v2/{repository}/", "reader"), (f"/v2/kept/{repository}/", USERNAME)):
            shown = {seen.headers.get("authorization") for seen in server.asked(path=f"^{path}")}
            assert shown - {None} == {expected[name]}


def _ours(server: FaultyServer) -> list[str]:
    requests = [s for s in server.requests if s.headers.get("user-agent") == "gitops-backup"]
    return [f"{s.method} {s.path.removeprefix('/v2/').replace('/manifests', '')}" for s in requests]


def _push_artifact(registry: Registry, repository: str, tag: str, *, layer: str) -> None:
    """An artifact in the form of a signature, with the blobs of an image that is pushed for them."""
    image = tiny_image(tag.encode(), platforms=["linux/amd64"])
    registry.push_image(repository, "for-its-blobs", content=tag.encode())
    manifest = json.loads(image.top.content)
    manifest["layers"][0]["mediaType"] = layer
    registry.push_manifest(repository, tag, json.dumps(manifest).encode(), media_type=_MANIFEST)
