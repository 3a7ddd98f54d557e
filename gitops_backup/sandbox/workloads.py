"""Deployments and DaemonSets for tests and measurements, and what is read of them."""

from gitops_backup.sandbox.api import Api, Json
from gitops_backup.sandbox.waiting import until


def workload(
    kind: str,
    namespace: str,
    image: str,
    *,
    name: str = "app",
    init: str | None = None,
    replicas: int = 1,
    annotations: dict[str, str] | None = None,
    on_delete: bool = False,
) -> Json:
    """A workload with one container, `main`, and perhaps an init container, `init`."""
    containers = {"containers": [{"name": "main", "image": image}]}
    if init:
        containers["initContainers"] = [{"name": "init", "image": init}]
    spec: Json = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": containers},
    }
    if kind == "Deployment":
        spec["replicas"] = replicas
    if on_delete:
        spec["updateStrategy"] = {"type": "OnDelete"}
    metadata = {"name": name, "namespace": namespace, "annotations": annotations or {}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def live(api: Api, thing: Json) -> Json:
    """The object as the API server has it now."""
    return api.get(api.path_of(thing))


def pods(api: Api, namespace: str) -> list[Json]:
    """The pods of a namespace, by name."""
    found = api.items(f"/api/v1/namespaces/{namespace}/pods")
    return sorted(found, key=lambda pod: str(pod["metadata"]["name"]))


def image_ids(api: Api, namespace: str) -> set[str]:
    """The `imageID` of each container of each pod in a namespace."""
    statuses = [pod.get("status", {}).get("containerStatuses") or [] for pod in pods(api, namespace)]
    return {each["imageID"] for status in statuses for each in status}


def wait_until_rolled_out(api: Api, thing: Json) -> Json:
    """Wait as `kubectl rollout status` does, and return the object."""

    def look() -> Json | None:
        seen = live(api, thing)
        status = seen.get("status", {})
        if status.get("observedGeneration") != seen["metadata"]["generation"]:
            return None
        if thing["kind"] == "DaemonSet":
            wanted = status.get("desiredNumberScheduled")
            numbers = (status.get("updatedNumberScheduled"), status.get("numberAvailable"))
        else:
            wanted = seen["spec"]["replicas"]
            numbers = (status.get("updatedReplicas", 0), status.get("availableReplicas", 0))
        return seen if numbers == (wanted, wanted) else None

    return until(look, what=f"{thing['metadata']['name']} to be rolled out")
