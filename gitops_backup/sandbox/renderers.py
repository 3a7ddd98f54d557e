"""What kustomize and Helm make of a source, for the stand-in for Argo CD: run on the whole tree.

Of a source's own options it knows those that people use most: Helm's release name, value files in the same
repository or in that of a source with a `ref`, values and parameters. Whatever else is set is refused, so
that nothing is applied that Argo CD would not apply.
"""

import posixpath
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from gitops_backup.errors import GitopsBackupError, one_line
from gitops_backup.process import run
from gitops_backup.sandbox.api import Json

RENDERERS = ("kustomize", "helm", "jsonnet")

_LONGEST_SECONDS = 60.0
_HELM_OPTIONS = frozenset({"releaseName", "valueFiles", "values", "valuesObject", "parameters"})
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class RenderingFailed(GitopsBackupError):
    """A source cannot be rendered here; the message says why."""


class Renderers:
    """Renders with the programs at these paths, by name; one that is not there is not needed."""

    def __init__(self, programs: Mapping[str, Path]) -> None:
        self._programs = programs

    def render(
        self,
        kind: str,
        files: Mapping[str, bytes],
        application: Json,
        *,
        refs: Mapping[str, Mapping[str, bytes]] | None = None,
    ) -> list[Json]:
        """The objects of an Application's source from a kustomization or a chart.

        `refs` has the files of other sources, by their names. Raises `RenderingFailed`.
        """
        program = self._programs.get(kind.lower())
        if program is None:
            raise RenderingFailed(f"this stand-in has no {kind.lower()}")
        source = application["spec"]["source"]
        with tempfile.TemporaryDirectory(prefix="gitops-backup-") as temporary:
            root = Path(temporary).resolve()
            _write(root / "tree", files)
            for name, contents in (refs or {}).items():
                _write(root / "refs" / name, contents)
            arguments = (
                _for_helm(root, source, application) if kind == "Helm" else _for_kustomize(root, source)
            )
            ended = run([str(each) for each in (program, *arguments)], timeout=_LONGEST_SECONDS, cwd=root)
        if ended.returncode != 0:
            raise RenderingFailed(f"{kind.lower()}: {one_line(ended.stderr)}")
        return [each for each in yaml.load_all(ended.stdout, _Loader) if each is not None]


def _for_kustomize(root: Path, source: Json) -> Sequence[str | Path]:
    if source.get("kustomize"):
        raise RenderingFailed("this stand-in knows no options for kustomize")
    return ["build", _folder(root, source)]


def _for_helm(root: Path, source: Json, application: Json) -> Sequence[str | Path]:
    options = source.get("helm") or {}
    unknown = sorted(options.keys() - _HELM_OPTIONS)
    if unknown:
        raise RenderingFailed(f"this stand-in knows no helm.{unknown[0]}")
    release = options.get("releaseName") or application["metadata"]["name"]
    namespace = application["spec"]["destination"].get("namespace", "default")
    return [
        *("template", release, _folder(root, source), "--namespace", namespace, "--include-crds"),
        *_values(root, source, options),
    ]


def _values(root: Path, source: Json, options: Json) -> Iterator[str | Path]:
    # of a file that is named twice, the first place counts
    for path in dict.fromkeys(_named(source, raw) for raw in options.get("valueFiles") or ()):
        yield from ("--values", root / path)
    inline = options.get("values")
    if options.get("valuesObject") is not None:
        inline = yaml.safe_dump(options["valuesObject"])
    if inline:
        (root / "values.yaml").write_text(inline)
        yield from ("--values", root / "values.yaml")
    for parameter in options.get("parameters") or ():
        flag = "--set-string" if parameter.get("forceString") else "--set"
        yield from (flag, f"{parameter['name']}={parameter['value']}")


def _named(source: Json, path: str) -> str:
    """A value file's path: of the source itself, or of another one, by its `ref`."""
    if path.startswith("$"):
        return posixpath.normpath(posixpath.join("refs", path[1:]))
    inside = path[1:] if path.startswith("/") else posixpath.join(source.get("path") or ".", path)
    return posixpath.join("tree", posixpath.normpath(inside))


def _folder(root: Path, source: Json) -> Path:
    return root / "tree" / (source.get("path") or ".")


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
