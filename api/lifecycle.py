"""Where the process is in its life, and the open sockets that must hear of its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from kernel.clock import Clock
from kernel.errors import Overloaded
from kernel.metrics import Metrics

_log = structlog.stdlib.get_logger("api.lifecycle")

# WebSocket close code for a server that goes away (RFC 6455 section 7.4.1).
GOING_AWAY = 1001
# What a close that was cancelled may take to end.
CUT_SECONDS = 0.5

CloseSocket = Callable[[int, str], Awaitable[object]]


class Lifecycle:
    """Tells everyone who asks whether the process is stopping, and closes long-lived sockets when it is."""

    def __init__(self, clock: Clock, metrics: Metrics, *, max_sockets: int) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self._max_sockets = max_sockets
        self._sockets: dict[int, CloseSocket] = {}
        self._next = 0
        self.stopping = False
        self.requests_running = 0
        running = metrics.gauge("http_requests_running", "Requests being answered, sockets included")
        running.set_function(lambda: self.requests_running)
        gauge = metrics.gauge("sockets_open", "Open WebSockets and streams")
        gauge.set_function(lambda: len(self._sockets))

    def uptime(self) -> float:
        return self._clock.monotonic() - self._started

    def open_sockets(self) -> int:
        return len(self._sockets)

    def register_socket(self, close: CloseSocket) -> Callable[[], None]:
        """Have ``close(code, reason)`` awaited at shutdown; call what is returned when the socket ends before."""
        if self.stopping:
            raise Overloaded("This server is stopping.", code="server_stopping")
        if len(self._sockets) >= self._max_sockets:
            raise Overloaded("This server has as many sockets open as it may.", code="too_many_sockets")
        self._next += 1
        number = self._next
        self._sockets[number] = close

        def forget() -> None:
            self._sockets.pop(number, None)

        return forget

    def stop(self) -> None:
        self.stopping = True

    async def close_sockets(self, reason: str, *, within: float) -> None:
        """Say goodbye on every socket; those that do not take it in time are left to be cut."""
        closing = [asyncio.ensure_future(close(GOING_AWAY, reason)) for close in list(self._sockets.values())]
        if not closing:
            return
        done, late = await asyncio.wait(closing, timeout=within)
        for task in late:
            task.cancel()
        if late:  # one that holds on to its socket even now is cut with the process
            await asyncio.wait(late, timeout=CUT_SECONDS)
        failed = sum(1 for task in done if task.cancelled() or task.exception() is not None)
        _log.info("sockets closed", told=len(done) - failed, failed=failed, cut=len(late))
