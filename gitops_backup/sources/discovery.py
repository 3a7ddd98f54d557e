"""Argo CD's Applications in files: plain documents of YAML or JSON, alone, among others, or in a list.

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
from gitops_backup.sources.content import Bare
from gitops_backup.sources.documents import InvalidManifest
from gitops_backup.sources.rendered import Rendered, read_manifests

EXTENSIONS = (".yaml", ".yml", ".json")
"""How the names of files end in which Applications are looked for."""

_GROUP = "argoproj.io"
_HOME = "argocd"
_LONGEST_NAME = 253


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found: Applications in the order of their files, and which files have ApplicationSets.

    `outside` is how many Applications are in namespaces where Argo CD does not look; `unreadable` says what
    is wrong with files that seem to have an Application in them.
    """

    applications: tuple[Application, ...]
    sets: tuple[str, ...]
    outside: int
    unreadable: tuple[str, ...]


def may_describe(content: bytes) -> bool:
    """Whether a file may have an Application in it."""
    return _GROUP.encode() in content and bool(_KIND.search(content))


def discover(contents: Mapping[str, bytes], *, namespaces: frozenset[str]) -> Discovery:
    """The Applications in these files; `namespaces` are those in which Argo CD looks for them.

    An Application without a namespace is in the first of them. Those that are described alike in several
    files count once; where descriptions of one name differ, as those for several clusters do, each but the
    first has its file in the name of its namespace, to be told apart.
    """
    home = _HOME if _HOME in namespaces else min(namespaces, default=_HOME)
    found: list[tuple[str, Application]] = []
    sets: list[str] = []
    unreadable: list[str] = []
    for path in sorted(contents):
        try:
            objects = read_manifests(path, contents[path], namespace=home)
        except InvalidManifest as error:
            unreadable.append(error.message)
            continue
        if any(each.identity[:2] == (_GROUP, "ApplicationSet") for each in objects):
            sets.append(path)
        found += (
            (path, Application.project(_plain(each.content), argocd_namespace=home))
            for each in objects
            if _is_application(each)
        )
    inside = [(path, application) for path, application in found if application.namespace in namespaces]
    return Discovery(
        applications=tuple(_told_apart(inside)),
        sets=tuple(sets),
        outside=len(found) - len(inside),
        unreadable=tuple(unreadable),
    )


def _is_application(found: Rendered) -> bool:
    identity = found.identity
    if (identity.group, identity.kind) != (_GROUP, "Application"):
        return False
    names = identity.name, identity.namespace
    return all(len(name) <= _LONGEST_NAME and _NAME.fullmatch(name) for name in names)


def _told_apart(found: Iterable[tuple[str, Application]]) -> Iterable[Application]:
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


_KIND = re.compile(rb"\bApplication(?:Set)?\b")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
