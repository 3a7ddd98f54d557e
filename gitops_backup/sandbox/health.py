"""How Argo CD judges a resource's health, after its built-in checks for Deployments and DaemonSets."""

from collections.abc import Iterable

from gitops_backup.sandbox.api import Json

_FROM_BEST_TO_WORST = ("Healthy", "Suspended", "Progressing", "Missing", "Degraded")


def worst(healths: Iterable[str]) -> str:
    """What an Application's health is, given those of its resources."""
    return max(healths, key=_FROM_BEST_TO_WORST.index, default="Healthy")


def health(kind: str, live: Json | None) -> str:
    """Healthy, Suspended, Progressing, Missing or Degraded; a kind without a check is healthy when there."""
    if live is None:
        return "Missing"
    if kind == "Deployment":
        return _deployment(live)
    return _daemon_set(live) if kind == "DaemonSet" else "Healthy"


def _deployment(live: Json) -> str:
    status = live.get("status") or {}
    if live["spec"].get("paused"):
        return "Suspended"
    if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
        return "Progressing"
    conditions = status.get("conditions") or []
    if any(each.get("reason") == "ProgressDeadlineExceeded" for each in conditions):
        return "Degraded"
    wanted = live["spec"].get("replicas", 1)
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    rolled_out = updated >= wanted and status.get("replicas", 0) <= updated and available >= updated
    return "Healthy" if rolled_out else "Progressing"


def _daemon_set(live: Json) -> str:
    status = live.get("status") or {}
    if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
        return "Progressing"
    if (live["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
        return "Healthy"
    wanted = status.get("desiredNumberScheduled", 0)
    rolled_out = (
        status.get("updatedNumberScheduled", 0) >= wanted and status.get("numberAvailable", 0) >= wanted
    )
    return "Healthy" if rolled_out else "Progressing"
