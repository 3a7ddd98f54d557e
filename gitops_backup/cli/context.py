"""What every command is given: the global options, and settings made from them."""

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

    def configure_logging(self) -> None:
        """Set up logging as the options say."""
        logging.configure(self.log_format, verbose=self.verbose)
