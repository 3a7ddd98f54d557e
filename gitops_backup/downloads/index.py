"""The index of a chart repository: which versions of which charts it has, and where.

Indexes have tens of megabytes, of which little is of interest: they are read as a stream, and descriptions,
aliases and whatever else is in them are passed over.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import yaml
from yaml.events import (
    CollectionEndEvent,
    CollectionStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)

from gitops_backup.errors import GitopsBackupError

Index = Mapping[str, tuple["Release", ...]]
"""The versions of charts, by the chart's name, in the order of the index."""

_MOST_RELEASES = 200_000
_DEEPEST = 100
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class InvalidIndex(GitopsBackupError):
    """It is no index."""


class Release(NamedTuple):
    """A version of a chart: where its archive is, and the archive's SHA-256, empty where that is not said."""

    version: str
    url: str
    digest: str


def read_index(content: bytes) -> Index:
    """What an index says. Raises `InvalidIndex`."""
    try:
        return _as_json(content) if content.lstrip()[:1] == b"{" else _as_yaml(content)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidIndex("it is neither YAML nor JSON") from error


def _as_json(content: bytes) -> Index:
    try:
        found = json.loads(content)["entries"]
        return {
            str(chart): tuple(_release(each) for each in releases or () if _release(each).url)
            for chart, releases in found.items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidIndex("it has no list of charts") from error


def _release(each: Mapping[str, Any]) -> Release:
    urls = each.get("urls") or [""]
    return Release(str(each.get("version", "")), str(urls[0]), _hex(str(each.get("digest") or "")))


def _as_yaml(content: bytes) -> Index:
    events = _shallow(yaml.parse(content, Loader=_Loader))
    root = next((each for each in events if isinstance(each, CollectionStartEvent | ScalarEvent)), None)
    index: dict[str, tuple[Release, ...]] | None = None
    known = 0
    for key, value in _pairs(root, events):
        if key != "entries":
            _pass(value, events)
            continue
        index = {}
        for chart, releases in _pairs(value, events):
            index[chart] = tuple(each for each in _releases(releases, events) if each.url)
            known += len(index[chart])
            if known > _MOST_RELEASES:
                raise InvalidIndex(f"it has more than {_MOST_RELEASES} versions of charts")
    if index is None:
        raise InvalidIndex("it has no list of charts")
    return index


def _shallow(events: Iterable[Event]) -> Iterator[Event]:
    """The events, as long as they do not nest in a way that takes the parser ages."""
    depth = 0
    for event in events:
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _DEEPEST:
            raise InvalidIndex(f"it is nested more than {_DEEPEST} deep")
        yield event


def _releases(start: Event, events: Iterator[Event]) -> Iterator[Release]:
    for each in _items(start, events):
        said = {"version": "", "digest": "", "url": ""}
        for key, value in _pairs(each, events):
            if key in ("version", "digest") and isinstance(value, ScalarEvent):
                said[key] = str(value.value)
            elif key == "urls":
                said["url"] = _first(value, events)
            else:
                _pass(value, events)
        yield Release(said["version"], said["url"], _hex(said["digest"]))


def _pairs(start: Event | None, events: Iterator[Event]) -> Iterator[tuple[str, Event]]:
    """The keys of a mapping with the first event of each value, which has to be read to its end."""
    if not isinstance(start, MappingStartEvent):
        if start is not None:
            _pass(start, events)
        return
    while not isinstance(key := next(events), CollectionEndEvent):
        if isinstance(key, ScalarEvent):
            yield str(key.value), next(events)
        else:
            _pass(key, events)
            _pass(next(events), events)


def _first(start: Event, events: Iterator[Event]) -> str:
    """The first text of a list."""
    found: list[str] = []
    for item in _items(start, events):
        if isinstance(item, ScalarEvent):
            found.append(str(item.value))
        else:
            _pass(item, events)
    return found[0] if found else ""


def _items(start: Event, events: Iterator[Event]) -> Iterator[Event]:
    """The first event of each item of a list, which has to be read to its end."""
    if not isinstance(start, SequenceStartEvent):
        _pass(start, events)
        return
    while not isinstance(item := next(events), CollectionEndEvent):
        yield item


def _pass(first: Event, events: Iterator[Event]) -> None:
    depth = int(isinstance(first, CollectionStartEvent))
    while depth:
        event = next(events)
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:").lower()
