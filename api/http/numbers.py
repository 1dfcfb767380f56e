"""Requests by route: counted in plain numbers, shown to Prometheus when it asks.

The client library takes a lock for each of its values; with three of them a request that costs more than routing.
These are only touched by the event loop's thread, which also answers the scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from kernel.metrics import LATENCY_BUCKETS, PREFIX, Metrics


class _Latencies:
    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BUCKETS) + 1)
        self.total = 0.0


class RequestNumbers(Collector):
    """The label set is that of the routes: whoever counts passes no path that a stranger chose."""

    def __init__(self, metrics: Metrics) -> None:
        self._requests: dict[tuple[str, str, int], int] = {}
        self._latencies: dict[tuple[str, str], _Latencies] = {}
        metrics.registry.register(self)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        key = (method, route, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        latencies = self._latencies.get((method, route))
        if latencies is None:
            latencies = self._latencies[method, route] = _Latencies()
        latencies.counts[bisect_left(LATENCY_BUCKETS, seconds)] += 1
        latencies.total += seconds

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            PREFIX + "http_requests", "Requests by route and status", labels=("method", "route", "status")
        )
        for (method, route, status), number in self._requests.items():
            requests.add_metric((method, route, str(status)), number)
        yield requests
        seconds = HistogramMetricFamily(
            PREFIX + "http_request_seconds", "Time to answer a request", labels=("method", "route")
        )
        bounds = [*(str(bound) for bound in LATENCY_BUCKETS), "+Inf"]
        for labels, latencies in self._latencies.items():
            reached = 0
            buckets = []
            for bound, number in zip(bounds, latencies.counts, strict=True):
                reached += number
                buckets.append((bound, reached))
            seconds.add_metric(labels, buckets, latencies.total)
        yield seconds
