"""Many small images from an upstream that is far away, first none and then all of them there already.

Every request to the upstream takes 50 ms longer. The controller is timed from its start until the last image
is verified; with all of them there it has no record of them, and finds out. The reference is `skopeo sync` of
the same list.
"""

import threading
import time

from benchmarks import fleet
from benchmarks.bench import Bench
from benchmarks.controller import Controller
from benchmarks.delay import Delay
from benchmarks.figures import Figure, Measurement
from benchmarks.skopeo import Skopeo
from gitops_backup.sandbox.api import Json, Watch
from gitops_backup.sandbox.waiting import until

_IMAGES = 200
_DELAY = 0.05
_COPIES = 20
_WORKLOADS = "upstream"
_BACKUPS = f"/apis/k8slab.io/v1alpha1/namespaces/{fleet.BACKUPS}/imagebackups"
_LONGEST_SECONDS = 600.0


def measure(bench: Bench) -> Measurement:
    """Cold, and with everything there."""
    images = fleet.images(bench.size(_IMAGES))
    bench.progress(f"upstream: making {len(images)} images and Deployments")
    fleet.push(bench.sandbox, images)
    for namespace in (fleet.BACKUPS, _WORKLOADS):
        bench.sandbox.namespace(namespace)
    made = (fleet.deployment(_WORKLOADS, f"app-{n}", image=image) for n, image in enumerate(images))
    fleet.create_ready(bench.sandbox.api, made)
    with Delay(bench.sandbox.upstream.address, seconds=_DELAY) as upstream:
        sync, ours = _Sync(bench, upstream, images), _Ours(bench, upstream, images)
        bench.progress("upstream: skopeo sync, cold and with everything there")
        references = sync.seconds(), sync.seconds()
        bench.progress("upstream: the controller, cold and with everything there")
        cold, again = ours.seconds("cold"), ours.seconds("again")
    what = f"upstream: {len(images)} images, {1000 * _DELAY:.0f} ms away, {_COPIES} at a time"
    return Measurement(
        (
            Figure(f"{what}, cold", cold, "s", references[0], ratio_aim=0.2, memory=ours.memory),
            Figure(f"{what}, all there", again, "s", references[1], ratio_aim=0.1, memory=ours.memory),
        ),
        (
            (
                f"upstream: requests cold and with everything there: {ours.requests[0]} and"
                f" {ours.requests[1]},"
                f" skopeo sync {sync.requests[0]} and {sync.requests[1]}"
            ),
        ),
    )


class _Sync:
    """`skopeo sync`, with the time and the requests that it takes."""

    def __init__(self, bench: Bench, upstream: Delay, images: list[str]) -> None:
        self._skopeo = Skopeo(bench.folder, bench.sandbox.backup)
        self._upstream = upstream
        self._images = dict(image.split(":") for image in images)
        self.requests: list[int] = []

    def seconds(self) -> float:
        before, began = self._upstream.requests, time.perf_counter()
        tags = {name: [tag] for name, tag in self._images.items()}
        self._skopeo.sync(self._upstream.address, tags, "sync")
        self.requests.append(self._upstream.requests - before)
        return time.perf_counter() - began


class _Ours:
    """The controller, with the time, the requests and the memory that it takes."""

    def __init__(self, bench: Bench, upstream: Delay, images: list[str]) -> None:
        self._bench = bench
        self._upstream = upstream
        self._images = set(images)
        self.requests: list[int] = []
        self.memory = 0.0

    def seconds(self, name: str) -> float:
        """From started until all are verified, with no record of any at the start."""
        api = self._bench.sandbox.api
        api.delete(_BACKUPS)
        far = {"location": f"{self._upstream.address}/quay.io", "insecure": True}
        registries = {**self._bench.sandbox.registries, "quay.io": far}
        before = self._upstream.requests
        watch = api.watch(_BACKUPS, since=api.get(_BACKUPS)["metadata"]["resourceVersion"])
        verified: dict[str, float] = {}
        follower = threading.Thread(target=_follow, args=(watch, verified), name="verified", daemon=True)
        follower.start()
        try:
            # in gitops mode, as nothing is in Git, the copies are all that there is to do
            with Controller(
                self._bench, "gitops", name=name, copies=_COPIES, registries=registries
            ) as controller:
                until(
                    lambda: verified.keys() >= self._images,
                    what="every image to be verified",
                    timeout=_LONGEST_SECONDS,
                )
                self.memory = max(self.memory, controller.memory())
                started = controller.started_at
        finally:
            watch.end()
            follower.join()
        self.requests.append(self._upstream.requests - before)
        return max(verified.values()) - started


def _follow(watch: Watch, verified: dict[str, float]) -> None:
    for event in watch:
        thing = event["object"]
        if event["type"] != "DELETED" and _is_verified(thing):
            verified.setdefault(thing["spec"]["image"], time.time())


def _is_verified(thing: Json) -> bool:
    conditions = thing.get("status", {}).get("conditions", ())
    return any(each["type"] == "Verified" and each["status"] == "True" for each in conditions)
