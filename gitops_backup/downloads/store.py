"""Files on the disk that can be downloaded again: by name, written as a whole or not at all.

Several processes may share the folder. Of more than so many files, those that were not used for longest go.
"""

import contextlib
import os
import tempfile
from pathlib import Path

_MOST_FILES = 500


class Store:
    """A folder of small files. Where it cannot be used, nothing is kept."""

    def __init__(self, folder: Path, *, most_files: int = _MOST_FILES) -> None:
        self._folder = folder
        self._most_files = most_files

    def read(self, name: str) -> bytes | None:
        """What was kept under a name."""
        path = self._folder / name
        try:
            content = path.read_bytes()
        except OSError:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return content

    def write(self, name: str, content: bytes) -> None:
        """Keep this."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(temporary).replace(self._folder / name)
            self._prune()

    def _prune(self) -> None:
        found = sorted((path.stat().st_mtime_ns, path) for path in self._folder.iterdir())
        for _, path in found[: -self._most_files]:
            path.unlink(missing_ok=True)
