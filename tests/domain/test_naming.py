"""Names of backups: those that users know, no two alike, and each telling its source again."""

import contextlib
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops_backup.domain.images import InvalidReference, Reference
from gitops_backup.domain.naming import Naming, Prefix, Shape, object_name
from tests.domain.generated import digests, prefixes, references, repositories, tags

SHA256 = "sha256:" + "0123456789abcdef" * 4
HASH = "0123456789abcdef" * 2
DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z")
TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")


EARLIER_NAMES = [
    ("docker.io/backupregistry/", "nginx:1.14.2", "docker.io/backupregistry/library_nginx:1.14.2"),
    (
        "docker.io/backupregistry/",
        "marcosquesada/foo:1.0.0",
        "docker.io/backupregistry/marcosquesada_foo:1.0.0",
    ),
    (
        "docker.io/backupregistry/",
        "docker.io/marcosquesada/foo:1.0.0",
        "docker.io/backupregistry/marcosquesada_foo:1.0.0",
    ),
    ("docker.io/backupregistry/", "fluentd", "docker.io/backupregistry/library_fluentd:latest"),
    ("docker.io/marcosquesada", "nginx:1.14.0", "docker.io/marcosquesada/library_nginx:1.14.0"),
    ("docker.io/marcosquesada", "fluentd:latest", "docker.io/marcosquesada/library_fluentd:latest"),
]


@pytest.mark.parametrize(("prefix", "source", "backup"), EARLIER_NAMES)
def test_names_of_the_earlier_system(prefix: str, source: str, backup: str) -> None:
    """Users of the earlier system find their images under the names that they know."""
    assert str(Naming.below(prefix).backup(Reference.parse(source))) == backup


READABLE_NAMES = {
    "a/b_c": "a_b_c:latest",
    "a/b__c": "a_b__c:latest",
    "a/b.c": "a_b.c:latest",
    "a-b/c": "a-b_c:latest",
    "a_b/c": "docker.io_a__b_c:latest",
    "docker.io/a.b/c": "docker.io_a.b_c:latest",
    "docker.io/a/b/c": "docker.io_a_b_c:latest",
    "quay.io/a/b:1": "quay.io_a_b:1",
    "quay.io/a": "quay.io_a:latest",
    "ghcr.io/a/b_c": "ghcr.io_a_b__c:latest",
    "localhost:5000/a/b": "localhost.5000_a_b:latest",
    "registry:5000/a": "registry.5000_a:latest",
    "10.0.0.1/a": "10.0.0.1_a:latest",
    "10.0.0.1:5000/a": "10.0.0.1.5000_a:latest",
    f"nginx@{SHA256}": f"library_nginx@{SHA256}",
    f"quay.io/a/b:1@{SHA256}": f"quay.io_a_b:1@{SHA256}",
}


@pytest.mark.parametrize(("source", "name"), READABLE_NAMES.items())
def test_readable_names(source: str, name: str) -> None:
    """Names say where the image came from, and give it back."""
    naming, image = Naming.below("bak.example/m"), Reference.parse(source)
    assert str(naming.backup(image)) == f"bak.example/m/{name}"
    assert naming.source(naming.backup(image)) == image


NESTED_NAMES = {
    "nginx": "docker.io/library/nginx:latest",
    "a/b_c": "docker.io/a/b_c:latest",
    "quay.io/a/b:1": "quay.io/a/b:1",
    "quay.io/a__b/c": "quay.io/a__b/c:latest",
    "localhost:5000/a/b": "localhost.5000/a/b:latest",
    "10.0.0.1:5000/a": "10.0.0.1.5000/a:latest",
    f"quay.io/a/b:1@{SHA256}": f"quay.io/a/b:1@{SHA256}",
}


@pytest.mark.parametrize("prefix", ["bak.example", "bak.example/m"])
@pytest.mark.parametrize(("source", "name"), NESTED_NAMES.items())
def test_nested_names(source: str, name: str, prefix: str) -> None:
    """They are the source's whole name, and give it back."""
    naming, image = Naming.below(prefix, Shape.NESTED), Reference.parse(source)
    assert str(naming.backup(image)) == f"{prefix}/{name}"
    assert naming.source(naming.backup(image)) == image


def test_a_flat_name_has_no_source_among_nested_ones() -> None:
    """What was named before is left as it is."""
    naming = Naming.below("bak.example/m", Shape.NESTED)
    assert naming.source(Reference.parse("bak.example/m/library_nginx:1")) is None
    assert naming.source(Reference.parse("bak.example/m/quay.io_a_b:1")) is None


