"""The envtest archive: fetched from a server on loopback, checked, unpacked; or given up on in time."""

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gitops_backup.process import run
from gitops_backup.sandbox.archive import Archive, ArchiveUnavailable, this_platform
from gitops_backup.sandbox.binaries import Binaries

_PROGRAM = b"#!/bin/sh\necho archived\n"


def _archive(*names: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name in names:
            member = tarfile.TarInfo(f"controller-tools/envtest/{name}")
            member.size = len(_PROGRAM)
            archive.addfile(member, io.BytesIO(_PROGRAM))
    return buffer.getvalue()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, content: bytes, *, cut: int | None, silent: bool) -> None:
        self.content = content
        self.cut = cut
        self.silent = silent
        self.asked: list[str] = []
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if self.server.silent:
            self.server.closing.wait(60)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.content)))
        self.end_headers()
        self.wfile.write(self.server.content[: self.server.cut])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def _served(
    content: bytes, *, cut: int | None = None, silent: bool = False
) -> Iterator[tuple[_Server, Archive]]:
    server = _Server(content, cut=cut, silent=silent)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    checksums = {this_platform(): hashlib.sha512(content).hexdigest()}
    base = f"http://127.0.0.1:{server.server_address[1]}/releases/download"
    try:
        yield server, Archive(base_url=base, checksums=checksums, patience=1.0)
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _binaries(archive: Archive, cache: Path, lines: list[str]) -> Binaries:
    return Binaries(cache=cache, environ={"PATH": ""}, progress=lines.append, archive=archive)


def test_the_archive_s_programs_are_found_the_next_time(tmp_path: Path) -> None:
    """They are executable, come from the published address, and are not fetched twice."""
    lines: list[str] = []
    with _served(_archive("etcd", "kube-apiserver", "kubectl")) as (server, archive):
        binaries = _binaries(archive, tmp_path, lines)
        first = binaries.provide()
        assert binaries.provide() == first
        name = f"envtest-v1.36.2-{this_platform()}.tar.gz"
        assert server.asked == [f"/releases/download/envtest-v1.36.2/{name}"]
    assert run([str(first["etcd"])], timeout=10).stdout == b"archived\n"
    assert sorted(first) == ["etcd", "kube-apiserver"]
    assert any("MB" in line for line in lines)


def _fetch(archive: Archive, folder: Path) -> None:
    wanted = {name: folder / name for name in ("etcd", "kube-apiserver")}
    archive.fetch(wanted, target=this_platform(), progress=lambda _: None)


def _assert_refused(archive: Archive, folder: Path, why: str) -> None:
    with pytest.raises(ArchiveUnavailable, match=why):
        _fetch(archive, folder)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_another_content_than_was_published_is_not_unpacked(tmp_path: Path) -> None:
    """The checksum is compared before anything is written where it could be run."""
    with _served(_archive("etcd", "kube-apiserver")) as (_, archive):
        other = Archive(base_url=archive.base_url, checksums={this_platform(): "0" * 128})
        _assert_refused(other, tmp_path / "bin", "published checksum: expected 0000")


def test_an_archive_without_a_wanted_program_is_refused(tmp_path: Path) -> None:
    """All of them or none."""
    with _served(_archive("etcd")) as (_, archive):
        _assert_refused(archive, tmp_path / "bin", "has no kube-apiserver")


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    """Even when its checksum is right."""
    with _served(b"<html>") as (_, archive):
        _assert_refused(archive, tmp_path / "bin", "cannot be read")


def test_a_download_that_breaks_off_is_refused(tmp_path: Path) -> None:
    """Half an archive is thrown away."""
    with _served(_archive("etcd", "kube-apiserver"), cut=100) as (_, archive):
        _assert_refused(archive, tmp_path / "bin", "broke off")


def test_a_server_that_never_answers_is_given_up_on(tmp_path: Path) -> None:
    """Within the time that was granted, so that a build can begin."""
    with _served(b"", silent=True) as (_, archive):
        _assert_refused(archive, tmp_path / "bin", "did not answer within 1 s")


def test_an_address_that_cannot_be_reached_is_given_up_on(tmp_path: Path) -> None:
    """Nobody listens there."""
    with _served(b"") as (_, archive):
        pass
    _assert_refused(archive, tmp_path / "bin", "cannot be reached")


def test_a_platform_that_nothing_is_published_for_is_named(tmp_path: Path) -> None:
    """No request is made for it."""
    with pytest.raises(ArchiveUnavailable, match="not published for plan9-mips"):
        Archive().fetch({"etcd": tmp_path / "etcd"}, target="plan9-mips", progress=lambda _: None)
