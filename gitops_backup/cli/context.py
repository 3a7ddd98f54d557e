"""What every command is given: the global options, and settings made from them."""

import gc
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gitops_backup.cli import logging
from gitops_backup.settings import Settings, load


@dataclass(frozen=True, slots=True)
class Globals:
    """The options before the command's name."""

    kubeconfig: Path | None
    context: str | None
    config: Path | None
    log_format: logging.LogFormat
    verbose: bool

    def settings(self, flags: dict[str, Any]) -> Settings:
        """The settings, with `flags` over the environment over the file. Raises `UsageError`."""
        return load(file=self.config, environment=os.environ, flags=flags)

    def configure_process(self) -> None:
        """Set up logging as the options say, and the garbage collector for many short-lived trees.

        What the API server sends has no cycles; looking for some takes half of the time of reading it.
        """
        logging.configure(self.log_format, verbose=self.verbose)
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
