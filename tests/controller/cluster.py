"""A cluster in memory: what the controller's watches would have brought, in a line each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from gitops_backup.controller.inventory import Inventory
from gitops_backup.controller.journal import Journal
from gitops_backup.controller.targets import management
from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Naming, object_name
from gitops_backup.domain.policy import Mode, Policy
from gitops_backup.domain.workloads import Container, Pod, Rollout, RunningImage, Workload, WorkloadKey
from gitops_backup.sources.applications import Application
from gitops_backup.sources.projects import Project

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "b" * 64
NAMING = Naming.below("bak.example/m")


def policy(mode: Mode = Mode.GITOPS, **more: Any) -> Policy:
    """The rules, with the backup prefix `bak.example/m`."""
    return Policy(mode=mode, naming=NAMING, **more)


def workload(
    name: str,
    *images: str,
    init: Sequence[str] = (),
    kind: str = "Deployment",
    namespace: str = "shop",
    **more: Any,
) -> Workload:
    """A workload that is rolled out, its containers named `c0`, `c1`, ..., `i0`, ..."""
    containers = [Container(f"i{n}", image, True, n) for n, image in enumerate(init)]
    containers += [Container(f"c{n}", image, False, n) for n, image in enumerate(images)]
    made = Workload(
        key=WorkloadKey(kind, namespace, name),
        uid=f"uid-of-{name}",
        containers=tuple(containers),
        rollout=Rollout.COMPLETE,
        available=True,
        scaled_to_zero=False,
        paused=False,
        deleting=False,
        owner=None,
        directive=None,
        tracking_id=None,
    )
    return replace(made, **more)


def pod(owner: Workload, digest: str = DIGEST, *, container: str = "c0", image: str | None = None) -> Pod:
    """A pod of a workload, with the digest that one container of it runs."""
    written = next(each.image for each in owner.containers if each.name == container)
    return Pod(owner.key, (RunningImage(container, image or written, digest),))


def backup(image: str, *, digest: str | None = DIGEST, version: int = 1, **status: Any) -> ImageBackup:
    """The ImageBackup of an image: verified, or with `digest=None` just made."""
    source = Reference.parse(image)
    done: dict[str, Any] = {
        "phase": "DONE",
        "backup": str(NAMING.backup(source)),
        "digest": digest,
        "conditions": [{"type": "Verified", "status": "True", "reason": "SameDigest"}],
    }
    made = ImageBackup.project(
        {
            "metadata": {
                "namespace": "image-backup",
                "name": object_name(source),
                "uid": "1",
                "resourceVersion": str(version),
                "generation": 1,
            },
            "spec": {"image": str(source)},
            "status": {**(done if digest is not None else {}), **status},
        }
    )
    assert made is not None
    return made


def failed(image: str, reason: str, message: str) -> ImageBackup:
    """The ImageBackup of an image that could not be copied."""
    condition = {"type": "Copied", "status": "False", "reason": reason, "message": message}
    return backup(image, digest=None, phase="FAILED", conditions=[condition])


def source(url: str, path: str = ".", revision: str = "HEAD", **more: Any) -> dict[str, Any]:
    """A source of an Application, as its specification has it."""
    return {"repoURL": url, "path": path, "targetRevision": revision, **more}


def application(
    name: str,
    *sources: dict[str, Any],
    of: Sequence[Workload] = (),
    namespace: str = "shop",
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Application:
    """An Application in Argo CD's namespace; its status lists the workloads `of` it."""
    resources = [
        {"group": "apps", "kind": each.key.kind, "namespace": each.key.namespace, "name": each.key.name}
        for each in of
    ]
    return Application.project(
        {
            "metadata": {"namespace": "argocd", "name": name, "annotations": annotations or {}},
            "spec": {
                "project": "default",
                "sources": list(sources),
                "destination": {"server": "https://kubernetes.default.svc", "namespace": namespace},
                **spec,
            },
            "status": {"resources": resources, "sync": {"status": "Synced"}},
        }
    )


def project(name: str = "default", *, namespace: str = "argocd", **spec: Any) -> Project:
    """An AppProject."""
    return Project.project({"metadata": {"namespace": namespace, "name": name}, "spec": spec})


def inventory(
    *things: Workload | ImageBackup | Application | Project, rules: Policy | None = None
) -> Inventory:
    """What is known of a cluster that has these."""
    rules = rules or policy()
    manage = partial(management, signing_keys=rules.signing_keys)
    known = Inventory(rules, Journal(lambda: NOW), manage=manage)
    for thing in things:
        match thing:
            case Workload():
                known.put_workload(thing.key, thing)
            case ImageBackup():
                known.put_backup(thing.name, thing)
            case Application():
                known.put_application((thing.namespace, thing.name), thing)
            case Project():
                known.put_project((thing.namespace, thing.name), thing)
    return known
