"""Where the images are in a file of manifests, and how one is written anew.

A manifest is found by what it is (group, kind, namespace, name), as Argo CD finds it: one without a namespace
is in the Application's, an object with a list of `items` stands for these, and of an object that is written
twice the last one holds. A container's image is replaced where its text means the image that is to go;
anything else there is somebody's newer word.

The edit is the scalar's text and nothing around it: an anchor, a tag and the kind of quotes stay. A scalar
with an anchor feeds every alias of it, so it is left alone where one of them is not the image of a container.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from gitops_backup.domain.images import Reference, means
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import one_line
from gitops_backup.sources.documents import Document, File, Position, Steps, line_of
from gitops_backup.sources.edits import Splice
from gitops_backup.sources.mappings import Found, entries, find, items, text
from gitops_backup.sources.pod_specs import CONTAINERS, POD_SPECS
from gitops_backup.sources.replacements import ImageUse, ObjectId, Refused, Replaced, Replacement
from gitops_backup.sources.scalars import rewritten


@dataclass(frozen=True, slots=True)
class Image:
    """A container's image in a manifest: the scalar, and where it stands.

    `stranger` describes a place that shares the scalar and is not the image of a container.
    """

    container: str
    init: bool
    position: Position
    node: ScalarNode
    stranger: str | None = None

    @property
    def text(self) -> str:
        """The image as the parser reads it."""
        return str(self.node.value)


@dataclass(frozen=True, slots=True)
class Manifest:
    """An object that has a pod template, and its images; `namespace` is empty where none is written."""

    group: str
    kind: str
    namespace: str
    name: str
    images: tuple[Image, ...]

    def identity(self, namespace: str) -> ObjectId:
        """The object that it describes, in an Application that deploys to this namespace."""
        return ObjectId(self.group, self.kind, self.namespace or namespace or "default", self.name)


@dataclass(frozen=True, slots=True)
class FileEdit:
    """What is to change in a file.

    `intended` has the new text of every position that changes: of a scalar with an anchor, those of all its
    aliases. Each replacement that was asked for is in one of `replaced`, `done` and `refused`.
    """

    splices: tuple[Splice, ...]
    intended: Mapping[Position, str]
    replaced: tuple[Replaced, ...]
    done: tuple[Replacement, ...]
    refused: tuple[Refused, ...]


def find_images(file: File) -> tuple[Manifest, ...]:
    """The objects in a file that have a pod template, in the file's order. Raises `InvalidManifest`."""
    found: list[Manifest] = []
    for document in file.documents():
        here = [
            manifest
            for steps, node in objects_of(document.root)
            if (manifest := _manifest(document.number, steps, node)) is not None
        ]
        found += _with_strangers(document, here) if document.aliased else here
    return tuple(found)


def objects_of(root: Node) -> Iterator[Found]:
    """The objects of a document: those that it lists, or itself."""
    listed = find(root, "items")
    # an object with a list of items is a list to Kubernetes' libraries, whatever its kind
    if listed is not None and isinstance(listed.node, SequenceNode):
        return items(root, "items")
    return iter([Found((), root)])


def rewrite(
    file: File, manifests: Sequence[Manifest], wanted: Sequence[Replacement], *, namespace: str
) -> FileEdit:
    """The edit of a file that makes what is wanted of it.

    `manifests` are the file's, as `find_images` gives them; `namespace` is the one that the Application
    deploys to.
    """
    return _Rewrite(file, manifests, namespace).of(wanted)


def image_uses(
    file: File, manifests: Sequence[Manifest], intended: Mapping[Position, str], *, namespace: str
) -> Iterator[ImageUse]:
    """All images of a file, before and after an edit with these intentions."""
    for manifest in manifests:
        for image in manifest.images:
            now = intended.get(image.position, image.text)
            yield _use(file, manifest.identity(namespace), image, now)


