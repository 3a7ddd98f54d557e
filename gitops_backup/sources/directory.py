"""Which files a Directory source reads (findManifests in Argo CD's reposerver/repository/repository.go).

All files in the folder that are called *.yaml, *.yml, *.json or *.jsonnet, or all of them where the filter by
extension is off; those in folders below only with `recurse`; none that `exclude` matches, and with `include`
only those that it matches, both by the path from the folder on; none that has `+argocd:skip-file-rendering`
anywhere in it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from gitops_backup.sources.globs import Glob, InvalidGlob
from gitops_backup.sources.jsonnet.options import JsonnetBlock
from gitops_backup.sources.trees import Tree

_EXTENSIONS = (".yaml", ".yml", ".json", ".jsonnet")
_SKIP_MARKER = b"+argocd:skip-file-rendering"


@dataclass(frozen=True, slots=True)
class DirectoryOptions:
    """The block `directory` of a source; globs are empty where they are not given."""

    recurse: bool = False
    include: str = ""
    exclude: str = ""
    any_extension: bool = False
    jsonnet: JsonnetBlock = field(default_factory=JsonnetBlock)


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a source in the order in which Argo CD reads them: of an object's copies the last holds.

    `programs` are those in jsonnet. `links` are what it reads, too, and what is left alone here: symbolic
    links to files that others may use as well.
    """

    manifests: tuple[str, ...]
    links: tuple[str, ...]
    programs: tuple[str, ...]


def list_files(tree: Tree, folder: str, options: DirectoryOptions) -> Listing:
    """What a Directory source reads of a folder, as far as names tell; `skips` looks into the files."""
    included = _matcher(options.include) if options.include else None
    excluded = _matcher(options.exclude) if options.exclude else None
    manifests: list[str] = []
    links: list[str] = []
    programs: list[str] = []
    for entry in tree.under(folder, recurse=options.recurse):
        path = entry.path
        if not options.any_extension and not path.endswith(_EXTENSIONS):
            continue
        inner = path[len(folder) + 1 :] if folder else path
        if (excluded and excluded(inner)) or (included and not included(inner)):
            continue
        if entry.is_link:
            links.append(path)
        elif entry.is_file:
            (programs if path.endswith(".jsonnet") else manifests).append(path)
    return Listing(tuple(manifests), tuple(links), tuple(programs))


def skips(content: bytes) -> bool:
    """Whether a file asks Argo CD to leave it alone."""
    return _SKIP_MARKER in content


def _matcher(pattern: str) -> Callable[[str], bool]:
    try:
        return Glob(pattern).matches
    except InvalidGlob:
        return lambda _path: False
