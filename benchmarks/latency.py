"""From a workload's update to its ImageBackup, while updates come at a steady rate.

Each update is one that makes a workload ready whose image nobody has backed up: with it, its ImageBackup is
due. The time runs from sending the update until a watch on ImageBackups shows it. Copies and patches go on
meanwhile. The reference is the least that could do it: a process that watches Deployments and answers an
update with a POST.
"""

import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Self

from benchmarks import fleet
from benchmarks.bare import MERGE_PATCH, Bare
from benchmarks.bench import Bench
from benchmarks.controller import Controller
from benchmarks.figures import Figure, Measurement
from benchmarks.usage import PROJECT
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import object_name
from gitops_backup.sandbox.api import Watch
from gitops_backup.sandbox.programs import Programs
from gitops_backup.sandbox.waiting import until

_UPDATES = 600
_UPDATES_OF_REFERENCE = 200
_SECONDS_BETWEEN = 0.1
_OURS, _REFERENCE = "latency", "reference"
_BACKUPS = f"/apis/k8slab.io/v1alpha1/namespaces/{fleet.BACKUPS}/imagebackups"
_SECONDS_TO_SETTLE = 60.0


def measure(bench: Bench) -> Measurement:
    """The 99th percentile, in ms."""
    count, less = bench.size(_UPDATES), bench.size(_UPDATES_OF_REFERENCE)
    ours, theirs = fleet.images(count, team="ours"), fleet.images(less, team="theirs")
    bench.progress(f"latency: making {count + less} images and Deployments")
    fleet.push(bench.sandbox, ours)
    bench.sandbox.namespace(fleet.BACKUPS)
    for namespace, images in ((_OURS, ours), (_REFERENCE, theirs)):
        bench.sandbox.namespace(namespace)
        made = (fleet.deployment(namespace, f"app-{n}", image=image) for n, image in enumerate(images))
        fleet.at_once(bench.sandbox.api.create, made)
    # the API server lets the first object of a kind that it has only just learnt of wait for two seconds
    fleet.create_backup(bench.sandbox.api, "first", ours[0], {"phase": "PENDING"})
    bench.progress("latency: the reference")
    with Programs() as programs:
        log = bench.folder / "reference.log"
        argv = [sys.executable, "-m", "benchmarks.latency", str(bench.sandbox.kubeconfig)]
        programs.start("reference", argv, log=log, cwd=PROJECT)
        until(lambda: log.exists() and log.read_text(), what="the reference to watch")
        reference = _milliseconds(bench, _REFERENCE, theirs)
    bench.sandbox.api.delete(_BACKUPS)
    bench.progress("latency: the controller")
    restricted = [fleet.BACKUPS, _REFERENCE]
    with Controller(bench, "direct", restricted_namespaces=restricted) as controller:
        controller.wait_for("this replica leads", 1)
        measured = _milliseconds(bench, _OURS, ours)
        memory = controller.memory()
    figure = Figure(
        f"latency: {1 / _SECONDS_BETWEEN:g} updates a second, 99th percentile",
        _percentile(measured, 0.99),
        "ms",
        _percentile(reference, 0.99),
        aim=150.0,
        memory=memory,
    )
    note = (
        f"latency: {count} updates, median {median(measured):.0f} ms, longest {max(measured):.0f} ms; of the"
        f" reference {median(reference):.0f} ms and {max(reference):.0f} ms"
    )
    return Measurement((figure,), (note,))


def _percentile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def _milliseconds(bench: Bench, namespace: str, images: Sequence[str]) -> list[float]:
    """Make one workload after the other ready; how long each waited for its ImageBackup."""
    client = Bare(bench.sandbox.kubeconfig, connections=1)
    sent: dict[str, float] = {}
    with _Arrivals(bench) as arrivals:
        begin = time.perf_counter()
        for number, image in enumerate(images):
            time.sleep(max(0.0, begin + number * _SECONDS_BETWEEN - time.perf_counter()))
            sent[image] = time.perf_counter()
            path = f"{fleet.path_of(namespace, f'app-{number}')}/status"
            client.call("PATCH", path, {"status": fleet.ready()}, content_type=MERGE_PATCH)
        until(lambda: arrivals.seen.keys() >= sent.keys(), what="ImageBackups", timeout=_SECONDS_TO_SETTLE)
    return [1000 * (arrivals.seen[image] - at) for image, at in sent.items()]


class _Arrivals:
    """When a watch first showed the ImageBackup of each image, between enter and exit."""

    def __init__(self, bench: Bench) -> None:
        self.seen: dict[str, float] = {}
        api = bench.sandbox.api
        self._watch: Watch = api.watch(_BACKUPS, since=api.get(_BACKUPS)["metadata"]["resourceVersion"])
        self._thread = threading.Thread(target=self._follow, name="arrivals", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.end()
        self._thread.join()

    def _follow(self) -> None:
        for event in self._watch:
            if event["type"] == "ADDED":
                self.seen[event["object"]["spec"]["image"]] = time.perf_counter()


def answer_updates(kubeconfig: Path) -> None:
    """Answer each Deployment that gets ready with an ImageBackup, until killed."""
    watching, writing = Bare(kubeconfig, connections=1), Bare(kubeconfig, connections=1)
    path = f"/apis/apps/v1/namespaces/{_REFERENCE}/deployments"
    since = json.loads(watching.call("GET", f"{path}?limit=1"))["metadata"]["resourceVersion"]
    lines = watching.lines(f"{path}?watch=1&resourceVersion={since}")
    writing.call("GET", "/version")
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    for line in lines:
        thing = json.loads(line)["object"]
        if thing["status"].get("availableReplicas"):
            image = thing["spec"]["template"]["spec"]["containers"][0]["image"]
            backup = {
                "apiVersion": "k8slab.io/v1alpha1",
                "kind": "ImageBackup",
                "metadata": {"name": object_name(Reference.parse(image)), "namespace": fleet.BACKUPS},
                "spec": {"image": image},
            }
            writing.call("POST", _BACKUPS, backup)


if __name__ == "__main__":
    answer_updates(Path(sys.argv[1]))
