"""Direct mode: a cluster of ready Deployments, each with an init container and a container, from none to all.

The reference is the bare floor: `skopeo copy` of the same images, as many at a time, and then a JSON patch
for each of as many Deployments in a namespace that the controller leaves alone. It is taken before and after,
as other work on the machine comes and goes.
"""

import time
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks import fleet
from benchmarks.bare import JSON_PATCH, Bare
from benchmarks.bench import Bench
from benchmarks.controller import Controller
from benchmarks.figures import Figure, Measurement
from benchmarks.skopeo import Skopeo
from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.waiting import until

_DEPLOYMENTS = 1000
_IMAGES = 100
_COPIES = 8
_OURS, _FLOOR = "direct", "floor"
_SECONDS_TO_SETTLE = 120.0


def measure(bench: Bench) -> Measurement:
    """From started to the last patch."""
    count, names = bench.size(_DEPLOYMENTS), fleet.images(bench.size(_IMAGES))
    bench.progress(f"direct: making {len(names)} images and {2 * count} Deployments")
    fleet.push(bench.sandbox, names)
    for namespace in (fleet.BACKUPS, _OURS, _FLOOR):
        bench.sandbox.namespace(namespace)
        if namespace != fleet.BACKUPS:
            fleet.create_ready(bench.sandbox.api, _deployments(namespace, count, names))
    floor = _Floor(bench, names, count)
    bench.progress("direct: the floor")
    before = floor.measure("first")
    bench.progress("direct: the controller")
    restricted = [fleet.BACKUPS, _FLOOR]
    with Controller(bench, "direct", copies=_COPIES, restricted_namespaces=restricted) as controller:
        controller.wait_for("workload patched", count)
        patched = controller.times("workload patched")
        until(lambda: _recorded(bench) >= 2 * count, what="the record", timeout=_SECONDS_TO_SETTLE)
        memory, used = controller.memory(), controller.cpu()
    bench.progress("direct: the floor again")
    floors = (before, floor.measure("second"))
    total, mean = max(patched), sum(each.seconds for each in floors) / len(floors)
    return Measurement(
        (
            Figure("direct: from started to the last patch", total, "s", mean, ratio_aim=1.3, memory=memory),
            Figure("direct: the first patch", min(patched), "s", aim=2.0),
            Figure("direct: resident", memory, "MB", aim=120.0, memory=memory),
        ),
        (
            (
                f"direct: {count} workloads, {len(names)} images; processor time of the controller"
                f" {used.own:.1f} s, of its skopeo processes {used.children:.1f} s more"
            ),
            (
                f"direct: the floor before and after: {floors[0]}; {floors[1]}; the lower one makes the ratio"
                f" {total / min(each.seconds for each in floors):.2f}"
            ),
        ),
    )


def _deployments(namespace: str, count: int, names: Sequence[str]) -> list[Json]:
    made = []
    for number in range(count):
        image, init = _images_of(number, names)
        made.append(fleet.deployment(namespace, f"app-{number}", image=image, init=init))
    return made


def _images_of(number: int, names: Sequence[str]) -> tuple[str, str]:
    """The images of a Deployment's container and of its init container."""
    return names[number % len(names)], names[(number + len(names) // 2) % len(names)]


def _recorded(bench: Bench) -> int:
    backups = bench.sandbox.api.items("/apis/k8slab.io/v1alpha1/imagebackups")
    return sum(len(each.get("status", {}).get("rewrites", ())) for each in backups)


class _Times(NamedTuple):
    """The seconds that the copies and the patches took."""

    copies: float
    patches: float

    @property
    def seconds(self) -> float:
        return self.copies + self.patches

    def __str__(self) -> str:
        return f"copies {self.copies:.1f} s, patches {self.patches:.1f} s"


class _Floor:
    """The bare job, which can be done several times."""

    def __init__(self, bench: Bench, names: Sequence[str], count: int) -> None:
        self._upstream = bench.sandbox.upstream.address
        self._names = names
        self._count = count
        self._client = Bare(bench.sandbox.kubeconfig)
        self._skopeo = Skopeo(bench.folder, bench.sandbox.backup)

    def measure(self, name: str) -> _Times:
        """Copy everything below a prefix of this name, then patch everything to have images of this name."""
        began = time.perf_counter()
        fleet.at_once(lambda image: self._skopeo.copy(f"{self._upstream}/{image}", name), self._names)
        copied = time.perf_counter()
        fleet.at_once(lambda number: self._patch(number, name), range(self._count))
        return _Times(copied - began, time.perf_counter() - copied)

    def _patch(self, number: int, name: str) -> None:
        images = zip(("containers", "initContainers"), _images_of(number, self._names), strict=True)
        operations = [
            {"op": "replace", "path": f"/spec/template/spec/{part}/0/image", "value": f"{name}/{image}"}
            for part, image in images
        ]
        path = fleet.path_of(_FLOOR, f"app-{number}")
        self._client.call("PATCH", path, operations, content_type=JSON_PATCH)
