"""Which files a program of jsonnet imports, and what it must not ask for.

A file is looked for beside the one that imports it, then in the libraries from the last on, then in the
source's folder (FileImporter in go-jsonnet's imports.go, makeJsonnetVM in Argo CD's
reposerver/repository/repository.go). Whatever is at the first of these places is it, so that a folder or a
symbolic link there is named, and nothing is evaluated. What is nowhere is left for jsonnet to complain of, if
it is ever evaluated.
"""

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.jsonnet.literals import literals_in, spelled
from gitops_backup.sources.mounts import is_mounted
from gitops_backup.sources.trees import Tree, not_followed

MOST_IMPORTS = 2000
"""Files that one program imports. A library for a whole API of Kubernetes has some 600."""


class UnusableImport(GitopsBackupError):
    """Files are named that are not read; the message begins with the name."""


class Import(NamedTuple):
    """What a program imports: the file as it names it, the byte where it does, and if that is a program."""

    name: str
    start: int
    evaluated: bool


@dataclass(slots=True)
class Imported:
    """A program's files, itself among them; those in `evaluated` are programs.

    `problem` is the first thing that is wrong with them.
    """

    files: set[str] = field(default_factory=set)
    evaluated: set[str] = field(default_factory=set)
    problem: str | None = None


def imported_by(
    program: str,
    *,
    code: Mapping[str, str],
    libraries: Sequence[str],
    root: str,
    tree: Tree,
    contents: Mapping[str, bytes],
) -> Imported:
    """What a program imports, as far as the contents that are known tell; never raises.

    `code` is what else is evaluated with it, by what people call it. `libraries` are folders, of which the
    last comes first; `root` is that of the program's repository.
    """
    walk = _Walk(libraries, root, tree)
    try:
        for called, text in code.items():
            walk.follow(called, None, text.encode())
        walk.found.files.add(program)
        walk.evaluate(program)
        while walk.waiting:
            path = walk.waiting.pop()
            walk.follow(one_line(path), posixpath.dirname(path), contents.get(path, b""))
    except UnusableImport as error:
        walk.found.problem = error.message
    return walk.found


def imports_in(content: bytes) -> Iterator[Import]:
    """What a program imports."""
    last = content.rfind(b"import")
    if last < 0:
        return
    for literal in literals_in(content):
        if literal.imports:
            yield Import(spelled(content, literal).text, literal.start, literal.imports == "import")
        if literal.start > last:  # most imports stand at the top
            return


def libraries_of(names: Sequence[str], *, folder: str, root: str, tree: Tree) -> tuple[str, ...]:
    """The folders in which imports are looked for: a source's own, and those that the Application names.

    Raises `UnusableImport`.
    """
    found = [folder]
    for name in names:
        path = _within(root, posixpath.join(root, name.lstrip("/")))
        if path is None:
            raise UnusableImport(f"{one_line(name)}, which leads out of the repository")
        link = tree.link_towards(path)
        if link is not None:
            raise UnusableImport(f"{one_line(name)}: {not_followed(link)}")
        found.append(path)
    return tuple(found)


class _Walk:
    def __init__(self, libraries: Sequence[str], root: str, tree: Tree) -> None:
        self._libraries = libraries
        self._root = root
        self._tree = tree
        self._resolved: dict[tuple[str | None, str], str | None] = {}
        self.found = Imported()
        self.waiting: list[str] = []

    def evaluate(self, path: str) -> None:
        """Have a file read that is a program."""
        if path not in self.found.evaluated:
            self.found.evaluated.add(path)
            self.waiting.append(path)

    def follow(self, called: str, folder: str | None, content: bytes) -> None:
        """Have read what a program imports that is in a folder, or in none. Raises `UnusableImport`."""
        for each in imports_in(content):
            place = folder, each.name
            if place not in self._resolved:
                if len(self._resolved) == MOST_IMPORTS:
                    raise UnusableImport(f"{called} and what it imports name more than {MOST_IMPORTS} files")
                try:
                    self._resolved[place] = self._resolve(folder, each.name)
                except UnusableImport as error:
                    line = content.count(b"\n", 0, each.start) + 1
                    raise UnusableImport(f"{called}, line {line}, imports {error.message}") from error
            path = self._resolved[place]
            if path is not None:
                self.found.files.add(path)
                if each.evaluated:
                    self.evaluate(path)

    def _resolve(self, folder: str | None, name: str) -> str | None:
        """The file that a name stands for; None where there is none. Raises `UnusableImport`."""
        if folder is None and ".." in name.split("/"):
            raise UnusableImport(f"{one_line(name)}, which leads out of the repository")
        beside = [folder] if folder is not None else []
        for each in (*beside, *reversed(self._libraries)):
            candidate = _within(self._root, posixpath.join(each, name))
            if candidate is None:
                raise UnusableImport(f"{one_line(name)}, which leads out of the repository")
            link = self._tree.link_towards(candidate)
            if link is not None:
                raise UnusableImport(f"{one_line(name)}: {not_followed(link)}")
            entry = next(self._tree.under(candidate, recurse=True), None)
            if entry is not None and (entry.path != candidate or not entry.is_file):
                raise UnusableImport(f"{one_line(name)}, which is no file")
            if entry is not None:
                return candidate
        return None


def _within(root: str, path: str) -> str | None:
    """A path as the tree has it; None where it is not below the root, or is one from elsewhere."""
    path = posixpath.normpath(path)
    path = "" if path == "." else path
    if path.startswith(("/", "../")) or path == ".." or "\0" in path or (not root and is_mounted(path)):
        return None
    return path if not root or path == root or path.startswith(f"{root}/") else None
