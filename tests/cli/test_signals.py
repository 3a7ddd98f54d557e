"""Being told to stop, in the middle of anything."""

import sys

from gitops_backup.process import run

# what a signal interrupts may hold the lock that setting the event takes
_SCRIPT = """
import os, signal, threading
from gitops_backup.cli.signals import stop_when_told

lock = threading.Lock()

class Stop(threading.Event):
    def set(self):
        with lock:
            super().set()

stop = Stop()
stop_when_told(stop)
with lock:
    os.kill(os.getpid(), signal.SIGTERM)
    for _ in range(1000):
        pass
assert stop.wait(10)
"""


def test_a_signal_may_come_while_the_lock_is_held_that_telling_of_it_takes() -> None:
    """Or the controller would hang for ever, once in some hundred stops."""
    done = run([sys.executable, "-c", _SCRIPT], timeout=30)
    assert (done.returncode, done.stderr) == (0, b"")