def test_docker_hub_has_no_nested_names() -> None:
    """It takes a namespace and a name."""
    with pytest.raises(InvalidReference, match="no nested names"):
        Naming.below("docker.io/acme", Shape.NESTED)


HASHED = [
    "localhost/a",
    "[::1]:5000/a/b",
    "[::1]/a",
    "1.2.3/a",
    "1.2.3:4/a",
    "1.2.3.4.5/a",
    "host.5000/a",
    "host.5000:5000/a",
    "a/b__" + HASH,
    "quay.io/a/b_" + HASH,
    "quay.io/a__b/c",
    "quay.io/a/b__c",
    "a__b/c",
    "quay.io/" + "/".join(["ab"] * 85),
    "quay.io/" + "x" * 255,
    "docker.io/" + "n" * 120 + "/" + "r" * 130,
]


@pytest.mark.parametrize("source", HASHED)
def test_what_is_ambiguous_or_too_long_ends_in_a_hash(source: str) -> None:
    """A hashed name is valid and has no inverse: the ImageBackup records its source."""
    naming, image = Naming.below("bak.example/" + "m" * 30), Reference.parse(source)
    backup = naming.backup(image)
    assert re.search(r"__[0-9a-f]{32}\Z", backup.repository)
    assert Reference.parse(str(backup)) == backup
    assert naming.source(backup) is None


ALIKE = [
    ("quay.io/a/b:1", "docker.io/a/b:1"),
    ("a/b_c", "a_b/c"),
    ("a/b_c", "docker.io/a/b/c"),
    ("quay.io/a/b_c", "quay.io/a_b/c"),
    ("quay.io/a/b/c", "quay.io/a/b_c"),
    ("quay.io/a__b/c", "quay.io/a/b__c"),
    ("quay.io/a__b/c", "quay.io/a/b/c"),
    ("localhost:5000/a", "localhost.5000/a"),
    ("host:5000/a", "host.5000/a"),
    ("1.2.3.4/a", "1.2.3:4/a"),
    ("1.2.3.4:5/a", "1.2.3.4.5/a"),
    ("docker.io/quay.io/b", "quay.io/b"),
    ("docker.io/quay.io/b", "quay.io/docker.io/b"),
    ("docker.io/docker.io/b", "docker.io/library/docker.io_b"),
    ("localhost/a/b", "docker.io/localhost_a/b"),
    ("localhost/a", "docker.io/library/localhost_a"),
    ("docker.io/a", "docker.io:443/a"),
    ("host:80/a", "host:080/a"),
    ("[::1]/a", "[::1]:1/a"),
    ("nginx", "nginx:1"),
    ("nginx", f"nginx@{SHA256}"),
    (f"nginx:1@{SHA256}", f"nginx@{SHA256}"),
]


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_lookalikes_have_different_names(one: str, other: str, shape: Shape) -> None:
    """Sources that earlier systems mixed up are kept apart, as backups and as objects."""
    naming, first, second = Naming.below("bak.example/m", shape), Reference.parse(one), Reference.parse(other)
    assert naming.backup(first) != naming.backup(second)
    assert object_name(first) != object_name(second)


def test_object_names_of_lookalikes_differ() -> None:
    """What a readable object name cannot tell apart, its hash does."""
    assert object_name(Reference.parse("foo/bar:1.0")) != object_name(Reference.parse("foo-bar:1-0"))
    assert object_name(Reference.parse("foo:A")) != object_name(Reference.parse("foo:a"))


@pytest.mark.parametrize(
    ("victim", "imitation"),
    [("quay.io/a__b/c", "quay.io/a/b/c_{}"), ("localhost/a", "docker.io/localhost/a__{}")],
)
def test_an_imitated_hash_is_hashed_again(victim: str, imitation: str) -> None:
    """Somebody who names an image like another one's hashed backup does not get its name."""
    naming = Naming.below("bak.example")
    taken = naming.backup(Reference.parse(victim))
    stem, _, digits = taken.repository.rpartition("__")
    assert stem in {"quay.io_a_b_c", "localhost_a"}
    assert naming.backup(Reference.parse(imitation.format(digits))) != taken


@pytest.mark.parametrize(
    ("prefix", "shape"),
    [("bak.example", Shape.FLAT), ("docker.io/marcosquesada", Shape.FLAT), ("bak.example", Shape.NESTED)],
)
def test_no_short_names_collide(prefix: str, shape: Shape) -> None:
    """Of all the short texts made of letters and separators, no two sources share a backup name."""
    naming = Naming.below(prefix, shape)
    owners: dict[Reference, Reference] = {}
    for image in _short_sources():
        backup = naming.backup(image)
        assert owners.setdefault(backup, image) == image
        assert naming.source(backup) in {image, None}
    assert len(owners) > 3000


