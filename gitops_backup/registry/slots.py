"""How many copies at a time may use a registry."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from gitops_backup.process import ProcessCancelled

_POLL_SECONDS = 0.2


class Slots:
    """The places at each registry, by host; a host that is not listed has as many as are asked for."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._places = {host: threading.BoundedSemaphore(limit) for host, limit in limits.items()}

    @contextmanager
    def hold(self, hosts: Iterable[str], cancel: threading.Event | None) -> Iterator[None]:
        """Wait for a place at each of the hosts, and keep them for as long as the context lasts.

        Raises `ProcessCancelled` when `cancel` is set first.
        """
        with ExitStack() as held:
            # always in the same order, or two copies in opposite directions would wait for each other
            for host in sorted(set(hosts)):
                if place := self._places.get(host):
                    while not place.acquire(timeout=_POLL_SECONDS):
                        if cancel is not None and cancel.is_set():
                            raise ProcessCancelled(f"stopped while waiting for a place at {host}")
                    held.callback(place.release)
            yield
