"""Where registries really are, by tables."""

import pytest
from hypothesis import given

from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Prefix
from gitops_backup.errors import UsageError
from gitops_backup.registry.locations import Endpoint, Location, Locations
from tests.domain.generated import references

_TABLE = {
    "quay.io": "127.0.0.1:5000",
    "docker.io/acme": "mirror.example:444/hub/acme",
    "docker.io/acme/deep": "deep.example/x",
    "ghcr.io/a/b": "one.example/only/this",
    "moved.example": "docker.io",
}


@pytest.mark.parametrize(
    ("image", "host", "repository"),
    [
        ("nginx", "registry-1.docker.io", "library/nginx"),
        ("docker.io/acme/app:1", "mirror.example:444", "hub/acme/app"),
        ("docker.io/acmex/app:1", "registry-1.docker.io", "acmex/app"),
        ("docker.io/acme/deep/app", "deep.example", "x/app"),
        ("quay.io/a/b/c", "127.0.0.1:5000", "a/b/c"),
        ("ghcr.io/a/b", "one.example", "only/this"),
        ("ghcr.io/a/bc", "ghcr.io", "a/bc"),
        ("moved.example/a/b", "registry-1.docker.io", "a/b"),
        ("localhost:5000/a", "localhost:5000", "a"),
    ],
)
def test_the_longest_prefix_that_ends_at_a_slash_is_replaced(image: str, host: str, repository: str) -> None:
    """As containers-registries.conf(5) has it."""
    table = Locations(Location(Prefix.parse(prefix), place) for prefix, place in _TABLE.items())
    assert table.resolve(Reference.parse(image)) == Endpoint(host, repository)


@given(references())
def test_without_entries_a_name_is_its_own_place(image: Reference) -> None:
    """Docker Hub alone answers at another host than its name."""
    endpoint = Locations().resolve(image)
    host = "registry-1.docker.io" if image.registry == "docker.io" else image.registry
    assert endpoint == Endpoint(host, image.repository)


def test_trust_comes_with_the_location() -> None:
    """`insecure` holds for its prefix, and for nothing else."""
    table = Locations([Location(Prefix.parse("quay.io/a"), "h.example", insecure=True)])
    assert table.resolve(Reference.parse("quay.io/a/b")).insecure
    assert not table.resolve(Reference.parse("quay.io/b/b")).insecure


@pytest.mark.parametrize(
    "place", ["https://quay.io", "quay.io/", "", "a b", "quay.io/x?y", "user@quay.io", "-/x y"]
)
def test_a_location_is_a_host_with_an_optional_path(place: str) -> None:
    """Anything else is refused with the prefix that it was given for."""
    with pytest.raises(UsageError, match=r"location of quay\.io"):
        Location(Prefix.parse("quay.io"), place)


def test_a_location_that_leaves_no_repository_is_refused() -> None:
    """A whole image cannot be replaced by a host alone."""
    table = Locations([Location(Prefix.parse("ghcr.io/a/b"), "h.example")])
    with pytest.raises(UsageError, match="without a repository"):
        table.resolve(Reference.parse("ghcr.io/a/b"))


def test_two_entries_for_one_prefix_are_refused() -> None:
    """Neither would be the right one."""
    entry = Location(Prefix.parse("quay.io"), "h.example")
    with pytest.raises(UsageError, match=r"two locations for quay\.io"):
        Locations([entry, entry])


def test_a_host_has_the_lowest_concurrency_of_its_entries() -> None:
    """The limit is the registry's, whatever prefixes lead there."""
    table = Locations(
        [
            Location(Prefix.parse("quay.io"), "h.example/q", concurrency=4),
            Location(Prefix.parse("ghcr.io"), "h.example/g", concurrency=2),
            Location(Prefix.parse("docker.io"), "docker.io", concurrency=3),
            Location(Prefix.parse("gcr.io"), "gcr.io"),
        ]
    )
    assert table.concurrency() == {"h.example": 2, "registry-1.docker.io": 3}
