"""Whether a set generates, with the clusters that somebody lists, what Argo CD has generated from it.

A list may be stale, and nobody can see the clusters themselves. So what follows from it is compared with what
is there: which Applications there are, where they deploy to, and all that their sources say. Where Git has
changed a moment ago, these differ, too, until Argo CD has looked.
"""

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application
from gitops_backup.sources.inline.comparison import differing

_REMEDY = "correct argocd_clusters, or, where Git has changed, wait for Argo CD to generate it anew"


def disagreement(expected: Iterable[Application], live: Iterable[Application]) -> str:
    """The first difference between what a set generates here and what Argo CD has generated from it, and what
    to do; empty where there is none."""
    ours = {each.name: each for each in expected}
    theirs = {each.name: each for each in live}
    return next((f"{each}; {_REMEDY}" for each in _differences(ours, theirs)), "")


def _differences(ours: dict[str, Application], theirs: dict[str, Application]) -> Iterator[str]:
    for name in sorted(theirs.keys() - ours.keys()):
        yield f"Argo CD has generated the Application {one_line(name)}, which the listed clusters do not make"
    for name in sorted(ours.keys() - theirs.keys()):
        yield f"the listed clusters make an Application {one_line(name)}, which Argo CD has not generated"
    for name in sorted(ours.keys() & theirs.keys()):
        field = next(_fields(theirs[name], ours[name]), "")
        if field:
            yield f"the listed clusters make {field} of the Application {one_line(name)} another than it is"


def _fields(live: Application, made: Application) -> Iterator[str]:
    for name, there, here in (
        ("server", live.destination_server, made.destination_server),
        ("name", live.destination_cluster, made.destination_cluster),
        ("namespace", live.destination_namespace, made.destination_namespace),
    ):
        if there != here:
            yield f"spec.destination.{name}"
    for one, other in zip_longest(live.sources, made.sources):
        if one is None or other is None or one.place != other.place:
            yield "spec.sources"
        elif field := differing(one, other):
            yield field
