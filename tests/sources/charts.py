"""Sources to try edits on, by real renderers."""

from collections.abc import Mapping
from typing import Any

from gitops_backup.domain.images import Reference
from gitops_backup.sources.applications import Application
from gitops_backup.sources.mounts import Mounts, folder_for
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendering import Files, HelmOptions, JsonnetOptions, Renderer
from gitops_backup.sources.replacements import Replacement, ShapeResult
from gitops_backup.sources.shapes import edit_source, files_to_read
from gitops_backup.sources.trees import Tree

CHART = b"apiVersion: v2\nname: web\nversion: 1.0.0\n"


class Counting:
    """A renderer that counts how often it was asked."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self.count = 0

    def kustomize(self, files: Files, folder: str, *, again: bool = False) -> bytes:
        """What the renderer makes of it."""
        raise AssertionError

    def helm(self, files: Files, folder: str, options: HelmOptions, *, again: bool = False) -> bytes:
        """What the renderer makes of it."""
        self.count += 1
        return self._renderer.helm(files, folder, options, again=again)

    def jsonnet(self, files: Files, path: str, options: JsonnetOptions, *, again: bool = False) -> bytes:
        """What the renderer makes of it."""
        self.count += 1
        return self._renderer.jsonnet(files, path, options, again=again)


def application(helm: Mapping[str, Any] | None = None, *, path: str = "app") -> Application:
    """An Application that deploys a chart to the namespace `shop`."""
    source = {"repoURL": "https://git.example/shop", "path": path, "helm": helm or {}}
    spec = {"source": source, "destination": {"namespace": "shop"}}
    return Application.project({"metadata": {"name": "web"}, "spec": spec})


def edit(
    renderer: Renderer,
    app: Application,
    files: Mapping[str, bytes],
    replacements: list[Replacement],
    *,
    copies: Mapping[Reference, str] | None = None,
    modes: Mapping[str, str] | None = None,
    shared: frozenset[str] = frozenset(),
    elsewhere: Mapping[Place, Mapping[str, bytes]] | None = None,
) -> ShapeResult:
    """What comes of the first source, with what it reads of these files alone.

    `elsewhere` has the files of those places that are not on the commit.
    """
    source = app.sources[0]
    mounted = elsewhere or {}
    here = frozenset(Place.of(each) for each in app.sources) - mounted.keys()
    mounts = Mounts(here, opened=dict.fromkeys(mounted, "as it is"))
    files = {**files, **{f"{folder_for(p)}/{path}": f for p, fs in mounted.items() for path, f in fs.items()}}
    tree = Tree({**dict.fromkeys(files, "100644"), **(modes or {})})
    contents: dict[str, bytes] = {}
    while True:
        wanted = files_to_read(app, source, tree, contents, mounts=mounts).paths
        if wanted <= contents.keys():
            break
        contents = {path: files[path] for path in wanted}
    return edit_source(
        app,
        source,
        replacements,
        tree=tree,
        contents=contents,
        mounts=mounts,
        renderer=renderer,
        copies={**(copies or {}), **{each.old: each.new for each in replacements}},
        shared=shared,
    )
