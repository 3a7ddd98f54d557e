"""What the controller tells Prometheus about itself."""

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class Metrics:
    """The metrics of one controller, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reconciles = Counter(
            "gitops_backup_reconciles",
            "Steps taken, by reconciler and outcome.",
            ["reconciler", "outcome"],
            registry=self.registry,
        )
        self.reconcile_seconds = Histogram(
            "gitops_backup_reconcile_seconds",
            "How long a step takes.",
            ["reconciler"],
            buckets=(0.001, 0.01, 0.1, 1, 10, 60, 300),
            registry=self.registry,
        )
        self.copies = Counter(
            "gitops_backup_copies",
            "Copies that ended, by result: Copied, Present, or the reason why not.",
            ["result"],
            registry=self.registry,
        )
        self.copy_seconds = Histogram(
            "gitops_backup_copy_seconds",
            "How long a copy takes, with its verification.",
            buckets=(0.1, 0.5, 1, 5, 10, 30, 60, 120, 300),
            registry=self.registry,
        )
        self.rewrites = Counter(
            "gitops_backup_rewrites",
            "Containers that were made to use a backup, by route: Patch or Commit.",
            ["route"],
            registry=self.registry,
        )
        self.reversals = Counter(
            "gitops_backup_reversals", "Rewrites that somebody undid.", registry=self.registry
        )
        self.leading = Gauge(
            "gitops_backup_leading", "1 where this replica holds the Lease.", registry=self.registry
        )

    def watch_queue(self, name: str, length: Callable[[], float]) -> None:
        """Report the length of a queue whenever it is asked for."""
        self.registry.register(_Computed("gitops_backup_queue_length_" + name, "Keys that are due.", length))

    def watch_images(self, tally: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        """Report the images in use by next action and reason whenever that is asked for."""
        self.registry.register(_Images(tally))


class _Computed(Collector):
    def __init__(self, name: str, text: str, value: Callable[[], float]) -> None:
        self._name, self._text, self._value = name, text, value

    def collect(self) -> Iterable[GaugeMetricFamily]:
        yield GaugeMetricFamily(self._name, self._text, value=self._value())

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [GaugeMetricFamily(self._name, self._text)]


class _Images(Collector):
    def __init__(self, tally: Callable[[], Mapping[tuple[str, str], int]]) -> None:
        self._tally = tally

    def _family(self) -> GaugeMetricFamily:
        return GaugeMetricFamily(
            "gitops_backup_images",
            "Containers in use, by what happens to their image next, and why.",
            labels=["action", "reason"],
        )

    def collect(self) -> Iterable[GaugeMetricFamily]:
        family = self._family()
        for (action, reason), count in sorted(self._tally().items()):
            family.add_metric([action, reason], count)
        yield family

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return [self._family()]


ImageTally = Tally[tuple[str, str]]
"""How many containers there are of each action and reason."""
