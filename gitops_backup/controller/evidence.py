"""What a computation has looked at, and whether it would see the same again.

A computation that takes nothing but what it is handed, and is handed it through a witness, comes to the same
end wherever the same questions have the same answers. Nobody has to say beforehand what it rests on, and what
a later version comes to rest on is on record as well. Files are remembered by the name of their content, and
folders by what is listed in them, so that a file that comes to be there is noticed, too.

What is asked part by part is remembered part by part; who walks through all of it rests on all of it.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from typing import Any, TypeAlias

from gitops_backup.controller.contents import Edited, Identified
from gitops_backup.domain.images import Reference
from gitops_backup.errors import GitopsBackupError
from gitops_backup.rendering.program import RenderTimedOut
from gitops_backup.sources.mounts import Mounts, Problem
from gitops_backup.sources.places import Place
from gitops_backup.sources.rendering import Files, HelmOptions, JsonnetOptions, Renderer, RenderFailed
from gitops_backup.sources.trees import Entry, Tree, with_files

_OfMounts: TypeAlias = tuple[str, Place | frozenset[Place]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """All that a computation may look at: what the functions of `shapes` are handed."""

    tree: Tree
    contents: Identified
    mounts: Mounts
    renderer: Renderer | None = None
    copies: Mapping[Reference, str] = field(default_factory=dict)
    shared: AbstractSet[str] = frozenset()

    def edited(self, edits: Mapping[str, bytes]) -> "Surroundings":
        """The same after edits, which may make new files."""
        tree = with_files(self.tree, edits)
        return replace(self, tree=tree, contents=Edited(self.contents, edits))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Questions that were asked, each with its answer; `whole` has what was walked through."""

    files: tuple[tuple[str, str | None], ...]
    folders: tuple[tuple[str, bool, bytes], ...]
    links: tuple[tuple[str, str | None], ...]
    mounts: tuple[tuple[_OfMounts, Hashable], ...]
    copies: tuple[tuple[Reference, str | None], ...]
    shared: tuple[tuple[str, bool], ...]
    whole: tuple[tuple[str, Hashable], ...]

    @property
    def answers(self) -> int:
        """How many there are."""
        parts: tuple[tuple[object, ...], ...] = (self.files, self.folders, self.links, self.mounts)
        return sum(map(len, (*parts, self.copies, self.shared, self.whole)))

    def holds(self, here: Surroundings) -> bool:
        """Whether each question has the same answer here."""
        tree, identity = here.tree, here.contents.identity
        return (
            all(identity(path) == answer for path, answer in self.files)
            and all(
                tree.fingerprint(folder, recurse=recurse) == answer
                for folder, recurse, answer in self.folders
            )
            and all(tree.link_towards(folder) == answer for folder, answer in self.links)
            and all(_told(here.mounts, question) == answer for question, answer in self.mounts)
            and all(here.copies.get(image) == answer for image, answer in self.copies)
            and all((path in here.shared) == answer for path, answer in self.shared)
            and all(_whole(what, here) == answer for what, answer in self.whole)
        )


