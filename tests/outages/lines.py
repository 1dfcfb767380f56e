"""The line between us and a server, and the four ways it breaks and mends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import psutil

from tests.services.cut import CutProxy
from tests.services.process import Service

OUTAGES = ("killed", "stopped", "cut", "stalled")


@dataclass
class Line:
    """``port`` is where we connect to."""

    port: int
    begin: Callable[[], Awaitable[object]]
    end: Callable[[], Awaitable[object]]


@asynccontextmanager
async def line_to(server: Service, outage: str) -> AsyncIterator[Line]:
    if outage == "killed":
        try:
            yield Line(server.port, partial(asyncio.to_thread, server.kill), partial(asyncio.to_thread, server.start))
        finally:
            await asyncio.to_thread(server.start)
    elif outage == "stopped":
        try:
            yield Line(server.port, _later(server.pause), _later(server.resume))
        finally:
            server.resume()
    else:
        async with CutProxy(server.host, server.port) as proxy:
            yield Line(proxy.port, _later(proxy.cut if outage == "cut" else proxy.stall), _later(proxy.mend))


def connections_to(port: int) -> int:
    return sum(
        bool(connection.raddr) and connection.raddr.port == port and connection.status == psutil.CONN_ESTABLISHED
        for connection in psutil.Process().net_connections("tcp")
    )


def _later(switch: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    async def flip() -> None:
        switch()

    return flip
