"""A small cluster with a bit of everything that a report can show, on the sandbox."""

import secrets
from dataclasses import dataclass

import yaml

from gitops_backup.sandbox.api import Json
from gitops_backup.sandbox.sandbox import Sandbox
from gitops_backup.sandbox.waiting import until
from gitops_backup.sandbox.workloads import wait_until_rolled_out, workload

NOWHERE = "http://127.0.0.1:1/nowhere"

_BROKEN = b"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: broken
  labels: {app: broken
spec:
"""


@dataclass(frozen=True, slots=True)
class Shop:
    """What was made: Deployments in a namespace, and two repositories that some are deployed from."""

    sandbox: Sandbox
    namespace: str
    repository: str
    other: str

    def deployment(self, name: str, image: str, **more: object) -> Json:
        """The manifest of a Deployment in the shop, labelled with its name."""
        made = workload("Deployment", self.namespace, image, name=name, **more)  # type: ignore[arg-type]
        made["metadata"]["labels"] = {"app": name}
        return made

    def file(self, name: str, image: str, **more: object) -> bytes:
        """The manifest of a Deployment as a file has it, without a namespace."""
        thing = self.deployment(name, image, **more)
        del thing["metadata"]["namespace"]
        return yaml.safe_dump(thing, sort_keys=False).encode()

    def application(self, name: str, url: str, path: str) -> Json:
        """The manifest of an Application that deploys into the shop."""
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": f"{self.namespace}-{name}", "namespace": self.sandbox.namespace("argocd")},
            "spec": {
                "project": "default",
                "source": {"repoURL": url, "path": path},
                "destination": {"server": "https://kubernetes.default.svc", "namespace": self.namespace},
                "syncPolicy": {"automated": {}},
            },
        }

    def tracked(self, name: str, image: str, *, by: str) -> Json:
        """The manifest of a Deployment that an Application has deployed some time ago."""
        tracking = f"{self.namespace}-{by}:apps/Deployment:{self.namespace}/{name}"
        return self.deployment(name, image, annotations={"argocd.argoproj.io/tracking-id": tracking})

    def wait(self, *names: str) -> None:
        """Wait until these Deployments are there and rolled out."""
        for name in names:
            thing = {**self.deployment(name, ""), "spec": {}}
            path = self.sandbox.api.path_of(thing)
            until(lambda at=path: self.sandbox.api.find(at), what=f"{name} to be deployed")  # type: ignore[misc]
            wait_until_rolled_out(self.sandbox.api, thing)


def open_shop(sandbox: Sandbox) -> Shop:
    """Make a shop with everything, and wait until all that can be is rolled out."""
    # the others are there from the start, and other tests rely on what they are
    sandbox.push("quay.io/acme/tool:2")
    mark = secrets.token_hex(3)
    shop = Shop(sandbox, sandbox.namespace(f"shop-{mark}"), f"shop-{mark}", f"other-{mark}")
    url = sandbox.git.create(
        shop.repository,
        {
            "apps/api.yaml": shop.file("api", "nginx:1.14.0"),
            "apps/web.yaml": shop.file("web", "nginx:1.14.0", init="quay.io/acme/tool:2"),
            # whether Helm is installed here or not
            "chart/.argocd-source.yaml": b"plugin: {}\n",
            "mixed/broken.yaml": _BROKEN,
            "mixed/fine.yaml": shop.file("fine", "redis:7.2"),
        },
    )
    other = sandbox.git.create(shop.other, {"far.yaml": shop.file("far", "redis:7.2")})
    sandbox.apply(
        shop.application("apps", url, "apps"),
        shop.application("chart", url, "chart"),
        shop.application("mixed", url, "mixed"),
        shop.application("other", other, "."),
        shop.application("gone", NOWHERE, "."),
        shop.tracked("charted", "redis:7.2", by="chart"),
        shop.tracked("lost", "redis:7.2", by="gone"),
        shop.tracked("broken", "redis:7.2", by="mixed"),
        shop.tracked("fine", "redis:7.2", by="mixed"),
        shop.deployment("alone", "redis:7.2"),
        shop.deployment("typo", "redis:7.2:"),
        shop.deployment("unready", "nginx:1.14.0", annotations={"sandbox.example/never-ready": "true"}),
    )
    shop.wait("api", "web", "far", "charted", "lost", "broken", "fine", "alone")
    return shop
