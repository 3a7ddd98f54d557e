"""A chart in a repository: which files it is made of, and where its values come from.

All files of its folder belong to it, because a template may print any of them, and what it depends on (see
`dependencies`), which is put into `charts/` for the renderer, and cannot be written where it is not from the
repository.

A chart may also come from another place altogether, with values in the repository: then it is mounted (see
`mounts`), nothing of it can be written, and all that it has are defaults.
"""

import posixpath
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.helm.archives import files_of_archive
from gitops_backup.sources.helm.dependencies import dependencies_of, missing_dependencies, name_of_chart
from gitops_backup.sources.helm.options import HelmBlock
from gitops_backup.sources.helm.schemas import refuse_schemas_elsewhere
from gitops_backup.sources.helm.value_files import (
    UnusableChart,
    resolve_file_parameters,
    resolve_value_files,
)
from gitops_backup.sources.layouts import Layout
from gitops_backup.sources.mounts import is_mounted
from gitops_backup.sources.rendering import FileParameter, Files
from gitops_backup.sources.trees import Tree, not_followed

_DEEPEST = 8
"""Levels of charts in charts."""


class Defaults(NamedTuple):
    """The values that a chart brings along, below these keys of the whole's; no `path` if in an archive.

    `path` is as the renderer sees it.
    """

    keys: tuple[str, ...]
    path: str | None
    content: bytes


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart and its values.

    `files` is what the renderer is given; `origins` has the path in the repository of those that stand
    elsewhere there. `value_files` are the Application's, the last overriding the others, `defaults` the
    charts' own, the first overriding the others; of `file_parameters`, the contents are values.
    """

    folder: str
    files: Files
    origins: Mapping[str, str]
    value_files: tuple[str, ...]
    defaults: tuple[Defaults, ...]
    file_parameters: tuple[FileParameter, ...] = ()

    def is_writable(self, path: str) -> bool:
        """Whether a file, by its path as the renderer sees it, is the repository's."""
        return not is_mounted(self.origins.get(path, path))

    @property
    def own_values(self) -> str | None:
        """The chart's `values.yaml`, where it has one that can be written."""
        brought = (layer.path for layer in self.defaults if not layer.keys and layer.path is not None)
        return next((path for path in brought if self.is_writable(path)), None)

    @property
    def templates(self) -> Iterator[str]:
        """The paths of the templates that can be written, as the renderer sees them."""
        below = f"{self.folder}/" if self.folder else ""
        for path in self.files:
            parts = path.removeprefix(below).split("/")
            inner = parts
            while len(inner) > 2 and inner[0] == "charts":
                inner = inner[2:]
            if path.startswith(below) and inner[0] == "templates" and self.is_writable(path):
                yield path


def files_of_chart(layout: Layout, *, options: HelmBlock, tree: Tree, contents: Files) -> frozenset[str]:
    """The paths of the files that a chart and its values are read from, as far as `contents` tell."""
    lenient = replace(options, ignore_missing_value_files=True)
    values: tuple[str, ...] = ()
    parameters: tuple[FileParameter, ...] = ()
    with suppress(UnusableChart):
        values = resolve_value_files(layout, lenient, tree=tree)
    with suppress(UnusableChart):
        parameters = resolve_file_parameters(layout, options, tree=tree)
    folders = [layout.folder, *missing_dependencies(layout, tree=tree, contents=contents).values()]
    whole = frozenset(path for each in folders for path in _files(each, tree))
    return whole | frozenset(values) | frozenset(each.path for each in parameters)


def read_chart(layout: Layout, *, options: HelmBlock, tree: Tree, contents: Files) -> Chart:
    """The chart of a source. Raises `UnusableChart`."""
    value_files = resolve_value_files(layout, options, tree=tree)
    file_parameters = resolve_file_parameters(layout, options, tree=tree)
    named = (*value_files, *(each.path for each in file_parameters))
    files: dict[str, bytes] = {path: _content(path, contents) for path in named}
    origins: dict[str, str] = {}
    folder = layout.folder
    missing = missing_dependencies(layout, tree=tree, contents=contents)
    for name, place in ((None, folder), *missing.items()):
        _refuse_links(place, tree)
        for path in _files(place, tree):
            seen = (
                path
                if name is None
                else posixpath.join(folder, "charts", name, path[len(place) :].lstrip("/"))
            )
            files[seen] = _content(path, contents)
            if seen != path:
                origins[seen] = path
    if not options.skip_schema_validation:
        refuse_schemas_elsewhere(files, origins)
    return Chart(
        folder=folder,
        files=files,
        origins=origins,
        value_files=value_files,
        defaults=tuple(_defaults(folder, files, keys=(), depth=0)),
        file_parameters=file_parameters,
    )


def _files(folder: str, tree: Tree) -> Iterator[str]:
    return (entry.path for entry in tree.under(folder, recurse=True) if entry.is_file)


def _refuse_links(folder: str, tree: Tree) -> None:
    link = tree.link_towards(folder)
    if link is None:
        odd = (entry for entry in tree.under(folder, recurse=True) if not entry.is_file)
        entry = next(odd, None)
        if entry is None:
            return
        if not entry.is_link:
            message = f"{one_line(entry.path)} is a submodule, which is not read"
            raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message)
        link = entry.path
    message = not_followed(link)
    raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message)


def _content(path: str, contents: Files) -> bytes:
    content = contents.get(path)
    if content is None:
        message = f"{one_line(path)} is not a file that can be read"
        raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message)
    return content


def _defaults(folder: str, files: Files, *, keys: tuple[str, ...], depth: int) -> Iterator[Defaults]:
    values = posixpath.join(folder, "values.yaml")
    if values in files:
        yield Defaults(keys, values, files[values])
    if depth >= _DEEPEST:
        return
    names = _names(folder, files)
    charts = posixpath.join(folder, "charts") + "/"
    for entry in sorted({path[len(charts) :].split("/")[0] for path in files if path.startswith(charts)}):
        path = f"{charts}{entry}"
        if path not in files:
            for name in names(name_of_chart(path, files) or entry):
                yield from _defaults(path, files, keys=(*keys, name), depth=depth + 1)
        elif entry.endswith(".tgz"):
            inside = files_of_archive(files[path])
            for name in names(name_of_chart("", inside)):
                for inner in _defaults("", inside, keys=(*keys, name), depth=depth + 1):
                    yield inner._replace(path=None)


def _names(folder: str, files: Files) -> Any:
    """What a chart's dependency is called among its values: by its aliases, or its own name."""
    dependencies = dependencies_of(folder, files)

    def names(chart: str) -> list[str]:
        return [each.alias or chart for each in dependencies if each.name == chart] or [chart]

    return names
