"""References: what is one, what is none, and that the normal form is read back as itself."""

import contextlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gitops_backup.domain.images import InvalidReference, Reference
from tests.domain.generated import digests, references, tags

SHA256 = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8

NORMAL_FORMS = {
    "nginx": "docker.io/library/nginx:latest",
    "nginx:1.25": "docker.io/library/nginx:1.25",
    "library/nginx": "docker.io/library/nginx:latest",
    "docker.io/nginx": "docker.io/library/nginx:latest",
    "docker.io/library/nginx:latest": "docker.io/library/nginx:latest",
    "index.docker.io/nginx": "docker.io/library/nginx:latest",
    "registry-1.docker.io/library/nginx": "docker.io/library/nginx:latest",
    "Docker.IO/nginx": "docker.io/library/nginx:latest",
    "docker.io:443/nginx": "docker.io:443/nginx:latest",
    "docker.io": "docker.io/library/docker.io:latest",
    "marcosquesada/foo:1.0.0": "docker.io/marcosquesada/foo:1.0.0",
    "docker.io/a/b/c": "docker.io/a/b/c:latest",
    f"nginx@{SHA256}": f"docker.io/library/nginx@{SHA256}",
    f"nginx@{SHA512}": f"docker.io/library/nginx@{SHA512}",
    f"nginx:1.25@{SHA256}": f"docker.io/library/nginx:1.25@{SHA256}",
    f"nginx:latest@{SHA256}": f"docker.io/library/nginx:latest@{SHA256}",
    "quay.io/a/b": "quay.io/a/b:latest",
    "quay.io/a": "quay.io/a:latest",
    "QUAY.io/a/b:V1": "quay.io/a/b:V1",
    "localhost/a": "localhost/a:latest",
    "localhost:5000": "docker.io/library/localhost:5000",
    "localhost:5000/a": "localhost:5000/a:latest",
    "localhost:5000/a:1": "localhost:5000/a:1",
    "LocalHost:5000/a": "localhost:5000/a:latest",
    "registry:5000/a/b:2": "registry:5000/a/b:2",
    "10.0.0.1/a": "10.0.0.1/a:latest",
    "10.0.0.1:5000/a": "10.0.0.1:5000/a:latest",
    "[::1]/a": "[::1]/a:latest",
    "[2001:db8::1]:5000/a/b:1": "[2001:db8::1]:5000/a/b:1",
    "[2001:DB8::1]/a": "[2001:db8::1]/a:latest",
    "a.b/c": "a.b/c:latest",
    "x-y.example/c": "x-y.example/c:latest",
    "a__b/c---d/e.f_g": "docker.io/a__b/c---d/e.f_g:latest",
    "0/1:2": "docker.io/0/1:2",
    "nginx:_": "docker.io/library/nginx:_",
    "nginx:A.b-C_d": "docker.io/library/nginx:A.b-C_d",
    "nginx:" + "t" * 128: "docker.io/library/nginx:" + "t" * 128,
    "quay.io/" + "r" * 255: "quay.io/" + "r" * 255 + ":latest",
}

INVALID = {
    "empty": ("", "repository"),
    "blank": (" ", "repository"),
    "a blank before": (" nginx", "repository"),
    "a blank after": ("nginx ", "repository"),
    "a newline at the end": ("nginx\n", "repository"),
    "a newline after the tag": ("nginx:1\n", "tag"),
    "a newline after the digest": (f"nginx@{SHA256}\n", "digest"),
    "a newline after the registry": ("quay.io\n/a", "registry"),
    "a zero byte": ("nginx\0", "repository"),
    "an option": ("-x", "repository"),
    "an option as a registry": ("--policy=x.y/a", "registry"),
    "a transport": ("docker://nginx", "registry"),
    "a URL": ("https://docker.io/nginx", "registry"),
    "the parent folder": ("../etc/passwd", "registry"),
    "the parent folder within": ("a/../b", "repository"),
    "this folder": ("./a", "registry"),
    "an absolute path": ("/nginx", "repository"),
    "a slash at the end": ("nginx/", "repository"),
    "two slashes": ("docker.io//nginx", "repository"),
    "only a registry and a slash": ("docker.io/", "repository"),
    "capitals in the repository": ("Nginx", "repository"),
    "capitals in a namespace": ("MyHost/nginx", "repository"),
    "three underscores": ("a___b", "repository"),
    "two dots": ("a..b", "repository"),
    "mixed separators": ("a_.b", "repository"),
    "a separator at the end": ("a-", "repository"),
    "a separator at the start": ("_a", "repository"),
    "no tag after the colon": ("nginx:", "tag"),
    "two tags": ("nginx:1:2", "tag"),
    "a tag that begins with a dash": ("nginx:-x", "tag"),
    "a tag that begins with a dot": ("nginx:.x", "tag"),
    "a tag of 129 characters": ("nginx:" + "t" * 129, "tag"),
    "a tag with a plus": ("nginx:1+2", "tag"),
    "no digest after the at": ("nginx@", "digest"),
    "a digest as a tag": (f"nginx:{SHA256}", "tag"),
    "a short digest": (f"nginx@{SHA256[:-1]}", "digest"),
    "a long digest": (f"nginx@{SHA256}0", "digest"),
    "a digest in capitals": (f"nginx@{SHA256.upper()}", "digest"),
    "hexadecimal capitals": ("nginx@sha256:" + "A" * 64, "digest"),
    "sha256 as long as sha512": ("nginx@sha256:" + "a" * 128, "digest"),
    "another algorithm": ("nginx@md5:" + "a" * 32, "digest"),
    "two digests": (f"nginx@{SHA256}@{SHA256}", "digest"),
    "a repository of 256 characters": ("quay.io/" + "r" * 256, "repository"),
    "library/ makes it too long": ("r" * 250, "repository"),
    "a registry of 256 characters": ("r" * 252 + ".com/a", "registry"),
    "a port without digits": ("registry:/a", "registry"),
    "a port of six digits": ("registry:500000/a", "registry"),
    "a port that is a word": ("registry:http/a", "registry"),
    "a user in the registry": ("me:secret@quay.io/a", "digest"),
    "an empty label": ("quay..io/a", "registry"),
    "a dot at the end of the host": ("docker.io./nginx", "registry"),
    "an underscore in the host": ("my_host.example/a", "registry"),
    "a dash at the start of a label": ("quay.-io/a", "registry"),
    "an IPv6 zone": ("[fe80::1%eth0]/a", "registry"),
    "an open bracket": ("[::1/a", "registry"),
    "unicode digits in the port": ("registry:\u0665\u0660\u0660\u0660/a", "ASCII"),
    "unicode digits in the tag": ("nginx:\u0661", "ASCII"),
    "unicode digits in the repository": ("nginx\u00b2", "ASCII"),
    "a letter that lower() turns into ASCII": ("\u212a8s.gcr.io/pause", "ASCII"),
    "a lookalike": ("ng\u0456nx", "ASCII"),
    "a lone surrogate": ("nginx\ud800", "ASCII"),
}


