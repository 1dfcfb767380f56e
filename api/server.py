"""Listening and stopping: sockets at the edge, and a shutdown that loses nothing and ends in time."""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web

from api.http.connection import ConnectionLimits, connection_factory
from api.http.origins import COMMON_HEADERS
from api.http.pipeline import PIPELINE
from api.http.problem import problem_response
from api.lifecycle import Lifecycle
from api.listening import BoundSockets, cannot_listen
from config.sections import Server
from kernel.clock import Clock
from kernel.metrics import Metrics

_log = structlog.stdlib.get_logger("api.server")

BACKLOG = 1024
# Shares of the shutdown deadline: requests first, then goodbyes on sockets, then what is cut may clean up. The jobs
# (api/platform.py) and the stores get what is left.
REQUESTS_SHARE = 0.5
SOCKETS_SHARE = 0.1
CUT_SHARE = 0.05
POLL_SECONDS = 0.005
# Turns of the loop in which whoever knocked, or had sent a request, before we were told to stop is let in and heard:
# one to accept, one to read, one to begin, and as many again for a loop that is behind.
TURNS = 6


class HttpServer:
    """Accepts connections for one application until told to stop."""

    def __init__(
        self, app: web.Application, settings: Server, lifecycle: Lifecycle, metrics: Metrics, clock: Clock
    ) -> None:
        self._app = app
        self._settings = settings
        self._lifecycle = lifecycle
        self._metrics = metrics
        self._clock = clock
        cut = settings.shutdown_timeout * CUT_SHARE
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=cut)
        self._servers: list[asyncio.Server] = []

    async def start(self, bound: BoundSockets) -> None:
        """Listen on ``bound``, which belongs to the server from now on."""
        await self._runner.setup()
        handler = self._runner.server
        if handler is None:
            raise RuntimeError("aiohttp made no request server")
        handler.request_handler = self._app[PIPELINE].around(handler.request_handler)
        limits = ConnectionLimits(
            header_timeout=self._settings.header_timeout,
            write_timeout=self._settings.body_timeout,
            keepalive_timeout=self._settings.keepalive_timeout,
            max_connections=self._settings.max_connections,
        )
        accept = connection_factory(handler, limits, self._metrics, _refuse)
        loop = asyncio.get_running_loop()
        for item in bound.sockets:
            try:
                self._servers.append(await loop.create_server(accept, sock=item, backlog=BACKLOG))
            except OSError as error:  # two processes may bind with SO_REUSEADDR; only one of them can listen
                raise cannot_listen(error, *bound.addresses[0]) from error

    async def stop(self, deadline: float) -> None:
        """Stop accepting, let requests finish, tell sockets, cut what is left; done well before ``deadline``
        (monotonic). Whoever had sent a request before this was called is answered."""
        total = max(0.0, deadline - self._clock.monotonic())
        self._lifecycle.stop()
        for _ in range(TURNS):
            await asyncio.sleep(POLL_SECONDS)
        for server in self._servers:
            server.close()
        unfinished = await self._finish_requests(total * REQUESTS_SHARE)
        await self._lifecycle.close_sockets("server is stopping", within=total * SOCKETS_SHARE)
        await self._runner.cleanup()
        _log.info("stopped accepting", unfinished_requests=unfinished)

    async def _finish_requests(self, within: float) -> int:
        """Wait for handlers other than those of registered sockets, which end by being told."""
        until = self._clock.monotonic() + within
        quiet = 0
        left = 0
        while quiet < TURNS and self._clock.monotonic() < until:
            await asyncio.sleep(POLL_SECONDS)
            left = max(0, self._lifecycle.requests_running - self._lifecycle.open_sockets())
            quiet = 0 if left else quiet + 1
        return left


def _refuse(status: int, code: str, detail: str) -> web.Response:
    response = problem_response(status, code, detail)
    response.headers.update(COMMON_HEADERS)
    return response
