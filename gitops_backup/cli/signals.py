"""Being told to stop, by SIGTERM or Ctrl-C."""

import os
import signal
import sys
import threading

_TO_STOP = (signal.SIGTERM, signal.SIGINT)


def exit_when_told() -> None:
    """Just end when told to stop, with exit code 0: as long as nothing runs that has to come to its end."""
    for sign in _TO_STOP:
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
    for sign in _TO_STOP:
        signal.signal(sign, lambda *_: None)
