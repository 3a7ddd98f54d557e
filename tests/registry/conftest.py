"""Two real registries for the whole run: sources, open to everybody, and backups, which want a password."""

import os
import secrets
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_backup.process import run
from gitops_backup.sandbox.cache import cache_folder
from gitops_backup.sandbox.packages import Packages
from gitops_backup.sandbox.programs import Programs
from gitops_backup.sandbox.registry import Registry
from tests.registry.faulty import FaultyServer
from tests.registry.parts import PASSWORD, USERNAME, Parts


@pytest.fixture(scope="session")
def upstream(
    programs: Programs, registry_program: Path, tmp_path_factory: pytest.TempPathFactory
) -> Registry:
    """The registry that sources are in: use repositories of your own in it."""
    folder = tmp_path_factory.mktemp("registries") / "upstream"
    return Registry(name="upstream", programs=programs, binary=registry_program, folder=folder)


@pytest.fixture(scope="session")
def backup(programs: Programs, registry_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """The registry that backups are pushed to, with a user name and a password."""
    folder = tmp_path_factory.mktemp("registries") / "backup"
    return Registry(
        name="backup",
        programs=programs,
        binary=registry_program,
        folder=folder,
        username=USERNAME,
        password=PASSWORD,
    )


@pytest.fixture
def source_server(upstream: Registry) -> Iterator[FaultyServer]:
    """The sources, behind a server that can be told to fail."""
    with FaultyServer(upstream.address) as server:
        yield server


@pytest.fixture
def backup_server(backup: Registry) -> Iterator[FaultyServer]:
    """The backups, behind a server that can be told to fail."""
    with FaultyServer(backup.address) as server:
        yield server


@pytest.fixture
def parts(source_server: FaultyServer, backup_server: FaultyServer, tmp_path: Path) -> Iterator[Parts]:
    """Clients, skopeo and a copier between the two servers."""
    with Parts.between(source_server.host, backup_server.host, folder=tmp_path) as made:
        yield made


@pytest.fixture
def repository() -> str:
    """The name of a repository that nobody else uses."""
    return f"test/{secrets.token_hex(4)}"


@pytest.fixture(scope="session")
def programs() -> Iterator[Programs]:
    """Starts programs that end with the test run."""
    with Programs() as running:
        yield running


@pytest.fixture(scope="session")
def registry_program() -> Path:
    """The registry's program; it is installed where that can be done without asking."""
    environ = dict(os.environ)
    cache = cache_folder(environ)
    return Packages(cache=cache, environ=environ, progress=print, may_install=os.geteuid() == 0).provide()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for the loopback address that is its own authority; its key lies beside it."""
    folder = tmp_path_factory.mktemp("tls")
    certificate = folder / "certificate.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-keyout",
        str(folder / "key.pem"),
    ]
    made = run(
        ["openssl", "req", "-x509", "-days", "2", *key, *subject, "-out", str(certificate)], timeout=60
    )
    assert made.returncode == 0, made.stderr
    return certificate


@pytest.fixture
def tls(authority: Path) -> ssl.SSLContext:
    """A server's side of TLS, with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, authority.with_name("key.pem"))
    return context
