"""From settings to the clusters that Argo CD is said to know."""

from collections.abc import Iterable

from gitops_backup.settings import Settings
from gitops_backup.sources.applicationsets.clusters import Cluster


def listed_clusters(settings: Settings) -> tuple[Cluster, ...] | None:
    """The clusters that the settings list; None where they say nothing of them."""
    if settings.argocd_clusters is None:
        return None
    return tuple(
        Cluster.of(
            name=each.name,
            server=each.server,
            project=each.project,
            labels=each.labels,
            annotations=each.annotations,
        )
        for each in settings.argocd_clusters
    )


def with_listed(found: Iterable[Cluster], settings: Settings) -> tuple[Cluster, ...]:
    """The clusters whose Secrets were found, but for those that the settings list otherwise, and these."""
    listed = listed_clusters(settings) or ()
    names = {each.name for each in listed}
    return (*(each for each in found if each.name not in names), *listed)
