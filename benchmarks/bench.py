"""What every benchmark is given."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gitops_backup.sandbox.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Bench:
    """A sandbox without stand-ins, a folder for whatever has to be written, and how large it shall be.

    `progress` gets a line for each thing that is about to be done.
    """

    sandbox: Sandbox
    folder: Path
    quick: bool
    progress: Callable[[str], None]

    def size(self, full: int) -> int:
        """So many, or a fiftieth of it."""
        return max(1, full // 50) if self.quick else full
