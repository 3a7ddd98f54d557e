"""A chart repository over HTTP: an index and archives, made from folders with a chart each."""

import functools
import http.server
import io
import tarfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml


class ChartRepository:
    """Serves the charts in the folders below `charts` from `folder`, on the loopback address."""

    def __init__(self, charts: Path, folder: Path) -> None:
        handler = functools.partial(_Quiet, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        entries = {chart.name: [_package(chart, folder)] for chart in sorted(charts.iterdir())}
        (folder / "index.yaml").write_text(yaml.safe_dump({"apiVersion": "v1", "entries": entries}))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002, the name that it has there
        pass


def _package(chart: Path, folder: Path) -> dict[str, object]:
    entry: dict[str, object] = yaml.safe_load((chart / "Chart.yaml").read_bytes())
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(chart, arcname=chart.name)
    name = f"{chart.name}-{entry['version']}.tgz"
    (folder / name).write_bytes(archive.getvalue())
    return {**entry, "urls": [name], "created": "2026-01-01T00:00:00Z"}
