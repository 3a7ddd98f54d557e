"""Log lines on standard error: for people on a terminal, as JSON for machines."""

import logging
import sys
from enum import StrEnum

import structlog

from gitops_backup.cli.streams import takes_colours


class LogFormat(StrEnum):
    """How a line is written."""

    TEXT = "text"
    JSON = "json"


def configure(form: LogFormat, *, verbose: bool) -> None:
    """Set up logging for this process, with colours where they are shown and wanted."""
    level = logging.DEBUG if verbose else logging.INFO
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if form == LogFormat.JSON
        # a traceback with local variables would show passwords
        else structlog.dev.ConsoleRenderer(
            colors=takes_colours(sys.stderr),
            pad_event_to=0,
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    tracebacks = [structlog.processors.format_exc_info] if form == LogFormat.JSON else []
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%S.%fZ", utc=True, key="timestamp"),
            *tracebacks,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
