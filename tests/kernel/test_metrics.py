"""Metric families by name."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest

from kernel.metrics import LATENCY_BUCKETS, Metrics
from kernel.tracing import NoTracing


def test_asking_twice_for_a_name_answers_the_same_family() -> None:
    metrics = Metrics()
    metrics.counter("things_total", "Things", ("kind",)).labels("a").inc()
    metrics.counter("things_total", "Things", ("kind",)).labels("a").inc()
    assert metrics.gauge("level", "Level") is metrics.gauge("level", "Level")
    assert metrics.histogram("seconds", "Seconds") is metrics.histogram("seconds", "Seconds")
    assert metrics.registry.get_sample_value("secureconnect_things_total", {"kind": "a"}) == 2.0


def test_a_name_of_one_kind_cannot_be_had_as_another() -> None:
    metrics = Metrics()
    metrics.counter("a", "A")
    metrics.gauge("b", "B")
    with pytest.raises(TypeError, match="a is not a gauge"):
        metrics.gauge("a", "A")
    with pytest.raises(TypeError, match="a is not a histogram"):
        metrics.histogram("a", "A")
    with pytest.raises(TypeError, match="b is not a counter"):
        metrics.counter("b", "B")


def test_two_owners_share_nothing() -> None:
    one, other = Metrics(), Metrics()
    one.counter("things_total", "Things").inc()
    other.counter("things_total", "Things")
    assert one.registry.get_sample_value("secureconnect_things_total") == 1.0
    assert other.registry.get_sample_value("secureconnect_things_total") == 0.0


def test_latencies_share_their_buckets_unless_told_otherwise() -> None:
    metrics = Metrics()
    metrics.histogram("request_seconds", "Requests").observe(0.3)
    metrics.histogram("sizes", "Sizes", buckets=(1.0, 2.0)).observe(1.5)
    text = generate_latest(metrics.registry).decode()
    assert all(f'secureconnect_request_seconds_bucket{{le="{bound}"}}' in text for bound in LATENCY_BUCKETS)
    assert 'secureconnect_sizes_bucket{le="2.0"} 1.0' in text


def test_there_is_no_tracing_unless_it_was_asked_for() -> None:
    assert isinstance(Metrics().tracing, NoTracing)
    assert not Metrics().tracing.active
