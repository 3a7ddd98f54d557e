"""Proxies: which requests go through one, by our own client and by skopeo alike."""

import base64
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from gitops_backup.domain.images import Reference
from gitops_backup.domain.naming import Prefix
from gitops_backup.domain.reasons import Reason
from gitops_backup.errors import UsageError
from gitops_backup.proxies import Proxies, Proxy
from gitops_backup.registry.client import RegistryClient, Remote
from gitops_backup.registry.cooldown import Cooldowns
from gitops_backup.registry.copier import Copier
from gitops_backup.registry.failures import CopyFailed, Side
from gitops_backup.registry.locations import Endpoint, Location, Locations
from gitops_backup.registry.skopeo import Skopeo
from gitops_backup.sandbox.registry import Registry
from tests.registry.faulty import FaultyServer, answers
from tests.registry.parts import (
    BACKUPS,
    SOURCES,
    backup_image,
    client,
    copy,
    locations,
    login,
    source_image,
)
from tests.registry.proxy import ProxyServer

_SOURCE, _BACKUP = "src.test:5000", "bak.test"
_LOGIN = "somebody:pass%2Fword"


@pytest.mark.parametrize(
    ("listed", "url", "direct"),
    [
        ("", "https://a.example/", False),
        ("a.example", "https://a.example/", True),
        ("a.example", "https://b.a.example:5000/", True),
        ("a.example", "https://ba.example/", False),
        (" B.example , A.Example ", "https://a.example/", True),
        (".a.example", "https://a.example/", False),
        (".a.example", "https://b.a.example/", True),
        ("*.a.example", "https://a.example/", False),
        ("*.a.example", "https://b.a.example/", True),
        ("a.example:443", "https://a.example/", True),
        ("a.example:80", "http://a.example/", True),
        ("a.example:5000", "https://a.example/", False),
        ("a.example:5000", "https://a.example:5000/", True),
        ("10.0.0.0/8", "https://10.1.2.3/", True),
        ("10.0.0.0/8", "https://11.1.2.3/", False),
        ("10.0.0.0/8", "https://ten.example/", False),
        ("10.1.2.3", "https://10.1.2.3:5000/", True),
        ("10.1.2.3:5000", "https://10.1.2.3:5000/", True),
        ("10.1.2.3:5000", "https://10.1.2.3/", False),
        ("fd00::/8", "https://[fd00::1]:5000/", True),
        ("[fd00::1]:5000", "https://[fd00::1]:5000/", True),
        ("[fd00::1]", "https://[fd00::1]:5000/", True),
        ("fd00::2", "https://[fd00::1]/", False),
        ("*", "https://a.example/", True),
        (",,.,*.,:", "https://a.example/", False),
        ("", "https://localhost:5000/", True),
        ("", "https://127.1.2.3:5000/", True),
        ("", "https://[::1]/", True),
    ],
)
def test_no_proxy_says_who_is_reached_without_one(listed: str, url: str, direct: bool) -> None:
    """As programs in Go read it; this machine always is."""
    for name in ("NO_PROXY", "no_proxy"):
        every = {"HTTPS_PROXY": "proxy.example:3128", "HTTP_PROXY": "proxy.example:3128", name: listed}
        expected = None if direct else Proxy("http://proxy.example:3128")
        assert Proxies(every).of(url) == expected


@pytest.mark.parametrize(
    ("variables", "plain", "secure"),
    [
        ({}, None, None),
        ({"HTTP_PROXY": "", "HTTPS_PROXY": " "}, None, None),
        ({"HTTP_PROXY": "http://p"}, "http://p:80", None),
        ({"https_proxy": "https://p"}, None, "https://p:443"),
        ({"https_proxy": "lower", "HTTPS_PROXY": "upper:1"}, None, "http://upper:1"),
        ({"http_proxy": "http://[fd00::1]:3128/"}, "http://[fd00::1]:3128", None),
    ],
)
def test_each_scheme_has_a_proxy_of_its_own(
    variables: Mapping[str, str], plain: str | None, secure: str | None
) -> None:
    """With a default for what is not written."""
    found = [Proxies(variables).of(f"{scheme}://a.example/") for scheme in ("http", "https")]
    assert [proxy.url if proxy else None for proxy in found] == [plain, secure]


def test_the_password_of_a_proxy_is_not_printable() -> None:
    """It is decoded, and stands in the header alone."""
    proxy = Proxies({"HTTPS_PROXY": f"http://{_LOGIN}@p:1"}).of("https://a.example/")
    assert proxy is not None
    assert proxy.authorization == f"Basic {base64.b64encode(b'somebody:pass/word').decode()}"
    assert repr(proxy) == "Proxy(url='http://p:1')"


@pytest.mark.parametrize("value", ["socks5://me:secret@p:1", "http://me:secret@:1", "http://me:secret@p:x"])
def test_what_is_no_proxy_of_a_known_kind_is_refused(value: str) -> None:
    """By the variable's name, without what it says."""
    with pytest.raises(UsageError, match="HTTPS_PROXY") as caught:
        Proxies({"https_proxy": value})
    assert "secret" not in str(caught.value)


