"""One HTTP connection, guarded against clients that only want to keep it open.

aiohttp bounds idle keep-alive; what it leaves open is a client that sends its headers a byte at a time, or
never reads its answer. This is the one file that leans on the insides of aiohttp's request handler; the
version is pinned and tests/api/test_connection.py fails when its behaviour changes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestHandler
from prometheus_client import Counter, Gauge

from kernel.metrics import Metrics

# The longest request line and header field we read; a ticket and a cursor fit many times over.
MAX_LINE = 8190
MAX_HEADERS = 100


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    header_timeout: float
    write_timeout: float
    keepalive_timeout: float
    max_connections: int


class ConnectionMetrics:
    def __init__(self, metrics: Metrics) -> None:
        self.open: Gauge = metrics.gauge("http_connections", "Open HTTP connections")
        closed = metrics.counter("http_connections_cut_total", "HTTP connections we cut, by reason", ("reason",))
        self.cut: dict[str, Counter] = {
            reason: closed.labels(reason) for reason in ("slow_headers", "slow_reader", "too_many", "malformed")
        }


class Connection(RequestHandler):
    __slots__ = ("_bounds", "_counted", "_headers_due", "_numbers", "_refuse", "_write_due")

    def __init__(
        self,
        server: web.Server,
        loop: asyncio.AbstractEventLoop,
        bounds: ConnectionLimits,
        numbers: ConnectionMetrics,
        refuse: Callable[[int, str, str], web.Response],
    ) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=bounds.keepalive_timeout,
            access_log=cast(logging.Logger, None),  # ours is written by the pipeline
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_HEADERS,
            lingering_time=2.0,
        )
        self._bounds = bounds
        self._numbers = numbers
        self._refuse = refuse
        self._headers_due: asyncio.TimerHandle | None = None
        self._write_due: asyncio.TimerHandle | None = None
        self._counted = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._numbers.open.inc()
        self._counted = True
        self._headers_due = self._loop.call_later(self._bounds.header_timeout, self._check_headers)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
        self._writable()
        if self._counted:
            self._counted = False
            self._numbers.open.dec()
        task = self._task_handler
        super().connection_lost(exc)
        if task is not None and not self._request_in_progress:
            task.cancel()  # it would linger for the rest of a body whose sender is gone

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_due is None:
            self._write_due = self._loop.call_later(self._bounds.write_timeout, self._cut, "slow_reader")

    def resume_writing(self) -> None:
        super().resume_writing()
        self._writable()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What never became a request: answered in the same form as every other error, then closed."""
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer was sent already")
        if isinstance(exc, ConnectionError):
            raise exc  # its client is gone: no fault of ours, and nobody to tell
        self._numbers.cut["malformed"].inc()
        if isinstance(exc, LineTooLong):
            response = self._refuse(431, "headers_too_large", f"A request line or header is over {MAX_LINE} bytes.")
        elif isinstance(exc, HttpProcessingError) or status < 500:
            response = self._refuse(400, "malformed_http", "This is not an HTTP/1.1 request.")
        else:
            self.log_exception("a request failed outside of its handler", exc_info=exc)
            response = self._refuse(500, "internal_error", "Something failed here.")
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        # The rest of a body is read and thrown away after its answer; that it is broken too is its sender's affair.
        if not isinstance(kw.get("exc_info"), web.RequestPayloadError):
            super().log_exception(*args, **kw)

    def _check_headers(self) -> None:
        """Once per connection: later requests on it have the keep-alive timeout to arrive, headers and all."""
        self._headers_due = None
        if self._request_count == 0:
            self._cut("slow_headers")

    def _writable(self) -> None:
        if self._write_due is not None:
            self._write_due.cancel()
            self._write_due = None

    def _cut(self, reason: str) -> None:
        self._numbers.cut[reason].inc()
        if self.transport is not None:
            self.transport.abort()


def connection_factory(
    server: web.Server,
    bounds: ConnectionLimits,
    metrics: Metrics,
    refuse: Callable[[int, str, str], web.Response],
) -> Callable[[], asyncio.Protocol]:
    """What ``loop.create_server`` calls for each accepted connection."""
    loop = asyncio.get_running_loop()
    numbers = ConnectionMetrics(metrics)

    def accept() -> asyncio.Protocol:
        if len(server.connections) >= bounds.max_connections:
            numbers.cut["too_many"].inc()
            return _Refused()
        return Connection(server, loop, bounds, numbers, refuse)

    return accept


class _Refused(asyncio.Protocol):
    """Over the bound: closed at once, without a byte read or a handler made."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()
