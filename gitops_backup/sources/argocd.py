"""What an Argo CD is told by its ConfigMap `argocd-cm`, as far as decisions rest on it.

Keys and defaults are those of util/settings/settings.go in Argo CD 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from gitops_backup.sources.tracking import Tracking

CONFIG_MAP = "argocd-cm"

_DEFAULT_LABEL = "app.kubernetes.io/instance"


@dataclass(frozen=True, slots=True)
class ArgoCd:
    """An Argo CD; by default as it is where the ConfigMap says nothing."""

    tracking: Tracking = field(default_factory=Tracking)

    @classmethod
    def project(cls, config_map: Mapping[str, Any]) -> Self:
        """The projection of the ConfigMap; what is missing, or of another type, reads as unset."""
        found = config_map.get("data")
        known = found if isinstance(found, Mapping) else {}
        data = {key: value for key, value in known.items() if isinstance(value, str)}
        return cls(tracking=_tracking(data))


def _tracking(data: Mapping[str, str]) -> Tracking:
    # of the methods, this one alone goes by the label; what it does not know, Argo CD takes for the default
    by_label = data.get("application.resourceTrackingMethod") == "label"
    return Tracking(
        label=(data.get("application.instanceLabelKey") or _DEFAULT_LABEL) if by_label else None,
        installation_id=data.get("installationID", ""),
    )