@pytest.mark.parametrize(("text", "normal"), NORMAL_FORMS.items())
def test_normal_form(text: str, normal: str) -> None:
    """What a container runtime understands has one normal form, which is read as itself."""
    assert str(Reference.parse(text)) == normal
    assert Reference.parse(normal) == Reference.parse(text)


@pytest.mark.parametrize(("text", "part"), INVALID.values(), ids=INVALID)
def test_invalid(text: str, part: str) -> None:
    """What is no reference is refused in one printable line that names the part."""
    with pytest.raises(InvalidReference, match=part) as caught:
        Reference.parse(text)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_parts_are_told_apart() -> None:
    """A port is not a tag, and a host is not a namespace."""
    assert Reference.parse("registry:5000/a/b:1") == Reference("registry:5000", "a/b", "1", None)
    assert Reference.parse(f"a/b@{SHA256}") == Reference("docker.io", "a/b", None, SHA256)


def test_latest_stands_for_neither_tag_nor_digest() -> None:
    """A digest alone is another image than latest, and both together are a third."""
    same = {Reference.parse("nginx"), Reference.parse("nginx:latest")}
    assert len(same) == 1
    assert len({*same, Reference.parse(f"nginx@{SHA256}"), Reference.parse(f"nginx:latest@{SHA256}")}) == 3


def test_name_at_and_tagged() -> None:
    """The parts of a reference are put together anew without the ones that are replaced."""
    image = Reference.parse(f"nginx:1.25@{SHA256}")
    assert image.name == "docker.io/library/nginx"
    assert str(image.at(SHA512)) == f"docker.io/library/nginx@{SHA512}"
    assert str(image.tagged("2")) == "docker.io/library/nginx:2"


def test_references_with_and_without_tag_can_be_sorted() -> None:
    """The order is that of the normal form."""
    images = [Reference.parse(text) for text in ("b", f"a@{SHA256}", "a:2", f"a:1@{SHA256}", "a:1")]
    assert [str(image) for image in sorted(images)] == sorted(map(str, images))
    assert max(images) >= min(images)


@settings(max_examples=200)
@given(references())
def test_normal_form_round_trips(image: Reference) -> None:
    """Every valid reference is read back from its own text."""
    assert Reference.parse(str(image)) == image


@settings(max_examples=200)
@given(references(), digests, tags)
def test_parts_of_a_reference_are_references(image: Reference, digest: str, tag: str) -> None:
    """What at() and tagged() give round trips as well."""
    for part in (image.at(digest), image.tagged(tag)):
        assert Reference.parse(str(part)) == part
        assert part.name == image.name


@settings(max_examples=200)
@given(references().map(str), st.data())
def test_mutated_text_is_refused_or_round_trips(text: str, data: st.DataObject) -> None:
    """A change anywhere gives another valid reference or an error, never something in between."""
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 5)))
    characters = st.sampled_from([*"/:@._-[]% \n\t\0\\'\"A0aKé", "://", "..", "@sha256:", "\u212a", "\u0663"])
    inserted = data.draw(st.lists(characters, max_size=3).map("".join))
    refused_or_round_trips(text[:start] + inserted + text[end:])


@settings(max_examples=200)
@given(st.one_of(st.text(), st.text("ab/:.@-_[]0\n", max_size=30)))
@example("a" * 100_000)
@example("a-" * 50_000)
@example("a." * 50_000 + "/x")
@example("a@" * 50_000)
def test_any_text_is_refused_or_round_trips(text: str) -> None:
    """Whatever stands in a manifest, parsing has one of two ends."""
    refused_or_round_trips(text)


def refused_or_round_trips(text: str) -> None:
    with contextlib.suppress(InvalidReference):
        image = Reference.parse(text)
        shown = str(image)
        assert Reference.parse(shown) == image
        assert str(Reference.parse(shown)) == shown
        assert shown.isascii()
        assert shown.isprintable()
        assert not {" ", "%", "\\"} & set(shown)
        assert not shown.startswith(("-", "/", "."))
        assert ".." not in shown.split("/")
