"""The archive of kube-apiserver and etcd that the Kubernetes project publishes for tests (envtest).

Its checksums are those of `envtest-releases.yaml` in the controller-tools repository. Nothing that the
archive holds is run, or even unpacked, before its SHA-512 was compared. Where it cannot be reached, that is
known within seconds, name resolution included, so that a build can begin.
"""

import hashlib
import io
import os
import platform
import queue
import shutil
import sys
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from gitops_backup.errors import GitopsBackupError, one_line

_CHUNK = 8 << 20
_MEGABYTE = 1 << 20
_SECONDS_TO_CONNECT = 3.0
_SECONDS_BETWEEN_BYTES = 10.0
_ATTEMPTS_NONE = urllib3.Retry(connect=0, read=0, status=0, other=0, redirect=5)
_CHECKSUMS = {
    "darwin-amd64": "b4fe9f973cd1992e3880f8b230ed32c0c243b83371591e3e3315f4404df2cdbe"
    "f8ee94eeb9bb245b7e5feb987d5c4a76c43e0877654ab73f00d7bbc2b9984514",
    "darwin-arm64": "9278f9e5af556b2f1f2d139769c1f0d717c7b4426917fdebdba898bcb725a916"
    "e4910d6160886194ff9be9589ea7c5c32c2b8ae0754703874b7c8ba8ddfc41ce",
    "linux-amd64": "ea743186c8a799f5cf8faf16969f86189d003cb7d130e0ac4b58789f1e5748dc"
    "f30ebe91c837a10d5ac415383da3e10b9e64d65785c938c23e739781cfb76f08",
    "linux-arm64": "2d72ee985a8e262a3c57dc9f7f0fd891f6a8c7bf7ebaa2db6dc6d8eac8ae2818"
    "1afe51c1f368b67756cdb40b10de9b205609e1726e5f27f7c6d824dd9c6649ac",
}


class ArchiveUnavailable(GitopsBackupError):
    """The archive cannot be had, or is not what it should be; the message says which."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A published archive: where it is, and the SHA-512 of its file for each platform.

    `patience` is how long the first answer may take, in seconds, name resolution included.
    """

    version: str = "v1.36.2"
    base_url: str = "https://github.com/kubernetes-sigs/controller-tools/releases/download"
    checksums: Mapping[str, str] = field(default_factory=lambda: _CHECKSUMS)
    patience: float = 5.0

    def url(self, target: str) -> str:
        """The address of the file for a platform such as `linux-amd64`."""
        return f"{self.base_url}/envtest-{self.version}/envtest-{self.version}-{target}.tar.gz"

    def fetch(self, wanted: Mapping[str, Path], *, target: str, progress: Callable[[str], None]) -> None:
        """Put each program of `wanted` (name to path) in its place; all of them or none.

        Raises `ArchiveUnavailable`.
        """
        checksum = self.checksums.get(target)
        if checksum is None:
            raise ArchiveUnavailable(f"the envtest archive is not published for {target}")
        folder = next(iter(wanted.values())).parent
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f".envtest-{os.getpid()}.tar.gz"
        try:
            self._download(file, url=self.url(target), checksum=checksum, progress=progress)
            _unpack(file, wanted)
        finally:
            file.unlink(missing_ok=True)

    def _download(self, file: Path, *, url: str, checksum: str, progress: Callable[[str], None]) -> None:
        response = _open(url, self.patience)
        try:
            if response.status != 200:
                raise ArchiveUnavailable(f"{url} answered {response.status}")
            total = int(response.headers.get("Content-Length", 0)) // _MEGABYTE
            seen = hashlib.sha512()
            with file.open("wb") as out:
                for chunk in response.stream(_CHUNK):
                    seen.update(chunk)
                    out.write(chunk)
                    progress(f"envtest archive: {out.tell() // _MEGABYTE} of {total} MB")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ArchiveUnavailable(f"{url} broke off: {one_line(str(error))}") from error
        finally:
            response.release_conn()
            response.close()
        if seen.hexdigest() != checksum:
            raise ArchiveUnavailable(
                f"{url} has not the published checksum: expected {checksum[:16]}…, "
                f"seen {seen.hexdigest()[:16]}…"
            )


def this_platform() -> str:
    """This machine's platform as Go spells it, such as `linux-amd64`."""
    machine = platform.machine().lower()
    return f"{sys.platform}-{ {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine) }"


def _open(url: str, patience: float) -> urllib3.BaseHTTPResponse:
    # the time limits of a connection do not cover name resolution, which can hang for half a minute
    answers: queue.SimpleQueue[urllib3.BaseHTTPResponse | Exception] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_request(url)), daemon=True).start()
    try:
        answer = answers.get(timeout=patience)
    except queue.Empty:
        raise ArchiveUnavailable(f"{url} did not answer within {patience:g} s") from None
    if isinstance(answer, Exception):
        reason = getattr(answer, "reason", None) or answer
        raise ArchiveUnavailable(f"{url} cannot be reached: {one_line(str(reason))}") from answer
    return answer


def _request(url: str) -> urllib3.BaseHTTPResponse | Exception:
    proxy = urllib.request.getproxies().get(url.partition(":")[0])
    pool = urllib3.ProxyManager(proxy) if proxy else urllib3.PoolManager()
    try:
        return pool.request(
            "GET",
            url,
            preload_content=False,
            retries=_ATTEMPTS_NONE,
            timeout=urllib3.Timeout(connect=_SECONDS_TO_CONNECT, read=_SECONDS_BETWEEN_BYTES),
        )
    except (urllib3.exceptions.HTTPError, OSError) as error:
        return error


def _unpack(file: Path, wanted: Mapping[str, Path]) -> None:
    try:
        with tarfile.open(file) as archive:
            members = {Path(member.name).name: member for member in archive if member.isfile()}
            missing = sorted(wanted.keys() - members.keys())
            if missing:
                raise ArchiveUnavailable(f"the envtest archive has no {', '.join(missing)}")
            for name, path in wanted.items():
                _place(archive, members[name], path)
    except (tarfile.TarError, OSError) as error:
        raise ArchiveUnavailable(f"the envtest archive cannot be read: {one_line(str(error))}") from error


def _place(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    temporary = path.with_name(f".{path.name}-{os.getpid()}")
    source = archive.extractfile(member)
    with source or io.BytesIO() as content, temporary.open("wb") as out:
        shutil.copyfileobj(content, out, _CHUNK)
    temporary.chmod(0o755)
    temporary.replace(path)
