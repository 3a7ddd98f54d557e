"""A complete plan over a large cluster: everything is listed, projected and decided on.

The reference is a bare list of the same kinds, page by page, with `json.loads`. Both run in a process of
their own, several times in turn.
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import fleet
from benchmarks.bare import Bare
from benchmarks.bench import Bench
from benchmarks.figures import Figure, Measurement
from benchmarks.usage import MeasurementFailed, in_a_process, peak_memory
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Naming, object_name

_DEPLOYMENTS = 5000
_IMAGES = 500
_ROUNDS = 3
_NAMESPACES = 20
_PAGE = 500
_PATHS = (
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/daemonsets",
    "/api/v1/namespaces",
    "/apis/argoproj.io/v1alpha1/applications",
    "/api/v1/pods",
    f"/apis/k8slab.io/v1alpha1/namespaces/{fleet.BACKUPS}/imagebackups",
)


def measure(bench: Bench) -> Measurement:
    """The time of a plan, and what it takes of memory."""
    count, names = bench.size(_DEPLOYMENTS), fleet.images(bench.size(_IMAGES))
    bench.progress(f"plan: making {count} Deployments and their pods")
    _make(bench, count, names)
    ways = ("ours", "bare", "bare-without-gc")
    results: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for number in range(1 if bench.quick else _ROUNDS):
        bench.progress(f"plan: round {number + 1}")
        for way in ways:
            sandbox = bench.sandbox
            results[way].append(
                in_a_process("benchmarks.plan", way, sandbox.kubeconfig, sandbox.settings_file)
            )
    seen = {each["containers"] for each in results["ours"]}
    if seen != {2 * count}:
        raise MeasurementFailed(f"the plan is about {seen} containers, and there are {2 * count}")
    seconds = {way: median(each["seconds"] for each in results[way]) for way in ways}
    memory = max(each["memory"] for each in results["ours"])
    return Measurement(
        (
            Figure(f"plan: {count} Deployments", seconds["ours"], "s", seconds["bare"], ratio_aim=2.5),
            Figure(f"plan: {count} Deployments, resident", memory, "MB", aim=120.0, memory=memory),
        ),
        (
            (
                f"plan: the same bare list without garbage collection: {seconds['bare-without-gc']:.2f} s; of"
                " our"
                f" time, deciding alone is {median(each['deciding'] for each in results['ours']):.2f} s"
            ),
        ),
    )


def _make(bench: Bench, count: int, names: list[str]) -> None:
    sandbox, naming = bench.sandbox, Naming.below(bench.sandbox.backup_repository)
    namespaces = [f"team-{number}" for number in range(_NAMESPACES)]
    for namespace in (fleet.BACKUPS, *namespaces):
        sandbox.namespace(namespace)
    deployments = [
        fleet.deployment(
            namespaces[number % _NAMESPACES],
            f"app-{number}",
            image=names[number % len(names)],
            init=names[(number + 1) % len(names)],
        )
        for number in range(count)
    ]
    fleet.create_ready(sandbox.api, deployments)
    fleet.create_running(sandbox.api, map(fleet.pod, deployments))

    def back_up(image: str) -> None:
        source = Reference.parse(image)
        status = fleet.verified(str(naming.backup(source)), fleet.digest_of(image))
        fleet.create_backup(sandbox.api, object_name(source), image, status)

    # half of them; the other half is still to be copied
    fleet.at_once(back_up, names[::2])


def plan_once(kubeconfig: Path, config: Path) -> dict[str, Any]:
    """A plan as the dry run makes it."""
    # imported here, so that the reference has none of it
    from gitops_backup.cli.context import Globals
    from gitops_backup.cli.logging import LogFormat
    from gitops_backup.cli.snapshot import snapshot
    from gitops_backup.cluster.connection import connect
    from gitops_backup.domain.planning import plan
    from gitops_backup.domain.policy import Mode

    options = Globals(kubeconfig, None, config, LogFormat.JSON, verbose=False)
    options.configure_process()
    policy = options.settings({}).policy(mode=Mode.DIRECT)
    connection = connect(kubeconfig=kubeconfig, context=None)
    began = time.perf_counter()
    inventory = snapshot(connection, policy)
    listed = time.perf_counter()
    made = plan(inventory, policy)
    ended = time.perf_counter()
    return {
        "seconds": ended - began,
        "deciding": ended - listed,
        "containers": sum(len(workload.uses) for workload in made.workloads),
        "memory": peak_memory(),
    }


def list_bare(kubeconfig: Path, _config: Path) -> dict[str, Any]:
    """The same kinds, listed and parsed."""
    client = Bare(kubeconfig, connections=1)
    client.call("GET", "/version")
    began = time.perf_counter()
    objects = 0
    for path in _PATHS:
        token = ""
        while True:
            page = json.loads(client.call("GET", f"{path}?limit={_PAGE}&continue={token}"))
            objects += len(page["items"])
            token = page["metadata"].get("continue", "")
            if not token:
                break
    return {"seconds": time.perf_counter() - began, "objects": objects, "memory": peak_memory()}


def list_bare_without_gc(kubeconfig: Path, config: Path) -> dict[str, Any]:
    """The same kinds, listed and parsed, and no garbage looked for."""
    gc.disable()
    return list_bare(kubeconfig, config)


_WAYS: dict[str, Callable[[Path, Path], dict[str, Any]]] = {
    "ours": plan_once,
    "bare": list_bare,
    "bare-without-gc": list_bare_without_gc,
}

if __name__ == "__main__":
    result = _WAYS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
    sys.stdout.write(json.dumps(result))
