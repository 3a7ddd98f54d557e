"""A stand-in for the Deployment and DaemonSet controllers, a scheduler and a kubelet. No container ever runs.

A moment after a Deployment or a DaemonSet was created or its template changed, it is marked as rolled out,
and pods are made whose statuses name what a node would have pulled from the sandbox's registries. Where that
cannot be pulled, the pod is `ImagePullBackOff` and the workload not ready, and the pull is tried again, as a
kubelet does. A workload annotated `sandbox.example/never-ready: "true"` never gets ready.

Simpler than the real thing: there is one node; all pods of a workload are replaced at once (`pods` says how);
readiness probes are not asked.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from gitops_backup.sandbox import rollouts
from gitops_backup.sandbox.agenda import Agenda
from gitops_backup.sandbox.api import Api, ApiError, Json
from gitops_backup.sandbox.following import Follower, Key
from gitops_backup.sandbox.locations import Locations
from gitops_backup.sandbox.pods import Pods
from gitops_backup.sandbox.pulling import NotPulled, Pulled, pull
from gitops_backup.sandbox.rollouts import Count, Work

_THREADS = 8
_SECONDS_BETWEEN_PULLS = 1.0
_PLURALS = {"Deployment": "deployments", "DaemonSet": "daemonsets"}


@dataclass(frozen=True, slots=True)
class _Rollout:
    uid: str
    generation: int
    due: float
    deadline: float


class KubeletStandIn:
    """Marks workloads as rolled out, and makes their pods unless `pods` is false, between enter and exit.

    `delay` is the moment that a rollout takes, in seconds; with 0, a rollout under way is not shown. `report`
    gets a line when something goes wrong.
    """

    def __init__(
        self,
        *,
        api: Api,
        locations: Locations,
        pods: bool = True,
        delay: float = 0.3,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._api = api
        self._locations = locations
        self._delay = delay
        self._agenda = Agenda(
            self._handle, threads=_THREADS, report=lambda line: report(f"stand-in for a kubelet: {line}")
        )
        self._workloads = {
            kind: Follower(api, f"/apis/apps/v1/{plural}", changed=self._reaction(kind))
            for kind, plural in _PLURALS.items()
        }
        self._pods = Pods(api, went=self._agenda.add, now=_now) if pods else None
        self._rollouts: dict[Work, _Rollout] = {}
        self._running = ExitStack()

    def __enter__(self) -> Self:
        for part in (self._pods, *self._workloads.values(), self._agenda):
            if part is not None:
                self._running.enter_context(part)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _reaction(self, kind: str) -> Callable[[Key, Json | None], None]:
        return lambda key, _: self._agenda.add((kind, *key))

    def _handle(self, work: Work) -> float | None:
        kind, *key = work
        seen = self._workloads[kind].get((key[0], key[1]))
        if seen is None:
            self._rollouts.pop(work, None)
            if self._pods is not None:
                self._pods.forget(work)
            return None
        # the items of a list do not say their kind
        workload = {**seen, "kind": kind}
        if workload["spec"].get("paused"):
            self._write_status(workload, {"observedGeneration": workload["metadata"]["generation"]})
            return None
        rollout = self._rollout(work, workload)
        early = rollout.due - time.monotonic()
        if early > 0:
            self._write_count(workload, rollouts.counted(workload), rollout)
            return early
        count = self._advance(workload)
        self._write_count(workload, count, rollout)
        if count.complete:
            return None
        if not rollouts.is_never_ready(workload):
            return _SECONDS_BETWEEN_PULLS
        left = rollout.deadline - time.monotonic()
        return left if left > 0 else None

    def _rollout(self, work: Work, workload: Json) -> _Rollout:
        uid, generation = workload["metadata"]["uid"], workload["metadata"]["generation"]
        known = self._rollouts.get(work)
        if known is not None and known.uid != uid and self._pods is not None:
            # deleted, and created anew under the same name
            self._pods.forget(work)
        if known is None or (known.uid, known.generation) != (uid, generation):
            now = time.monotonic()
            # of what was there before us, the moment is over
            seen = (workload.get("status") or {}).get("observedGeneration") == generation
            due = now if seen else now + self._delay
            deadline = now + rollouts.seconds_for_progress(workload)
            known = self._rollouts[work] = _Rollout(uid, generation, due=due, deadline=deadline)
        return known

    def _advance(self, workload: Json) -> Count:
        if self._pods is not None:
            return self._pods.advance(workload, lambda: self._pull(workload))
        count = rollouts.counted(workload)
        if count.complete or rollouts.is_never_ready(workload):
            return count
        if any(isinstance(each, NotPulled) for each in self._pull(workload).values()):
            return count
        return rollouts.finished(workload)

    def _pull(self, workload: Json) -> Mapping[str, Pulled | NotPulled]:
        return {image: pull(image, self._locations) for image in rollouts.images(workload)}

    def _write_count(self, workload: Json, count: Count, rollout: _Rollout) -> None:
        overdue = time.monotonic() >= rollout.deadline
        self._write_status(workload, rollouts.workload_status(workload, count, overdue=overdue, now=_now()))

    def _write_status(self, workload: Json, status: Json) -> None:
        if rollouts.says_the_same(workload.get("status") or {}, status):
            return
        kind, namespace, name = rollouts.work_of(workload)
        path = f"/apis/apps/v1/namespaces/{namespace}/{_PLURALS[kind]}/{name}/status"
        try:
            self._workloads[kind].note(self._api.merge(path, {"status": status}))
        except ApiError as error:
            if error.status != 404:
                raise


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
