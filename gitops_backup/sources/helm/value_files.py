"""Which files an Application's `helm.valueFiles` and `fileParameters` name (Argo CD's reposerver/repository).

A path is one from the chart's folder on, or with a slash in front one from the repository's root, or with
`$ref/` in front one from the root of the source that is called so; a URL is a file that is downloaded. `*`,
`**`, `?` and lists match files, which count in the order of their names; a file that is also named as it is
has its place there. A file that is named twice counts once, where it comes first (value_file_resolver.go
there).
"""

import posixpath
import re
from collections.abc import Sequence
from itertools import takewhile

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.globs import Glob, InvalidGlob
from gitops_backup.sources.helm.options import HelmBlock
from gitops_backup.sources.layouts import Layout
from gitops_backup.sources.rendering import FileParameter
from gitops_backup.sources.trees import Tree, folder_of, not_followed


class UnusableChart(GitopsBackupError):
    """A chart cannot be rendered from what is in the repository; the message names what is in the way."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def resolve_value_files(layout: Layout, options: HelmBlock, *, tree: Tree) -> tuple[str, ...]:
    """The paths of a chart's value files, the later overriding the earlier. Raises `UnusableChart`."""
    paths = [(raw, _path(raw, layout)) for raw in options.value_files]
    named = {path for _, path in paths if not _GLOB.search(path)}
    files: dict[str, None] = {}
    for raw, path in paths:
        matches = [path] if path in named else _matching(path, tree)
        found = [each for each in matches if _is_there(each, tree)]
        if not found and not options.ignore_missing_value_files:
            raise _missing(raw)
        files |= dict.fromkeys(each for each in found if path in named or each not in named)
    return tuple(files)


def resolve_file_parameters(layout: Layout, options: HelmBlock, *, tree: Tree) -> tuple[FileParameter, ...]:
    """The files whose contents are values, by their paths in the tree. Raises `UnusableChart`."""
    found = tuple(each._replace(path=_path(each.path, layout)) for each in options.file_parameters)
    for named, each in zip(options.file_parameters, found, strict=True):
        if _SEVERAL.search(each.name):  # Helm would read whatever other file comes behind
            message = f"{one_line(each.name)} in helm.fileParameters is not the name of one value"
            raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message)
        if not _is_there(each.path, tree):
            raise _missing(named.path)
    return found


def _path(raw: str, layout: Layout) -> str:
    """The path or pattern from the tree's root on; it is below the root of the source that it is one of."""
    if raw in layout.urls:
        return layout.urls[raw]
    shown = _shown(raw)
    path, root = raw, layout.root
    if raw.startswith("$"):
        name, _, rest = raw[1:].partition("/")
        if name not in layout.refs:
            message = f"the value file {shown} is of a source that the Application does not have"
            raise UnusableChart(Reason.NOT_FOUND_IN_SOURCE, message)
        path, root = f"/{rest}", layout.refs[name]
    elif _SCHEME.match(raw):
        raise UnusableChart(Reason.UNSUPPORTED_SOURCE, f"the value file {shown} is not in Git")
    if "$" in path:
        message = f"the value file {shown} is named by a variable of Argo CD's"
        raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message)
    whole = folder_of(posixpath.join(root if path.startswith("/") else layout.folder, path.lstrip("/")))
    if not whole or not whole.startswith(f"{root}/" if root else ""):
        message = f"the value file {shown} leads out of the repository"
        raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message)
    return whole


def _missing(raw: str) -> UnusableChart:
    return UnusableChart(Reason.NOT_FOUND_IN_SOURCE, f"the value file {_shown(raw)} is not in the repository")


def _shown(raw: str) -> str:
    return one_line(raw.rpartition("@")[2])  # a URL may hold a password


def _is_there(path: str, tree: Tree) -> bool:
    link = tree.link_towards(path)
    if link is not None:
        message = not_followed(link)
        raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message)
    return any(entry.path == path and entry.is_file for entry in tree.under(path, recurse=True))


def _matching(pattern: str, tree: Tree) -> list[str]:
    """The paths that a pattern matches, in their order; a name at a time, so that nothing backtracks."""
    words = pattern.split("/")
    try:
        parts = [None if word == "**" else Glob(word.replace("[^", "[!")) for word in words]
    except InvalidGlob:
        return []
    plain = takewhile(lambda word: not _SPECIAL.search(word), words)
    inside = tree.under("/".join(plain), recurse=True)
    return [entry.path for entry in inside if _fits(parts, entry.path.split("/"))]


def _fits(parts: Sequence[Glob | None], names: Sequence[str]) -> bool:
    """Whether the names fit the patterns; None stands for any number of them."""
    ends = {0}
    for part in parts:
        if part is None:
            ends = set(range(min(ends), len(names) + 1)) if ends else ends
        else:
            ends = {end + 1 for end in ends if end < len(names) and part.matches(names[end])}
    return len(names) in ends


_GLOB = re.compile(r"[*?\[]")
_SPECIAL = re.compile(r"[*?\[{\\]")
_SEVERAL = re.compile(r"[,={}\\]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
