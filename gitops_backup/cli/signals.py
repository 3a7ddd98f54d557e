"""Being told to stop: by SIGTERM, Ctrl-C, or a terminal that goes away."""

import os
import signal
import sys
import threading
from collections.abc import Iterator


def unwind_when_told() -> None:
    """Clean up what was begun, the programs that run above all, and end with the exit code of a shell."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for sign in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sign) == signal.SIG_DFL:
            signal.signal(sign, lambda number, _: sys.exit(128 + number))


def exit_when_told() -> None:
    """Just end when told to stop, with exit code 0: as long as nothing runs that has to come to its end."""
    for sign in _to_stop():
        signal.signal(sign, lambda *_: sys.exit(0))


def stop_when_told(stop: threading.Event) -> None:
    """Let a thread set `stop` when a signal comes.

    A handler would run in the middle of whatever the main thread does, and while that holds the lock within
    `stop`, setting it would wait for ever; it would not run at all while the main thread falls asleep. The
    wakeup descriptor is written to at once.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)

    def wait() -> None:
        os.read(reading, 1)
        stop.set()

    threading.Thread(target=wait, name="signals", daemon=True).start()
    for sign in _to_stop():
        signal.signal(sign, lambda *_: None)


def _to_stop() -> Iterator[signal.Signals]:
    yield from (signal.SIGTERM, signal.SIGINT)
    # as nohup has it
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        yield signal.SIGHUP
