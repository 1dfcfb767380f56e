"""What one process measures: an owner of its Prometheus registry, and the tracing that goes with it."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from kernel.tracing import NoTracing, Tracing

# From a cached read to a timeout; one set for all latencies, so that panels can be compared.
LATENCY_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

PREFIX = "secureconnect_"


class Metrics:
    """Hands out metric families by name; asking twice for a name answers the same family."""

    def __init__(self, registry: CollectorRegistry | None = None, tracing: Tracing | None = None) -> None:
        self.tracing = tracing or NoTracing()
        self.registry = registry or CollectorRegistry(auto_describe=True)
        self._families: dict[str, Counter | Gauge | Histogram] = {}

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        family = self._families.get(name)
        if family is None:
            family = self._families[name] = Counter(PREFIX + name, text, labels, registry=self.registry)
        if not isinstance(family, Counter):
            raise TypeError(f"metric {name} is not a counter")
        return family

    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        family = self._families.get(name)
        if family is None:
            family = self._families[name] = Gauge(PREFIX + name, text, labels, registry=self.registry)
        if not isinstance(family, Gauge):
            raise TypeError(f"metric {name} is not a gauge")
        return family

    def histogram(
        self, name: str, text: str, labels: Sequence[str] = (), buckets: Sequence[float] = LATENCY_BUCKETS
    ) -> Histogram:
        family = self._families.get(name)
        if family is None:
            family = self._families[name] = Histogram(
                PREFIX + name, text, labels, registry=self.registry, buckets=buckets
            )
        if not isinstance(family, Histogram):
            raise TypeError(f"metric {name} is not a histogram")
        return family