@contextmanager
def _copier(folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[RegistryClient, Copier]]:
    """The sources' client, and a copier, both of which go through the proxies of this environment."""
    where = locations({SOURCES: _SOURCE, BACKUPS: f"{_BACKUP}/kept"})
    cooldowns, proxies = Cooldowns(time.monotonic), Proxies(environment)
    with ExitStack() as stack:
        source, destination = (
            stack.enter_context(client(side, where, credentials=known, cooldowns=cooldowns, proxies=proxies))
            for side, known in ((Side.SOURCE, None), (Side.DESTINATION, login()))
        )
        skopeo = Skopeo(folder, environment=environment, timeout=60)
        yield source, Copier(source=source, destination=destination, skopeo=skopeo, cooldowns=cooldowns)


def test_a_whole_copy_goes_through_a_proxy_that_wants_a_password(
    upstream: Registry, backup: Registry, repository: str, tmp_path: Path
) -> None:
    """Every request of ours and of skopeo's: nobody but the proxy knows where the registries are."""
    digest = upstream.push_image(repository, "1", platforms=["linux/amd64", "linux/arm64"])
    names = {_SOURCE: upstream.address, f"{_BACKUP}:80": backup.address}
    with ProxyServer(names, login="somebody:pass/word") as proxy:
        with _copier(tmp_path, proxy.environment(_LOGIN)) as (source, copier):
            assert copier.resolve(source_image(repository)).digest == digest
            assert copy(copier, source_image(repository), backup_image(repository), digest).copied
            kinds = {(line.split()[0] == "CONNECT", _SOURCE in line) for line in proxy.asked}
            assert kinds == {(True, True), (True, False), (False, True), (False, False)}
            assert proxy.refused == 0
        with _copier(tmp_path, proxy.environment("somebody:wrong")) as (source, copier):
            with pytest.raises(CopyFailed) as caught:
                source.head(source_image(repository))
            assert caught.value.reason is Reason.SOURCE_UNAVAILABLE
            assert "wrong" not in str(caught.value)
        skopeo = Skopeo(tmp_path, environment=proxy.environment("somebody:wrong"), timeout=60)
        remotes = Remote(Endpoint(_SOURCE, "a/b"), None), Remote(Endpoint(_BACKUP, "x"), None)
        with pytest.raises(CopyFailed, match="Proxy Authentication Required") as caught:
            skopeo.copy(remotes[0], digest, remotes[1], "1")
        assert caught.value.reason is Reason.SOURCE_UNAVAILABLE
    assert backup.digest(f"kept/{repository}", "1") == digest


def test_a_proxy_that_is_away_is_named_with_what_was_asked_for(repository: str, tmp_path: Path) -> None:
    """The source is unavailable; no other way is tried."""
    with _copier(tmp_path, {"HTTPS_PROXY": "127.0.0.1:1", "HTTP_PROXY": "127.0.0.1:1"}) as (source, _):
        with pytest.raises(CopyFailed, match="proxy") as caught:
            source.head(source_image(repository))
        assert caught.value.reason is Reason.SOURCE_UNAVAILABLE


def test_tls_through_a_proxy_is_verified_with_the_registry(tls: ssl.SSLContext, authority: Path) -> None:
    """A certificate for another name is refused, also where the proxy would tunnel to it."""
    image = Reference.parse("reg.test/a/b:1")
    with FaultyServer(tls=tls) as server, ProxyServer({"reg.test:443": server.host}) as proxy:
        where = Locations([Location(Prefix.parse("reg.test"), "reg.test", ca=authority)])
        through = Proxies(proxy.environment())
        with (
            client(Side.SOURCE, where, proxies=through) as reader,
            pytest.raises(CopyFailed, match="certificate"),
        ):
            reader.head(image)
        assert [line.rpartition(" ")[0] for line in proxy.asked] == ["CONNECT reg.test:443"]
        assert server.requests == []
        where = Locations([Location(Prefix.parse("reg.test"), "reg.test", insecure=True)])
        with client(Side.SOURCE, where, proxies=through) as reader:
            assert reader.head(image) is None
        assert [seen.method for seen in server.requests] == ["HEAD"]


def test_a_redirect_is_followed_by_its_own_way(upstream: Registry, repository: str) -> None:
    """From a host behind the proxy to one that NO_PROXY lists, or that is on this machine."""
    with FaultyServer(upstream.address) as direct, FaultyServer() as behind:
        behind.on("HEAD", "", answers(307, b"", {"Location": f"http://{direct.host}/v2/x/manifests/1"}))
        with ProxyServer({_SOURCE: behind.host}) as proxy:
            where = locations({SOURCES: _SOURCE})
            with client(Side.SOURCE, where, proxies=Proxies(proxy.environment())) as reader:
                assert reader.head(source_image(repository)) is None
            assert len(direct.asked("HEAD", "/v2/x/manifests/1")) == 1
            assert not [line for line in proxy.asked if direct.host in line]
