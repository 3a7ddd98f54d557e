"""Reports for the forms that forges show: one with everything in it, and one that means harm."""

from gitops_backup.domain.reasons import Reason
from gitops_backup.domain.workloads import Rollout
from gitops_backup.report.model import FileReport, Place, Report
from tests.controller.cluster import backup, policy, workload
from tests.report.reports import OURS, also_changes, deployed, report

HARM = "a`b``c|d\n@all <b>x</b> [y](z)\x1b[31m"
"""What ends code, cells, lines and elements, mentions somebody, links, and paints a terminal."""

ODD_PATH = "a b/ü%|`\udcff.yaml"
"""A path in Git that is no UTF-8."""

_DIFF = f"--- ConfigMap shop/odd\n+++ ConfigMap shop/odd\n@@ data.command @@\n-run nginx:1.25\n+run {OURS}\n"
_REPOSITORY = "https://git.example/shop"
_COMMIT = "c" * 40


def everything() -> Report:
    """A report with every kind of thing in it."""
    web = workload("web", "nginx:1.25", "redis:7", init=["quay.io/acme/tool:2"])
    api = workload("api", "nginx:1.25")
    lost = workload("lost", "ghcr.io/acme/lost:1")
    odd = workload("odd", "nginx:1.25")
    return report(
        web,
        api,
        lost,
        odd,
        workload("kept", OURS),
        workload("late", "redis:7", available=False, rollout=Rollout.NOT_READY, kind="DaemonSet"),
        workload("proxy", "nginx:1.25", namespace="kube-system"),
        backup("nginx:1.25"),
        deployed(web, api, lost, odd),
        rules=policy(),
        places={
            "web": _place("base/kustomization.yaml", 9, 2),
            "api": _place("base/kustomization.yaml", 9, 2),
        },
        obstacles={
            "lost": (Reason.UNSUPPORTED_SOURCE, "the source is rendered by a plugin from lost"),
            "odd": (Reason.PROOF_FAILED, "odd/values.yaml, line 3: more than images would change", _DIFF),
        },
        files=[
            FileReport(
                repository=_REPOSITORY,
                branch="main",
                commit=_COMMIT,
                path="a.yaml",
                diff="diff --git a/a.yaml b/a.yaml\n--- a/a.yaml\n+++ b/a.yaml\n@@ -1 +1 @@\n-a\n+b\n",
            )
        ],
        along=[
            also_changes("StatefulSet", "db", "container db"),
            also_changes("ConfigMap", "web", "data.image"),
        ],
        problems=["argocd/made: the source is rendered by a plugin from made"],
    )


def harmful() -> Report:
    """A report whose every text comes from somebody who means harm."""
    web = workload("web", "nginx:1.25")
    bad = workload("bad", HARM)
    return report(
        web,
        bad,
        deployed(web, bad),
        rules=policy(),
        places={"web": _place(ODD_PATH, 3, 3)},
        files=[
            FileReport(
                repository=_REPOSITORY, branch="main", commit=_COMMIT, path=ODD_PATH, diff="+```\n+x\n"
            )
        ],
        along=[also_changes(HARM, HARM, HARM)],
        problems=[HARM],
    )


def _place(path: str, line: int, line_before: int) -> Place:
    return Place(
        repository=_REPOSITORY,
        branch="main",
        commit=_COMMIT,
        path=path,
        line=line,
        line_before=line_before,
    )
