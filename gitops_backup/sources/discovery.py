"""Argo CD's Applications, sets and clusters in files of YAML or JSON, alone, among others, or in a list.

A template is no YAML before it is rendered, so an Application in one is not found here (see `descent`). Most
files of a repository are not even parsed: those that name Argo CD's API group and the kind nowhere.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Self

from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application
from gitops_backup.sources.applicationsets.clusters import Cluster
from gitops_backup.sources.applicationsets.sets import ApplicationSet, is_set, read_sets
from gitops_backup.sources.documents import InvalidManifest
from gitops_backup.sources.inline.manifests import GROUP, read_applications
from gitops_backup.sources.names import is_name
from gitops_backup.sources.rendered import read_manifests

EXTENSIONS = (".yaml", ".yml", ".json")
"""How the names of files end in which Applications are looked for."""

_HOME = "argocd"


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found: Applications and ApplicationSets in the order of their files, and clusters.

    `outside` is how many Applications and sets are in namespaces where Argo CD does not look; `unreadable`
    says what is wrong with files that seem to have an Application in them. `home` is where Argo CD runs. Of
    Applications that are `unfollowed`, nobody has looked at what they render.
    """

    applications: tuple[Application, ...]
    sets: tuple[ApplicationSet, ...]
    clusters: tuple[Cluster, ...]
    home: str
    outside: int
    unreadable: tuple[str, ...]
    unfollowed: tuple[str, ...] = ()

    def of_other_files(self) -> Self:
        """The same where the files are none of the repository that is looked at."""
        return replace(self, applications=tuple(map(_undeclared, self.applications)))


def may_describe(content: bytes) -> bool:
    """Whether a file may have an Application, a set or a cluster in it."""
    return GROUP.encode() in content and bool(_KIND.search(content))


def discover(contents: Mapping[str, bytes], *, namespaces: frozenset[str]) -> Discovery:
    """What is in these files; `namespaces` are those in which Argo CD looks for Applications and sets.

    An Application without a namespace is in the first of them. Those that are described alike in several
    files count once, unless they have parameters of their own, which have to be written in each. Where there
    are several of one name, as for several clusters, each but the first has its file in the name of its
    namespace, to be told apart.
    """
    home = _HOME if _HOME in namespaces else min(namespaces, default=_HOME)
    found: list[tuple[str, Application]] = []
    sets: list[ApplicationSet] = []
    clusters: list[Cluster] = []
    unreadable: list[str] = []
    for path in sorted(contents):
        try:
            objects = read_manifests(path, contents[path], namespace=home)
        except InvalidManifest as error:
            unreadable.append(error.message)
            continue
        if any(is_set(each.content) for each in objects):
            sets += read_sets(path, contents[path], namespace=home)
        projected = (Cluster.project_secret(e.content) for e in objects if e.identity[:2] == ("", "Secret"))
        clusters += (cluster for cluster in projected if cluster is not None)
        found += ((path, each) for each in read_applications(path, contents[path], home=home))
    named = [
        (path, application)
        for path, application in found
        if is_name(application.name) and is_name(application.namespace)
    ]
    inside = [(path, application) for path, application in named if application.namespace in namespaces]
    looked_at = [each for each in sets if each.namespace in namespaces]
    return Discovery(
        applications=tuple(each for each in told_apart(inside) if each is not None),
        sets=tuple(looked_at),
        clusters=tuple(clusters),
        home=home,
        outside=len(named) - len(inside) + len(sets) - len(looked_at),
        unreadable=tuple(unreadable),
    )


def told_apart(found: Iterable[tuple[str, Application]]) -> Iterator[Application | None]:
    """Applications by their files, each with a name of its own; None for one that was there before."""
    known: dict[tuple[str, str], list[Application]] = {}
    for path, application in found:
        alike = known.setdefault((application.namespace, application.name), [])
        said = _undeclared(application)
        if said in alike and not any(source.has_parameters for source in application.sources):
            yield None
            continue
        alike.append(said)
        where = f"{one_line(path)}: " if len(alike) > 1 else ""
        yield replace(application, namespace=f"{where}{application.namespace}")


def _undeclared(application: Application) -> Application:
    sources = (replace(source, declared=None) for source in application.sources)
    return replace(application, sources=tuple(sources))


_KIND = re.compile(rb"\bApplication(?:Set)?\b|argocd\.argoproj\.io/secret-type")
