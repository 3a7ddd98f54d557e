"""Rendering with the programs that are installed here: kustomize, Helm and jsonnet.

kustomize is run as Argo CD runs it, with its defaults: no helm, no exec functions, no plugins, and files from
within the kustomization's folder alone (its flags `--enable-helm`, `--enable-exec`, `--enable-alpha-plugins`
and `--load-restrictor`). It would follow folders and URLs anywhere, so before it is run, everything that is
referred to has to be among the files that it is given; that holds where it cannot be shut in, too. So it does
for what jsonnet imports.
"""

import threading
from collections.abc import Sequence
from pathlib import Path

from gitops_backup.process import ProgramMissing
from gitops_backup.rendering.helm import files_for_helm, helm_arguments
from gitops_backup.rendering.jsonnet import files_for_jsonnet, jsonnet_arguments
from gitops_backup.rendering.limits import Limits
from gitops_backup.rendering.program import Program, Way
from gitops_backup.sources.kustomize.closure import closure_of
from gitops_backup.sources.kustomize.options import KustomizeOptions
from gitops_backup.sources.rendering import Files, HelmOptions, JsonnetOptions, RenderFailed
from gitops_backup.sources.trees import Tree


class LocalRenderer:
    """Renders by running these programs; their paths, or None where they are missing.

    `scratch` is a folder for this object alone, which its owner removes. A program is run for the first time
    when it is needed; `ways` are the ways to shut it in that may be tried. Threads may share it.
    """

    def __init__(
        self,
        *,
        scratch: Path,
        kustomize: Path | None = None,
        helm: Path | None = None,
        jsonnet: Path | None = None,
        limits: Limits | None = None,
        cancel: threading.Event | None = None,
        ways: Sequence[Way] = tuple(Way),
    ) -> None:
        self._paths = {"kustomize": kustomize, "helm": helm, "jsonnet": jsonnet}
        self._scratch = scratch
        self._limits = limits
        self._cancel = cancel
        self._ways = ways
        self._lock = threading.Lock()
        self._programs: dict[str, Program] = {}

    @property
    def version(self) -> str:
        """What the programs that are installed say of themselves. Raises `RenderFailed`."""
        installed = sorted(name for name, path in self._paths.items() if path is not None)
        return ", ".join(f"{name} {self._program(name).version}" for name in installed)

    def kustomize(self, files: Files, folder: str, *, again: bool = False) -> bytes:
        """What `kustomize build` makes of a folder of these files. Raises `RenderFailed`."""
        program = self._program("kustomize")
        tree = Tree(dict.fromkeys(files, "100644"))
        closure = closure_of(folder, options=KustomizeOptions(), tree=tree, contents=files)
        if closure.problem is not None:
            raise RenderFailed(closure.problem.message)
        return program.render(files, lambda root: ["build", f"{root}/{folder}".rstrip("/")])

    def helm(self, files: Files, folder: str, options: HelmOptions, *, again: bool = False) -> bytes:
        """What `helm template` makes of the chart in a folder of these files. Raises `RenderFailed`."""
        program = self._program("helm")
        return program.render(
            files_for_helm(files, options), lambda root: helm_arguments(root, folder, options)
        )

    def jsonnet(self, files: Files, path: str, options: JsonnetOptions, *, again: bool = False) -> bytes:
        """What the program at a path of these files evaluates to, as JSON. Raises `RenderFailed`."""
        program = self._program("jsonnet")
        if _GO_JSONNET not in program.version:
            what = f"expected the jsonnet of go-jsonnet, which Argo CD uses, and it says {program.version}"
            raise RenderFailed(what, hint="install go-jsonnet, or set where it is")
        return program.render(
            files_for_jsonnet(files, options), lambda root: jsonnet_arguments(root, path, options)
        )

    def _program(self, name: str) -> Program:
        with self._lock:
            if name not in self._programs:
                path = self._paths[name]
                if path is None:
                    raise RenderFailed(f"{name} is not installed", hint=f"install {name}")
                try:
                    self._programs[name] = Program(
                        name,
                        path,
                        scratch=self._scratch / name,
                        limits=self._limits,
                        cancel=self._cancel,
                        ways=self._ways,
                        asking="--version" if name == "jsonnet" else "version",
                    )
                except ProgramMissing as error:
                    raise RenderFailed(error.message, hint=error.hint) from error
            return self._programs[name]


_GO_JSONNET = "(Go implementation)"