def _short_sources() -> set[Reference]:
    hosts = ["", "docker.io/", "a.a/", "a:1/", "a.1/", "1.1.1.1/", "1.1.1.1:1/", "localhost/", "localhost:1/"]
    found = set()
    for length in range(1, 7):
        for letters in itertools.product("a1_./", repeat=length):
            path = "".join(letters)
            for host in hosts if length < 6 else hosts[:1]:
                with contextlib.suppress(InvalidReference):
                    found.add(Reference.parse(host + path))
    return found


namings = st.builds(Naming.below, prefixes, st.just(Shape.FLAT)) | st.builds(
    Naming.below, prefixes.filter(lambda p: Prefix.parse(p).registry != "docker.io"), st.just(Shape.NESTED)
)


@settings(max_examples=100)
@given(namings, st.lists(references(), min_size=2, max_size=12, unique=True))
def test_names_are_injective(naming: Naming, sources: list[Reference]) -> None:
    """Different sources have different backups and different objects."""
    assert len({naming.backup(source) for source in sources}) == len(sources)
    assert len({object_name(source) for source in sources}) == len(sources)


@settings(max_examples=120)
@given(namings, references())
def test_a_backup_is_a_reference_below_the_prefix(naming: Naming, source: Reference) -> None:
    """The name of a backup can be pushed to, keeps tag and digest, and lies below the prefix."""
    backup = naming.backup(source)
    assert Reference.parse(str(backup)) == backup
    assert len(backup.repository) <= 255
    assert (backup.tag, backup.digest) == (source.tag, source.digest)
    assert naming.is_backup(backup)
    if naming.shape == Shape.FLAT:
        assert backup.repository.removeprefix(naming.prefix.path).lstrip("/").count("/") == 0


@settings(max_examples=120)
@given(namings, references())
def test_a_backup_gives_its_source_back(naming: Naming, source: Reference) -> None:
    """The inverse is the source itself; it is missing only where the name ends in a hash."""
    backup = naming.backup(source)
    inverse = naming.source(backup)
    if inverse is None:
        assert re.search(r"__[0-9a-f]{32}\Z", backup.repository)
    else:
        assert inverse == source


flat_names = st.one_of(
    repositories,
    st.text("ab01._-/", min_size=1, max_size=12),
    st.from_regex(r"[a-z0-9.]{1,8}(_{1,3}[a-z0-9.]{1,4}){0,3}(__[0-9a-f]{32})?", fullmatch=True),
)


@settings(max_examples=200)
@given(namings, flat_names, tags, st.none() | digests)
def test_any_name_below_the_prefix_has_no_source_or_its_own(
    naming: Naming, flat: str, tag: str, digest: str | None
) -> None:
    """A name that somebody invented is inverted only to the source that really has that backup."""
    name = Reference(naming.prefix.registry, f"{naming.prefix.path}/{flat}".lstrip("/"), tag, digest)
    source = naming.source(name)
    if source is not None:
        assert Reference.parse(str(source)) == source
        assert naming.backup(source) == name


def test_what_lies_elsewhere_has_no_source() -> None:
    """Only names below the prefix are inverted."""
    naming = Naming.below("docker.io/acme")
    assert naming.source(Reference.parse("docker.io/acmex/library_nginx")) is None
    assert naming.source(Reference.parse("quay.io/acme/library_nginx")) is None
    assert naming.source(Reference.parse("acme/nginx")) is None
    assert naming.source(Reference.parse("acme/a/library_nginx")) is None
    assert naming.source(Reference.parse("acme/library_nginx")) == Reference.parse("nginx")


COVERED = [
    ("docker.io/acme", "acme/a", True),
    ("docker.io/acme/", "acme/a", True),
    ("acme", "docker.io/acme/a", True),
    ("index.docker.io/acme", "acme/a", True),
    ("docker.io/acme", "acme/a/b", True),
    ("docker.io/acme", "acmex/a", False),
    ("docker.io/acme", "acme", False),
    ("docker.io/acme", "quay.io/acme/a", False),
    ("docker.io/marcos", "marcosquesada/foo", False),
    ("docker.io/a/b", "a/b", False),
    ("docker.io/a/b", "a/bc", False),
    ("docker.io/a/b", "a/b/c", True),
    ("docker.io", "nginx", True),
    ("docker.io", "docker.io:443/nginx", False),
    ("bak.example", "bak.example/a", True),
    ("bak.example", "bak.example.org/a", False),
    ("bak.example", "bak.example:5000/a", False),
    ("bak.example:5000", "bak.example:5000/a", True),
    ("BAK.example/m", "bak.example/m/a", True),
    ("localhost", "localhost/a", True),
    ("localhost", "docker.io/localhost", False),
]


