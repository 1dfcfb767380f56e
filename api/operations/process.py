"""Figures of the process and the Python runtime, beside those that modules report themselves."""

from __future__ import annotations

import platform

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector

from kernel.metrics import Metrics


def collect_process_metrics(metrics: Metrics, version: str) -> None:
    """CPU, memory, descriptors and garbage collection under their usual names, and the version as a label."""
    ProcessCollector(registry=metrics.registry)
    PlatformCollector(registry=metrics.registry)
    GCCollector(registry=metrics.registry)
    info = metrics.gauge("build_info", "Always 1; its labels say what runs", ("version", "python"))
    info.labels(version, platform.python_version()).set(1)
