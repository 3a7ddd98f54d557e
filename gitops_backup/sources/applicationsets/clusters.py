"""Clusters as Argo CD knows them: from Secrets that are labelled as such, or from who lists them.

Of their data only the name, the URL and the project are kept: the rest is credentials.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

LABEL = "argocd.argoproj.io/secret-type"

_Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster, with the labels and annotations of its Secret that generators may use."""

    name: str
    server: str
    project: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    @classmethod
    def of(
        cls,
        *,
        name: str,
        server: str,
        project: str,
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
    ) -> Self:
        """The cluster that a Secret with these stands for."""
        return cls(
            name=name,
            server=server,
            project=project,
            labels={**labels, LABEL: "cluster"},
            annotations={key: value for key, value in annotations.items() if key not in _OF_OTHERS},
        )

    @classmethod
    def project_secret(cls, obj: _Object) -> Self | None:
        """The cluster that a Secret stands for; None where it stands for none."""
        metadata = obj.get("metadata")
        metadata = metadata if isinstance(metadata, Mapping) else {}
        labels, annotations = _texts(metadata, "labels"), _texts(metadata, "annotations")
        if obj.get("kind") != "Secret" or labels.get(LABEL) != "cluster":
            return None
        data = {key: _decoded(value) for key, value in _texts(obj, "data").items() if key in _KEPT}
        data |= {key: value for key, value in _texts(obj, "stringData").items() if key in _KEPT}
        return cls.of(
            name=data.get("name", ""),
            server=data.get("server", ""),
            project=data.get("project", ""),
            labels=labels,
            annotations=annotations,
        )


def _texts(obj: _Object, key: str) -> dict[str, str]:
    held = obj.get(key)
    items = held.items() if isinstance(held, Mapping) else ()
    return {name: value for name, value in items if isinstance(value, str)}


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


_KEPT = frozenset({"name", "server", "project"})
# what Argo CD and kubectl write for themselves (excludedClusterAnnotations in its generators/cluster.go)
_OF_OTHERS = frozenset(
    {
        "argocd.argoproj.io/refresh",
        "argocd.argoproj.io/refresh-timestamp",
        "argocd.argoproj.io/hydrate",
        "argocd.argoproj.io/hydrate-timestamp",
        "argocd.argoproj.io/tracking-id",
        "argocd.argoproj.io/installation-id",
        "kubectl.kubernetes.io/last-applied-configuration",
    }
)
