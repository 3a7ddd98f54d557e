"""Charts of a chart repository, for the stand-in for Argo CD: by their versions, over HTTP."""

import io
import tarfile
from functools import lru_cache
from urllib.parse import urljoin

import urllib3
import yaml

from gitops_backup.errors import GitopsBackupError, one_line

_SECONDS = 10.0
_KEPT = 32


class ChartMissing(GitopsBackupError):
    """The chart repository does not have the chart, or does not answer."""


@lru_cache(_KEPT)
def fetch_chart(url: str, chart: str, version: str) -> dict[str, bytes]:
    """The files of a chart by their paths from its folder on. Raises `ChartMissing`."""
    root = f"{url.rstrip('/')}/"
    releases = yaml.safe_load(_get(urljoin(root, "index.yaml")))["entries"].get(chart, ())
    release = next((each for each in releases if each["version"] == version), None)
    if release is None:
        raise ChartMissing(f"{url} has no {chart} {version}")
    with tarfile.open(fileobj=io.BytesIO(_get(urljoin(root, release["urls"][0])))) as archive:
        files = [(each, archive.extractfile(each)) for each in archive if each.isfile()]
        return {each.name.partition("/")[2]: file.read() for each, file in files if file is not None}


def _get(url: str) -> bytes:
    try:
        with urllib3.PoolManager(retries=False, timeout=_SECONDS) as pool:
            response = pool.request("GET", url)
    except urllib3.exceptions.HTTPError as error:
        raise ChartMissing(f"{url}: {one_line(str(error))}") from error
    if response.status != 200:
        raise ChartMissing(f"{url} answers {response.status}")
    return response.data
