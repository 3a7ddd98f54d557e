"""What a chart depends on, and where that is: in `charts/`, in a folder next door, or somewhere else.

What is not in `charts/` Argo CD has Helm put there, when it finds it missing (`helm dependency build`). So a
dependency in a folder of the repository (`file://`), or of a chart repository or a registry, is shown to the
renderer there, too. The versions are those of the lock file, where it lists the same dependencies.
"""

import posixpath
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gitops_backup.sources.content import KeyIsNoText, content_of
from gitops_backup.sources.documents import File, InvalidManifest
from gitops_backup.sources.helm.archives import files_of_archive
from gitops_backup.sources.layouts import Layout
from gitops_backup.sources.mounts import folder_for
from gitops_backup.sources.objects import text_of
from gitops_backup.sources.places import Place, PlaceKind, is_url
from gitops_backup.sources.rendering import Files
from gitops_backup.sources.trees import Tree, folder_of

_MOST = 100
"""Dependencies of a chart; Helm misses the others, and says so."""


class Dependency(NamedTuple):
    """A chart that another one names, as it names it; `alias` is what it is called among the values."""

    name: str
    alias: str
    version: str
    repository: str


def dependencies_of(folder: str, files: Files) -> list[Dependency]:
    """What the chart in a folder depends on, as far as that can be read."""
    found: list[Dependency] = []
    for described, locked in (("Chart.yaml", "Chart.lock"), ("requirements.yaml", "requirements.lock")):
        here = _listed(posixpath.join(folder, described), files)
        lock = _listed(posixpath.join(folder, locked), files)
        if [each[::3] for each in here] == [each[::3] for each in lock]:
            here = [each._replace(version=it.version) for each, it in zip(here, lock, strict=True)]
        found += here
    return found


def missing_dependencies(layout: Layout, *, tree: Tree, contents: Files) -> dict[str, str]:
    """The folders of what is not in `charts/`, by the names that they get there."""
    found: dict[str, str] = {}
    for each in _missing(layout, tree, contents):
        place = _place(each)
        folder = folder_for(place) if place is not None else _next_door(each, layout)
        if folder is not None and folder not in found.values():
            found[each.name if each.name not in found else f"{each.name}-{len(found)}"] = folder
    return found


def places_of_dependencies(layout: Layout, *, tree: Tree, contents: Files) -> frozenset[Place]:
    """Where what is not in the repository is from."""
    places = (_place(each) for each in _missing(layout, tree, contents))
    return frozenset(place for place in places if place is not None)


def name_of_chart(folder: str, files: Files) -> str:
    """What the chart in a folder calls itself; empty where that cannot be read."""
    return text_of(_document(posixpath.join(folder, "Chart.yaml"), files), "name")


def _missing(layout: Layout, tree: Tree, contents: Files) -> list[Dependency]:
    folder = layout.folder
    named = [each for each in dependencies_of(folder, contents) if _is_name(each.name)]
    missing = [each for each in named if not _is_vendored(folder, each.name, tree)]
    found = _names_in(posixpath.join(folder, "charts"), tree, contents) if missing else frozenset()
    return [each for each in missing if each.name not in found]


def _place(dependency: Dependency) -> Place | None:
    repository = dependency.repository
    if not is_url(repository) and not repository.startswith("oci://"):
        return None
    return Place(PlaceKind.CHART, repository, dependency.version, dependency.name)


def _next_door(dependency: Dependency, layout: Layout) -> str | None:
    repository, root = dependency.repository, layout.root
    if not repository.startswith("file://") or repository.startswith("file:///"):
        return None
    folder = folder_of(posixpath.join(layout.folder, repository.removeprefix("file://")))
    inside = folder is not None and folder.startswith(f"{root}/" if root else "")
    return folder if folder and inside else None


def _is_name(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name


def _is_vendored(folder: str, name: str, tree: Tree) -> bool:
    charts = posixpath.join(folder, "charts")
    archive = re.compile(rf"{re.escape(name)}-v?[0-9][^/]*\.tgz")
    inside = (entry.path[len(charts) + 1 :] for entry in tree.under(charts, recurse=True))
    return any(path.startswith(f"{name}/") or archive.fullmatch(path) for path in inside)


def _names_in(charts: str, tree: Tree, contents: Files) -> frozenset[str]:
    """What the charts in a folder call themselves, whatever their folders and archives are called."""
    found: set[str] = set()
    for entry in tree.under(charts, recurse=True):
        inner = entry.path[len(charts) + 1 :]
        if inner.endswith(".tgz") and "/" not in inner and entry.path in contents:
            found.add(name_of_chart("", files_of_archive(contents[entry.path])))
        elif inner.count("/") == 1 and inner.endswith("/Chart.yaml"):
            found.add(name_of_chart(posixpath.dirname(entry.path), contents))
    return frozenset(found)


def _listed(path: str, files: Files) -> list[Dependency]:
    listed = _document(path, files).get("dependencies")
    return [
        Dependency(*(text_of(each, key) for key in ("name", "alias", "version", "repository")))
        for each in (listed[:_MOST] if isinstance(listed, list) else ())
        if isinstance(each, dict)
    ]


def _document(path: str, files: Files) -> Mapping[str, Any]:
    """The first document of a file, empty where it is no mapping: Helm says what is wrong."""
    try:
        for document in File.read(path, files.get(path, b"")).documents():
            content = content_of(document.root)
            return content if isinstance(content, dict) else {}
    except (InvalidManifest, KeyIsNoText):
        pass
    return {}
