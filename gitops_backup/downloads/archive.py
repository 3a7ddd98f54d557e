"""What was downloaded, as files to be read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from gitops_backup.domain.reasons import Reason
from gitops_backup.sources.helm.archives import LARGEST, files_of_archive
from gitops_backup.sources.layouts import NAME_OF_FILE
from gitops_backup.sources.mounts import Unavailable


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive, which has no name of its own for its content."""

    mode: str = "100644"
    sha: str = ""


@dataclass(frozen=True, slots=True)
class Files:
    """What was read."""

    contents: Mapping[str, bytes]
    refused: Mapping[str, str]


class Archive:
    """A chart's archive, unpacked when it is looked into; `identity` is its digest, `name` the chart's."""

    def __init__(self, identity: str, content: bytes, name: str) -> None:
        self.identity = identity
        self._content = content
        self._name = name

    def tree(self) -> dict[str, Entry]:
        """The paths, from the chart's folder on. Raises `Unavailable` for what is no chart."""
        return dict.fromkeys(self._files, Entry())

    def read(self, paths: Iterable[str]) -> Files:
        """The contents of files."""
        return Files({path: self._files[path] for path in paths}, {})

    @cached_property
    def _files(self) -> Mapping[str, bytes]:
        files = files_of_archive(self._content, whole=True)
        if "Chart.yaml" not in files:
            largest = LARGEST // 1024 // 1024
            message = f"the archive of {self._name} is no chart, or has more than {largest} MiB unpacked"
            raise Unavailable(Reason.DOWNLOAD_FAILED, message)
        return files


class OneFile:
    """A file that was named by a URL."""

    def __init__(self, content: bytes) -> None:
        self.identity = sha256(content).hexdigest()
        self._content = content

    def tree(self) -> dict[str, Entry]:
        """Its path."""
        return {NAME_OF_FILE: Entry()}

    def read(self, paths: Iterable[str]) -> Files:
        """Its content."""
        return Files(dict.fromkeys(paths, self._content), {})
