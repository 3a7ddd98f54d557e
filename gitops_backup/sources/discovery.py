"""Argo CD's Applications, sets and clusters in files of YAML or JSON, alone, among others, or in a list.

A template is no YAML before it is rendered, so an Application in one is not found. Most files of a repository
are not even parsed: those that name Argo CD's API group and the kind nowhere.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import yaml

from gitops_backup.errors import one_line
from gitops_backup.sources.applications import Application
from gitops_backup.sources.applicationsets.clusters import Cluster
from gitops_backup.sources.applicationsets.sets import GROUP, ApplicationSet, is_set, read_sets
from gitops_backup.sources.content import Bare
from gitops_backup.sources.documents import InvalidManifest
from gitops_backup.sources.names import is_name
from gitops_backup.sources.rendered import read_manifests

EXTENSIONS = (".yaml", ".yml", ".json")
"""How the names of files end in which Applications are looked for."""

_HOME = "argocd"


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found: Applications and ApplicationSets in the order of their files, and clusters.

    `outside` is how many Applications and sets are in namespaces where Argo CD does not look; `unreadable`
    says what is wrong with files that seem to have an Application in them. `home` is where Argo CD runs.
    """

    applications: tuple[Application, ...]
    sets: tuple[ApplicationSet, ...]
    clusters: tuple[Cluster, ...]
    home: str
    outside: int
    unreadable: tuple[str, ...]


def may_describe(content: bytes) -> bool:
    """Whether a file may have an Application, a set or a cluster in it."""
    return GROUP.encode() in content and bool(_KIND.search(content))


def discover(contents: Mapping[str, bytes], *, namespaces: frozenset[str]) -> Discovery:
    """What is in these files; `namespaces` are those in which Argo CD looks for Applications and sets.

    An Application without a namespace is in the first of them. Those that are described alike in several
    files count once; where descriptions of one name differ, as those for several clusters do, each but the
    first has its file in the name of its namespace, to be told apart.
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
        found += (
            (path, Application.project(_plain(each.content), argocd_namespace=home))
            for each in objects
            if each.identity[:2] == (GROUP, "Application")
        )
    named = [
        (path, application)
        for path, application in found
        if is_name(application.name) and is_name(application.namespace)
    ]
    inside = [(path, application) for path, application in named if application.namespace in namespaces]
    looked_at = [each for each in sets if each.namespace in namespaces]
    return Discovery(
        applications=tuple(told_apart(inside)),
        sets=tuple(looked_at),
        clusters=tuple(clusters),
        home=home,
        outside=len(named) - len(inside) + len(sets) - len(looked_at),
        unreadable=tuple(unreadable),
    )


def told_apart(found: Iterable[tuple[str, Application]]) -> Iterable[Application]:
    """Applications and their files, without those that are there twice, and of one name each."""
    known: dict[tuple[str, str], list[Application]] = {}
    for path, application in found:
        alike = known.setdefault((application.namespace, application.name), [])
        if application in alike:
            continue
        alike.append(application)
        where = f"{one_line(path)}: " if len(alike) > 1 else ""
        yield replace(application, namespace=f"{where}{application.namespace}")


def _plain(value: Any) -> Any:
    """The value with numbers, truth values and null as a decoder of JSON has them."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return _scalar(value.text) if isinstance(value, Bare) else value


def _scalar(text: str) -> Any:
    try:
        read = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError):
        return text
    return read if read is None or isinstance(read, bool | int | float) else text


_KIND = re.compile(rb"\bApplication(?:Set)?\b|argocd\.argoproj\.io/secret-type")
