"""An Argo CD AppProject, reduced to what stands between a commit and a rollout: signatures and sync windows.

The fields are those of Argo CD 3 (pkg/apis/application/v1alpha1/{types,source_integrity}.go), and so is what
they mean: `EffectiveSourceIntegrity` there for signatures, `SyncWindows.Matches` and `CanSync` for windows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from zoneinfo import ZoneInfo

from gitops_backup.sources.globs import Glob, InvalidGlob
from gitops_backup.sources.objects import Object, part_of, parts_of, text_of, texts_of
from gitops_backup.sources.schedules import InvalidSchedule, Schedule, duration

_KEY_ID, _FINGERPRINT = 16, 40


@dataclass(frozen=True, slots=True)
class SignaturePolicy:
    """Which repositories' commits must be signed with one of these keys, by their ids of 16 digits.

    With None for the keys, it says that they need not be.
    """

    repositories: tuple[str, ...]
    keys: frozenset[str] | None

    def covers(self, repo_url: str) -> bool:
        """Whether the policy is for a repository; a pattern that begins with `!` takes one out."""
        if any(_matches(each[1:], repo_url) for each in self.repositories if each.startswith("!")):
            return False
        return any(_matches(each, repo_url) for each in self.repositories if not each.startswith("!"))


@dataclass(frozen=True, slots=True)
class Destination:
    """What windows are chosen by: an Application's name, and where it deploys to."""

    application: str
    server: str
    cluster: str
    namespace: str


@dataclass(frozen=True, slots=True)
class SyncWindow:
    """A time at which Applications may, or may not, be synced.

    Prints as `deny "0 22 * * *" for 8h (Europe/Berlin)`.
    """

    kind: str
    schedule: str
    duration: str
    time_zone: str
    applications: tuple[str, ...]
    namespaces: tuple[str, ...]
    clusters: tuple[str, ...]
    all_of_them: bool
    manual: bool

    def __str__(self) -> str:
        return f'{self.kind} "{self.schedule}" for {self.duration} ({self.time_zone or "UTC"})'

    def covers(self, destination: Destination) -> bool:
        """Whether the window is for this Application: one of its lists names it, or all those that it has."""
        chosen = [
            (self.applications, (destination.application,)),
            (self.clusters, tuple(filter(None, (destination.cluster, destination.server)))),
            (self.namespaces, (destination.namespace,)),
        ]
        found = [
            any(_matches(pattern, value) for pattern in patterns for value in values)
            for patterns, values in chosen
            if patterns
        ]
        return bool(found) and (all(found) if self.all_of_them else any(found))

    def open_at(self, now: datetime) -> bool:
        """Whether the window is open. Raises `InvalidSchedule`.

        Argo CD takes the time zone's distance from UTC at that moment, whenever the window began.
        """
        here = now.astimezone(_zone(self.time_zone)).replace(tzinfo=None)
        return Schedule.parse(self.schedule).began_within(duration(self.duration), here)


@dataclass(frozen=True, slots=True)
class Project:
    """An AppProject."""

    namespace: str
    name: str
    signatures: tuple[SignaturePolicy, ...]
    windows: tuple[SyncWindow, ...]

    @classmethod
    def project(cls, obj: Object) -> Self:
        """The projection of an AppProject from the API; what is missing reads as unset."""
        metadata, spec = part_of(obj, "metadata"), part_of(obj, "spec")
        return cls(
            namespace=text_of(metadata, "namespace"),
            name=text_of(metadata, "name"),
            signatures=tuple(_signatures(spec)),
            windows=tuple(_window(each) for each in parts_of(spec, "syncWindows")),
        )

    def signature_keys(self, repo_url: str) -> frozenset[str] | None:
        """The ids of the keys of which one must have signed a commit there; None where none needs to.

        Where several policies are for one repository, Argo CD takes no signature at all.
        """
        policies = [policy for policy in self.signatures if policy.covers(repo_url)]
        if not policies:
            return None
        return policies[0].keys if len(policies) == 1 else frozenset()

    def closed_by(self, destination: Destination, *, manual: bool, now: datetime) -> SyncWindow | None:
        """The window because of which an Application cannot be synced now; None where it can.

        `manual` says that a person would sync it. None, too, where a window cannot be understood.
        """
        windows = [window for window in self.windows if window.covers(destination)]
        try:
            open_now = [window for window in windows if window.open_at(now)]
        except InvalidSchedule:
            return None
        denying = [window for window in open_now if window.kind == "deny"]
        if denying:
            return _first(denying, manual=manual)
        if any(window.kind == "allow" for window in open_now):
            return None
        return _first([window for window in windows if window.kind == "allow"], manual=manual)


def _first(windows: Iterable[SyncWindow], *, manual: bool) -> SyncWindow | None:
    return next((window for window in windows if not (manual and window.manual)), None)


def _signatures(spec: Object) -> Iterable[SignaturePolicy]:
    integrity = spec.get("sourceIntegrity")
    git = integrity.get("git") if isinstance(integrity, Mapping) else None
    legacy = [text_of(each, "keyID") for each in parts_of(spec, "signatureKeys")]
    if not isinstance(git, Mapping):
        if legacy:
            yield SignaturePolicy(("*",), _key_ids(legacy))
        return
    for policy in parts_of(git, "policies"):
        gpg = part_of(policy, "gpg")
        repositories = tuple(text_of(each, "url") for each in parts_of(policy, "repos"))
        verified = bool(gpg) and text_of(gpg, "mode") != "none"
        yield SignaturePolicy(repositories, _key_ids(texts_of(gpg, "keys")) if verified else None)


def _key_ids(keys: Iterable[str]) -> frozenset[str]:
    return frozenset(key[-_KEY_ID:] for key in keys if len(key) in (_KEY_ID, _FINGERPRINT))


def _window(window: Object) -> SyncWindow:
    return SyncWindow(
        kind=text_of(window, "kind"),
        schedule=text_of(window, "schedule"),
        duration=text_of(window, "duration"),
        time_zone=text_of(window, "timeZone"),
        applications=texts_of(window, "applications"),
        namespaces=texts_of(window, "namespaces"),
        clusters=texts_of(window, "clusters"),
        all_of_them=window.get("andOperator") is True,
        manual=window.get("manualSync") is True,
    )


def _matches(pattern: str, text: str) -> bool:
    try:
        return Glob(pattern).matches(text)
    except InvalidGlob:
        return False


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")  # as Argo CD does
