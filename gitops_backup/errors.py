"""The few kinds of error, named by what the caller does about them.

A message is one line for a person: what was expected, what was seen. A hint says what to do. Errors of
libraries are translated into these where they arise, so that nothing above an edge knows a library's own.
"""

_LONGEST_FOREIGN_TEXT = 300


class GitopsBackupError(Exception):
    """The base of every error that this project raises on purpose.

    `message` is one line; `hint`, when given, is what the reader can do about it.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class UsageError(GitopsBackupError):
    """A command cannot begin as it was asked to: the command line ends with exit code 2."""


class Transient(GitopsBackupError):
    """It may work later: the step is taken again, after `retry_after` seconds where that is known."""

    def __init__(self, message: str, *, hint: str | None = None, retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class Unwritable(GitopsBackupError):
    """It can be read, but nothing can be put there: whoever asked for it must name another place."""


class Conflict(Transient):
    """Somebody else wrote in between: look again, decide again."""


def one_line(text: str | bytes, *, limit: int = _LONGEST_FOREIGN_TEXT) -> str:
    """Foreign text as it may stand in a message: one printable line of at most `limit` characters."""
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    folded = " ".join("".join(c if c.isprintable() else " " for c in decoded).split())
    return folded if len(folded) <= limit else folded[: limit - 1] + "…"


def count(number: int, noun: str) -> str:
    """A number of things, as it may stand in a sentence."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
