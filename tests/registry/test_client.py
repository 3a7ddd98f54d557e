"""The registry client against a real registry, and against servers that fail on purpose."""

import base64
import json
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path

import pytest

from gitops_backup.domain.naming import Prefix
from gitops_backup.domain.reasons import Reason
from gitops_backup.proxies import Proxies
from gitops_backup.registry.client import RegistryClient, parse_retry_after
from gitops_backup.registry.cooldown import Cooldowns
from gitops_backup.registry.credentials import Credential, DestinationCredentials, RenewableCredentials
from gitops_backup.registry.failures import CopyFailed, Side
from gitops_backup.sandbox.registry import Registry
from tests.registry.faulty import (
    Action,
    Answer,
    Exchange,
    FaultyServer,
    answers,
    changes,
    delays,
    error,
    resets,
    with_header,
)
from tests.registry.parts import (
    BACKUPS,
    PASSWORD,
    SOURCES,
    USERNAME,
    Clock,
    Parts,
    backup_image,
    client,
    locations,
    login,
    source_image,
)
from tests.registry.proxy import ProxyServer

_ABSENT = "sha256:" + "0" * 64
_FAR = 30.0


@pytest.fixture
def reader(source_server: FaultyServer) -> Iterator[RegistryClient]:
    """A client for the sources that does not wait long."""
    with client(Side.SOURCE, locations({SOURCES: source_server.host}), timeout=0.5) as made:
        yield made


def _failure(reader: RegistryClient, repository: str) -> CopyFailed:
    with pytest.raises(CopyFailed) as caught:
        reader.head(source_image(repository))
    return caught.value


def test_a_head_says_what_a_tag_stands_for(parts: Parts, upstream: Registry, repository: str) -> None:
    """The digest of the index, its type and its size; by digest the same."""
    digest = upstream.push_image(repository, "1", platforms=["linux/amd64", "linux/arm64"])
    found = parts.source.head(source_image(repository))
    assert found is not None
    assert found.digest == digest
    assert found.media_type == "application/vnd.oci.image.index.v1+json"
    assert found == parts.source.head(source_image(repository).at(digest))


@pytest.mark.parametrize("docker", [False, True])
def test_a_manifest_is_read_whole(parts: Parts, upstream: Registry, repository: str, docker: bool) -> None:
    """In OCI's form and in Docker's, with the digest of its bytes."""
    digest = upstream.push_image(repository, "1", platforms=["linux/amd64", "linux/arm64"], docker=docker)
    manifest = parts.source.manifest(source_image(repository))
    assert manifest is not None
    assert manifest.digest == digest
    assert [child.platform for child in manifest.children] == ["linux/amd64", "linux/arm64"]


def test_what_is_not_there_is_none(parts: Parts, upstream: Registry, repository: str) -> None:
    """A repository, a tag, a digest, a configuration."""
    assert parts.source.head(source_image(repository)) is None
    upstream.push_image(repository, "1")
    assert parts.source.head(source_image(repository, "2")) is None
    assert parts.source.manifest(source_image(repository).at(_ABSENT)) is None
    assert parts.source.config(source_image(repository), _ABSENT) is None


def test_a_password_is_shown_when_it_is_asked_for_and_then_at_once(
    parts: Parts, backup: Registry, backup_server: FaultyServer, repository: str
) -> None:
    """One refusal for a host, not one for each request."""
    digest = backup.push_image(f"kept/{repository}", "1")
    for _ in range(3):
        found = parts.destination.head(backup_image(repository))
        assert found is not None
        assert found.digest == digest
    sent = [
        "authorization" in seen.headers for seen in backup_server.requests if seen.path.startswith("/v2/")
    ]
    assert sent == [False, True, True, True]


def test_a_connection_is_kept(parts: Parts, source_server: FaultyServer, repository: str) -> None:
    """Twenty requests in a row use one connection; found, not found, and with a body."""
    for _ in range(10):
        parts.source.head(source_image(repository))
        parts.source.manifest(source_image(repository))
    assert len({seen.port for seen in source_server.asked("HEAD|GET")}) == 1


