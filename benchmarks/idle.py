"""A cluster in which nothing is left to do: what is written, and what it costs.

All objects of all kinds are compared before and after, and the registries' logs are read. Leases are the
exception: the controller's own, those of the API server, and that of the reference, which does the least that
a controller could do at the same time: it holds the same watches open and renews a Lease.
"""

import json
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import fleet
from benchmarks.bare import MERGE_PATCH, Bare
from benchmarks.bench import Bench
from benchmarks.controller import Controller
from benchmarks.figures import Figure, Measurement
from benchmarks.usage import PROJECT, cpu
from gitops_backup.sandbox.api import Api
from gitops_backup.sandbox.programs import Programs
from gitops_backup.sandbox.waiting import until

_DEPLOYMENTS = 1000
_IMAGES = 100
_SECONDS = 60.0
# few are told of at once, and many little by little
_QUIET_SECONDS, _QUIET_SECONDS_OF_FEW = 20.0, 7.0
_WORKLOADS = "idle"
_SECONDS_BETWEEN_RENEWALS = 2.2
_LONGEST_SECONDS = 600.0
_WATCHED = (
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/daemonsets",
    "/api/v1/namespaces",
    "/apis/argoproj.io/v1alpha1/applications",
    "/api/v1/pods",
    f"/apis/k8slab.io/v1alpha1/namespaces/{fleet.BACKUPS}/imagebackups",
)
_LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases"

Versions = dict[str, str]


def measure(bench: Bench) -> Measurement:
    """The writes and the processor time within a minute."""
    count, names = bench.size(_DEPLOYMENTS), fleet.images(bench.size(_IMAGES))
    seconds = _SECONDS / 20 if bench.quick else _SECONDS
    api = bench.sandbox.api
    bench.progress(f"idle: making {len(names)} images and {count} Deployments")
    fleet.push(bench.sandbox, names)
    for namespace in (fleet.BACKUPS, _WORKLOADS):
        bench.sandbox.namespace(namespace)
    fleet.create_ready(
        api,
        (
            fleet.deployment(_WORKLOADS, f"app-{number}", image=names[number % len(names)])
            for number in range(count)
        ),
    )
    with Controller(bench, "direct", copies=8) as controller, Programs() as programs:
        controller.wait_for("workload patched", count)
        # the rewritten template is generation 2
        fleet.at_once(lambda n: fleet.mark_ready(api, _WORKLOADS, f"app-{n}", generation=2), range(count))
        bench.progress("idle: waiting until all is said and done")
        _wait_until_quiet(api, _QUIET_SECONDS_OF_FEW if bench.quick else _QUIET_SECONDS)
        argv = [sys.executable, "-m", "benchmarks.idle", str(bench.sandbox.kubeconfig)]
        log = bench.folder / "reference.log"
        reference = programs.start("reference", argv, log=log, cwd=PROJECT)
        until(lambda: log.exists() and log.read_text(), what="the reference to watch")
        bench.progress(f"idle: {seconds:g} s")
        for registry in (bench.sandbox.upstream, bench.sandbox.backup):
            registry.forget_requests()
        before = _versions(api)
        used, used_by_reference = controller.cpu(), cpu(reference.pid)
        time.sleep(seconds)
        used, used_by_reference = controller.cpu().since(used), cpu(reference.pid).since(used_by_reference)
        after = _versions(api)
        requests = len(bench.sandbox.upstream.requests()) + len(bench.sandbox.backup.requests())
        memory = controller.memory()
    written = sorted(
        path
        for path in before.keys() | after.keys()
        if before.get(path) != after.get(path) and "/leases/" not in path
    )
    percent, bare_percent = (100 * sum(each) / seconds for each in (used, used_by_reference))
    return Measurement(
        (
            Figure("idle: objects written but Leases", len(written), "objects", aim=0),
            Figure("idle: requests to registries", requests, "requests", aim=0),
            Figure("idle: processor time", percent, "% of a core", bare_percent, aim=1.0, memory=memory),
        ),
        (f"idle: {count} workloads, {seconds:g} s; {len(after)} objects compared", *_examples(written)),
    )


def _examples(written: list[str]) -> list[str]:
    return [f"idle: written was, among others, {written[0]}"] if written else []


def _wait_until_quiet(api: Api, seconds: float) -> None:
    """Wait until nothing but Leases was written for so long."""
    last, since = None, time.monotonic()
    deadline = since + _LONGEST_SECONDS
    while time.monotonic() < min(deadline, since + seconds) or last is None:
        seen = {path: version for path, version in _versions(api).items() if "/leases/" not in path}
        if seen != last:
            last, since = seen, time.monotonic()
        time.sleep(1.0)


def _versions(api: Api) -> Versions:
    """The resource version of every object of every kind that can be listed, by its path."""
    groups = api.get("/apis")["groups"]
    roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups)]
    found: Versions = {}
    for root in roots:
        for kind in api.get(root)["resources"]:
            if "list" in kind["verbs"] and "/" not in kind["name"]:
                for thing in api.items(f"{root}/{kind['name']}"):
                    metadata = thing["metadata"]
                    place = f"{metadata.get('namespace', '')}/{kind['name']}/{metadata['name']}"
                    found[f"{root}/{place}"] = metadata.get("resourceVersion", "")
    return found


def watch_and_renew(kubeconfig: Path) -> None:
    """Hold the watches open and renew a Lease, until killed."""
    for path in _WATCHED:
        threading.Thread(target=_watch, args=(kubeconfig, path), daemon=True).start()
    client = Bare(kubeconfig, connections=1)
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "reference"}}
    client.call("POST", _LEASE, lease)
    sys.stdout.write("watching\n")
    sys.stdout.flush()
    while True:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        json.loads(client.call("GET", f"{_LEASE}/reference"))
        client.call("PATCH", f"{_LEASE}/reference", {"spec": {"renewTime": now}}, content_type=MERGE_PATCH)
        time.sleep(_SECONDS_BETWEEN_RENEWALS)


def _watch(kubeconfig: Path, path: str) -> None:
    client = Bare(kubeconfig, connections=1)
    since = json.loads(client.call("GET", f"{path}?limit=1"))["metadata"]["resourceVersion"]
    for line in client.lines(f"{path}?watch=1&allowWatchBookmarks=true&resourceVersion={since}"):
        json.loads(line)


if __name__ == "__main__":
    watch_and_renew(Path(sys.argv[1]))
