"""The sandbox's registries: what is pushed, who may push, and what the log tells."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from gitops_backup.domain.images import Reference
from gitops_backup.process import run
from gitops_backup.sandbox.locations import Locations, NoSuchPlace, Place
from gitops_backup.sandbox.registry import Registry, RegistryRefused
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.tiny_images import tiny_image


def test_the_same_content_makes_the_same_digest_everywhere() -> None:
    """Samples name an image by its digest, so it must not depend on the machine or its libraries."""
    two = ("linux/amd64", "linux/arm64")
    image = tiny_image(b"hello", platforms=two)
    assert image.top.digest == "sha256:12d217e22b21b17fa72d0c4278acd129c6ca22215919995c098758b284b0eec3"
    assert len(image.manifests) == 2
    assert tiny_image(b"hello!", platforms=two).top != image.top


@pytest.mark.parametrize("docker", [False, True])
def test_skopeo_can_read_what_was_pushed(registry: Registry, docker: bool) -> None:
    """An index of two platforms is copied whole, layers unpacked and checked, by the real program."""
    platforms = ("linux/amd64", "linux/arm64")
    digest = registry.push_image("a/b", "1", platforms=platforms, docker=docker)
    assert registry.digest("a/b", "1") == digest
    index = json.loads(registry.manifest("a/b", digest) or b"")
    assert [each["platform"]["architecture"] for each in index["manifests"]] == ["amd64", "arm64"]
    source, target = (f"docker://{registry.address}/{name}" for name in ("a/b:1", "c/d:2"))
    flags = ["--all", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false"]
    done = run(["skopeo", "copy", *flags, source, target], timeout=60)
    assert done.returncode == 0, done.stderr
    assert registry.digest("c/d", "2") == digest


def test_content_that_spans_several_blocks_is_valid(registry: Registry, tmp_path: Path) -> None:
    """A layer of more than 64 KiB can be unpacked."""
    registry.push_image("big", "1", content=b"x" * 200_000)
    source = f"docker://{registry.address}/big:1"
    done = run(["skopeo", "copy", "--src-tls-verify=false", source, f"oci:{tmp_path}/out"], timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_log_tells_what_others_asked(registry: Registry) -> None:
    """Requests are counted from the registry's own log, without the sandbox's, from a chosen moment on."""
    registry.push_image("a", "1")
    with urllib3.PoolManager(headers={"User-Agent": "somebody"}) as client:
        client.request("GET", f"{registry.url}/v2/a/tags/list?n=5")
        (seen,) = registry.requests()
        assert (seen.method, seen.path, seen.status) == ("GET", "/v2/a/tags/list?n=5", 200)
        assert seen.agent == "somebody"
        assert any(each.method == "PUT" for each in registry.requests(others_only=False))
        registry.forget_requests()
        client.request("HEAD", f"{registry.url}/v2/a/manifests/2")
    (seen,) = registry.requests()
    assert (seen.method, seen.status) == ("HEAD", 404)


def test_the_backup_registry_wants_the_right_password(sandbox: Sandbox) -> None:
    """Without credentials, and with wrong ones, the answer is 401; with the right ones 200."""
    url = f"{sandbox.backup.url}/v2/"
    wrong = urllib3.make_headers(basic_auth=f"{sandbox.backup.username}:wrong")
    right = urllib3.make_headers(basic_auth=f"{sandbox.backup.username}:{sandbox.backup.password}")
    with urllib3.PoolManager() as client:
        statuses = [client.request("GET", url, headers=headers).status for headers in ({}, wrong, right)]
    assert statuses == [401, 401, 200]


def test_upstream_holds_well_known_images_under_their_real_names(sandbox: Sandbox) -> None:
    """References keep their names; where they really are is a setting."""
    assert sandbox.digest("nginx:1.14.0") == sandbox.digest("docker.io/library/nginx:1.14.0") is not None
    assert sandbox.digest("quay.io/prometheus/node-exporter:v1.8.0")
    assert sandbox.digest("nginx:no-such-tag") is None
    location = sandbox.registries["quay.io"]
    assert location == {"location": f"{sandbox.upstream.address}/quay.io", "insecure": True}
    backup = sandbox.registries["docker.io/marcosquesada"]
    assert backup["location"] == f"{sandbox.backup.address}/marcosquesada"


def test_the_longest_prefix_decides_where_an_image_is(sandbox: Sandbox) -> None:
    """And a prefix ends where a path component does."""
    upstream, backup = sandbox.upstream, sandbox.backup
    locations = Locations({"docker.io": Place(upstream, "hub"), "docker.io/acme": Place(backup, "x/y")})
    assert locations.of(Reference.parse("acme/app:1")) == (backup, "x/y/app")
    assert locations.of(Reference.parse("acmes/app:1")) == (upstream, "hub/acmes/app")
    with pytest.raises(NoSuchPlace, match="stands for gcr"):
        locations.of(Reference.parse("gcr.io/a/b"))


def test_a_registry_that_was_interrupted_comes_back_empty(registry: Registry) -> None:
    """At the same address; it keeps everything in memory."""
    registry.push_image("a", "1")
    registry.interrupt()
    with pytest.raises(RegistryRefused):
        registry.tags("a")
    registry.resume()
    assert registry.tags("a") == []
    registry.push_image("a", "2")
    assert registry.tags("a") == ["2"]
    assert registry.repositories() == ["a"]


def test_a_deleted_manifest_takes_its_tags_with_it(registry: Registry) -> None:
    """Deleting is allowed, by digest."""
    registry.delete("a", registry.push_image("a", "1"))
    assert registry.digest("a", "1") is None


def test_many_images_can_be_pushed_at_the_same_time(registry: Registry) -> None:
    """None is lost, and each has its own digest."""
    with ThreadPoolExecutor(8) as pool:
        digests = list(pool.map(lambda number: registry.push_image(f"i{number}", "1"), range(40)))
    assert len(set(digests)) == 40
    assert len(registry.repositories()) == 40
