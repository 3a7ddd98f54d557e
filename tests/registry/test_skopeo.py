"""skopeo as it is run: what it is told, what it is not told, and what is left of it."""

import json
import re
import ssl
import stat
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import UsageError
from gitops_backup.process import ProcessCancelled, ProgramMissing
from gitops_backup.registry.client import Remote
from gitops_backup.registry.credentials import Credential
from gitops_backup.registry.failures import CopyFailed, Side
from gitops_backup.registry.locations import Endpoint
from gitops_backup.registry.skopeo import Skopeo
from gitops_backup.sandbox.registry import Registry
from tests.registry.faulty import Exchange, FaultyServer, answers, error
from tests.registry.parts import PASSWORD, USERNAME, Parts, backup_image, copy, source_image

_DIGEST = "sha256:" + "d" * 64
_ANONYMOUS = Remote(Endpoint("src.example", "a/b"), None)
_KNOWN = Remote(Endpoint("bak.example:5000", "m/a_b"), Credential("me", "the-password"))

_RECORDER = f"""#!{sys.executable}
import json, os, pathlib, sys
here = pathlib.Path({{folder!r}})
files = {{{{}}}}
for word in sys.argv:
    if "authfile=" in word:
        path = pathlib.Path(word.partition("=")[2])
        modes = [oct(p.stat().st_mode & 0o777) for p in (path, path.parent)]
        files[word.partition("=")[0]] = [json.loads(path.read_text()), modes]
    if "cert-dir=" in word:
        path = pathlib.Path(word.partition("=")[2])
        files[word.partition("=")[0]] = [p.name + ":" + p.read_text() for p in path.iterdir()]
(here / "seen.json").write_text(json.dumps([sys.argv[1:], dict(os.environ), files]))
{{then}}
"""


def _recorder(folder: Path, then: str = "") -> Skopeo:
    program = folder / "recorder"
    program.write_text(_RECORDER.format(folder=str(folder), then=then))
    program.chmod(0o700)
    return Skopeo(folder / "own", binary=str(program), timeout=30)


def _seen(folder: Path) -> tuple[list[str], dict[str, str], dict[str, Any]]:
    arguments, environment, files = json.loads((folder / "seen.json").read_text())
    return arguments, environment, files


def test_all_of_an_image_is_asked_for_unchanged_and_once(tmp_path: Path) -> None:
    """The options that a safe copy needs, a digest to read, a tag to write."""
    _recorder(tmp_path).copy(_ANONYMOUS, _DIGEST, _KNOWN, "1")
    arguments, _, _ = _seen(tmp_path)
    assert {"--all", "--preserve-digests", "--retry-times=0", "--insecure-policy"} < set(arguments)
    assert arguments[-3:] == [
        "--",
        f"docker://src.example/a/b@{_DIGEST}",
        "docker://bak.example:5000/m/a_b:1",
    ]
    assert not [word for word in arguments if "tls-verify" in word]


def test_docker_hub_is_called_by_its_name(tmp_path: Path) -> None:
    """Not by the host of its API; for its credentials neither."""
    hub = Remote(Endpoint("registry-1.docker.io", "acme/a"), Credential("me", "x"))
    _recorder(tmp_path).copy(hub, _DIGEST, hub, "1")
    arguments, _, files = _seen(tmp_path)
    assert arguments[-2:] == [f"docker://docker.io/acme/a@{_DIGEST}", "docker://docker.io/acme/a:1"]
    assert list(files["--src-authfile"][0]["auths"]) == ["docker.io/acme/a"]


def test_a_credential_is_in_a_private_file_of_its_side_and_nowhere_else(tmp_path: Path) -> None:
    """Not in an argument, not in the environment, and not on disk afterwards."""
    _recorder(tmp_path).copy(_ANONYMOUS, _DIGEST, _KNOWN, "1")
    arguments, environment, files = _seen(tmp_path)
    assert "the-password" not in json.dumps([arguments, environment])
    assert "--src-no-creds" in arguments
    assert list(files) == ["--dest-authfile"]
    written, modes = files["--dest-authfile"]
    assert list(written["auths"]) == ["bak.example:5000/m/a_b"]
    assert modes == ["0o600", "0o700"]
    assert list((tmp_path / "own" / "copies").iterdir()) == []


