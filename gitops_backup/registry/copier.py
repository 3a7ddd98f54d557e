"""The whole safe copy: what to copy, whether it is there already, the copy, and the proof that it arrived.

- A tag is resolved once and copied by digest: what is read is what was decided on, however the tag moves.
- What runs is what is backed up. A node reports the digest of the index, of one platform's manifest, or of a
  configuration (images that were loaded by hand); where that belongs to what the tag names, the whole of it
  is copied, else what runs is copied, and the tag has moved.
- A tag of the backup registry is written only when it is not there, or to bring back parts of the same image
  that were deleted. One that holds something else is left alone: a name conflict.
- A signature comes first (`sha256-<hex>.sig`, as cosign keeps it beside an image, and where there is one,
  `.att` and `.sbom`), the image's tag last: a tag that is there has them. What is attested but not signed is
  left out, so that one request is enough for most images; so are referrers (distribution specification 1.1).
- A copy counts once the backup registry serves it again: the tag with the same digest, byte for byte, and
  every manifest of the index. Whoever did the copy, and however often, the end is the same.
"""

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from gitops_backup.domain.images import Reference
from gitops_backup.domain.reasons import Reason
from gitops_backup.registry.client import Descriptor, RegistryClient
from gitops_backup.registry.cooldown import Cooldowns
from gitops_backup.registry.failures import CopyFailed, Side
from gitops_backup.registry.manifests import Blob, InvalidManifest, Manifest, platform_of
from gitops_backup.registry.skopeo import Skopeo