@pytest.mark.parametrize(
    ("status", "code", "on_source", "on_backup"),
    [
        (401, "UNAUTHORIZED", Reason.SOURCE_AUTH_FAILED, Reason.DESTINATION_AUTH_FAILED),
        (403, "DENIED", Reason.SOURCE_AUTH_FAILED, Reason.DESTINATION_AUTH_FAILED),
        (429, "TOOMANYREQUESTS", Reason.RATE_LIMITED, Reason.RATE_LIMITED),
        (500, "UNKNOWN", Reason.SOURCE_UNAVAILABLE, Reason.DESTINATION_UNAVAILABLE),
        (503, "UNAVAILABLE", Reason.SOURCE_UNAVAILABLE, Reason.DESTINATION_UNAVAILABLE),
        (400, "TOOMANYREQUESTS", Reason.RATE_LIMITED, Reason.RATE_LIMITED),
        (413, "X", Reason.SOURCE_UNAVAILABLE, Reason.QUOTA_EXCEEDED),
        (507, "X", Reason.SOURCE_UNAVAILABLE, Reason.QUOTA_EXCEEDED),
        (418, "X", Reason.SOURCE_UNAVAILABLE, Reason.DESTINATION_UNAVAILABLE),
    ],
)
def test_each_refusal_has_a_reason_by_its_side(
    parts: Parts,
    source_server: FaultyServer,
    backup_server: FaultyServer,
    repository: str,
    status: int,
    code: str,
    on_source: Reason,
    on_backup: Reason,
) -> None:
    """The same answer means other things to do on the two sides."""
    for server in (source_server, backup_server):
        server.on("GET", "/manifests/", error(status, code))
    with pytest.raises(CopyFailed) as of_source:
        parts.source.manifest(source_image(repository))
    with pytest.raises(CopyFailed) as of_backup:
        parts.destination.manifest(backup_image(repository))
    assert (of_source.value.reason, of_source.value.side) == (on_source, Side.SOURCE)
    assert (of_backup.value.reason, of_backup.value.side) == (on_backup, Side.DESTINATION)
    assert of_source.value.registry == source_server.host
    assert source_server.host in of_source.value.message
    assert code.lower() in of_source.value.message.replace(" ", "") or status in (400, 429)


def test_nothing_is_tried_again(reader: RegistryClient, source_server: FaultyServer, repository: str) -> None:
    """One request, one failure: who asks decides what comes next."""
    source_server.on("HEAD", "", error(503, "UNAVAILABLE"))
    _failure(reader, repository)
    assert len(source_server.asked("HEAD")) == 1


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (resets, "Connection"),
        (delays(2.0), "no answer within 0.5 s"),
        (lambda exchange: exchange.drip(Answer(200, b"x" * 50, {}), seconds=0.2), "did not end within 0.5 s"),
        (lambda exchange: exchange.drip(Answer(200, b"xxxxx", {}), seconds=1.0), "did not end within 0.5 s"),
        (lambda exchange: exchange.send(Answer(200, b"{}", {}, length=9)), "broke off"),
        (answers(200, b"x" * (4 * 1024 * 1024 + 1)), "larger than 4 MiB"),
        (answers(200, b"hello"), "form that is not known"),
        (answers(302, b"", {"Location": "/v2/again"}), "more than 5 redirects"),
        (answers(302, b"", {"Location": "ftp://h.example/x"}), "not an https:// address"),
        (answers(302, b"", {"Location": "http://[broken"}), "which is no address"),
    ],
)
def test_an_answer_that_does_not_come_whole_and_soon_is_as_good_as_none(
    reader: RegistryClient, source_server: FaultyServer, repository: str, action: Action, words: str
) -> None:
    """A reset, a stall, a drip, a body cut short, one without end, a circle of redirects."""
    source_server.on("GET", "", action)
    with pytest.raises(CopyFailed, match=words) as caught:
        reader.manifest(source_image(repository))
    assert caught.value.reason is Reason.SOURCE_UNAVAILABLE


