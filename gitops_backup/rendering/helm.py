"""How Helm is asked: the arguments of `helm template` as Argo CD gives them (util/helm/cmd.go there).

No plugins, no post-renderer, no repositories: dependencies are in the chart's folder, or rendering fails. The
name of a release is given as a name; Argo CD gives it as a template, which it never is.
"""

import re
from collections.abc import Iterator

from gitops_backup.sources.rendering import Files, HelmOptions, Parameter

INLINE_VALUES = ".values-of-the-application.yaml"
"""Where the Application's own values are written, beside the repository's files."""


def files_for_helm(files: Files, options: HelmOptions) -> Files:
    """The files that Helm is given: the repository's, and the Application's own values."""
    return {**files, INLINE_VALUES: options.values.encode()} if options.values else files


def helm_arguments(root: str, folder: str, options: HelmOptions) -> list[str]:
    """The arguments that render the chart in a folder of the files that are in `root`."""
    return ["template", *_flags(root, options), "--", options.release, f"{root}/{folder}".rstrip("/") or "/"]


def _flags(root: str, options: HelmOptions) -> Iterator[str]:
    if options.namespace:
        yield f"--namespace={options.namespace}"
    if options.kube_version:
        yield f"--kube-version={options.kube_version}"
    # of several parameters of one name, Argo CD keeps the last
    for parameter in {each.name: each for each in options.parameters}.values():
        flag = "--set-string" if parameter.text else "--set"
        yield f"{flag}={parameter.name}={_escaped(parameter)}"
    for name, path in {each.name: each.path for each in options.file_parameters}.items():
        yield f"--set-file={name}={_without_commas(f'{root}/{path}')}"
    for path in (*options.value_files, *([INLINE_VALUES] if options.values else [])):
        yield f"--values={_listed(f'{root}/{path}')}"
    for version in options.api_versions:
        yield f"--api-versions={_listed(version)}"
    if not options.skip_crds:
        yield "--include-crds"
    if options.skip_schema_validation:
        yield "--skip-schema-validation"
    if options.skip_tests:
        yield "--skip-tests"


def _escaped(parameter: Parameter) -> str:
    """The value with its commas escaped, but for a list in braces."""
    value = parameter.value
    return value if value.startswith("{") and value.endswith("}") else _without_commas(value)


def _without_commas(value: str) -> str:
    return _COMMA.sub(r"\\,", value)


def _listed(item: str) -> str:
    """An item of a flag that takes a list, which is read as comma-separated values with quotes."""
    return '"' + item.replace('"', '""') + '"' if _QUOTED.search(item) else item


_COMMA = re.compile(r"(?<!\\),")
_QUOTED = re.compile(r'[",\s]')
