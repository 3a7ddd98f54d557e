"""Files of a commit, written to a folder for a program that cannot do without one.

Regular files alone are made, under names that stay within the folder: what Git calls a symbolic link or a
submodule is never written, and a name that leads elsewhere is refused before anything is.
"""

import os
from pathlib import Path

from gitops_backup.errors import one_line
from gitops_backup.sources.rendering import Files, RenderFailed

LARGEST = 64 * 1024 * 1024
"""Bytes of all files together."""


def export(files: Files, folder: Path) -> None:
    """Write the files below a folder that nobody else writes to. Raises `RenderFailed`."""
    size = sum(len(content) for content in files.values())
    if size > LARGEST:
        raise RenderFailed(f"expected files of at most {LARGEST} bytes to render, and they have {size}")
    for path in files:
        if not _stays_within(path):
            raise RenderFailed(f"a file cannot be called {one_line(path)!r}")
    made: set[Path] = set()
    for path, content in files.items():
        target = folder / os.fsdecode(path.encode("utf-8", "surrogateescape"))
        try:
            if target.parent not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(target.parent)
            with target.open("xb", buffering=0) as file:
                file.write(content)
        except OSError as error:  # one name is both a file's and a folder's, or is too long
            raise RenderFailed(f"{one_line(path)} cannot be written: {error.strerror}") from error


def _stays_within(path: str) -> bool:
    return "\0" not in path and not {"", ".", ".."} & set(path.split("/"))