class Witness:
    """Hands on some surroundings, and notes what is asked of them.

    `in_doubt` is whether something took too long or could not be read, which may do another time.
    `rendered_again` is whether something was, because it may be random.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self._asked = _Asked()
        self._here = surroundings
        self.tree: Tree = _SeenTree(surroundings.tree, self._asked)
        self.contents: Mapping[str, bytes] = _SeenFiles(surroundings.contents, self._asked)
        self.mounts: Mounts = _SeenMounts(surroundings.mounts, self._asked)
        self.copies: Mapping[Reference, str] = _SeenCopies(surroundings.copies, self._asked)
        self.shared: AbstractSet[str] = _SeenNames(surroundings.shared, self._asked)

    @property
    def renderer(self) -> Renderer:
        """The renderer. Raises `ValueError` where there is none."""
        if self._here.renderer is None:
            raise ValueError("nothing can be rendered here")
        return _SeenRenderer(self._here.renderer, self._asked)

    @property
    def in_doubt(self) -> bool:
        """Whether the same may come to another end."""
        return self._asked.in_doubt

    @property
    def rendered_again(self) -> bool:
        """Whether something was rendered that was rendered before."""
        return self._asked.rendered_again

    def look_at(self, paths: Iterable[str]) -> None:
        """Note that these files are looked at, whatever is in them."""
        self._asked.files.update(dict.fromkeys(paths))

    def evidence(self) -> Evidence:
        """What was asked so far."""
        asked, here = self._asked, self._here
        return Evidence(
            files=tuple((path, here.contents.identity(path)) for path in asked.files),
            folders=tuple((*each, here.tree.fingerprint(each[0], recurse=each[1])) for each in asked.folders),
            links=tuple((folder, here.tree.link_towards(folder)) for folder in asked.links),
            mounts=tuple((question, _told(here.mounts, question)) for question in asked.mounts),
            copies=tuple((image, here.copies.get(image)) for image in asked.copies),
            shared=tuple((path, path in here.shared) for path in asked.shared),
            whole=tuple((what, _whole(what, here)) for what in asked.whole),
        )


class _Asked:
    """The questions, in the order in which they came up first."""

    def __init__(self) -> None:
        self.files: dict[str, None] = {}
        self.folders: dict[tuple[str, bool], None] = {}
        self.links: dict[str, None] = {}
        self.mounts: dict[_OfMounts, None] = {}
        self.copies: dict[Reference, None] = {}
        self.shared: dict[str, None] = {}
        self.whole: dict[str, None] = {}
        self.in_doubt = False
        self.rendered_again = False


class _SeenTree(Tree):
    """A tree; each question that there is about one is noted."""

    def __init__(self, tree: Tree, asked: _Asked) -> None:
        self._tree = tree
        self._asked = asked

    def under(self, folder: str, *, recurse: bool) -> Iterator[Entry]:
        self._asked.folders[folder, recurse] = None
        return self._tree.under(folder, recurse=recurse)

    def fingerprint(self, folder: str, *, recurse: bool) -> bytes:
        self._asked.folders[folder, recurse] = None
        return self._tree.fingerprint(folder, recurse=recurse)

    def link_towards(self, folder: str) -> str | None:
        self._asked.links[folder] = None
        return self._tree.link_towards(folder)


class _SeenMounts(Mounts):
    """Mounts of which every question is noted; what they hold beyond that cannot be had here."""

    __slots__ = ("_asked", "_mounts")

    def __init__(self, mounts: Mounts, asked: _Asked) -> None:
        object.__setattr__(self, "_mounts", mounts)
        object.__setattr__(self, "_asked", asked)

    def root(self, place: Place) -> str:
        return str(self._ask("root", place))

    def unknown(self, places: Iterable[Place]) -> frozenset[Place]:
        found: frozenset[Place] = self._ask("unknown", frozenset(places))
        return found

    def problem(self, places: Iterable[Place]) -> Problem | None:
        found: Problem | None = self._ask("problem", frozenset(places))
        return found

    def _ask(self, what: str, places: Place | frozenset[Place]) -> Any:
        question = what, places
        asked: _Asked = object.__getattribute__(self, "_asked")
        asked.mounts[question] = None
        return _told(object.__getattribute__(self, "_mounts"), question)


class _SeenFiles(Mapping[str, bytes]):
    def __init__(self, files: Mapping[str, bytes], asked: _Asked) -> None:
        self._files = files
        self._asked = asked

    def __getitem__(self, path: str) -> bytes:
        self._asked.files[path] = None
        try:
            return self._files[path]
        except GitopsBackupError:
            self._asked.in_doubt = True
            raise

    def __contains__(self, path: object) -> bool:
        try:
            self[str(path)]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        self._asked.whole["files"] = None
        return iter(self._files)

    def __len__(self) -> int:
        self._asked.whole["files"] = None
        return len(self._files)


class _SeenCopies(Mapping[Reference, str]):
    def __init__(self, copies: Mapping[Reference, str], asked: _Asked) -> None:
        self._copies = copies
        self._asked = asked

    def __getitem__(self, image: Reference) -> str:
        self._asked.copies[image] = None
        return self._copies[image]

    def __iter__(self) -> Iterator[Reference]:
        self._asked.whole["copies"] = None
        return iter(self._copies)

    def __len__(self) -> int:
        self._asked.whole["copies"] = None
        return len(self._copies)


class _SeenNames(AbstractSet[str]):
    def __init__(self, names: AbstractSet[str], asked: _Asked) -> None:
        self._names = names
        self._asked = asked

    @classmethod
    def _from_iterable(cls, it: Iterable[str]) -> AbstractSet[str]:  # type: ignore[override]
        return frozenset(it)

    def __contains__(self, name: object) -> bool:
        if isinstance(name, str):
            self._asked.shared[name] = None
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        self._asked.whole["shared"] = None
        return iter(self._names)

    def __len__(self) -> int:
        self._asked.whole["shared"] = None
        return len(self._names)


class _SeenRenderer:
    def __init__(self, renderer: Renderer, asked: _Asked) -> None:
        self._renderer = renderer
        self._asked = asked

    def kustomize(self, files: Files, folder: str, *, again: bool = False) -> bytes:
        return self._seen(partial(self._renderer.kustomize, files, folder), again)

    def helm(self, files: Files, folder: str, options: HelmOptions, *, again: bool = False) -> bytes:
        return self._seen(partial(self._renderer.helm, files, folder, options), again)

    def jsonnet(self, files: Files, path: str, options: JsonnetOptions, *, again: bool = False) -> bytes:
        return self._seen(partial(self._renderer.jsonnet, files, path, options), again)

    def _seen(self, render: Callable[..., bytes], again: bool) -> bytes:
        self._asked.rendered_again |= again
        try:
            return render(again=again)
        except GitopsBackupError as error:
            self._asked.in_doubt |= isinstance(error, RenderTimedOut) or not isinstance(error, RenderFailed)
            raise


def _told(mounts: Mounts, question: _OfMounts) -> Any:
    what, places = question
    if isinstance(places, Place):
        return mounts.root(places)
    return mounts.unknown(places) if what == "unknown" else mounts.problem(places)


def _whole(what: str, here: Surroundings) -> Hashable:
    match what:
        case "files":
            lines = (f"{path} {here.contents.identity(path)}\0" for path in here.contents)
            return sha256("".join(lines).encode("utf-8", "surrogateescape")).digest()
        case "copies":
            return frozenset(here.copies.items())
    return frozenset(here.shared)
