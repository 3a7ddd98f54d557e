"""What a renderer is asked for: kustomize, Helm and jsonnet, handed in by whoever can run them.

A shape of source decides nothing by guessing which value feeds which container: it changes a candidate, lets
the renderer render, and looks at what comes out. Renderers see files alone, those that they are given.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from gitops_backup.errors import GitopsBackupError

Files = Mapping[str, bytes]
"""Files by path, from the repository's root and without a slash in front."""


class RenderFailed(GitopsBackupError):
    """A renderer refused, or took too long; the message is its own last word, in one line."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value that is set on its own; `text` says that it is a string whatever it looks like."""

    name: str
    value: str
    text: bool = False


class FileParameter(NamedTuple):
    """A value that is the content of a file."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class HelmOptions:
    """How a chart is rendered.

    `value_files` are paths in the repository, each overriding those before it; `values` is a YAML document
    that overrides them, empty for none, and `parameters` override that; `file_parameters`, whose paths are in
    the repository, too, come last.
    """

    release: str
    namespace: str
    value_files: tuple[str, ...] = ()
    values: str = ""
    parameters: tuple[Parameter, ...] = ()
    file_parameters: tuple[FileParameter, ...] = ()
    skip_crds: bool = False
    skip_schema_validation: bool = False
    skip_tests: bool = False
    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variable:
    """A text that a program of jsonnet is given, or, with `code`, what that evaluates to.

    The name has no `=`, and no `-` in front.
    """

    name: str
    value: str = field(repr=False)
    code: bool = False


@dataclass(frozen=True, slots=True)
class JsonnetOptions:
    """How a program of jsonnet is evaluated.

    `libraries` are folders of the files in which imports are looked for, the last one first, after the folder
    of the file that imports. `variables` are its external variables, `arguments` those of the function that
    it is then.
    """

    libraries: tuple[str, ...] = ()
    variables: tuple[Variable, ...] = ()
    arguments: tuple[Variable, ...] = ()


class Renderer(Protocol):
    """Renders what it is given, and nothing else; the same for the same input, but for what is random.

    With `again`, it is rendered even if that was done before: what then differs is random. Raises
    `RenderFailed`.
    """

    def kustomize(self, files: Files, folder: str, *, again: bool = False) -> bytes:
        """What `kustomize build` makes of a folder of these files."""

    def helm(self, files: Files, folder: str, options: HelmOptions, *, again: bool = False) -> bytes:
        """What `helm template` makes of the chart in a folder of these files."""

    def jsonnet(self, files: Files, path: str, options: JsonnetOptions, *, again: bool = False) -> bytes:
        """What the program at a path of these files evaluates to, as JSON."""
