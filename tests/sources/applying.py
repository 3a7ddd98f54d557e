"""What comes of an Application whose manifest is among the files that are edited."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gitops_backup.sources.applications import Application
from gitops_backup.sources.discovery import discover
from gitops_backup.sources.mounts import Mounts
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.replacements import Replacement, ShapeResult
from gitops_backup.sources.shapes import edit_source, files_to_read
from gitops_backup.sources.trees import Tree
from tests.sources.samples import replacement


def found(files: Mapping[str, bytes], name: str = "web") -> Application:
    """The Application of a name in these files."""
    manifests = {path: content for path, content in files.items() if b"Application" in content}
    discovered = discover(manifests, namespaces=frozenset({"argocd"}))
    assert not discovered.unreadable
    return next(each for each in discovered.applications if each.name == name)


def edited(
    files: Mapping[str, bytes],
    renderer: Renderer,
    *,
    application: Application | None = None,
    live: Application | None = None,
    replacements: Sequence[Replacement] = (),
) -> ShapeResult:
    """What comes of the last source of the Application `web`, which may be another one in the cluster."""
    application = application or found(files)
    source = application.sources[-1]
    if live is not None:
        source = replace(live.sources[-1], declared=source.declared)
    tree, contents = Tree(dict.fromkeys(files, "100644")), dict[str, bytes]()
    mounts = Mounts(frozenset(Place.of(each) for each in application.sources))
    while True:
        paths = files_to_read(application, source, tree, contents, mounts=mounts).paths
        if paths <= contents.keys():
            break
        contents |= {path: files[path] for path in paths}
    return edit_source(
        application,
        source,
        replacements or [replacement()],
        tree=tree,
        contents=contents,
        mounts=mounts,
        renderer=renderer,
        copies={},
    )