def test_nothing_of_the_surroundings_is_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its home, its temporary folder and its cache are ours."""
    for name in ("XDG_RUNTIME_DIR", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "HTTPS_PROXY", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "/elsewhere")
    _recorder(tmp_path).copy(_ANONYMOUS, _DIGEST, _KNOWN, "1")
    _, environment, _ = _seen(tmp_path)
    assert "/elsewhere" not in environment.values()
    own = str(tmp_path / "own")
    assert environment["HOME"].startswith(own)
    assert environment["TMPDIR"].startswith(own)
    assert stat.S_IMODE((tmp_path / "own" / "copies").stat().st_mode) == 0o700


def test_trust_is_handed_on_by_side(tmp_path: Path) -> None:
    """An authority becomes a folder of certificates, `insecure` an option."""
    authority = tmp_path / "ca.pem"
    authority.write_text("pem")
    trusted = Remote(Endpoint("a.example", "x", ca=authority), None)
    insecure = Remote(Endpoint("b.example", "x", insecure=True), None)
    _recorder(tmp_path).copy(trusted, _DIGEST, insecure, "1")
    arguments, _, files = _seen(tmp_path)
    assert files == {"--src-cert-dir": ["ca.crt:pem"]}
    assert "--dest-tls-verify=false" in arguments
    assert not [word for word in arguments if word.startswith(("--src-tls-verify", "--dest-cert-dir"))]


@pytest.mark.parametrize(
    ("then", "side", "reason", "words"),
    [
        (
            "sys.stderr.write('level=fatal msg=\"trying to reuse blob x at destination: denied\"'); exit(1)",
            Side.DESTINATION,
            Reason.DESTINATION_AUTH_FAILED,
            "skopeo ended with 1: trying to reuse blob",
        ),
        (
            "os.kill(os.getpid(), 9)",
            Side.SOURCE,
            Reason.SOURCE_UNAVAILABLE,
            "skopeo ended with -9: it said nothing",
        ),
    ],
)
def test_a_failure_names_its_side_and_what_was_said(
    tmp_path: Path, then: str, side: Side, reason: Reason, words: str
) -> None:
    """Whether it gave up by itself or was ended by somebody else; its folder is gone all the same."""
    with pytest.raises(CopyFailed, match=words) as caught:
        _recorder(tmp_path, then).copy(_ANONYMOUS, _DIGEST, _KNOWN, "1")
    assert (caught.value.side, caught.value.reason) == (side, reason)
    assert caught.value.registry == {Side.SOURCE: "src.example", Side.DESTINATION: "bak.example:5000"}[side]
    assert list((tmp_path / "own" / "copies").iterdir()) == []


def test_a_copy_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """It is a failure like others, and what it left is removed."""
    _recorder(tmp_path, "import time; time.sleep(60)")
    skopeo = Skopeo(tmp_path / "own", binary=str(tmp_path / "recorder"), timeout=0.5)
    with pytest.raises(CopyFailed, match=r"more than 0\.5 s") as caught:
        skopeo.copy(_ANONYMOUS, _DIGEST, _KNOWN, "1")
    assert caught.value.reason is Reason.SOURCE_UNAVAILABLE
    assert list((tmp_path / "own" / "copies").iterdir()) == []


def test_a_copy_can_be_stopped(tmp_path: Path) -> None:
    """From another thread; nothing is left behind."""
    skopeo, cancel = _recorder(tmp_path, "import time; time.sleep(60)"), threading.Event()
    threading.Timer(0.3, cancel.set).start()
    with pytest.raises(ProcessCancelled):
        skopeo.copy(_ANONYMOUS, _DIGEST, _KNOWN, "1", cancel=cancel)
    assert list((tmp_path / "own" / "copies").iterdir()) == []


def test_the_installed_version_will_do(tmp_path: Path) -> None:
    """It says which one it is."""
    assert re.fullmatch(r"\d+\.\d+.*", Skopeo(tmp_path).version())


def test_a_version_that_lacks_an_option_is_refused_by_name(tmp_path: Path) -> None:
    """Versions before 1.6 cannot preserve digests."""
    help_text = "  --all  --quiet"
    skopeo = _recorder(
        tmp_path, f"print('skopeo version 1.4.1' if '--version' in sys.argv else {help_text!r})"
    )
    with pytest.raises(UsageError, match=r"1\.4\.1 has no option --preserve-digests"):
        skopeo.version()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    """With what to do about it."""
    with pytest.raises(ProgramMissing, match="no-such-skopeo is not on PATH"):
        Skopeo(tmp_path, binary="no-such-skopeo").version()


def test_no_process_on_the_machine_shows_a_credential(
    parts: Parts, upstream: Registry, source_server: FaultyServer, repository: str
) -> None:
    """Looked up in /proc while the real program is at work."""
    digest = upstream.push_image(repository, "1")
    found: list[tuple[bytes, bytes]] = []

    def look(exchange: Exchange) -> None:
        found.extend(_processes(source_server.host))
        exchange.send(exchange.forward())

    source_server.on("GET", "/blobs/", look)
    assert copy(parts.copier, source_image(repository), backup_image(repository), digest).copied
    assert found
    for arguments, environment in found:
        assert b"--dest-authfile=" in arguments
        assert PASSWORD.encode() not in arguments + environment
        assert USERNAME.encode() not in arguments + environment


def _processes(mentioned: str) -> list[tuple[bytes, bytes]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes()
            if arguments.startswith(b"skopeo\0") and mentioned.encode() in arguments:
                found.append((arguments, (folder / "environ").read_bytes()))
        except OSError:
            continue
    return found


def test_the_docker_config_of_the_home_folder_is_not_used(
    parts: Parts,
    upstream: Registry,
    source_server: FaultyServer,
    backup_server: FaultyServer,
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """skopeo looks there next when its authfile has no entry: a source would be shown what lies there."""
    digest = upstream.push_image(repository, "1")
    entry = {"auth": "c29tZWJvZHk6ZWxzZQ=="}
    content = json.dumps({"auths": {source_server.host: entry, backup_server.host: entry}})
    for path in (tmp_path / ".docker" / "config.json", tmp_path / ".config" / "containers" / "auth.json"):
        path.parent.mkdir(parents=True)
        path.write_text(content)
    monkeypatch.setenv("HOME", str(tmp_path))
    source_server.on("GET", "^/v2/$", answers(401, b"{}", {"WWW-Authenticate": 'Basic realm="x"'}))
    copy(parts.copier, source_image(repository), backup_image(repository), digest)
    shown = {seen.headers.get("authorization") for seen in source_server.requests}
    assert f"Basic {entry['auth']}" not in shown


def test_the_machines_mirrors_are_not_used(
    parts: Parts,
    upstream: Registry,
    repository: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source_server: FaultyServer,
) -> None:
    """Where a registry really is, is said once; a registries.conf has no say."""
    digest = upstream.push_image(repository, "1")
    path = tmp_path / ".config" / "containers" / "registries.conf"
    path.parent.mkdir(parents=True)
    path.write_text(
        f'[[registry]]\nprefix = "{source_server.host}"\nlocation = "127.0.0.1:1"\ninsecure = true\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    assert copy(parts.copier, source_image(repository), backup_image(repository), digest).copied


def test_a_private_authority_serves_both_sides(
    upstream: Registry, tls: ssl.SSLContext, authority: Path, repository: str, tmp_path: Path
) -> None:
    """The same setting as for our own requests; without it the certificate is refused."""
    digest = upstream.push_image(repository, "1")
    with FaultyServer(upstream.address, tls=tls) as server:
        skopeo = Skopeo(tmp_path)
        source = Remote(Endpoint(server.host, repository, ca=authority), None)
        target = Remote(Endpoint(server.host, f"{repository}/copy", ca=authority), None)
        skopeo.copy(source, digest, target, "1")
        assert upstream.digest(f"{repository}/copy", "1") == digest
        with pytest.raises(CopyFailed, match="certificate") as caught:
            skopeo.copy(Remote(Endpoint(server.host, repository), None), digest, target, "2")
    assert caught.value.reason is Reason.SOURCE_UNAVAILABLE


@pytest.mark.parametrize(
    ("side", "method", "path", "status", "code", "reason"),
    [
        (Side.SOURCE, "GET", "/manifests/", 404, "MANIFEST_UNKNOWN", Reason.SOURCE_NOT_FOUND),
        (Side.SOURCE, "GET", "/manifests/", 403, "DENIED", Reason.SOURCE_AUTH_FAILED),
        (Side.SOURCE, "GET", "/manifests/", 500, "UNKNOWN", Reason.SOURCE_UNAVAILABLE),
        (Side.SOURCE, "GET", "/blobs/", 404, "BLOB_UNKNOWN", Reason.SOURCE_NOT_FOUND),
        (Side.SOURCE, "GET", "/blobs/", 503, "UNAVAILABLE", Reason.SOURCE_UNAVAILABLE),
        (Side.DESTINATION, "GET", "/v2/$", 503, "UNAVAILABLE", Reason.DESTINATION_UNAVAILABLE),
        (Side.DESTINATION, "HEAD", "/blobs/", 403, "DENIED", Reason.DESTINATION_AUTH_FAILED),
        (Side.DESTINATION, "POST", "/blobs/", 401, "UNAUTHORIZED", Reason.DESTINATION_AUTH_FAILED),
        (Side.DESTINATION, "POST", "/blobs/", 507, "X", Reason.QUOTA_EXCEEDED),
        (Side.DESTINATION, "PATCH", "/blobs/", 429, "TOOMANYREQUESTS", Reason.RATE_LIMITED),
        (Side.DESTINATION, "PUT", "/blobs/", 500, "UNKNOWN", Reason.DESTINATION_UNAVAILABLE),
        (Side.DESTINATION, "PUT", "/manifests/", 413, "TOOLARGE", Reason.DESTINATION_UNAVAILABLE),
        (Side.DESTINATION, "PUT", "/manifests/", 403, "DENIED", Reason.DESTINATION_AUTH_FAILED),
    ],
)
def test_the_real_program_s_words_are_understood(
    parts: Parts,
    upstream: Registry,
    source_server: FaultyServer,
    backup_server: FaultyServer,
    repository: str,
    side: Side,
    method: str,
    path: str,
    status: int,
    code: str,
    reason: Reason,
) -> None:
    """Each step of a copy refused by a real server."""
    digest = upstream.push_image(repository, "1")
    server = source_server if side is Side.SOURCE else backup_server
    server.on(method, path, error(status, code))
    source = parts.source.remote(source_image(repository))
    destination = parts.destination.remote(backup_image(repository))
    with pytest.raises(CopyFailed) as caught:
        Skopeo(parts.folder).copy(source, digest, destination, "1")
    assert (caught.value.side, caught.value.reason) == (side, reason)
    assert caught.value.registry == server.host
