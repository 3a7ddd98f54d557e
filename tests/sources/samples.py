"""Manifests to try edits on: one Deployment, its image written in whatever way a test is about."""

from gitops_backup.domain.images import Reference
from gitops_backup.sources.replacements import ObjectId, Replacement

OLD = "nginx:1.25"
NEW = "bak.example/m/library_nginx:1.25"
WEB = ObjectId("apps", "Deployment", "shop", "web")

DEPLOYMENT = """\
apiVersion: apps/v1
kind: {kind}
metadata:
  name: {name}
{namespace}spec:
  template:
    spec:
      containers:
        - name: web
          {image}
          ports: [{{containerPort: 80}}]
"""


def deployment(image: str, *, name: str = "web", namespace: str = "shop", kind: str = "Deployment") -> str:
    """A workload with the given lines where its container says its image."""
    return DEPLOYMENT.format(
        image=image.replace("\n", "\n          "),
        name=name,
        namespace=f"  namespace: {namespace}\n" if namespace else "",
        kind=kind,
    )


def replacement(
    workload: ObjectId = WEB, *, container: str = "web", init: bool = False, old: str = OLD, new: str = NEW
) -> Replacement:
    """A replacement of the Deployment's image, unless told otherwise."""
    return Replacement(workload=workload, container=container, init=init, old=Reference.parse(old), new=new)
