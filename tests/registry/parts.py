"""The registry side put together for tests, with real names that are mapped to servers on loopback."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Prefix
from gitops_backup.proxies import Proxies
from gitops_backup.registry.client import RegistryClient
from gitops_backup.registry.cooldown import Cooldowns
from gitops_backup.registry.copier import Copied, Copier
from gitops_backup.registry.credentials import Anonymous, Credential, Credentials, DestinationCredentials
from gitops_backup.registry.failures import Side
from gitops_backup.registry.locations import Location, Locations
from gitops_backup.registry.skopeo import Skopeo

USERNAME = "keeper"
PASSWORD = "pass-Word/with:all=kinds"
SOURCES = "docker.io"
BACKUPS = "bak.example/m"


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def locations(places: Mapping[str, str], *, insecure: bool = True, ca: Path | None = None) -> Locations:
    """Where these prefixes really are."""
    return Locations(
        Location(Prefix.parse(prefix), place, insecure=insecure, ca=ca) for prefix, place in places.items()
    )


def login(username: str = USERNAME, password: str = PASSWORD) -> DestinationCredentials:
    """The credentials of the backup registry."""
    return DestinationCredentials(Prefix.parse(BACKUPS), Credential(username, password))


def copy(
    copier: Copier,
    source: Reference,
    destination: Reference,
    digest: str,
    *,
    platforms: Iterable[str] = (),
    cancel: threading.Event | None = None,
) -> Copied:
    """What is there, and else is copied."""
    there = copier.present(destination, digest, platforms=platforms)
    return there or copier.transfer(source, destination, digest, platforms=platforms, cancel=cancel)


@contextmanager
def client(
    side: Side,
    where: Locations,
    *,
    credentials: Credentials | None = None,
    cooldowns: Cooldowns | None = None,
    proxies: Proxies | None = None,
    timeout: float = 10.0,
    wall_clock: Callable[[], float] = time.time,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[RegistryClient]:
    """A client that is closed afterwards, anonymous unless told otherwise."""
    with closing(
        RegistryClient(
            side,
            locations=where,
            credentials=credentials or Anonymous(),
            cooldowns=cooldowns or Cooldowns(time.monotonic),
            proxies=proxies,
            timeout=timeout,
            wall_clock=wall_clock,
            clock=clock,
        )
    ) as made:
        yield made


@dataclass(frozen=True, slots=True)
class Parts:
    """Both clients and a copier, and what they share."""

    source: RegistryClient
    destination: RegistryClient
    copier: Copier
    cooldowns: Cooldowns
    folder: Path

    @classmethod
    @contextmanager
    def between(
        cls,
        source: str,
        backup: str,
        *,
        folder: Path,
        skopeo: Callable[[Path], Skopeo] = Skopeo,
        sources: Credentials | None = None,
        backups: Credentials | None = None,
    ) -> Iterator["Parts"]:
        """A copier from docker.io, which is at `source`, to bak.example/m, which is at `backup`."""
        where = locations({SOURCES: source, BACKUPS: f"{backup}/kept"})
        cooldowns = Cooldowns(time.monotonic)
        with ExitStack() as stack:
            reader = stack.enter_context(client(Side.SOURCE, where, credentials=sources, cooldowns=cooldowns))
            writer = stack.enter_context(
                client(Side.DESTINATION, where, credentials=backups or login(), cooldowns=cooldowns)
            )
            copier = Copier(
                source=reader,
                destination=writer,
                skopeo=skopeo(folder),
                cooldowns=cooldowns,
            )
            yield cls(reader, writer, copier, cooldowns, folder)


def source_image(repository: str, tag: str = "1") -> Reference:
    """The image of this repository of the sources, by its real name."""
    return Reference.parse(f"{SOURCES}/{repository}:{tag}")


def backup_image(repository: str, tag: str = "1") -> Reference:
    """The image of this repository of the backups, by its real name; there it is below `kept`."""
    return Reference.parse(f"{BACKUPS}/{repository}:{tag}")
