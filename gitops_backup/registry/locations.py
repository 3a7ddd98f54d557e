"""Where a registry really is: one table for both sides of a copy, for our own requests and for skopeo.

An entry maps a prefix of image names to the place that serves them, as `prefix` and `location` do in
containers-registries.conf(5): of all entries that match at a `/`, the longest prefix wins, and is replaced
by the location. Wildcards (`*.example.com`) and prefixes with a tag are left out. skopeo has no such setting
for a destination, so it is never told about it: it is given the place itself.

What is `insecure` is talked to over TLS that is not verified, and where that fails over plain HTTP: that is
what skopeo does. Credentials then travel as they are.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Prefix
from gitops_backup.errors import UsageError, one_line

_API_HOSTS = {"docker.io": "registry-1.docker.io"}
_PLACE = re.compile(r"(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?(?:/[a-z0-9._-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Location:
    """Where the images below a prefix are: a host with an optional port and path.

    `ca` is a PEM file with authorities to trust besides the system's; `concurrency` is how many copies at a
    time may use the host.
    """

    prefix: Prefix
    location: str
    insecure: bool = False
    ca: Path | None = None
    concurrency: int | None = None

    def __post_init__(self) -> None:
        if not _PLACE.fullmatch(self.location):
            raise UsageError(
                f"the location of {self.prefix} is {one_line(self.location, limit=120)!r}, "
                "and not a host with an optional port and path",
                hint="write it without https://; set insecure for plain HTTP",
            )


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The repository as it is asked for: the host that serves the API, and the path there.

    `insecure` allows plain HTTP, and TLS that is not verified; `plain` allows the first alone.
    """

    host: str
    repository: str
    insecure: bool = False
    ca: Path | None = None
    plain: bool = False


class Locations:
    """The table. Raises `UsageError` where two entries have the same prefix."""

    def __init__(self, entries: Iterable[Location] = ()) -> None:
        self._entries: dict[str, Location] = {}
        for entry in entries:
            if str(entry.prefix) in self._entries:
                raise UsageError(f"there are two locations for {entry.prefix}")
            self._entries[str(entry.prefix)] = entry

    def resolve(self, image: Reference) -> Endpoint:
        """Where the image's repository is. Raises `UsageError` where an entry leaves no repository of it."""
        entry = next((self._entries[p] for p in prefixes(image) if p in self._entries), None)
        place = image.name if entry is None else entry.location + image.name[len(str(entry.prefix)) :]
        host, _, repository = place.partition("/")
        if not repository:
            raise UsageError(f"the location {place} of {image.name} is a host without a repository")
        host = _API_HOSTS.get(host, host)
        return Endpoint(host, repository, entry.insecure, entry.ca) if entry else Endpoint(host, repository)

    def server(self, host: str, path: str, *, plain: bool) -> Endpoint:
        """How a server is talked to that is no registry, at a path: as a registry there would be.

        `plain` says that its URL is one of plain HTTP.
        """
        name = f"{host}/{path.strip('/')}"
        while name and name not in self._entries:
            name = name.rpartition("/")[0]
        entry = self._entries.get(name)
        if entry is None:
            return Endpoint(host, path, plain=plain)
        return Endpoint(host, path, entry.insecure, entry.ca, plain)

    def concurrency(self) -> dict[str, int]:
        """How many copies at a time each host may be used by; the lowest number where entries share one."""
        limits: dict[str, int] = {}
        for entry in self._entries.values():
            host = entry.location.partition("/")[0]
            host = _API_HOSTS.get(host, host)
            if entry.concurrency is not None:
                limits[host] = min(entry.concurrency, limits.get(host, entry.concurrency))
        return limits


def prefixes(image: Reference) -> Iterable[str]:
    """The name of the image's repository, and each prefix of it that ends before a `/`; longest first."""
    name = image.name
    while name:
        yield name
        name = name.rpartition("/")[0]
