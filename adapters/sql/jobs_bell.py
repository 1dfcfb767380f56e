"""Wakes whoever waits for jobs: in this process at once, on other nodes through the bus, and always by the clock."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from kernel.bus import EventBus, EventsLost
from kernel.clock import Clock

CHANNEL = "jobs"
# However many jobs are added, other nodes hear of it this often at most: fifty claims a second find them all.
ANNOUNCE_EVERY_SECONDS = 0.02
# Without a bus the nodes still look every poll interval, so there is no hurry to try it again.
BUS_PAUSE_SECONDS = 1.0

_log = logging.getLogger(__name__)


class JobBell:
    """``name`` tells this node's announcements from those of others."""

    def __init__(self, *, name: bytes, clock: Clock, bus: EventBus | None) -> None:
        self._name = name
        self._clock = clock
        self._bus = bus
        self._rung = asyncio.Event()
        self._news = asyncio.Event()
        self._next_due = math.inf

    def ring(self, due_at: float) -> None:
        """A job is due at ``due_at``; called once it is durable."""
        if due_at > self._clock.now():
            self._next_due = min(self._next_due, due_at)
            return
        self._rung.set()
        self._news.set()

    def ring_again(self) -> None:
        """A claim left something behind for others in this process."""
        self._rung.set()

    def muffle(self) -> None:
        """Everything that rang until now is about to be seen: called before looking."""
        self._rung.clear()

    async def wait(self, timeout: float) -> None:
        until_due = max(0.0, self._next_due - self._clock.now())
        try:
            async with asyncio.timeout(min(timeout, until_due)):
                await self._rung.wait()
        except TimeoutError:
            if self._clock.now() >= self._next_due:
                self._next_due = math.inf

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        """Announce to other nodes and listen to them while inside."""
        bus = self._bus
        if bus is None:
            yield
            return
        tasks = [
            asyncio.create_task(self._for_ever(step, bus), name=f"jobs bell {step.__name__}")
            for step in (self._announce, self._listen)
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _for_ever(self, step: Callable[[EventBus], Awaitable[None]], bus: EventBus) -> None:
        while True:
            try:
                await step(bus)
            except Exception as error:  # noqa: BLE001 - waking is a courtesy; the clock wakes everybody anyway
                _log.debug("jobs: the bus failed with %s", type(error).__name__)
                await asyncio.sleep(BUS_PAUSE_SECONDS)

    async def _announce(self, bus: EventBus) -> None:
        await self._news.wait()
        self._news.clear()
        await bus.publish(CHANNEL, self._name)
        await asyncio.sleep(ANNOUNCE_EVERY_SECONDS)

    async def _listen(self, bus: EventBus) -> None:
        async with bus.subscribe([CHANNEL]) as subscription:
            async for event in subscription:
                if isinstance(event, EventsLost) or event.payload != self._name:
                    self._rung.set()
        await asyncio.sleep(BUS_PAUSE_SECONDS)
