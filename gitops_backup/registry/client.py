"""Asking a registry what it has: HEAD and GET of manifests, by the OCI distribution specification (1.1).

- Nothing is repeated here. A failure says by its reason what it is and, where the registry named a time,
  when to come back; who asks decides. A 429 lets the account cool down before anything else is sent.
- A digest of an answer's body is computed here; what the registry says in Docker-Content-Digest has to
  agree with it.
- At registries that count pulls a HEAD is free, a GET of what is there is not. They say how many they still
  grant; where that is none, skopeo is not even started, as it would ask again and again.
"""

import email.utils
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin

from gitops_backup.domain.images import DIGEST, Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.proxies import Proxies
from gitops_backup.registry.challenges import Answers, TokenRefused
from gitops_backup.registry.cooldown import Account, Cooldowns
from gitops_backup.registry.credentials import Credential, Credentials
from gitops_backup.registry.failures import CopyFailed, Side, printable
from gitops_backup.registry.locations import Endpoint, Locations
from gitops_backup.registry.manifests import MEDIA_TYPES, InvalidManifest, Manifest, digest_of, parse
from gitops_backup.registry.transport import LARGEST_ANSWER, Reply, Transport, Unreachable

_ACCEPT = ", ".join(MEDIA_TYPES)
_NUMBER = re.compile(r"[0-9]{1,18}")
_NEXT_PAGE = re.compile(r"<([^>]+)>\s*;\s*rel=\"?next\"?")
_MOST_PAGES = 20
_NO_HEAD = frozenset({405, 501})


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What a name stands for: a digest, a media type, and the manifest's size in bytes where it was said."""

    digest: str
    media_type: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository as it is really asked for: where it is, and as whom."""

    endpoint: Endpoint
    credential: Credential | None

    @property
    def account(self) -> Account:
        """What the registry counts requests by."""
        return Account(self.endpoint.host, self.credential.username if self.credential else None)


class RegistryClient:
    """The registries of one side of the copy; safe for many threads.

    `proxies` say by which way they are reached, by default none. `timeout` is in seconds; `wall_clock`
    (seconds since the epoch) serves Retry-After, `clock` (monotonic) the lifetime of tokens.
    """

    def __init__(
        self,
        side: Side,
        *,
        locations: Locations,
        credentials: Credentials,
        cooldowns: Cooldowns,
        proxies: Proxies | None = None,
        timeout: float = 10.0,
        user_agent: str = "gitops-backup",
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.side = side
        self._locations = locations
        self._credentials = credentials
        self._cooldowns = cooldowns
        self._wall_clock = wall_clock
        self._transport = Transport(
            timeout=timeout, user_agent=user_agent, proxies=proxies or Proxies({}), clock=clock
        )
        actions = "pull" if side is Side.SOURCE else "pull,push"
        self._answers = Answers(self._transport, actions=actions, clock=clock)
        self._remaining: dict[Account, int | None] = {}

    def remote(self, image: Reference) -> Remote:
        """Where the image's repository really is, and as whom it is asked for."""
        return Remote(self._locations.resolve(image), self._credentials.lookup(image))

    def head(self, image: Reference) -> Descriptor | None:
        """What the tag or digest stands for now; None when the registry has no such thing.

        One request, or two where the registry answers a HEAD without a digest. Raises `CopyFailed`.
        """
        remote = self.remote(image)
        reply = self._ask("HEAD", image, remote, _manifest_path(image, remote))
        if reply is None:
            return None
        digest = reply.headers.get("Docker-Content-Digest", "")
        if reply.status in _NO_HEAD or not DIGEST.fullmatch(digest):
            manifest = self.manifest(image)
            if manifest is None:
                return None
            return Descriptor(manifest.digest, manifest.media_type, manifest.size)
        if image.digest is not None and digest != image.digest:
            raise self._mismatch(image, remote, digest)
        size = reply.headers.get("Content-Length", "")
        return Descriptor(
            digest=digest,
            media_type=reply.headers.get("Content-Type", ""),
            size=int(size) if _NUMBER.fullmatch(size) else None,
        )

    def manifest(self, image: Reference) -> Manifest | None:
        """The manifest behind the tag or digest; None when the registry has no such thing.

        One request, which registries that count pulls count. Raises `CopyFailed`, with the reason
        DigestMismatch where the bytes are not those of the digest that was asked for or is claimed.
        """
        remote = self.remote(image)
        reply = self._ask("GET", image, remote, _manifest_path(image, remote))
        if reply is None:
            return None
        claimed = reply.headers.get("Docker-Content-Digest", "")
        expected = [digest for digest in (image.digest, claimed) if digest and DIGEST.fullmatch(digest)]
        digest = digest_of(reply.body, like=expected[0] if expected else "sha256")
        if any(digest_of(reply.body, like=other) != other for other in expected):
            raise self._mismatch(image, remote, digest)
        try:
            return parse(reply.body, digest=digest, content_type=reply.headers.get("Content-Type", ""))
        except InvalidManifest as error:
            raise self._failed(
                self.side.unavailable, f"serves {image} in a form that is not known: {error.message}", remote
            ) from error

    def config(self, image: Reference, digest: str) -> bytes | None:
        """The configuration of an image of this repository, by its digest; None when it is not there.

        One request, which is no pull. Raises `CopyFailed`.
        """
        return self.blob(image, digest)

    def blob(self, image: Reference, digest: str, *, largest: int = LARGEST_ANSWER) -> bytes | None:
        """What this repository has under a digest, of at most `largest` bytes; None when it is not there.

        One request, which is no pull. Raises `CopyFailed`.
        """
        remote = self.remote(image)
        path = f"/v2/{remote.endpoint.repository}/blobs/{digest}"
        reply = self._ask("GET", image, remote, path, largest=largest)
        if reply is not None and digest_of(reply.body, like=digest) != digest:
            raise self._mismatch(image.at(digest), remote, digest_of(reply.body, like=digest))
        return None if reply is None else reply.body

    def tags(self, image: Reference) -> list[str]:
        """The tags of the image's repository, as far as they come in a few pages; none where it is not there.

        Raises `CopyFailed`.
        """
        remote = self.remote(image)
        path = f"/v2/{remote.endpoint.repository}/tags/list"
        found: list[str] = []
        for _ in range(_MOST_PAGES):
            reply = self._ask("GET", image, remote, path)
            if reply is None:
                break
            try:
                found += [str(tag) for tag in json.loads(reply.body)["tags"] or ()]
            except (ValueError, RecursionError, KeyError, TypeError) as error:
                what = f"lists the tags of {image} in a form that is not known"
                raise self._failed(self.side.unavailable, what, remote) from error
            following = _NEXT_PAGE.search(reply.headers.get("Link", ""))
            if following is None:
                break
            path = urljoin(path, following[1])
            if not path.startswith("/v2/"):
                break
        return found

    def metered(self, image: Reference) -> bool:
        """Whether the registry was seen to count pulls, for the account that this image is asked for with."""
        return self.remote(image).account in self._remaining

    def check_pulls(self, image: Reference, digest: str) -> None:
        """Raise `CopyFailed` with the reason RateLimited where the registry grants no pulls for the moment.

        No request but where it granted none when it was last asked; then a HEAD of this digest, which is no
        pull itself, to see whether that is still so.
        """
        remote = self.remote(image)
        if self._remaining.get(remote.account) == 0:
            self._remaining[remote.account] = None
            self.head(image.at(digest))
        if self._remaining.get(remote.account) == 0:
            raise self._failed(
                Reason.RATE_LIMITED, f"grants no pulls for the moment, of {image} either", remote
            )

    def close(self) -> None:
        """Close the kept connections."""
        self._transport.close()

    def _ask(
        self, method: str, image: Reference, remote: Remote, path: str, *, largest: int = LARGEST_ANSWER
    ) -> Reply | None:
        self._cooldowns.check(remote.account, self.side)
        try:
            reply = self._authenticated(method, remote, path, largest)
        except Unreachable as error:
            raise self._failed(
                self.side.unavailable, f"cannot be asked for {image}: {error.message}", remote
            ) from error
        except TokenRefused as error:
            raise self._refusal(error.reply, f"{image} ({error.message})", remote) from error
        if (said := reply.headers.get("RateLimit-Remaining")) is not None:
            remaining = said.partition(";")[0].strip()
            self._remaining[remote.account] = int(remaining) if _NUMBER.fullmatch(remaining) else None
        if reply.status == 404:
            return None
        if reply.status == 200 or (method == "HEAD" and reply.status in _NO_HEAD):
            return reply
        raise self._refusal(reply, str(image), remote)

    def _authenticated(self, method: str, remote: Remote, path: str, largest: int) -> Reply:
        sent = self._answers.prepared(remote.endpoint, remote.credential)
        reply = self._transport.call(method, remote.endpoint, path, _headers(sent), largest=largest)
        if reply.status != 401 or reply.elsewhere:
            return reply
        answer = self._answers.answer(reply, remote.endpoint, remote.credential)
        if answer is None or answer == sent:
            return reply
        return self._transport.call(method, remote.endpoint, path, _headers(answer), largest=largest)

    def _refusal(self, reply: Reply, what: str, remote: Remote) -> CopyFailed:
        codes, said = _errors(reply)
        text = f"answers {reply.status} for {what}" + (f": {said}" if said else "")
        retry_after = parse_retry_after(reply.headers.get("Retry-After", ""), now=self._wall_clock())
        if reply.status == 429 or "TOOMANYREQUESTS" in codes:
            wait = self._cooldowns.start(remote.account, retry_after)
            return self._failed(Reason.RATE_LIMITED, text, remote, retry_after=wait)
        if reply.status in (401, 403):
            hint = "many registries say the same of a repository that does not exist"
            return self._failed(self.side.refused, text, remote, hint=hint)
        if reply.status in (413, 507) and self.side is Side.DESTINATION:
            return self._failed(Reason.QUOTA_EXCEEDED, text, remote)
        return self._failed(self.side.unavailable, text, remote, retry_after=retry_after)

    def _mismatch(self, image: Reference, remote: Remote, seen: str) -> CopyFailed:
        return self._failed(Reason.DIGEST_MISMATCH, f"has {seen} for {image}, and promised another", remote)

    def _failed(
        self,
        reason: Reason,
        what: str,
        remote: Remote,
        *,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> CopyFailed:
        host = remote.endpoint.host
        message = f"the {self.side} registry {host} {what}"
        return CopyFailed(reason, message, side=self.side, registry=host, retry_after=retry_after, hint=hint)


def parse_retry_after(value: str, *, now: float) -> float | None:
    """The seconds that a Retry-After header asks for, written as such or as a date (RFC 9110, 10.2.3).

    `now` is in seconds since the epoch. None where the header is absent or says neither.
    """
    text = value.strip()
    if text.isdecimal() and text.isascii():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _manifest_path(image: Reference, remote: Remote) -> str:
    return f"/v2/{remote.endpoint.repository}/manifests/{image.digest or image.tag}"


def _headers(authorization: str | None) -> dict[str, str]:
    headers = {"Accept": _ACCEPT}
    if authorization is not None:
        headers["Authorization"] = authorization
    return headers


def _errors(reply: Reply) -> tuple[frozenset[str], str]:
    try:
        errors = json.loads(reply.body)["errors"]
        codes = frozenset(str(error["code"]).upper() for error in errors)
        return codes, printable("; ".join(str(error.get("message", "")) for error in errors))
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return frozenset(), printable(reply.body[:200])
