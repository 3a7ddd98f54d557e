"""Standard output and standard error as they may be: full, closed, or a pipe that nobody reads any more.

- Standard output is what a command was asked for: where it cannot be written, the command has failed.
- Standard error is news: a line that cannot be written is lost, and nothing else changes.
- A command that nobody listens to ends, as by SIGPIPE; when nobody listens to its news, as by SIGTERM. Python
  ignores SIGPIPE, and rightly: it comes for connections to servers, too.
"""

import io
import os
import signal
import sys
from collections.abc import Callable
from typing import Any, TextIO

from gitops_backup.errors import GitopsBackupError

_STDIN, _STDOUT, _STDERR = range(3)


class OutputLost(GitopsBackupError):
    """What was to be printed cannot be written."""


class NobodyReads(Exception):
    """The pipe that was to be written to has no reader any more."""


def prepare() -> None:
    """Make the standard streams follow the rules; to be called before anything is printed.

    From then on, printing to standard output raises `OutputLost` or `NobodyReads`, once.
    """
    # a descriptor that is closed would become that of the next file or connection, and prints would go there;
    # what is printed to the one that is opened for reading fails
    _occupy(_STDIN, os.O_RDONLY)
    _occupy(_STDOUT, os.O_RDONLY)
    _occupy(_STDERR, os.O_WRONLY)
    sys.stdout = _stream(_Sink(_STDOUT, _refuse), like=sys.stdout)
    sys.stderr = _stream(_Sink(_STDERR, _go_on), like=sys.stderr)


def takes_colours(stream: TextIO) -> bool:
    """Whether it is a terminal that shows colours, and nobody asked for none (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class _Sink(io.FileIO):
    def __init__(self, descriptor: int, on_failure: Callable[[OSError], None]) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._on_failure = on_failure

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            self._on_failure(error)
            return len(data)


def _occupy(descriptor: int, flags: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, flags)  # it takes the lowest number that is free


def _stream(sink: _Sink, *, like: TextIO | None) -> TextIO:
    """`like` is the stream that Python made, none where the descriptor was closed."""
    encoding = like.encoding if like is not None else "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(sink), encoding=encoding, errors="backslashreplace", line_buffering=True
    )


def _refuse(error: OSError) -> None:
    _let_go(_STDOUT)
    if isinstance(error, BrokenPipeError):
        raise NobodyReads from error
    raise OutputLost(f"standard output cannot be written: {error.strerror}") from error


def _go_on(error: OSError) -> None:
    if isinstance(error, BrokenPipeError):
        _let_go(_STDERR)
        # it may be printed from any thread, and a command may have something to end
        signal.raise_signal(signal.SIGTERM)


def _let_go(descriptor: int) -> None:
    """Write to nowhere from now on; what is still in the buffer would fail again at the exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
