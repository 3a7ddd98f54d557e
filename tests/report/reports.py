"""Reports of clusters in memory."""

from collections.abc import Mapping
from typing import Any

from gitops_backup.controller.inventory import Inventory
from gitops_backup.domain.backups import ImageBackup
from gitops_backup.domain.planning import plan
from gitops_backup.domain.policy import Mode, Policy
from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import Workload
from gitops_backup.report.compiling import ContainerKey, Obstacle, report_of
from gitops_backup.report.model import AlongReport, Place, Report
from gitops_backup.sources.applications import Application
from tests.controller.cluster import application, inventory, policy, source

OURS = "bak.example/m/library_nginx:1.25"
"""The backup of `nginx:1.25`."""

_DIRECT = policy(Mode.DIRECT)


def report(
    *things: Workload | ImageBackup | Application,
    rules: Policy = _DIRECT,
    places: Mapping[str, Place] | None = None,
    obstacles: Mapping[str, tuple[Reason, str] | tuple[Reason, str, str]] | None = None,
    **more: Any,
) -> Report:
    """The report of a cluster that has these; `places` and `obstacles` are of workloads' first containers."""
    known = inventory(*things, rules=rules)
    keys = {w.key.name: _first(w, known) for w in things if isinstance(w, Workload)}
    return report_of(
        plan(known, rules),
        policy=rules,
        backups=known,
        places={keys[name]: place for name, place in (places or {}).items()},
        obstacles={keys[name]: Obstacle(*why) for name, why in (obstacles or {}).items()},
        **more,
    )


def _first(workload: Workload, known: Inventory) -> ContainerKey:
    management = known.management(workload)
    application = management.application if management is not None else ""
    return application, workload.key, workload.containers[0].name


def place(path: str, line: int, repository: str = "https://git.example/shop", branch: str = "main") -> Place:
    """Where an image is written."""
    return Place(
        repository=repository, branch=branch, commit="c" * 40, path=path, line=line, line_before=line
    )


def deployed(*workloads: Workload) -> Application:
    """The Application that deploys these."""
    return application("shop", source("https://git.example/shop"), of=workloads)


def also_changes(kind: str, name: str, place: str) -> AlongReport:
    """A place that changes along with a use of `nginx:1.25`."""
    return AlongReport(
        application="argocd/shop",
        kind=kind,
        namespace="shop",
        name=name,
        place=place,
        image="nginx:1.25",
        becomes=OURS,
    )
