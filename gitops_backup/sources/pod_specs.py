"""Where the kinds of Kubernetes that run pods keep the pod's specification.

The kinds of other people's groups are not among them: what an operator makes of a custom resource is its own.
"""

_TEMPLATE = ("spec", "template", "spec")

POD_SPECS = {
    ("apps", "Deployment"): _TEMPLATE,
    ("apps", "DaemonSet"): _TEMPLATE,
    ("apps", "StatefulSet"): _TEMPLATE,
    ("apps", "ReplicaSet"): _TEMPLATE,
    ("batch", "Job"): _TEMPLATE,
    ("batch", "CronJob"): ("spec", "jobTemplate", *_TEMPLATE),
    ("", "ReplicationController"): _TEMPLATE,
    ("", "PodTemplate"): ("template", "spec"),
    ("", "Pod"): ("spec",),
}
"""The keys that lead to a pod's specification, by API group and kind."""

CONTAINERS = (("initContainers", True), ("containers", False))
"""The lists of containers in it, and whether these are init containers."""
