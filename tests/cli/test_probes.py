"""The probes of a kubelet."""

import threading

import pytest
import urllib3

from gitops_backup.cli.probes import serve_probes


@pytest.mark.parametrize(
    ("path", "ready", "status"),
    [
        ("/healthz", False, 200),
        ("/readyz", False, 503),
        ("/readyz", True, 200),
        ("/metrics", True, 404),
    ],
)
def test_a_process_that_is_alive_need_not_be_ready(path: str, ready: bool, status: int) -> None:
    """It is ready when it says so, asked anew for each probe."""
    state = threading.Event()
    with serve_probes("127.0.0.1", 0, ready=state.is_set) as port, urllib3.PoolManager() as pool:
        if ready:
            state.set()
        assert pool.request("GET", f"http://127.0.0.1:{port}{path}", retries=False).status == status


def test_the_port_is_free_afterwards() -> None:
    """For the next process."""
    with serve_probes("127.0.0.1", 0, ready=lambda: True) as port:
        pass
    with serve_probes("127.0.0.1", port, ready=lambda: True) as again:
        assert again == port