def test_a_registry_that_is_away_is_unavailable(repository: str) -> None:
    """The message names the host and the image, in one line without objects of a library."""
    with client(Side.SOURCE, locations({SOURCES: "127.0.0.1:1"})) as reader:
        failure = _failure(reader, repository)
    assert failure.reason is Reason.SOURCE_UNAVAILABLE
    assert failure.message.startswith(
        f"the source registry 127.0.0.1:1 cannot be asked for docker.io/{repository}:1"
    )
    assert "refused" in failure.message
    assert "object at" not in failure.message


def test_a_pool_recovers_after_every_kind_of_break(
    reader: RegistryClient, source_server: FaultyServer, upstream: Registry, repository: str
) -> None:
    """A connection that was given up is not used again."""
    digest = upstream.push_image(repository, "1")
    for action in (resets, answers(200, b"x" * 5_000_000), delays(1.0)):
        source_server.on("GET", "", action, times=1)
        with pytest.raises(CopyFailed):
            reader.manifest(source_image(repository))
        found = reader.manifest(source_image(repository))
        assert found is not None
        assert found.digest == digest


@pytest.mark.parametrize(
    "action",
    [
        with_header("Docker-Content-Digest", _ABSENT),
        changes(lambda answer: replace(answer, body=answer.body + b" ", length=None)),
    ],
)
def test_bytes_that_are_not_what_was_promised_are_a_mismatch(
    reader: RegistryClient, source_server: FaultyServer, upstream: Registry, repository: str, action: Action
) -> None:
    """Whether it is the header that is wrong, or the body."""
    upstream.push_image(repository, "1")
    source_server.on("GET", "/manifests/", action)
    with pytest.raises(CopyFailed) as caught:
        reader.manifest(source_image(repository))
    assert caught.value.reason is Reason.DIGEST_MISMATCH


def test_another_manifest_than_the_digest_asked_for_is_a_mismatch(
    reader: RegistryClient, source_server: FaultyServer, upstream: Registry, repository: str
) -> None:
    """Even where header and body agree with each other."""
    upstream.push_image(repository, "1")
    asked = upstream.push_image(repository, "2")
    other = upstream.manifest(repository, "1")
    assert other is not None
    source_server.on("GET", "/manifests/", answers(200, other))
    source_server.on("HEAD", "/manifests/", answers(200, b"", {"Docker-Content-Digest": _ABSENT}))
    for ask in (reader.head, reader.manifest):
        with pytest.raises(CopyFailed) as caught:
            ask(source_image(repository).at(asked))
        assert caught.value.reason is Reason.DIGEST_MISMATCH


def test_a_configuration_that_is_not_its_digest_is_a_mismatch(
    reader: RegistryClient, source_server: FaultyServer, repository: str
) -> None:
    """It is content like everything else."""
    source_server.on("GET", "/blobs/", answers(200, b"{}"))
    with pytest.raises(CopyFailed) as caught:
        reader.config(source_image(repository), _ABSENT)
    assert caught.value.reason is Reason.DIGEST_MISMATCH


@pytest.mark.parametrize(
    "action",
    [
        with_header("Docker-Content-Digest", None),
        with_header("Docker-Content-Digest", "nonsense"),
        answers(405),
    ],
)
def test_where_a_head_has_no_digest_the_manifest_is_read(
    reader: RegistryClient, source_server: FaultyServer, upstream: Registry, repository: str, action: Action
) -> None:
    """Some registries leave the header out, some know no HEAD."""
    digest = upstream.push_image(repository, "1")
    source_server.on("HEAD", "/manifests/", action)
    source_server.on("GET", "/manifests/", with_header("Docker-Content-Digest", None))
    found = reader.head(source_image(repository))
    assert found is not None
    assert found.digest == digest
    assert [seen.method for seen in source_server.asked(path="/manifests/")] == ["HEAD", "GET"]
    source_server.on("HEAD", "/manifests/", answers(405))
    assert reader.head(source_image(repository, "absent")) is None


