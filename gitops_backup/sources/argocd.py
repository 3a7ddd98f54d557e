"""What an Argo CD is told by its ConfigMap `argocd-cm`, as far as decisions rest on it.

Keys and defaults are those of util/settings/settings.go in Argo CD 3. Differences are ignored for a group and
a kind, or for all, as a key of its own says (`resource.customizations.ignoreDifferences.apps_Deployment`), or
else as the one block says that such keys came out of (`resource.customizations`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from gitops_backup.domain.unheeded import Unheeded
from gitops_backup.domain.workloads import Kind
from gitops_backup.errors import one_line
from gitops_backup.sources.differences import ignored_by, mapping_of
from gitops_backup.sources.tracking import Tracking

CONFIG_MAP = "argocd-cm"

_DEFAULT_LABEL = "app.kubernetes.io/instance"
_BLOCK = "resource.customizations"
_KEYS = f"{_BLOCK}.ignoreDifferences."
_EVERYTHING = "*/*"
# managers are looked up by the very name, where pointers and expressions are matched by patterns
_WITH_MANAGERS = frozenset({_EVERYTHING, *(f"apps/{kind}" for kind in Kind)})


@dataclass(frozen=True, slots=True)
class ArgoCd:
    """An Argo CD; by default as it is where the ConfigMap says nothing.

    Differences in the `ignored` images are hidden from comparisons, of whichever Application.
    """

    tracking: Tracking = field(default_factory=Tracking)
    ignored: tuple[Unheeded, ...] = ()

    @classmethod
    def project(cls, config_map: Mapping[str, Any]) -> Self:
        """The projection of the ConfigMap; what is missing, or makes no sense, reads as unset."""
        found, metadata = config_map.get("data"), config_map.get("metadata") or {}
        known = found if isinstance(found, Mapping) else {}
        data = {key: value for key, value in known.items() if isinstance(value, str)}
        place = f"the ConfigMap {metadata.get('namespace', '')}/{CONFIG_MAP}"
        return cls(tracking=_tracking(data), ignored=tuple(_ignored(data, place)))


def _tracking(data: Mapping[str, str]) -> Tracking:
    # of the methods, this one alone goes by the label; what it does not know, Argo CD takes for the default
    by_label = data.get("application.resourceTrackingMethod") == "label"
    return Tracking(
        label=(data.get("application.instanceLabelKey") or _DEFAULT_LABEL) if by_label else None,
        installation_id=data.get("installationID", ""),
    )


class _Said(NamedTuple):
    field: str
    text: str


def _ignored(data: Mapping[str, str], place: str) -> Iterator[Unheeded]:
    for kinds, said in sorted((_from_the_block(data) | _from_keys(data)).items()):
        group, _, kind = kinds.rpartition("/")
        entry = {**mapping_of(said.text), "group": group, "kind": kind, "namespace": "", "name": ""}
        if kinds not in _WITH_MANAGERS:
            entry.pop("managedFieldsManagers", None)
        yield from ignored_by(entry, said.field, place=place)


def _from_the_block(data: Mapping[str, str]) -> dict[str, _Said]:
    found = {}
    for kinds, customizations in mapping_of(data.get(_BLOCK, "")).items():
        text = customizations.get("ignoreDifferences") if isinstance(customizations, Mapping) else None
        if isinstance(kinds, str) and isinstance(text, str):
            found[kinds] = _Said(f"{_BLOCK}[{one_line(kinds)}].ignoreDifferences", text)
    return found


def _from_keys(data: Mapping[str, str]) -> dict[str, _Said]:
    found = {}
    for key, text in data.items():
        if key.startswith(_KEYS):
            kinds = key.removeprefix(_KEYS)
            found[_EVERYTHING if kinds == "all" else kinds.replace("_", "/")] = _Said(key, text)
    return found
