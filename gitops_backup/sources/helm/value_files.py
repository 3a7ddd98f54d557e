"""Which value files an Application's `helm.valueFiles` names (Argo CD's reposerver/repository).

A path is one from the chart's folder on, or with a slash in front one from the repository's root, or with
`$ref/` in front one from the root of the source that is called so. `*`, `**`, `?` and lists match files,
which count in the order of their names; a file that is also named as it is has its place there. A file that
is named twice counts once, where it comes first (value_file_resolver.go there).
"""

import posixpath
import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from itertools import takewhile

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.globs import Glob, InvalidGlob
from gitops_backup.sources.helm.options import HelmBlock
from gitops_backup.sources.trees import Tree, folder_of, not_followed


class UnusableChart(GitopsBackupError):
    """A chart cannot be rendered from what is in the repository; the message names what is in the way."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def resolve_value_files(
    folder: str, options: HelmBlock, *, tree: Tree, refs: AbstractSet[str], foreign: Tree | None = None
) -> tuple[str, ...]:
    """The paths of the value files of the chart in a folder, the later overriding the earlier.

    `refs` are the names of sources on the same commit of the same repository. Of a `foreign` chart, all that
    is not in such a source is in its own folder. Raises `UnusableChart`.
    """
    root = folder if foreign is not None else ""
    paths = [(raw, _path(raw, folder, root, refs)) for raw in options.value_files]
    named = {path for _, path in paths if not _GLOB.search(path)}
    files: dict[str, None] = {}
    for raw, path in paths:
        here = tree if foreign is None or raw.startswith("$") else foreign
        matches = [path] if path in named else _matching(path, here)
        found = [each for each in matches if _is_there(each, here)]
        if not found and not options.ignore_missing_value_files:
            message = f"the value file {one_line(raw)} is not in the repository"
            raise UnusableChart(Reason.NOT_FOUND_IN_SOURCE, message)
        files |= dict.fromkeys(each for each in found if path in named or each not in named)
    return tuple(files)


def _path(raw: str, folder: str, root: str, refs: AbstractSet[str]) -> str:
    """The path or pattern from the repository's root on; without a reference, it is below `root`."""
    shown = one_line(raw.rpartition("@")[2])  # a URL may hold a password
    path = raw
    if raw.startswith("$"):
        name, _, rest = raw[1:].partition("/")
        if name not in refs:
            message = f"the value file {shown} is in another repository, or on another branch"
            raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message)
        path, root = f"/{rest}", ""
    elif _SCHEME.match(raw):
        raise UnusableChart(Reason.UNSUPPORTED_SOURCE, f"the value file {shown} is not in Git")
    if "$" in path:
        message = f"the value file {shown} is named by a variable of Argo CD's"
        raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message)
    whole = folder_of(posixpath.join(root if path.startswith("/") else folder, path.lstrip("/")))
    if not whole or not whole.startswith(f"{root}/" if root else ""):
        message = f"the value file {shown} leads out of the repository"
        raise UnusableChart(Reason.UNSUPPORTED_SOURCE, message)
    return whole


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
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