_SIGNATURE = "sig"
_SIGNED_ALONG = ("att", "sbom")


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is to be copied for an image.

    `digest` is for the backup's tag, and `parts` are the running digests that it covers: of its platforms and
    configurations. `tag_moved` says that something runs which the tag does not name (any more).
    """

    digest: str
    parts: tuple[str, ...] = ()
    tag_moved: bool = False


@dataclass(frozen=True, slots=True)
class Copied:
    """A copy that was verified.

    `manifests` are the digests within an index, and `platforms` what it says of them, as `linux/arm64/v8`; an
    image that is no index has its platform here only where platforms were asked for, which takes a request
    more. `size` is in bytes, None where it could not be known without using up pulls. `copied` is False where
    all was there already.
    """

    digest: str
    manifests: tuple[str, ...]
    platforms: tuple[str, ...]
    size: int | None
    copied: bool


class Copier:
    """Copies images from sources to the backup registry; safe for many threads."""

    def __init__(
        self,
        *,
        source: RegistryClient,
        destination: RegistryClient,
        skopeo: Skopeo,
        cooldowns: Cooldowns,
    ) -> None:
        self._source = source
        self._destination = destination
        self._skopeo = skopeo
        self._cooldowns = cooldowns

    def resolve(self, image: Reference, running: Collection[str] = ()) -> Resolution:
        """What to copy for `image` when nodes report the digests `running`.

        One HEAD where the tag is what runs or nothing is known to run; none for an image by digest; more only
        where something else runs. Raises `CopyFailed`, with the reason SourceNotFound where neither the tag
        nor anything that runs is there.
        """
        if image.digest is not None:
            return Resolution(image.digest)
        tag = self._source.head(image)
        if tag is None:
            left = [digest for digest in running if self._source.head(image.at(digest)) is not None]
            decided = decide(None, same=(), running=running, there=left)
        elif {tag.digest}.issuperset(running):
            decided = Resolution(tag.digest)
        else:
            same, there = self._compare(image, tag.digest, running)
            decided = decide(tag.digest, same=same, running=running, there=there)
        if decided is None:
            raise self._gone(image, tagged=tag is not None)
        return decided

    def present(self, destination: Reference, digest: str, *, platforms: Iterable[str] = ()) -> Copied | None:
        """What the tag `destination` holds, if that is all of `digest`; None where it is to be copied.

        One GET of the tag, and one request for each manifest of an index, to the backup registry alone.
        Raises `CopyFailed`: NameConflict where the tag holds something else, PlatformMissing, and every
        failure of the backup registry.
        """
        wanted = frozenset(platforms)
        copied = self._held(destination, digest, with_platform=bool(wanted))
        if copied is not None:
            self._check_platforms(destination, copied, wanted)
        return copied

    def transfer(
        self,
        source: Reference,
        destination: Reference,
        digest: str,
        *,
        platforms: Iterable[str] = (),
        cancel: threading.Event | None = None,
    ) -> Copied:
        """Make the tag `destination` hold the manifest `digest` of the repository of `source`, verified.

        `present` has said that it does not. One GET of the tag, and one request for each manifest of an
        index, to the backup registry, and a HEAD at the source, beside skopeo's own.

        Raises `CopyFailed`: DigestMismatch where something else arrived, PlatformMissing where one of
        `platforms` is not in it, and every failure of the two registries; `ProcessCancelled` soon after
        `cancel` was set.
        """
        wanted = frozenset(platforms)
        for companion, found in self._companions(source, destination, digest):
            self._transfer(source, found.digest, companion, cancel)
        self._transfer(source, digest, destination, cancel)
        copied = self._arrived(destination, digest, with_platform=bool(wanted))
        self._check_platforms(destination, copied, wanted)
        return copied

    def parts(self, destination: Reference, digests: Collection[str]) -> frozenset[str]:
        """Those of `digests` that are parts of what the tag holds: a manifest, or the configuration of one.

        One GET to the backup registry, and one for each manifest of an index until all are found. Raises
        `CopyFailed`.
        """
        top = self._destination.manifest(destination)
        if top is None:
            return frozenset()
        return _meaning(self._destination, destination, top, asked=digests) & frozenset(digests)

    def _compare(
        self, image: Reference, tag: str, running: Collection[str]
    ) -> tuple[frozenset[str], frozenset[str]]:
        """The digests that mean what the tag names, and those of the others that the source has."""
        top = self._source.manifest(image.at(tag))
        same = frozenset({tag}) if top is None else _names(top)
        there: set[str] = set()
        unclear: dict[str, CopyFailed] = {}
        for digest in sorted(set(running) - same):
            try:
                if self._source.head(image.at(digest)) is not None:
                    there.add(digest)
            except CopyFailed as error:
                # the distribution project's registry answers 500 where the digest is a configuration's
                if error.reason is not Reason.SOURCE_UNAVAILABLE:
                    raise
                unclear[digest] = error
        if top is not None and set(running) - same - there:
            same = _meaning(self._source, image, top, asked=set(running) - there)
        for digest, failure in unclear.items():
            if digest not in same:
                raise failure
        return same, frozenset(there)

    def _gone(self, image: Reference, *, tagged: bool) -> CopyFailed:
        host = self._source.remote(image).endpoint.host
        what = f"no longer has what runs of {image}" if tagged else f"has no {image}"
        message = f"the source registry {host} {what}"
        return CopyFailed(Reason.SOURCE_NOT_FOUND, message, side=Side.SOURCE, registry=host)

    def _held(self, destination: Reference, digest: str, *, with_platform: bool) -> Copied | None:
        """What the tag holds; None where it is to be copied, also again because parts of it are gone."""
        top = self._destination.manifest(destination)
        if top is None:
            return None
        if top.digest != digest:
            what = f"holds {top.digest}, and not {digest}"
            raise self._not_verified(Reason.NAME_CONFLICT, destination, what)
        try:
            return self._inspect(destination, top, with_platform=with_platform)
        except CopyFailed as error:
            if error.reason is not Reason.DIGEST_MISMATCH:
                raise
            return None

    def _check_platforms(self, destination: Reference, copied: Copied, wanted: frozenset[str]) -> None:
        missing = sorted(wanted.difference(copied.platforms))
        if missing:
            raise self._not_verified(
                Reason.PLATFORM_MISSING, destination, f"has no {', '.join(missing)}, nor has its source"
            )

    def _arrived(self, destination: Reference, digest: str, *, with_platform: bool) -> Copied:
        top = self._destination.manifest(destination)
        if top is None or top.digest != digest:
            seen = "is not there" if top is None else f"holds {top.digest}, and not {digest}"
            raise self._not_verified(Reason.DIGEST_MISMATCH, destination, seen)
        return replace(self._inspect(destination, top, with_platform=with_platform), copied=True)

    def _companions(
        self, source: Reference, destination: Reference, digest: str
    ) -> list[tuple[Reference, Descriptor]]:
        stem = digest.replace(":", "-")
        signature = self._offered(source.tagged(f"{stem}.{_SIGNATURE}"))
        if signature is None:
            return []
        found = {_SIGNATURE: signature}
        for kind in _SIGNED_ALONG:
            if (descriptor := self._offered(source.tagged(f"{stem}.{kind}"))) is not None:
                found[kind] = descriptor
        companions = [(destination.tagged(f"{stem}.{kind}"), found[kind]) for kind in found]
        return [(image, held) for image, held in companions if self._destination.head(image) is None]

    def _offered(self, companion: Reference) -> Descriptor | None:
        try:
            return self._source.head(companion)
        except CopyFailed as error:
            # the image itself may be read, so this is somebody's way to say that there is no such tag
            if error.reason is not self._source.side.refused:
                raise
            return None

    def _transfer(
        self, source: Reference, digest: str, destination: Reference, cancel: threading.Event | None
    ) -> None:
        if destination.tag is None:
            raise ValueError(f"{destination} has no tag to push to")
        origin, target = self._source.remote(source), self._destination.remote(destination)
        self._cooldowns.check(origin.account, Side.SOURCE)
        self._cooldowns.check(target.account, Side.DESTINATION)
        self._source.check_pulls(source, digest)
        try:
            self._skopeo.copy(origin, digest, target, destination.tag, cancel=cancel)
        except CopyFailed as error:
            if error.reason is Reason.RATE_LIMITED:
                account = origin.account if error.side is Side.SOURCE else target.account
                error.retry_after = self._cooldowns.start(account, error.retry_after)
            raise

    def _inspect(self, destination: Reference, top: Manifest, *, with_platform: bool) -> Copied:
        if not top.children:
            platform = self._platform(destination, top) if with_platform else None
            return Copied(top.digest, (), (platform,) if platform else (), _size([top]), copied=False)
        children = [self._child(destination, child.digest) for child in top.children]
        platforms = {child.platform for child in top.children if child.platform is not None}
        manifests = [child for child in children if child is not None]
        return Copied(
            top.digest,
            manifests=tuple(child.digest for child in top.children),
            platforms=tuple(sorted(platforms)),
            size=_size([top, *manifests]) if len(manifests) == len(children) else None,
            copied=False,
        )

    def _child(self, destination: Reference, digest: str) -> Manifest | None:
        image = destination.at(digest)
        metered = self._destination.metered(image)
        found = self._destination.head(image) if metered else self._destination.manifest(image)
        if found is None:
            raise self._not_verified(Reason.DIGEST_MISMATCH, destination, f"lacks its part {digest}")
        return found if isinstance(found, Manifest) else None

    def _platform(self, destination: Reference, manifest: Manifest) -> str | None:
        if manifest.config is None:
            return None
        config = self._destination.config(destination, manifest.config.digest)
        if config is None:
            raise self._not_verified(Reason.DIGEST_MISMATCH, destination, "lacks its configuration")
        try:
            return platform_of(config)
        except InvalidManifest:
            return None

    def _not_verified(self, reason: Reason, destination: Reference, what: str) -> CopyFailed:
        host = self._destination.remote(destination).endpoint.host
        return CopyFailed(reason, f"{destination} {what}", side=Side.DESTINATION, registry=host)


def decide(
    tag: str | None, *, same: Collection[str], running: Collection[str], there: Collection[str]
) -> Resolution | None:
    """What to copy: `tag` is what the tag names, `same` all digests that mean the same image.

    `running` is what nodes report, `there` the part of it that the source has as manifests. None where
    nothing that could be copied runs.
    """
    covered = [digest for digest in running if digest in same]
    if tag is not None and (covered or not running):
        parts = tuple(sorted(digest for digest in covered if digest != tag))
        return Resolution(tag, parts, tag_moved=len(covered) < len(running))
    still_there = sorted(digest for digest in running if digest in there)
    return Resolution(still_there[0], tag_moved=True) if still_there else None


def _meaning(
    client: RegistryClient, image: Reference, top: Manifest, *, asked: Collection[str]
) -> frozenset[str]:
    """The digests that mean the same as `top`: all, or enough to have found all that are asked for."""
    same = _names(top)
    for part in top.children:
        if same.issuperset(asked):
            break
        child = client.manifest(image.at(part.digest))
        same |= frozenset() if child is None else _names(child)
    return same


def _names(manifest: Manifest) -> frozenset[str]:
    config = [manifest.config.digest] if manifest.config else []
    return frozenset([manifest.digest, *(child.digest for child in manifest.children), *config])


def _size(manifests: Iterable[Manifest]) -> int:
    parts: dict[str, int] = {}
    for manifest in manifests:
        for part in (Blob(manifest.digest, manifest.size), *manifest.blobs):
            parts[part.digest] = part.size
    return sum(parts.values())
