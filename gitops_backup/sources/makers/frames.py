"""What of an Application a change of images must leave as it is: all but values, parameters and images."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from gitops_backup.sources.objects import Object


def frames(applications: Mapping[str, Object]) -> dict[str, object]:
    """What of these Applications a change of images must leave as it is."""
    return {name: _frame_of(each) for name, each in applications.items()}


def _frame_of(application: Object) -> Any:
    """An Application without the values of charts and the images of kustomizations that it sets."""
    frame = copy.deepcopy(dict(application))
    for source in _sources(frame["spec"]):
        helm, kustomize = source.get("helm"), source.get("kustomize")
        if isinstance(helm, dict):
            for field in ("values", "valuesObject"):
                helm[field] = None
            for parameter in _listed(helm, "parameters"):
                if isinstance(parameter, dict):
                    parameter["value"] = None
        if isinstance(kustomize, dict):
            kustomize["images"] = len(_listed(kustomize, "images"))
    return frame


def _listed(block: dict[str, Any], key: str) -> list[Any]:
    held = block.get(key)
    return held if isinstance(held, list) else []


def _sources(spec: Any) -> Iterator[dict[str, Any]]:
    hydrator = spec.get("sourceHydrator")
    found = [spec.get("source"), hydrator.get("drySource") if isinstance(hydrator, dict) else None]
    many = spec.get("sources")
    found += many if isinstance(many, list) else ()
    return (each for each in found if isinstance(each, dict))
