"""The files of a commit, told apart by their content before anybody has read them.

Git names a file by what is in it. So whether a file is the one that was seen before is known from the listing
alone, and a file is read when somebody looks into it.
"""

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Protocol


class Files(Protocol):
    """What was read of a commit."""

    @property
    def contents(self) -> Mapping[str, bytes]:
        """The bytes by path."""

    @property
    def refused(self) -> Mapping[str, str]:
        """Why a path could not be read."""


class Identified(Mapping[str, bytes]):
    """Files by path, with a name for the content of each."""

    @abstractmethod
    def identity(self, path: str) -> str | None:
        """What tells a file from others by its content, and from what cannot be read; None for no file."""


class Contents(Identified):
    """Files that are known by `paths` and by `identify`; `read` reads some of them. Threads may share it.

    `known` are the contents of those that were read; `refused` says why others could not be.
    """

    def __init__(
        self,
        paths: Callable[[], Iterable[str]],
        *,
        identify: Callable[[str], str | None],
        read: Callable[[Iterable[str]], Files],
    ) -> None:
        self._paths = paths
        self._identify = identify
        self._read = read
        self._lock = threading.Lock()
        self._identities: dict[str, str] = {}
        self.known: dict[str, bytes] = {}
        self.refused: dict[str, str] = {}

    def load(self, paths: Iterable[str]) -> None:
        """Read those of these files that were not read before, all in one go."""
        with self._lock:
            unknown = {path for path in paths if path not in self.known and path not in self.refused}
            if unknown:
                files = self._read(unknown)
                self.known |= files.contents
                gone = unknown - files.contents.keys()
                self.refused |= {**dict.fromkeys(gone, "is not there"), **files.refused}

    def here(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of these files that there are."""
        return frozenset(path for path in paths if self.identity(path) is not None)

    @property
    def loaded(self) -> Identified:
        """Those files that were read already, as long as nobody reads more."""
        return _Loaded(self)

    def identity(self, path: str) -> str | None:
        """By the name of its content."""
        found = self._identities.get(path)
        if found is None:
            found = self._identify(path)
            if found is not None:
                self._identities[path] = found
        return found

    def __getitem__(self, path: str) -> bytes:
        if path not in self.known:
            self.load([path])
        return self.known[path]

    def __contains__(self, path: object) -> bool:
        if path not in self.known and isinstance(path, str):
            self.load([path])
        return path in self.known

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._paths()))

    def __len__(self) -> int:
        return sum(1 for _ in self._paths())


class Edited(Identified):
    """Files of which some have another content by now."""

    def __init__(self, files: Identified, edits: Mapping[str, bytes] | None = None) -> None:
        self._files = files
        self._identities: dict[str, str] = {}
        self.edits: dict[str, bytes] = {}
        self.update(edits or {})

    def update(self, edits: Mapping[str, bytes]) -> None:
        """Give some files these contents."""
        self.edits.update(edits)
        self._identities.update({path: _identity_of(content) for path, content in edits.items()})

    def identity(self, path: str) -> str | None:
        """By its bytes, where it is edited."""
        return self._identities.get(path) or self._files.identity(path)

    def __getitem__(self, path: str) -> bytes:
        return self.edits[path] if path in self.edits else self._files[path]

    def __contains__(self, path: object) -> bool:
        return path in self.edits or path in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._files, *self.edits}))

    def __len__(self) -> int:
        return len({*self._files, *self.edits})


class _Loaded(Identified):
    def __init__(self, files: Contents) -> None:
        self._files = files

    def identity(self, path: str) -> str | None:
        return self._files.identity(path)

    def __getitem__(self, path: str) -> bytes:
        return self._files.known[path]

    def __contains__(self, path: object) -> bool:
        return path in self._files.known

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._files.known))

    def __len__(self) -> int:
        return len(self._files.known)


def _identity_of(content: bytes) -> str:
    return sha256(content).hexdigest()
