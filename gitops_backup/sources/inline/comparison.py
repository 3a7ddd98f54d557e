"""Whether an Application is in the cluster as its file says, as far as that decides what is rendered."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from yaml import YAMLError, safe_load

from gitops_backup.sources.applications import Source, normalised
from gitops_backup.sources.helm.options import HelmBlock


def differing(live: Source, written: Source) -> str:
    """The first field of the live source that the written one says otherwise; empty where there is none."""
    return next(_differing(live, written), "")


def differing_sources(live: Sequence[Source], written: Sequence[Source]) -> str:
    """The same of all sources; `spec.sources` where these are others."""
    if [each.place for each in live] != [each.place for each in written]:
        return "spec.sources"
    fields = (differing(one, other) for one, other in zip(live, written, strict=True))
    return next(filter(None, fields), "")


def _differing(live: Source, written: Source) -> Iterator[str]:
    mine, theirs = live.specification, written.specification
    for name in ("repoURL", "path", "targetRevision", "chart", "ref"):
        one, other = mine.get(name) or "", theirs.get(name) or ""
        if one != other and (name != "repoURL" or normalised(str(one)) != normalised(str(other))):
            yield f"{live.place}.{name}"
    if live.directory != written.directory:
        yield f"{live.place}.directory"
    if live.kustomize != written.kustomize:
        changed = _first(live.kustomize.images, written.kustomize.images)
        yield f"{live.kustomize.place}.images[{changed}]" if changed is not None else live.kustomize.place
    yield from _of_helm(live.helm, written.helm)


def _of_helm(live: HelmBlock, written: HelmBlock) -> Iterator[str]:
    if _values(live) != _values(written):
        yield f"{live.place}.{live.values_field or written.values_field}"
    changed = _first(live.parameters, written.parameters)
    if changed is not None:
        longer = max(live.parameters, written.parameters, key=len)
        yield f"{live.place}.parameters[{longer[changed].name}]"
    if _rest(live) != _rest(written):
        yield live.place


def _values(block: HelmBlock) -> object:
    if block.values_field == "valuesObject":
        return json.loads(block.values)
    try:
        return safe_load(block.values)
    except (YAMLError, ValueError):
        return block.values


def _rest(block: HelmBlock) -> object:
    return replace(block, values="", values_field="", parameters=())


def _first(some: Sequence[object], others: Sequence[object]) -> int | None:
    """The number of the first item that two lists do not share."""
    pairs = enumerate(zip_longest(some, others))
    return next((number for number, (one, other) in pairs if one != other), None)
