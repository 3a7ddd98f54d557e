"""Manifests as registries store them, by tables of good and bad."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops_backup.registry.manifests import (
    Blob,
    Child,
    InvalidManifest,
    digest_of,
    parse,
    platform_of,
)
from gitops_backup.sandbox.tiny_images import tiny_image

_A = "sha256:" + "a" * 64
_B = "sha256:" + "b" * 64


def _index(*entries: dict[str, object]) -> bytes:
    return json.dumps({"schemaVersion": 2, "manifests": entries}).encode()


@pytest.mark.parametrize("docker", [False, True])
def test_an_image_is_read_with_its_blobs(docker: bool) -> None:
    """In OCI's form and in Docker's."""
    image = tiny_image(b"x", platforms=["linux/amd64"], docker=docker)
    body = image.top.content
    manifest = parse(body, digest=digest_of(body, like=_A), content_type="")
    assert manifest.media_type == image.top.media_type
    assert (manifest.digest, manifest.size) == (image.top.digest, len(body))
    assert manifest.children == ()
    assert {blob.digest: blob.size for blob in manifest.blobs} == {d: len(b) for d, b in image.blobs.items()}


@pytest.mark.parametrize("docker", [False, True])
def test_an_index_is_read_with_its_platforms(docker: bool) -> None:
    """In OCI's form and in Docker's; a variant is part of a platform."""
    platforms = ["linux/amd64", "linux/arm64/v8"]
    image = tiny_image(b"x", platforms=platforms, docker=docker)
    manifest = parse(image.top.content, digest=_A, content_type="")
    assert [child.platform for child in manifest.children] == platforms
    assert [child.digest for child in manifest.children] == [each.digest for each in image.manifests]
    assert [child.size for child in manifest.children] == [len(each.content) for each in image.manifests]


def test_an_index_of_very_many_is_refused() -> None:
    """Each would be asked for, one after the other."""
    many = [{"digest": _A, "size": 1}] * 1001
    assert len(parse(_index(*many[1:]), digest=_A, content_type="").children) == 1000
    with pytest.raises(InvalidManifest, match="more than 1000"):
        parse(_index(*many), digest=_A, content_type="")


def test_an_attestation_is_a_child_and_no_platform() -> None:
    """BuildKit puts them into the index as unknown/unknown."""
    unknown = {"os": "unknown", "architecture": "unknown"}
    body = _index({"digest": _A, "size": 1, "platform": unknown}, {"digest": _B, "size": 2})
    children = parse(body, digest=_A, content_type="").children
    assert children == (Child(_A, "", None, 1), Child(_B, "", None, 2))


def test_the_header_counts_where_the_manifest_does_not_say_what_it_is() -> None:
    """`mediaType` is optional in OCI's form."""
    assert parse(_index(), digest=_A, content_type="text/x").media_type == "text/x"


def test_an_artifact_without_layers_is_a_manifest() -> None:
    """Signatures and the like may have anything as their configuration."""
    body = json.dumps({"config": {"digest": _A, "size": 2}}).encode()
    assert parse(body, digest=_B, content_type="").blobs == (Blob(_A, 2),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"manifests": 3}',
        b'{"manifests": [3]}',
        b'{"manifests": [{}]}',
        b'{"manifests": [{"digest": "sha256:short", "size": 1}]}',
        b'{"manifests": [{"digest": "../../../etc", "size": 1}]}',
        b'{"manifests": [{"digest": 1, "size": 1}]}',
        b'{"config": "x"}',
        b'{"layers": [null]}',
        _index({"digest": _A, "size": -1}),
        _index({"digest": _A, "size": "1"}),
        _index({"digest": _A, "size": 1, "platform": "linux"}),
        json.dumps({"manifests": [], "layers": [{"digest": _A, "size": 1}]}).encode(),
    ],
)
def test_what_is_no_manifest_is_refused(body: bytes) -> None:
    """Whatever a registry may send, nothing but one kind of error comes out."""
    with pytest.raises(InvalidManifest):
        parse(body, digest=_A, content_type="application/json")


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["manifests", "config", "layers", "digest", "size", "platform", "os", "architecture"]
                ),
                inner,
            )
        ),
    )
)
def test_any_json_is_a_manifest_or_is_refused(document: object) -> None:
    """Nothing else than `InvalidManifest` escapes."""
    with contextlib.suppress(InvalidManifest):
        parse(json.dumps(document).encode(), digest=_A, content_type="")


@pytest.mark.parametrize(
    ("config", "platform"),
    [
        ({"os": "linux", "architecture": "amd64"}, "linux/amd64"),
        ({"os": "linux", "architecture": "arm", "variant": "v7"}, "linux/arm/v7"),
        ({"os": "linux"}, None),
        ({}, None),
    ],
)
def test_the_platform_of_a_single_image_is_in_its_configuration(
    config: dict[str, str], platform: str | None
) -> None:
    """An artifact's configuration has none."""
    assert platform_of(json.dumps(config).encode()) == platform


@pytest.mark.parametrize("config", [b"", b"[]", b"3", b"[" * 100_000])
def test_a_configuration_that_is_no_object_is_refused(config: bytes) -> None:
    """With the same kind of error."""
    with pytest.raises(InvalidManifest):
        platform_of(config)