@pytest.mark.parametrize("dated", [False, True])
def test_a_429_lets_everybody_wait_until_the_time_that_was_named(
    source_server: FaultyServer, upstream: Registry, repository: str, dated: bool
) -> None:
    """In seconds or as a date; nothing more is sent until then, by any thread."""
    upstream.push_image(repository, "1")
    wall_clock, clock = Clock(1_700_000_000), Clock()
    until = formatdate(wall_clock.now + _FAR, usegmt=True) if dated else f"{_FAR:.0f}"
    source_server.on("HEAD", "", error(429, "TOOMANYREQUESTS", {"Retry-After": until}), times=1)
    where = locations({SOURCES: source_server.host})
    with client(Side.SOURCE, where, cooldowns=Cooldowns(clock), wall_clock=wall_clock) as reader:
        assert _failure(reader, repository).retry_after == _FAR
        with ThreadPoolExecutor(4) as pool:
            failures = list(pool.map(lambda _: _failure(reader, repository), range(8)))
        assert {failure.reason for failure in failures} == {Reason.RATE_LIMITED}
        assert len(source_server.asked("HEAD")) == 1
        clock.now += _FAR
        assert reader.head(source_image(repository)) is not None


def test_a_503_may_name_a_time_too(
    reader: RegistryClient, source_server: FaultyServer, repository: str
) -> None:
    """It is handed on, but holds nobody else up."""
    source_server.on("HEAD", "", error(503, "X", {"Retry-After": "17"}), times=1)
    failure = _failure(reader, repository)
    assert (failure.reason, failure.retry_after) == (Reason.SOURCE_UNAVAILABLE, 17)
    assert reader.head(source_image(repository)) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 5 ", 5),
        ("Thu, 01 Jan 1970 00:16:50 GMT", 10),
        ("Thursday, 01-Jan-70 00:16:50 GMT", 10),
        ("Thu, 01 Jan 1970 00:00:10 GMT", 0),
        ("", None),
        ("-3", None),
        ("1.5", None),
        ("soon", None),
        ("²", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str, seconds: float | None) -> None:
    """A date that has passed means now; anything else means nothing."""
    assert parse_retry_after(header, now=1000.0) == seconds


def test_a_registry_that_counts_pulls_is_remembered(
    parts: Parts, source_server: FaultyServer, upstream: Registry, repository: str
) -> None:
    """As Docker Hub says it: a number, and the window that it is for."""
    upstream.push_image(repository, "1")
    image = source_image(repository)
    parts.source.head(image)
    assert not parts.source.metered(image)
    source_server.on("HEAD", "", with_header("RateLimit-Remaining", "76;w=21600"))
    parts.source.head(image)
    assert parts.source.metered(image)


@pytest.mark.parametrize("left", ["1;w=21600", "-1", "many", "", "0" * 5000])
def test_pulls_that_may_be_left_cost_no_request(
    parts: Parts, source_server: FaultyServer, upstream: Registry, repository: str, left: str
) -> None:
    """What is no number says nothing."""
    digest = upstream.push_image(repository, "1")
    source_server.on("HEAD", "", with_header("RateLimit-Remaining", left))
    parts.source.head(source_image(repository))
    parts.source.check_pulls(source_image(repository), digest)
    assert len(source_server.asked("HEAD")) == 1


