"""Applications in files, with the place of each of their sources.

A document may be an Application, or list some. Templates of Helm are no YAML before they are rendered, so an
Application in one is not found here (see `makers.parents`).
"""

from collections.abc import Iterator
from dataclasses import replace

from yaml.nodes import Node

from gitops_backup.sources.applications import Application
from gitops_backup.sources.content import KeyIsNoText, content_of, decoded
from gitops_backup.sources.declarations import Declaration
from gitops_backup.sources.documents import File, InvalidManifest, Position
from gitops_backup.sources.manifests import objects_of
from gitops_backup.sources.mappings import Found, find, items, text

GROUP = "argoproj.io"


def read_applications(path: str, content: bytes, *, home: str) -> Iterator[Application]:
    """The Applications of a file; `home` is the namespace of those that name none.

    Raises `InvalidManifest`.
    """
    file = File.read(path, content)
    for document in file.documents():
        for found in objects_of(document.root):
            kind, version = text(found.node, "kind"), text(found.node, "apiVersion") or ""
            if kind == "Application" and version.startswith(f"{GROUP}/"):
                try:
                    said = decoded(content_of(found.node))
                except KeyIsNoText as error:
                    raise InvalidManifest(path, error.line, 1, "a key is no text") from error
                application = Application.project(said, argocd_namespace=home)
                position = Position(document.number, found.steps)
                yield _declared(application, path, position, found.node)


def _declared(application: Application, path: str, position: Position, node: Node) -> Application:
    sources = []
    for source in application.sources:
        found = _source(node, source.place)
        steps = position.steps + (found.steps if found is not None else ())
        place = Declaration(path, Position(position.document, steps)) if found is not None else None
        sources.append(replace(source, declared=place))
    return replace(application, sources=tuple(sources))


def _source(node: Node, place: str) -> Found | None:
    """Where `spec.source`, `spec.sources[0]` or `spec.sourceHydrator.drySource` is."""
    name, _, number = place.partition("[")
    if not number:
        return find(node, *name.split("."))
    listed = list(items(node, *name.split(".")))
    at = int(number.removesuffix("]"))
    return listed[at] if at < len(listed) else None
