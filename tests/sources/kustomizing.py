"""Kustomizations to try edits on, and edits as whoever reads a commit makes them: read, look, read more."""

from collections.abc import Mapping, Sequence

from gitops_backup.domain.images import Reference
from gitops_backup.sources.applications import Source
from gitops_backup.sources.inline.layers import Layer, Layers
from gitops_backup.sources.kustomize.editing import edit_kustomization, files_of_kustomization
from gitops_backup.sources.kustomize.options import KustomizeOptions
from gitops_backup.sources.layouts import Layout
from gitops_backup.sources.rendering import Renderer
from gitops_backup.sources.replacements import ObjectId, Replacement, ShapeResult
from gitops_backup.sources.sites import Site
from gitops_backup.sources.trees import Tree
from tests.sources.samples import replacement

LINK = "a symbolic link to "
"""What a file's content begins with that stands for a link."""

SUBMODULE = "a submodule"


def edited(
    files: Mapping[str, str | bytes],
    renderer: Renderer,
    replacements: Sequence[Replacement] | None = None,
    *,
    folder: str = "app",
    options: KustomizeOptions | None = None,
    copies: Mapping[str, str] | None = None,
) -> ShapeResult:
    """What comes of the kustomization in a folder; `copies` has backups of images that nobody asks for."""
    options = options or KustomizeOptions()
    tree, contents = tree_of(files), read(files, folder=folder, options=options)
    return edit_kustomization(
        [replacement()] if replacements is None else replacements,
        site_of(tree, contents, renderer, folder=folder),
        options,
        copies={Reference.parse(image): copy for image, copy in (copies or {}).items()},
    )


def site_of(tree: Tree, contents: Mapping[str, bytes], renderer: Renderer, *, folder: str = "app") -> Site:
    """A folder that is deployed to the namespace `shop`."""
    source = Source.project({}, place="spec.source")
    return Site(
        layout=Layout(folder),
        release="web",
        namespace="shop",
        tree=tree,
        contents=contents,
        renderer=renderer,
        layers=Layers(source, source, (Layer(),)),
    )


def read(
    files: Mapping[str, str | bytes], *, folder: str = "app", options: KustomizeOptions | None = None
) -> dict[str, bytes]:
    """The contents that a kustomization asks for, found as often as there is something new to ask for."""
    tree, every = tree_of(files), {path: content_of(text) for path, text in files.items()}
    contents: dict[str, bytes] = {}
    while True:
        asked = files_of_kustomization(
            folder, options=options or KustomizeOptions(), tree=tree, contents=contents
        )
        if asked & every.keys() <= contents.keys():
            return contents
        contents |= {path: every[path] for path in asked & every.keys()}


def tree_of(files: Mapping[str, str | bytes]) -> Tree:
    """The names and modes of these files."""
    modes = {}
    for path, text in files.items():
        content = content_of(text)
        link, submodule = content.startswith(LINK.encode()), content == SUBMODULE.encode()
        modes[path] = "120000" if link else "160000" if submodule else "100644"
    return Tree(modes)


def content_of(text: str | bytes) -> bytes:
    """A file's bytes."""
    return text if isinstance(text, bytes) else text.encode()


def workload(*images: str, kind: str = "Deployment", name: str = "web", init: Sequence[str] = ()) -> str:
    """A workload with a container, called web, web1, web2 and so on, for each image."""
    lines = ["apiVersion: apps/v1", f"kind: {kind}", f"metadata: {{name: {name}}}", "spec:"]
    lines += [f"  selector: {{matchLabels: {{app: {name}}}}}", "  template:"]
    lines += [f"    metadata: {{labels: {{app: {name}}}}}", "    spec:"]
    for part, listed in (("initContainers", init), ("containers", images)):
        if listed:
            lines.append(f"      {part}:")
        for number, image in enumerate(listed):
            lines += [f"      - name: web{number or ''}", f"        image: {image}"]
    return "\n".join(lines) + "\n"


def of(name: str = "web", *, kind: str = "Deployment", namespace: str = "shop") -> ObjectId:
    """A workload's identity."""
    return ObjectId("apps", kind, namespace, name)