def test_pulls_that_are_used_up_are_asked_about_before_each(
    parts: Parts, source_server: FaultyServer, upstream: Registry, repository: str
) -> None:
    """Until there are some again, or it is not said any more."""
    digest = upstream.push_image(repository, "1")
    image = source_image(repository)
    source_server.on("HEAD", "", with_header("RateLimit-Remaining", "0;w=21600"))
    parts.source.head(image)
    for _ in range(2):
        with pytest.raises(CopyFailed, match="grants no pulls") as caught:
            parts.source.check_pulls(image, digest)
        assert (caught.value.reason, caught.value.retry_after) == (Reason.RATE_LIMITED, None)
    source_server.on("HEAD", "", with_header("RateLimit-Remaining", "1;w=21600"))
    parts.source.check_pulls(image, digest)
    assert len(source_server.asked("HEAD")) == 4
    parts.source.check_pulls(image, digest)
    assert len(source_server.asked("HEAD")) == 4


class TokenServer:
    """Hands out tokens that the registry in front of it wants, and remembers what it was asked for."""

    def __init__(self, registry: FaultyServer, server: FaultyServer, *, life: int = 300) -> None:
        self.server = server
        self.answer: dict[str, object] = {"expires_in": life}
        self.valid: set[str] = set()
        server.on("GET|POST", "^/token", self._give)
        registry.on(".*", "^/v2/", self._guard(registry))

    def _give(self, exchange: Exchange) -> None:
        token = f"token-{len(self.valid)}"
        self.valid.add(token)
        exchange.send(Answer(200, json.dumps({"token": token, **self.answer}).encode(), {}))

    def _guard(self, registry: FaultyServer) -> Action:
        realm = f"http://{self.server.host}/token?from=here"
        challenge = f'Bearer realm="{realm}",service="registry.example",scope="repository:x:pull"'

        def guard(exchange: Exchange) -> None:
            token = exchange.seen.headers.get("authorization", "").removeprefix("Bearer ")
            if token in self.valid:
                exchange.send(exchange.forward())
            else:
                exchange.send(Answer(401, b"", {"WWW-Authenticate": challenge}))

        return guard


@pytest.fixture
def tokens(source_server: FaultyServer) -> Iterator[TokenServer]:
    """The sources want tokens."""
    with FaultyServer() as server:
        yield TokenServer(source_server, server)


def test_a_token_is_fetched_once_for_a_repository(
    parts: Parts, tokens: TokenServer, source_server: FaultyServer, upstream: Registry, repository: str
) -> None:
    """The first request is refused once; another repository has its token fetched before it is asked for."""
    for name in (repository, f"{repository}/other"):
        digest = upstream.push_image(name, "1")
        for _ in range(3):
            found = parts.source.head(source_image(name))
            assert found is not None
            assert found.digest == digest
    asked = [seen.path for seen in tokens.server.requests]
    assert asked == [
        f"/token?from=here&scope=repository%3A{name}%3Apull&service=registry.example"
        for name in (repository.replace("/", "%2F"), f"{repository}/other".replace("/", "%2F"))
    ]
    assert len(source_server.asked("HEAD")) == 7
    assert all("authorization" not in seen.headers for seen in tokens.server.requests)


def test_a_token_is_replaced_when_it_expires(
    source_server: FaultyServer, tokens: TokenServer, repository: str
) -> None:
    """By our clock before the registry finds out, and by its word when it finds out earlier."""
    clock = Clock()
    with client(Side.SOURCE, locations({SOURCES: source_server.host}), clock=clock) as reader:
        reader.head(source_image(repository))
        clock.now += 290
        reader.head(source_image(repository))
        assert len(tokens.server.requests) == 1
        clock.now += 10
        reader.head(source_image(repository))
        assert len(tokens.server.requests) == 2
        tokens.valid.clear()
        tokens.answer["access_token"] = tokens.answer.pop("token", "unused")
        reader.head(source_image(repository))
        assert len(tokens.server.requests) == 3


def test_the_backup_side_asks_for_the_right_to_push_with_its_credentials(
    backup_server: FaultyServer, repository: str
) -> None:
    """A token server may hide a repository that is yet to be made from those who only want to pull."""
    with FaultyServer() as server:
        TokenServer(backup_server, server)
        where = locations({BACKUPS: backup_server.host})
        # the registry behind it has another kind of password
        with client(Side.DESTINATION, where, credentials=login()) as writer, pytest.raises(CopyFailed):
            writer.head(backup_image(repository))
        expected = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        assert server.requests[0].headers["authorization"] == f"Basic {expected}"
        assert "%3Apull%2Cpush" in server.requests[0].path


