"""Where the files of a source come from: its own place, and those that its value files name.

A source that is spread over several places is edited in one of them only: where the last of its value files
that come from a source with a `ref` stands, for that is what overrides the others, or else at its own place.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from gitops_backup.errors import one_line
from gitops_backup.sources.applications import (
    Application,
    PinnedRevision,
    Source,
    normalised,
    writable_branch,
)

_URL = re.compile(r"https?://", re.IGNORECASE)


class PlaceKind(StrEnum):
    """What is at a place."""

    COMMIT = "commit"
    """A revision of a Git repository."""
    CHART = "chart"
    """A chart of a chart repository, or of a registry, in a version or a range of them."""
    FILE = "file"
    """A file by its URL."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where files come from.

    `url` and `revision` are as the Application has them; the URL may hold a password, and is not printed.
    """

    kind: PlaceKind
    url: str = field(repr=False)
    revision: str = ""
    chart: str = ""

    @classmethod
    def of(cls, source: Source) -> Self:
        """The place of a source itself."""
        in_git = not source.chart and not source.repo_url.startswith("oci://")
        kind = PlaceKind.COMMIT if in_git else PlaceKind.CHART
        return cls(kind, source.repo_url, source.target_revision, source.chart)

    @classmethod
    def of_file(cls, url: str) -> Self:
        """The place of a file."""
        return cls(PlaceKind.FILE, url)

    @property
    def repository(self) -> str:
        """The URL in one form for all ways to write it, without user name, password and query."""
        return normalised(self.url)

    def __str__(self) -> str:
        """As it may stand in a message."""
        where = one_line(self.repository)
        revision = f" {one_line(self.revision)}" if self.revision else ""
        if self.kind == PlaceKind.CHART and self.chart:
            return f"the chart {one_line(self.chart)}{revision} of {where}"
        return f"{where}{' at' if revision else ''}{revision}"


def places_of(application: Application, source: Source) -> frozenset[Place]:
    """All places that a source is rendered from."""
    return frozenset({Place.of(source), *_named(application, source)})


def named_source(application: Application, raw: str) -> Source | None:
    """The source that a path such as `$values/web.yaml` begins with; None where it begins with none."""
    name = raw[1:].partition("/")[0] if raw.startswith("$") else ""
    return next((each for each in application.sources if name and each.ref == name), None)


def is_url(raw: str) -> bool:
    """Whether a value file is named by a URL that it can be downloaded from."""
    return _URL.match(raw) is not None


def may_be_elsewhere(raw: str) -> bool:
    """Whether a value file is named that need not be at the place of its source."""
    return is_url(raw) or raw.startswith("$")


def owner_of(application: Application, source: Source) -> Source:
    """The source at whose place this one is edited: that of its last value file in a branch, or itself."""
    named = [named_source(application, raw) for raw in reversed(source.helm.value_files)]
    candidates = [each for each in (*named, source) if each is not None]
    return next((each for each in candidates if is_writable(each)), candidates[0])


def is_writable(source: Source) -> bool:
    """Whether a source follows a branch of a Git repository."""
    if source.chart or source.repo_url.startswith("oci://"):
        return False
    try:
        writable_branch(source.target_revision)
    except PinnedRevision:
        return False
    return True


def has_manifests(source: Source) -> bool:
    """Whether a source deploys something, and is not only there for others to refer to."""
    return bool(source.path or source.chart or not source.ref)


def says_something(application: Application, source: Source) -> bool:
    """Whether the Application itself says values or images of a source, or alone could say them in Git."""
    return source.has_parameters or (bool(source.chart) and not is_writable(owner_of(application, source)))


def _named(application: Application, source: Source) -> Iterator[Place]:
    for raw in source.helm.paths:
        if is_url(raw):
            yield Place.of_file(raw)
        elif (named := named_source(application, raw)) is not None:
            yield Place.of(named)
