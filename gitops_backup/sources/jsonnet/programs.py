"""The programs of a directory, as they are evaluated for one Application, with their texts or with others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.sources.jsonnet.imports import Imported, UnusableImport, imported_by, libraries_of
from gitops_backup.sources.jsonnet.options import JsonnetBlock, UnusableVariable
from gitops_backup.sources.layouts import Layout
from gitops_backup.sources.rendered import Documents, InvalidRendering, Rendered, read_json
from gitops_backup.sources.rendering import Files, JsonnetOptions, Renderer, RenderFailed
from gitops_backup.sources.sites import Site
from gitops_backup.sources.trees import Tree

MOST_PROGRAMS = 200
"""Programs of one source: each is evaluated by itself."""


class UnusableProgram(GitopsBackupError):
    """A program cannot be evaluated; the message names it, or what is in the way."""

    def __init__(self, reason: Reason, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Programs:
    """Programs in the order in which Argo CD evaluates them, each with what it imports.

    `files` are those of all of them together, and those in `evaluated` programs themselves.
    """

    imported: Mapping[str, Imported]
    options: JsonnetOptions
    files: Files
    namespace: str
    renderer: Renderer
    known: Documents = field(default_factory=dict)

    @classmethod
    def read(
        cls,
        paths: Sequence[str],
        block: JsonnetBlock,
        site: Site,
        *,
        known: Mapping[str, str],
    ) -> Self:
        """The programs at these paths of a source.

        `known` are the names for which Argo CD puts something in. Raises `UnusableProgram`.
        """
        contents = site.contents
        options, imported = imports_of(
            paths, block, layout=site.layout, known=known, tree=site.tree, contents=contents
        )
        for each in imported.values():
            if each.problem is not None:
                raise UnusableProgram(Reason.UNSUPPORTED_SOURCE, each.problem)
        named = {path for each in imported.values() for path in each.files}
        return cls(
            imported=imported,
            options=options,
            files={path: contents[path] for path in sorted(named) if path in contents},
            namespace=site.namespace,
            renderer=site.renderer,
        )

    @property
    def evaluated(self) -> list[str]:
        """The files that are programs, or parts of such, in the order of their names."""
        return sorted(
            {path for each in self.imported.values() for path in each.evaluated} & self.files.keys()
        )

    def objects(self, files: Files, *, again: bool = False) -> dict[str, tuple[Rendered, ...]]:
        """What each program evaluates to with these files. Raises `UnusableProgram`."""
        return {path: self._of(path, files, again=again) for path in self.imported}

    def _of(self, path: str, files: Files, *, again: bool) -> tuple[Rendered, ...]:
        own = {each: files[each] for each in sorted(self.imported[path].files) if each in files}
        try:
            output = self.renderer.jsonnet(own, path, self.options, again=again)
            if output not in self.known:
                self.known[output] = read_json(output, namespace=self.namespace)
        except (RenderFailed, InvalidRendering) as error:
            message = f"{one_line(path)} cannot be evaluated: {error.message}"
            raise UnusableProgram(Reason.RENDER_FAILED, message, hint=error.hint) from error
        return self.known[output]


def imports_of(
    paths: Sequence[str],
    block: JsonnetBlock,
    *,
    layout: Layout,
    known: Mapping[str, str],
    tree: Tree,
    contents: Files,
) -> tuple[JsonnetOptions, dict[str, Imported]]:
    """How programs are evaluated, and what each of them imports. Raises `UnusableProgram`."""
    if len(paths) > MOST_PROGRAMS:
        message = f"there are more than {MOST_PROGRAMS} programs of jsonnet in one source"
        raise UnusableProgram(Reason.UNSUPPORTED_SOURCE, message)
    root = layout.root
    try:
        filled = block.filled(known)
        libraries = libraries_of(block.libraries, folder=layout.folder, root=root, tree=tree)
    except UnusableVariable as error:
        raise UnusableProgram(Reason.UNSUPPORTED_SOURCE, error.message) from error
    except UnusableImport as error:
        message = f"{block.place}.libs names {error.message}"
        raise UnusableProgram(Reason.UNSUPPORTED_SOURCE, message) from error
    imported = {
        path: imported_by(
            path, code=filled.code, libraries=libraries, root=root, tree=tree, contents=contents
        )
        for path in paths
    }
    return JsonnetOptions(libraries, filled.variables, filled.arguments), imported