def test_other_credentials_get_a_token_of_their_own(
    source_server: FaultyServer, tokens: TokenServer, repository: str
) -> None:
    """A new password of the same user may be there because the old one may no longer read this."""
    passwords = iter(["old", "old", "new", "new", "new"])
    known = RenewableCredentials(
        lambda: DestinationCredentials(Prefix.parse(SOURCES), Credential("me", next(passwords)))
    )
    with client(Side.SOURCE, locations({SOURCES: source_server.host}), credentials=known) as reader:
        for fetched in (1, 1, 2, 2):
            reader.head(source_image(repository))
            assert len(tokens.server.requests) == fetched
            known.renew()
    shown = [base64.b64decode(seen.headers["authorization"][6:]) for seen in tokens.server.requests]
    assert shown == [b"me:old", b"me:new"]


def test_an_identity_token_is_sent_as_a_form(
    source_server: FaultyServer, tokens: TokenServer, repository: str
) -> None:
    """As OAuth2's refresh token; it is part of no address."""
    known = DestinationCredentials(Prefix.parse(SOURCES), Credential("me", "", "refresh+me"))
    with client(Side.SOURCE, locations({SOURCES: source_server.host}), credentials=known) as reader:
        assert reader.head(source_image(repository)) is None
    (asked,) = tokens.server.requests
    assert (asked.method, asked.path) == ("POST", "/token?from=here")
    assert b"grant_type=refresh_token&refresh_token=refresh%2Bme" in asked.body


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (error(401, "UNAUTHORIZED"), Reason.SOURCE_AUTH_FAILED),
        (error(403, "DENIED"), Reason.SOURCE_AUTH_FAILED),
        (error(429, "TOOMANYREQUESTS"), Reason.RATE_LIMITED),
        (error(503, "X"), Reason.SOURCE_UNAVAILABLE),
        (answers(302, b"", {"Location": "/elsewhere"}), Reason.SOURCE_UNAVAILABLE),
        (resets, Reason.SOURCE_UNAVAILABLE),
        (answers(200, b"{}"), Reason.SOURCE_UNAVAILABLE),
        (answers(200, b"[]"), Reason.SOURCE_UNAVAILABLE),
        (answers(200, b"oops"), Reason.SOURCE_UNAVAILABLE),
        (answers(200, b'{"token": 3}'), Reason.SOURCE_UNAVAILABLE),
        (answers(200, b'{"token": "a\\r\\nb"}'), Reason.SOURCE_UNAVAILABLE),
        (answers(200, b'{"token": "a", "expires_in": "soon"}'), Reason.SOURCE_UNAVAILABLE),
    ],
)
def test_a_token_server_that_gives_no_token_is_a_failure_of_the_registry(
    reader: RegistryClient, tokens: TokenServer, repository: str, action: Action, reason: Reason
) -> None:
    """With the reason that its answer has."""
    tokens.server.on(".*", "", action)
    failure = _failure(reader, repository)
    assert failure.reason is reason
    assert failure.registry != tokens.server.host


def test_a_token_that_does_not_help_ends_in_a_refusal(
    reader: RegistryClient, tokens: TokenServer, source_server: FaultyServer, repository: str
) -> None:
    """It is not asked for again and again."""
    tokens.server.on(".*", "", answers(200, b'{"token": "useless"}'))
    assert _failure(reader, repository).reason is Reason.SOURCE_AUTH_FAILED
    assert len(source_server.asked("HEAD")) == 2