class _Rewrite:
    def __init__(self, file: File, manifests: Sequence[Manifest], namespace: str) -> None:
        self._file = file
        self._namespace = namespace
        self._holding = {manifest.identity(namespace): manifest for manifest in manifests}
        self._users: dict[int, list[tuple[ObjectId, Image]]] = {}
        for manifest in manifests:
            for image in manifest.images:
                user = manifest.identity(namespace), image
                self._users.setdefault(id(image.node), []).append(user)

    def of(self, wanted: Sequence[Replacement]) -> FileEdit:
        done: list[Replacement] = []
        refused: list[Refused] = []
        due: dict[int, list[tuple[Replacement, Image]]] = {}
        for replacement in wanted:
            image = self._find(replacement)
            if image is None:
                message = f"{one_line(self._file.path)} has no {replacement}"
                refused.append(Refused(replacement, Reason.NOT_FOUND_IN_SOURCE, message))
            elif means(image.text, Reference.parse(replacement.new)):
                done.append(replacement)
            elif not means(image.text, replacement.old):
                message = f"{self._place(image)} says {one_line(image.text)}, not {replacement.old}"
                refused.append(Refused(replacement, Reason.AWAITING_SYNC, message))
            else:
                due.setdefault(id(image.node), []).append((replacement, image))
        splices: list[Splice] = []
        intended: dict[Position, str] = {}
        replaced: list[Replaced] = []
        for key, group in due.items():
            image, new = group[0][1], group[0][0].new
            problem = self._conflict(group)
            if problem is not None:
                refused += [Refused(each, Reason.SHARED_SCALAR, problem) for each, _ in group]
            else:
                splices.append(rewritten(self._file, image.node, new))
                intended |= {user.position: new for _, user in self._users[key]}
                replaced += [self._replaced(*each) for each in group]
        return FileEdit(tuple(splices), intended, tuple(replaced), tuple(done), tuple(refused))

    def _find(self, replacement: Replacement) -> Image | None:
        manifest = self._holding.get(replacement.workload)
        for image in manifest.images if manifest is not None else ():
            if (image.container, image.init) == (replacement.container, replacement.init):
                return image
        return None

    def _place(self, image: Image) -> str:
        return f"{one_line(self._file.path)}, line {line_of(image.node)},"

    def _conflict(self, group: Sequence[tuple[Replacement, Image]]) -> str | None:
        """What speaks against one new text for all that share the scalar."""
        image = group[0][1]
        if image.stranger is not None:
            return f"{self._place(image)} has an anchor, which {image.stranger} uses, too"
        wanted = sorted({replacement.new for replacement, _ in group})
        return f"{self._place(image)} is one scalar for {' and '.join(wanted)}" if len(wanted) > 1 else None

    def _replaced(self, replacement: Replacement, image: Image) -> Replaced:
        also = tuple(
            _use(self._file, workload, user, replacement.new)
            for workload, user in self._users[id(image.node)]
            if user is not image
        )
        return Replaced(replacement, self._file.path, line_of(image.node), also)


def _use(file: File, workload: ObjectId, image: Image, now: str) -> ImageUse:
    return ImageUse(
        path=file.path,
        line=line_of(image.node),
        workload=workload,
        container=image.container,
        init=image.init,
        before=image.text,
        now=now,
    )


def _manifest(document: int, steps: Steps, node: Node) -> Manifest | None:
    group = (text(node, "apiVersion") or "").rpartition("/")[0]
    kind = text(node, "kind") or ""
    way = POD_SPECS.get((group, kind))
    if way is None:
        return None
    images = []
    for part, init in CONTAINERS:
        for container in items(node, *way, part):
            image = find(container.node, "image")
            if image is not None and isinstance(image.node, ScalarNode):
                position = Position(document, steps + container.steps + image.steps)
                name = text(container.node, "name") or ""
                images.append(Image(container=name, init=init, position=position, node=image.node))
    return Manifest(
        group=group,
        kind=kind,
        namespace=text(node, "metadata", "namespace") or "",
        name=text(node, "metadata", "name") or "",
        images=tuple(images),
    )


def _with_strangers(document: Document, manifests: Sequence[Manifest]) -> list[Manifest]:
    """The manifests of a document with aliases, their images told who shares them and is none."""
    images = [image for manifest in manifests for image in manifest.images]
    positions = {image.position for image in images}
    strangers: dict[int, str] = {}
    for steps, node in _uses(document.root, {id(image.node) for image in images}):
        if steps is None:
            strangers[id(node)] = "a key"
        elif Position(document.number, steps) not in positions:
            strangers[id(node)] = _described(document.root, steps)
    return [
        replace(
            manifest,
            images=tuple(replace(i, stranger=strangers.get(id(i.node))) for i in manifest.images),
        )
        for manifest in manifests
    ]


def _uses(root: Node, wanted: set[int]) -> Iterator[tuple[Steps | None, Node]]:
    """Each place of the wanted nodes, aliases followed; without steps where it is a mapping's key."""
    stack: list[Found] = [Found((), root)]
    while stack:
        steps, node = stack.pop()
        if id(node) in wanted:
            yield steps, node
        if isinstance(node, SequenceNode):
            stack += [Found((*steps, number), item) for number, item in enumerate(node.value)]
        elif isinstance(node, MappingNode):
            for key, value in entries(node):
                yield from ((None, used) for _, used in _uses(key, wanted))
                stack.append(Found(steps + value.steps, value.node))


def _described(root: Node, steps: Steps) -> str:
    """A place as people write it: `spec.template.spec.containers[0].image`."""
    described, node = "", root
    for step in steps:
        if isinstance(node, MappingNode):
            key, node = node.value[step]
            described += f".{key.value}" if isinstance(key, ScalarNode) else ".?"
        else:
            node = node.value[step]
            described += f"[{step}]"
    return one_line(described.removeprefix("."))
