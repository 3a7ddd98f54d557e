"""The pods of workloads, made and replaced as the real controllers and a kubelet would leave them.

A Deployment's pods belong to a ReplicaSet of the template's; when the template changes, the new pods come
first and the old go when the new are ready. A DaemonSet's old pod goes first, as its `maxUnavailable` is 1,
or stays until somebody deletes it, when its strategy is `OnDelete`. A pod that is ready is left alone,
whatever becomes of its image in the registry: the node has it.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeAlias

from gitops_backup.sandbox import rollouts
from gitops_backup.sandbox.api import Api, ApiError, Json
from gitops_backup.sandbox.following import Follower, Key
from gitops_backup.sandbox.pulling import NotPulled, Pulled
from gitops_backup.sandbox.rollouts import Count, Work

Pull: TypeAlias = Callable[[], Mapping[str, Pulled | NotPulled]]


class Pods:
    """Makes pods between enter and exit; `went` is called with the workload of each pod that was deleted."""

    def __init__(self, api: Api, *, went: Callable[[Work], None], now: Callable[[], str]) -> None:
        self._api = api
        self._went = went
        self._now = now
        self._follower = Follower(api, "/api/v1/pods", changed=self._on_change)
        self._owned: dict[Work, set[Key]] = {}
        self._replica_sets: dict[Work, dict[str, Json]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._follower.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._follower.__exit__(kind, error, trace)

    def advance(self, workload: Json, pull: Pull) -> Count:
        """Make and delete what is due, and say how far that is; `pull` is called when a pod needs images."""
        wanted = rollouts.wanted_pods(workload)
        current = rollouts.template_hash(workload)
        existing = self._existing(rollouts.work_of(workload))
        old = [pod for pod in existing if rollouts.hash_of(pod) != current]
        if old and rollouts.is_replaced_by_hand(workload):
            return Count(wanted, wanted, updated=0, ready=_ready(old), updated_ready=0)
        fresh = [pod for pod in existing if rollouts.hash_of(pod) == current]
        if _ready(fresh) < wanted:
            if workload["kind"] == "DaemonSet":
                self._delete(old)
                old = []
            fresh = self._make(workload, pull, surge=bool(old))
        complete = _ready(fresh) >= wanted
        if complete:
            self._delete([*old, *fresh[wanted:]])
            self._retire(workload, {rollouts.owner_of(pod) for pod in old})
            return rollouts.finished(workload)
        total = len(fresh) + len(old)
        ready = min(wanted, _ready(fresh) + _ready(old))
        return Count(wanted, total, updated=len(fresh), ready=ready, updated_ready=_ready(fresh))

    def forget(self, work: Work) -> None:
        """Delete what belonged to a workload that is gone."""
        pods = self._existing(work)
        self._delete(pods)
        owners = {name for kind, _, name in map(rollouts.owner_of, pods) if kind == "ReplicaSet"}
        for name in owners | self._replica_sets.pop(work, {}).keys():
            self._api.delete(f"/apis/apps/v1/namespaces/{work[1]}/replicasets/{name}")

    def _make(self, workload: Json, pull: Pull, *, surge: bool) -> list[Json]:
        pulled = pull()
        runs = not any(isinstance(each, NotPulled) for each in pulled.values())
        ready = runs and not rollouts.is_never_ready(workload)
        count = 1 if surge and not ready else rollouts.wanted_pods(workload)
        owner = self._replica_set(workload, count) if workload["kind"] == "Deployment" else workload
        return [self._make_one(pod, pulled, ready=ready) for pod in rollouts.pods(workload, owner, count)]

    def _make_one(self, pod: Json, pulled: Mapping[str, Pulled | NotPulled], *, ready: bool) -> Json:
        meta = pod["metadata"]
        known = self._follower.get((meta["namespace"], meta["name"]))
        if known is None:
            try:
                known = self._api.create(pod)
            except ApiError as error:
                if error.status != 409:
                    raise
                known = self._api.get(self._api.path_of(pod))
        if rollouts.is_pod_ready(known):
            return known
        status = rollouts.pod_status(pod, pulled, ready=ready, now=self._now())
        if not rollouts.says_the_same(known.get("status") or {}, status):
            known = self._api.merge(f"{self._api.path_of(pod)}/status", {"status": status})
        self._follower.note(known)
        return known

    def _replica_set(self, deployment: Json, replicas: int) -> Json:
        wanted = rollouts.replica_set(deployment, replicas)
        made = self._replica_sets.setdefault(rollouts.work_of(deployment), {})
        known = made.get(wanted["metadata"]["name"])
        if known is None or known["spec"]["replicas"] != replicas:
            known = made[wanted["metadata"]["name"]] = self._api.apply(wanted)
        return known

    def _retire(self, workload: Json, owners: set[Work]) -> None:
        made = self._replica_sets.setdefault(rollouts.work_of(workload), {})
        for kind, namespace, name in owners:
            if kind == "ReplicaSet":
                path = f"/apis/apps/v1/namespaces/{namespace}/replicasets/{name}"
                made[name] = self._api.merge(path, {"spec": {"replicas": 0}})

    def _delete(self, pods: Sequence[Json]) -> None:
        for pod in pods:
            meta = pod["metadata"]
            self._api.delete(f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}")
            self._follower.forget((meta["namespace"], meta["name"]))

    def _existing(self, work: Work) -> list[Json]:
        with self._lock:
            keys = sorted(self._owned.get(work, ()))
        found = [self._follower.get(key) for key in keys]
        return [pod for pod in found if pod is not None]

    def _on_change(self, key: Key, before: Json | None) -> None:
        pod = self._follower.get(key)
        seen = pod or before
        work = rollouts.workload_of(seen) if seen else None
        if work is None:
            return
        with self._lock:
            owned = self._owned.setdefault(work, set())
            if pod is not None:
                owned.add(key)
            else:
                owned.discard(key)
        if pod is None:
            self._went(work)


def _ready(pods: Sequence[Json]) -> int:
    return sum(rollouts.is_pod_ready(pod) for pod in pods)