@pytest.mark.parametrize(
    "header", [None, 'Basic realm="x"', "Digest x", 'Bearer service="x"', "Bearer", "garbage \x7f"]
)
def test_a_challenge_that_cannot_be_answered_is_a_refusal(
    reader: RegistryClient, source_server: FaultyServer, repository: str, header: str | None
) -> None:
    """Without credentials there is nothing to answer Basic with."""
    source_server.on("HEAD", "", answers(401, b"", {"WWW-Authenticate": header} if header else {}))
    assert _failure(reader, repository).reason is Reason.SOURCE_AUTH_FAILED
    assert len(source_server.asked("HEAD")) == 1


@pytest.mark.parametrize("filler", ["a", " ", "a=", ",", 'a="', "Basic ", "Bearer a"])
def test_a_challenge_that_is_made_to_be_read_slowly_is_not(
    reader: RegistryClient, source_server: FaultyServer, repository: str, filler: str
) -> None:
    """A hostile registry may fill its header to the last byte; a worker is not held by it."""
    header = f"Bearer {filler * (60_000 // len(filler))}"
    source_server.on("HEAD", "", answers(401, b"", {"WWW-Authenticate": header}))
    assert _failure(reader, repository).reason is Reason.SOURCE_AUTH_FAILED


def test_a_complaint_of_megabytes_becomes_a_line(
    reader: RegistryClient, source_server: FaultyServer, repository: str
) -> None:
    """Of a few hundred characters, whatever it repeats."""
    source_server.on("GET", "", error(500, "http://" * 500_000))
    with pytest.raises(CopyFailed) as caught:
        reader.manifest(source_image(repository))
    assert len(caught.value.message) < 500


def test_of_two_challenges_the_token_is_chosen(
    parts: Parts, tokens: TokenServer, source_server: FaultyServer, repository: str
) -> None:
    """In one header, Basic first."""
    challenge = f'Basic realm="x, y", Bearer realm="http://{tokens.server.host}/token",service="s"'
    source_server.on("HEAD", "", answers(401, b"", {"WWW-Authenticate": challenge}), times=1)
    assert parts.source.head(source_image(repository)) is None
    assert len(tokens.server.requests) == 1


@pytest.mark.parametrize("challenge", ["Basic", "basic", "Negotiate, Basic", "Basic, Digest x"])
def test_a_challenge_without_a_realm_is_answered_all_the_same(
    backup_server: FaultyServer, repository: str, challenge: str
) -> None:
    """A user name and a password are sent to who asked for them, whatever he calls himself."""
    wants = answers(401, b"", {"WWW-Authenticate": challenge})
    backup_server.on("HEAD", "", wants, times=1)
    with client(Side.DESTINATION, locations({BACKUPS: backup_server.host}), credentials=login()) as writer:
        assert writer.head(backup_image(repository)) is None


def test_wrong_passwords_are_refused_without_showing_them(backup: Registry, repository: str) -> None:
    """By a real registry."""
    where = locations({BACKUPS: backup.address})
    wrong = login(password="wrong-word")
    with client(Side.DESTINATION, where, credentials=wrong) as writer, pytest.raises(CopyFailed) as caught:
        writer.head(backup_image(repository))
    assert caught.value.reason is Reason.DESTINATION_AUTH_FAILED
    assert "wrong-word" not in str(caught.value)


def test_credentials_are_not_shown_to_whom_another_host_names(
    source_server: FaultyServer, repository: str
) -> None:
    """A redirect leads away, and there somebody asks for a password, or for a token of his own server."""
    known = DestinationCredentials(Prefix.parse(SOURCES), Credential("me", "the-password"))
    for challenge in ('Bearer realm="http://{}/token"', 'Basic realm="{}"'):
        with FaultyServer() as thief:
            asks = answers(401, b"", {"WWW-Authenticate": challenge.format(thief.host)})
            thief.on(".*", "", asks)
            source_server.on("HEAD", "", answers(307, b"", {"Location": f"http://{thief.host}/there"}))
            where = locations({SOURCES: source_server.host})
            with client(Side.SOURCE, where, credentials=known) as reader:
                assert _failure(reader, repository).reason is Reason.SOURCE_AUTH_FAILED
            assert [seen.path for seen in thief.requests] == ["/there"]
            assert not [seen for seen in thief.requests if "authorization" in seen.headers]
            assert not [seen for seen in source_server.requests if "authorization" in seen.headers]


