"""How jsonnet is asked: what Argo CD sets in the library (makeJsonnetVM there), as arguments of its program.

The limits on recursion are the defaults of both. What an Application gives to a program may be
secret: it is written to files, because every process can read the arguments of others.
"""

from collections.abc import Iterator

from gitops_backup.sources.rendering import Files, JsonnetOptions, Variable

FOLDER_OF_VARIABLES = ".variables-of-the-application"
"""Where the Application's own values are written, beside the repository's files."""


def files_for_jsonnet(files: Files, options: JsonnetOptions) -> Files:
    """The files that jsonnet is given: the repository's, and the Application's own values."""
    return {**files, **{path: each.value.encode() for _, path, each in _variables(options)}}


def jsonnet_arguments(root: str, path: str, options: JsonnetOptions) -> list[str]:
    """The arguments that evaluate the program at a path of the files that are in `root`."""
    return [*_flags(root, options), "--", f"{root}/{path}"]


def _flags(root: str, options: JsonnetOptions) -> Iterator[str]:
    for folder in options.libraries:
        yield from ("--jpath", f"{root}/{folder}".rstrip("/"))
    for flag, path, each in _variables(options):
        yield from (f"--{flag}-{'code' if each.code else 'str'}-file", f"{each.name}={root}/{path}")


def _variables(options: JsonnetOptions) -> Iterator[tuple[str, str, Variable]]:
    for flag, variables in (("ext", options.variables), ("tla", options.arguments)):
        for number, each in enumerate(variables):
            yield flag, f"{FOLDER_OF_VARIABLES}/{flag}-{number}", each