@pytest.mark.parametrize(("prefix", "image", "covered"), COVERED)
def test_a_prefix_ends_at_a_path_boundary(prefix: str, image: str, covered: bool) -> None:
    """A prefix covers what lies below it, and nothing that merely begins alike."""
    assert Prefix.parse(prefix).covers(Reference.parse(image)) is covered


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("docker.io/acme", "docker.io/acme"),
        (" docker.io/acme//\n", "docker.io/acme"),
        ("acme", "docker.io/acme"),
        ("acme/a", "docker.io/acme/a"),
        ("Docker.io/acme", "docker.io/acme"),
        ("registry-1.docker.io/acme", "docker.io/acme"),
        ("docker.io", "docker.io"),
        ("bak.example/", "bak.example"),
        ("localhost:5000/a/b", "localhost:5000/a/b"),
        ("localhost", "localhost"),
        ("[::1]:5000/a", "[::1]:5000/a"),
    ],
)
def test_a_prefix_has_one_form(text: str, normal: str) -> None:
    """A prefix is read with or without a slash at the end, and printed without."""
    assert str(Prefix.parse(text)) == normal
    assert Prefix.parse(normal) == Prefix.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "/",
        "//",
        "docker.io/Acme",
        "docker.io/acme:1",
        f"docker.io/acme@{SHA256}",
        "docker.io//acme",
        "/acme",
        "https://docker.io/acme",
        "../acme",
        "-x",
        "a b",
        "docker.io\n/acme",
        "bak.example/" + "x" * 256,
        "\u212aube.example/a",
    ],
)
def test_what_is_no_prefix_is_refused(text: str) -> None:
    """A prefix with nothing in it, a tag, a digest or anything odd is refused."""
    with pytest.raises(InvalidReference, match="not a prefix"):
        Prefix.parse(text)


@pytest.mark.parametrize("text", ["docker.io", "index.docker.io/", "Docker.IO", "bak.example/" + "x" * 201])
def test_what_cannot_hold_backups_is_refused(text: str) -> None:
    """Docker Hub has no repositories without a namespace, and names need room."""
    Prefix.parse(text)
    with pytest.raises(InvalidReference):
        Naming.below(text)


def test_a_password_in_a_prefix_is_not_repeated() -> None:
    """Somebody who gives a URL with credentials is not betrayed by the error."""
    with pytest.raises(InvalidReference) as caught:
        Prefix.parse("https://me:hunter2@bak.example/m")
    assert "hunter2" not in str(caught.value)


@settings(max_examples=200)
@given(references())
def test_object_names_are_dns_subdomains(source: Reference) -> None:
    """The API server takes the name of an ImageBackup, whatever the image is called."""
    name = object_name(source)
    assert len(name) <= 253
    assert DNS_SUBDOMAIN.match(name)
    assert object_name(Reference.parse(str(source))) == name


@settings(max_examples=120)
@given(prefixes, references(), digests, digests)
def test_anchors_are_tags_of_their_own(prefix: str, source: Reference, one: str, other: str) -> None:
    """Each digest has its own valid tag in the backup's repository."""
    naming = Naming.below(prefix)
    anchor = naming.anchor(source, one)
    assert TAG.match(anchor.tag or "")
    assert anchor.digest is None
    assert anchor.name == naming.backup(source).name
    assert Reference.parse(str(anchor)) == anchor
    assert (anchor == naming.anchor(source, other)) == (one == other)
    # the tag that the OCI specification gives to a fallback of the referrers API is another
    assert not re.match(r"sha(256|512)-", anchor.tag or "")


def test_a_tag_lies_at_itself_and_a_digest_at_its_anchor() -> None:
    """Where an image is written with a digest, the tag beside it is not the controller's to move."""
    naming, digits = Naming.below("bak.example"), SHA256.removeprefix("sha256:")
    for text, place in {
        "nginx:1": "bak.example/library_nginx:1",
        f"nginx@{SHA256}": f"bak.example/library_nginx:digest.sha256.{digits}",
        f"nginx:1@{SHA256}": f"bak.example/library_nginx:digest.sha256.{digits}",
    }.items():
        assert str(naming.place(Reference.parse(text), SHA256)) == place