def test_a_redirect_that_spells_the_port_out_leads_to_no_other_host(repository: str) -> None:
    """The credentials go along."""
    with FaultyServer() as server, ProxyServer({"reg.test:80": server.host}) as proxy:
        there = answers(307, b"", {"Location": "http://REG.test:80/there"})
        server.on("HEAD", "/manifests/1$", there)
        server.on("HEAD", "/manifests/1$", answers(401, b"", {"WWW-Authenticate": "Basic realm=x"}), times=1)
        where, through = locations({BACKUPS: "reg.test"}), Proxies(proxy.environment())
        with client(Side.DESTINATION, where, credentials=login(), proxies=through) as writer:
            writer.head(backup_image(repository))
        (seen,) = server.asked("HEAD", "/there")
        assert "authorization" in seen.headers


def test_credentials_do_not_follow_a_redirect_to_another_host(
    parts: Parts, backup_server: FaultyServer, repository: str
) -> None:
    """They stay where a redirect stays."""
    with FaultyServer() as elsewhere:
        elsewhere.on("HEAD", "", answers(200, b"", {"Docker-Content-Digest": _ABSENT}))
        backup_server.on(
            "HEAD", "/manifests/1$", answers(401, b"", {"WWW-Authenticate": "Basic realm=x"}), times=1
        )
        away = answers(307, b"", {"Location": f"http://{elsewhere.host}/there"})
        backup_server.on("HEAD", "/near$", away)
        near = answers(307, b"", {"Location": "/v2/near"})

        def only_with_password(exchange: Exchange) -> None:
            challenge = answers(401, b"", {"WWW-Authenticate": "Basic realm=x"})
            (near if "authorization" in exchange.seen.headers else challenge)(exchange)

        backup_server.on("HEAD", "/manifests/1$", only_with_password)
        found = parts.destination.head(backup_image(repository))
        assert found is not None
        assert found.digest == _ABSENT
        assert "authorization" in backup_server.asked(path="/near$")[0].headers
        assert [("authorization" in seen.headers) for seen in elsewhere.requests] == [False]


def test_an_authority_of_ones_own_is_trusted_where_it_is_named(
    upstream: Registry, repository: str, tls: ssl.SSLContext, authority: Path
) -> None:
    """And only there: without it the registry is unavailable; `insecure` does without."""
    digest = upstream.push_image(repository, "1")
    with FaultyServer(upstream.address, tls=tls) as server:
        places = {SOURCES: server.host}
        for where in (locations(places, insecure=False, ca=authority), locations(places, insecure=True)):
            with client(Side.SOURCE, where) as reader:
                found = reader.head(source_image(repository))
                assert found is not None
                assert found.digest == digest
        with client(Side.SOURCE, locations(places, insecure=False)) as reader:
            failure = _failure(reader, repository)
    assert failure.reason is Reason.SOURCE_UNAVAILABLE
    assert "certificate" in failure.message.lower()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_authorities_that_cannot_be_read_are_named(
    repository: str, tmp_path: Path, content: str | None
) -> None:
    """The registry cannot be asked then; nothing is trusted in their place."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    where = locations({SOURCES: "127.0.0.1:1"}, insecure=False, ca=path)
    with client(Side.SOURCE, where) as reader:
        assert str(path) in _failure(reader, repository).message


def test_a_registry_is_not_spoken_to_in_the_clear_unless_it_is_declared_insecure(
    source_server: FaultyServer, repository: str
) -> None:
    """Not by itself, nor by a token server or a redirect that it names."""
    where = locations({SOURCES: source_server.host}, insecure=False)
    with client(Side.SOURCE, where) as reader:
        assert _failure(reader, repository).reason is Reason.SOURCE_UNAVAILABLE
    assert source_server.requests == []
