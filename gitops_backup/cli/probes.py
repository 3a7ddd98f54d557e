"""What a kubelet asks: is the process alive, and has it seen the cluster."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gitops_backup.errors import UsageError


@contextmanager
def serve_probes(address: str, port: int, *, ready: Callable[[], bool]) -> Iterator[int]:
    """Answer `/healthz` with 200, `/readyz` with 200 or 503; yields the port that it listens on.

    Raises `UsageError` where the port is taken.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers = {"/healthz": lambda: True, "/readyz": ready}
            asked = answers.get(self.path)
            status = HTTPStatus.NOT_FOUND
            if asked is not None:
                status = HTTPStatus.OK if asked() else HTTPStatus.SERVICE_UNAVAILABLE
            body = f"{status.phrase}\n".encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the library's name
            """Probes come every few seconds, and are not news."""

    try:
        server = ThreadingHTTPServer((address, port), Handler)
    except OSError as error:
        raise UsageError(f"cannot listen on {address}:{port}: {error.strerror}") from error
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="probes", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
