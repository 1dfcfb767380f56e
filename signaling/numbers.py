"""What is counted about sockets of rooms."""

from __future__ import annotations

from kernel.metrics import Metrics


class Numbers:
    """Labels are names of ours: types of requests that there are, codes that we say."""

    def __init__(self, metrics: Metrics) -> None:
        self.requests = metrics.counter("signaling_requests_total", "Requests on sockets of rooms, by type", ("type",))
        self.faults = metrics.counter("signaling_errors_total", "Error frames sent, by code", ("code",))
        self.closed = metrics.counter("signaling_closed_total", "Sockets of rooms that ended, by close code", ("code",))
