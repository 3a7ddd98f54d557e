"""Servers between the controller and a registry: they hold requests back, and remember what was pushed."""

import hashlib
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tests.end_to_end.scene import PREFIX, Scene
from tests.registry.faulty import Exchange, FaultyServer

_SECONDS_HELD = 60.0
_TAG = re.compile(r"/v2/(?P<repository>.+)/manifests/(?P<tag>[^/?:]+)$")


class Gate:
    """An action of a `FaultyServer`: requests wait until the gate is opened, then go on.

    `when` says, at each request, whether it is one to be held back.
    """

    def __init__(self, when: Callable[[], bool] = lambda: True) -> None:
        self.reached = threading.Event()
        self._when = when
        self._open = threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        if not self._open.is_set() and self._when():
            self.reached.set()
            self._open.wait(_SECONDS_HELD)
        exchange.send(exchange.forward())

    def wait(self) -> None:
        """Wait until a request is held back."""
        assert self.reached.wait(_SECONDS_HELD), "nobody came to the gate"

    def open(self) -> None:
        """Let the request go on."""
        self._open.set()


def before_upstream(scene: Scene, server: FaultyServer) -> dict[str, Any]:
    """The setting `registries` that lets everything from Docker Hub come through this server."""
    return {"docker.io": {"location": f"{server.host}/docker.io", "insecure": True}}


def before_backup(scene: Scene, server: FaultyServer) -> dict[str, Any]:
    """The setting `registries` that lets everything to the backup registry go through this server."""
    return {PREFIX: {"location": f"{server.host}/{PREFIX.partition('/')[2]}", "insecure": True}}


def registries(scene: Scene, *changed: dict[str, Any]) -> dict[str, Any]:
    """The sandbox's setting `registries` with these changes."""
    found = dict(scene.sandbox.registries)
    for each in changed:
        found |= each
    return found


def pushed_digests(server: FaultyServer) -> dict[str, set[str]]:
    """Every digest that was sent to be put under each tag, as `repository:tag`, whatever the answer was."""
    found: dict[str, set[str]] = defaultdict(set)
    for request in list(server.requests):
        match = _TAG.search(request.path)
        if match and request.method == "PUT":
            digest = hashlib.sha256(request.body).hexdigest()
            found[f"{match['repository']}:{match['tag']}"].add(f"sha256:{digest}")
    return dict(found)
