"""A kustomization: an entry of `images`, in the Application's own kustomization file, is what is edited.

A base may be shared, and what a patch says may be of several overlays; the overlay's `images` apply after all
these. An entry gets a new name and nothing else, so that tags and digests stay where people upgrade them:
the entry that made the image what it is, or a new one at the end, for the name that all others leave.

Which entry that is, is found by rendering: each is given a tag of its own, and the last that applied to a
container has left its tag there. Whether the edit is right is found by rendering, too (see `rendered_proof`):
an entry's name is a regular expression for all workloads and all other places that kustomize takes for an
image. What is rendered is the commit as Argo CD would render it, with the Application's own options.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from gitops_backup.domain.images import Reference, means
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.content import Value
from gitops_backup.sources.documents import InvalidManifest, line_of
from gitops_backup.sources.inline.layers import Layers
from gitops_backup.sources.inline.texts import CannotWrite
from gitops_backup.sources.kustomize.closure import closure_of
from gitops_backup.sources.kustomize.images import (
    Addition,
    CannotEdit,
    Rename,
    edit_images,
    entries_of,
)
from gitops_backup.sources.kustomize.kustomizations import (
    Kustomization,
    described,
    in_flow_style,
    kustomization_files,
)
from gitops_backup.sources.kustomize.options import (
    ImageEntry,
    InvalidOptions,
    KustomizeOptions,
    applied,
    effective_images,
    split_image,
)
from gitops_backup.sources.kustomize.overrides import Override, written
from gitops_backup.sources.mounts import is_mounted
from gitops_backup.sources.rendered import (
    InvalidRendering,
    Rendered,
    RenderedImage,
    images_of,
    read_rendering,
)
from gitops_backup.sources.rendered_proof import Asked, NotExplained, Proven, asked, proven, with_asked
from gitops_backup.sources.rendering import Renderer, RenderFailed
from gitops_backup.sources.replacements import ImageUse, Refused, Replaced, Replacement, ShapeResult
from gitops_backup.sources.sites import Site
from gitops_backup.sources.trees import Tree


def files_of_kustomization(
    folder: str, *, options: KustomizeOptions, tree: Tree, contents: Mapping[str, bytes]
) -> frozenset[str]:
    """The files that a kustomization reads, as far as the contents that are known tell; never raises.

    With the contents of what is named, more may be named.
    """
    return frozenset(closure_of(folder, options=options, tree=tree, contents=contents).files)


def edit_kustomization(
    replacements: Sequence[Replacement],
    site: Site,
    options: KustomizeOptions,
    *,
    copies: Mapping[Reference, str],
) -> ShapeResult:
    """What is to change in a kustomization for these replacements.

    `options` are the Application's own. The site has the contents of the files that `files_of_kustomization`
    names; `copies` has the reference of each image's verified copy. An edit that cannot be shown to change
    images alone, each to its copy, is not made.
    """
    try:
        return _Edit(_source(site, options), site.layers, copies).of(replacements)
    except _Unreadable as error:
        return _refused(replacements, error.reason, error.message)
    except InvalidOptions as error:
        return _refused(replacements, Reason.UNSUPPORTED_SOURCE, error.message)
    except InvalidManifest as error:
        return _refused(replacements, Reason.INVALID_MANIFEST, error.message)
    except (InvalidRendering, RenderFailed) as error:
        message = f"{described(site.folder)} cannot be rendered: {error.message}"
        return _refused(replacements, Reason.RENDER_FAILED, message)


def render_kustomization(site: Site, options: KustomizeOptions) -> tuple[Rendered, ...]:
    """What Argo CD would render of a kustomization.

    Raises a `GitopsBackupError` where what it needs cannot be read, is wrong, or cannot be rendered.
    """
    source = _source(site, options)
    return source.rendering(source.files[source.path])


class _Unreadable(GitopsBackupError):
    """A kustomization needs what cannot be read."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def _source(site: Site, options: KustomizeOptions) -> "_Source":
    folder, tree, contents = site.folder, site.tree, site.contents
    closure = closure_of(folder, options=options, tree=tree, contents=contents)
    if closure.problem is not None:
        raise _Unreadable(*closure.problem)
    unread = sorted(path for path in closure.files if path not in contents)
    if unread:
        raise _Unreadable(Reason.UNSUPPORTED_SOURCE, f"{one_line(unread[0])} is not a file that can be read")
    return _Source(
        folder=folder,
        path=kustomization_files(folder, tree)[0].path,
        files={name: contents[name] for name in closure.files},
        options=options,
        namespace=site.namespace,
        exists=lambda name: _exists(tree, folder, name),
        renderer=site.renderer,
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """A kustomization with everything that it reads, and how it is rendered."""

    folder: str
    path: str
    files: Mapping[str, bytes]
    options: KustomizeOptions
    namespace: str
    exists: Callable[[str], bool]
    renderer: Renderer

    @property
    def kustomization(self) -> Kustomization:
        """The file that is edited. Raises `InvalidManifest`."""
        return Kustomization.read(self.path, self.files[self.path])

    def with_images(self, images: tuple[str, ...]) -> "_Source":
        """The same with other entries of the Application's own."""
        return replace(self, options=replace(self.options, images=images))

    def rendering(self, content: bytes) -> tuple[Rendered, ...]:
        """What Argo CD would render if the kustomization file had this content.

        Raises `InvalidOptions`, `InvalidManifest`, `RenderFailed` and `InvalidRendering`.
        """
        if self.options.changes_nothing:
            return self._rendered(content)
        fields = Kustomization.read(self.path, content).fields()
        return self._rendered_with(fields, effective_images(fields, self.options))

    def marked(self, entries: Sequence[ImageEntry]) -> tuple[Rendered, ...]:
        """The rendering with a tag for each entry that tells it from the others."""
        marked = []
        for number, entry in enumerate(entries):
            says = {key: value for key, value in entry.says.items() if key not in _VERSIONS}
            marked.append(replace(entry, says={**says, "newtag": f"{_MARK}{number}"}))
        return self._rendered_with(self.kustomization.fields(), marked)

    def _rendered_with(
        self, fields: Mapping[str, Value], images: Sequence[ImageEntry]
    ) -> tuple[Rendered, ...]:
        changed = applied(fields, self.options, exists=self.exists)
        changed.pop("imagetags", None)
        changed["images"] = [entry.says for entry in images]
        return self._rendered(in_flow_style(changed).encode("utf-8", "surrogateescape"))

    def _rendered(self, content: bytes) -> tuple[Rendered, ...]:
        output = self.renderer.kustomize({**self.files, self.path: content}, self.folder)
        return read_rendering(output, namespace=self.namespace)


_Way: TypeAlias = Rename | Addition | Override


@dataclass(slots=True)
class _Group:
    """Replacements of one name by another, which one edit makes; `ways` are the edits, the smallest first."""

    name: str
    new_name: str
    ways: list[_Way]
    members: dict[Replacement, RenderedImage] = field(default_factory=dict)


_Ways: TypeAlias = Mapping[_Way, _Group]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Edits, with the groups that they are for, the places of each, and what comes of them."""

    ways: _Ways
    edits: Mapping[str, bytes]
    places: Mapping[_Way, tuple[str, int]]
    proven: Proven


class _Edit:
    def __init__(self, source: _Source, layers: Layers, copies: Mapping[Reference, str]) -> None:
        self._source = source
        self._layers = layers
        self._copies = copies
        self._kustomization = source.kustomization
        self._before = source.rendering(self._kustomization.file.content)
        self._images = images_of(self._before)
        self._refused: list[Refused] = []

    def of(self, replacements: Sequence[Replacement]) -> ShapeResult:
        where = one_line(self._source.path)
        found = asked(replacements, self._before, source=where)
        self._copies = with_asked(self._copies, found.due)
        attempt = self._best(self._groups(found))
        refused = (*found.refused, *self._refused)
        if attempt is None:
            return ShapeResult(done=found.done, refused=refused)
        return ShapeResult(
            edits=attempt.edits,
            replaced=tuple(self._replaced(attempt)),
            done=found.done,
            refused=refused,
            images=tuple(self._uses(attempt, self._images)),
        )

    def _groups(self, found: Asked) -> list[_Group]:
        """What is due, by the edit that makes it."""
        if not found.due:
            return []
        makers = self._makers()
        groups: dict[tuple[tuple[int, bool] | None, str, str], _Group] = {}
        for replacement, image in found.due.items():
            maker = makers.get(_key(image))
            problem = self._problem(replacement, image, maker)
            if problem is not None:
                self._refused.append(problem)
                continue
            which = None if maker is None else (maker.number, maker.live)
            name, new_name = split_image(image.text)[0], split_image(replacement.new)[0]
            key = which, name, new_name
            if key not in groups:
                groups[key] = _Group(name, new_name, list(self._ways(which, name, new_name, makers)))
            groups[key].members[replacement] = image
        return self._without_conflicts(list(groups.values()))

    def _problem(
        self, replacement: Replacement, image: RenderedImage, maker: ImageEntry | None
    ) -> Refused | None:
        """What speaks against an entry for this image, whatever it would be."""
        if maker is not None and maker.live:
            overridden = self._overridden(maker)
            if overridden:
                return Refused(replacement, Reason.OVERRIDDEN, overridden)
        elif is_mounted(self._source.path):
            message = f"{one_line(image.text)} is set in another repository, or on another branch"
            return Refused(replacement, Reason.UNSUPPORTED_SOURCE, message)
        new_name, version = split_image(replacement.new)[0], image.text[len(split_image(image.text)[0]) :]
        if not means(new_name + version, Reference.parse(replacement.new)):
            what = f"{replacement.new} is another version than {one_line(image.text)}, which is to stay"
            return Refused(replacement, Reason.PROOF_FAILED, f"{one_line(self._source.path)}: {what}")
        return None

    def _overridden(self, maker: ImageEntry) -> str:
        """Why an entry of the Application's own cannot be written; empty where it can."""
        options, way = self._source.options, Override(maker.number, "").way
        sets = f"{options.place}.images[{maker.number}] of the live Application sets"
        try:
            self._layers.refuse_unwritable(way)
        except CannotWrite as error:
            place = self._layers.line(way)
            why = f", in {one_line(place[0])}, line {place[1]}: {error.message}" if place else ""
            return f"{sets} {one_line(options.images[maker.number])}{why}"
        return ""

    def _makers(self) -> dict[object, ImageEntry]:
        """Which entry was the last that applied to a container's image."""
        entries = effective_images(self._kustomization.fields(), self._source.options)
        if not entries:
            return {}
        marks = ((image, _MARKED.search(image.text)) for image in images_of(self._source.marked(entries)))
        return {_key(image): entries[int(mark[1])] for image, mark in marks if mark is not None}

    def _ways(
        self,
        which: tuple[int, bool] | None,
        name: str,
        new_name: str,
        makers: Mapping[object, ImageEntry],
    ) -> Iterable[_Way]:
        if which is None:
            yield Addition(name, new_name)
            return
        number, live = which
        of_entry = [
            (image, maker)
            for image in self._images
            if (maker := makers.get(_key(image))) is not None and (maker.number, maker.live) == which
        ]
        made = {split_image(image.text)[0] for image, _ in of_entry}
        if live:  # it overrides whatever the file says
            yield Override(number, new_name)
            return
        if made == {name} and not any(_is_for_many(maker) for _, maker in of_entry):
            yield Rename(number, new_name)
        yield Addition(name, new_name)

    def _without_conflicts(self, groups: list[_Group]) -> list[_Group]:
        """The groups in the order of the file; those that want two new names for one are refused."""
        wanted: dict[str, set[str]] = {}
        for group in groups:
            wanted.setdefault(group.name, set()).add(group.new_name)
        for group in groups:
            if len(wanted[group.name]) > 1:
                names = " and ".join(sorted(wanted[group.name]))
                message = f"an entry of images gives {group.name} one new name, not {names}"
                self._refuse(group, NotExplained(Reason.SHARED_SCALAR, message))
        left = [group for group in groups if len(wanted[group.name]) == 1]
        return sorted(left, key=lambda group: _order(group.ways[0]))

    def _best(self, groups: Sequence[_Group]) -> _Attempt | None:
        """As many edits as can be proven, together: all at once, or else one after the other."""
        if not groups:
            return None
        smallest: _Ways = {}
        for group in groups:
            smallest = _added(smallest, group.ways[0], group)
        try:
            return self._attempt(smallest)
        except NotExplained as error:
            if len(groups) == len(groups[0].ways) == 1:
                self._refuse(groups[0], error)
                return None
        best: _Attempt | None = None
        for group in groups:
            best = self._extended(best, group)
        return best

    def _extended(self, best: _Attempt | None, group: _Group) -> _Attempt | None:
        first: NotExplained | None = None
        for way in group.ways:
            try:
                return self._attempt(_added(best.ways if best is not None else {}, way, group))
            except NotExplained as error:
                first = first or error
        if first is not None:
            self._refuse(group, first)
        return best

    def _attempt(self, ways: _Ways) -> _Attempt:
        """What comes of some edits. Raises `NotExplained` where they cannot be shown to be right."""
        in_file = [way for way in ways if not isinstance(way, Override)]
        overrides = [way for way in ways if isinstance(way, Override)]
        try:
            edited = edit_images(self._kustomization, in_file) if in_file else None
            layers = written(self._layers, overrides) if overrides else self._layers
            content = edited.content if edited is not None else self._kustomization.file.content
            source = self._source.with_images(layers.source.kustomize.images) if overrides else self._source
            after = source.rendering(content)
        except (CannotEdit, CannotWrite, InvalidManifest, InvalidRendering, RenderFailed) as error:
            message = f"the edited file would not do: {error.message}"
            raise NotExplained(Reason.PROOF_FAILED, message) from error
        found = proven(self._before, after, copies=self._copies, again=lambda: self._before)
        for group in ways.values():
            for replacement, image in group.members.items():
                if image not in found.images:
                    what = f"{one_line(image.text)} of {replacement} is set after all images were"
                    how = "by a replacement or a transformer"
                    raise NotExplained(Reason.UNSUPPORTED_SOURCE, f"{what}, {how}")
        edits = dict(layers.contents.items() - self._layers.contents.items())
        places: dict[_Way, tuple[str, int]] = {way: layers.line(way.way) or ("", 0) for way in overrides}
        if edited is not None:
            edits[self._source.path] = edited.content
            places |= {way: (self._source.path, line) for way, line in edited.lines.items()}
        return _Attempt(ways, edits, places, found)

    def _refuse(self, group: _Group, error: NotExplained) -> None:
        way = group.ways[0]
        place = one_line(self._source.path)
        if isinstance(way, Override):
            path, line = self._layers.line(way.way) or (place, 0)
            place = f"{one_line(path)}, line {line}"
        elif isinstance(way, Rename):
            place += f", line {line_of(entries_of(self._kustomization)[way.number])}"
        message = f"{place}: {error.message}"
        self._refused += [Refused(m, error.reason, message, error.difference) for m in group.members]

    def _replaced(self, attempt: _Attempt) -> Iterable[Replaced]:
        for way, group in attempt.ways.items():
            mine = set(group.members.values())
            others = [
                image
                for image in attempt.proven.images
                if split_image(image.text)[0] == group.name and image not in mine
            ]
            also = tuple(self._uses(attempt, others))
            for replacement in group.members:
                path, line = attempt.places[way]
                yield Replaced(replacement, path, line, also)

    def _uses(self, attempt: _Attempt, images: Iterable[RenderedImage]) -> Iterable[ImageUse]:
        places = {group.name: attempt.places[way] for way, group in attempt.ways.items()}
        for image in images:
            path, line = places.get(split_image(image.text)[0], (self._source.path, 1))
            yield ImageUse(
                path=path,
                line=line,
                workload=image.workload,
                container=image.container,
                init=image.init,
                before=image.text,
                now=attempt.proven.images.get(image, image.text),
            )


def _added(ways: _Ways, way: _Way, group: _Group) -> _Ways:
    """The edits and another one, which may be there for another group."""
    there = ways.get(way)
    if there is not None:
        group = replace(group, members={**there.members, **group.members})
    return {**ways, way: group}


def _key(image: RenderedImage) -> object:
    return image.workload, image.container, image.init


def _order(way: _Way) -> tuple[int, int, str]:
    """Entries that are there in their order, new ones by their names."""
    if isinstance(way, Addition):
        return 2, 0, way.name
    return (1 if isinstance(way, Override) else 0), way.number, ""


def _is_for_many(entry: ImageEntry) -> bool:
    """Whether an entry lets images keep their names, and may also be for some that nobody has added yet."""
    return "newname" not in entry.says and _PATTERN.search(str(entry.says.get("name", ""))) is not None


def _exists(tree: Tree, folder: str, name: str) -> bool:
    path = posixpath.normpath(posixpath.join(folder, name))
    return next(tree.under(path, recurse=True), None) is not None


def _refused(replacements: Iterable[Replacement], reason: Reason, message: str) -> ShapeResult:
    return ShapeResult(refused=tuple(Refused(replacement, reason, message) for replacement in replacements))


_MARK = "gitops-backup-entry-"
_MARKED = re.compile(f":{_MARK}([0-9]+)")
_PATTERN = re.compile(r"[*+?|()\[\]{}^$\\]")
_VERSIONS = ("newtag", "digest", "tagsuffix")
