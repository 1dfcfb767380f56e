"""The way to the cluster: how many operations may be under way, one timeout and one verdict for each."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from adapters.guard import Guard
from kernel.clock import Clock
from kernel.errors import DependencyUnavailable, Overloaded
from kernel.metrics import Metrics

Result = TypeVar("Result")

# Sending a request costs the event loop a third of a millisecond in the driver. More than these, begun in one
# turn, would hold up everything else, and they keep a node busy that answers within ten. A connection has 32,768
# stream ids: the driver never has to block for a free one.
MAX_OPERATIONS = 128
# Beyond this the callers could not be answered within any sensible timeout; they hear Overloaded at once.
MAX_WAITING = 10_000


class Requests:
    def __init__(self, guard: Guard, clock: Clock, metrics: Metrics) -> None:
        self.guard = guard
        self._clock = clock
        self._slots = asyncio.Semaphore(MAX_OPERATIONS)
        self._waiting = 0
        self._refused = metrics.counter(
            "cassandra_refused_total", "Operations that the full queue before Cassandra refused"
        )
        metrics.gauge("cassandra_waiting", "Operations waiting for their turn at Cassandra").set_function(
            lambda: self._waiting
        )

    async def run(self, operation: Callable[[], Awaitable[Result]]) -> Result:
        """The wait for a turn is part of the timeout."""
        deadline = self._clock.monotonic() + self.guard.timeout
        if self._slots.locked():
            await self._turn()
        else:
            await self._slots.acquire()
        try:
            return await self.guard.call(operation, timeout=max(0.0, deadline - self._clock.monotonic()))
        finally:
            self._slots.release()

    async def _turn(self) -> None:
        if self._waiting >= MAX_WAITING:
            self._refused.inc()
            raise Overloaded("Too many messages are waiting for their store.", code="messages_overloaded")
        self._waiting += 1
        try:
            async with asyncio.timeout(self.guard.timeout):
                await self._slots.acquire()
        except TimeoutError as error:
            raise DependencyUnavailable(self.guard.dependency, "earlier requests kept it busy") from error
        finally:
            self._waiting -= 1
