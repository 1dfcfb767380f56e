"""The event bus of several nodes, over Redis pub/sub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from adapters.fanout import EventQueue, Fanout
from adapters.guard import Guard
from adapters.redis.commands import Commands
from adapters.redis.hub import Hub
from kernel.bus import BusEvent, EventsLost, Subscription
from kernel.ephemeral import require_key
from kernel.metrics import Metrics


class RedisBus:
    """Implements kernel.bus.EventBus.

    ``publish`` returns when Redis has handed the event to the connections of all nodes; one that fails may still
    arrive, even behind later ones. A subscription survives lost connections and learns of them as EventsLost.
    """

    def __init__(
        self, commands: Commands, hub: Hub, fanout: Fanout, guard: Guard, *, prefix: str, metrics: Metrics
    ) -> None:
        self._commands = commands
        self._hub = hub
        self._fanout = fanout
        self._guard = guard
        self._prefix = prefix
        self._published = metrics.counter("bus_events_published_total", "Events published by this process")
        self._tracing = metrics.tracing

    async def publish(self, channel: str, payload: bytes) -> None:
        require_key(channel)
        with self._tracing.dependency("bus") if self._tracing.active else nullcontext():
            await self._commands.publish(self._prefix + channel, payload)
        self._published.inc()

    def subscribe(self, channels: Collection[str], *, queue: int = 1024) -> AbstractAsyncContextManager[Subscription]:
        for channel in channels:
            require_key(channel)
        return self.listen(channels, queue)

    @asynccontextmanager
    async def listen(self, channels: Collection[str], length: int) -> AsyncIterator[RedisSubscription]:
        """``subscribe`` for channel names of our own as well, which begin with what no key may."""
        queue = self._fanout.open(length)
        try:
            subscription = RedisSubscription(self._hub, self._fanout, self._guard, queue)
            await subscription.listen(channels)
            yield subscription
        finally:
            self._hub.unlisten(self._fanout.close(queue))


class RedisSubscription:
    def __init__(self, hub: Hub, fanout: Fanout, guard: Guard, queue: EventQueue) -> None:
        self._hub = hub
        self._fanout = fanout
        self._guard = guard
        self._queue = queue
        # One change at a time: undoing an addition that failed must not undo what came after it.
        self._changing = asyncio.Lock()

    def __aiter__(self) -> AsyncIterator[BusEvent | EventsLost]:
        return self

    async def __anext__(self) -> BusEvent | EventsLost:
        return await self._queue.get()

    async def add(self, channels: Collection[str]) -> None:
        for channel in channels:
            require_key(channel)
        await self.listen(channels)

    async def listen(self, channels: Collection[str]) -> None:
        async with self._changing:
            added = self._fanout.missing(self._queue, channels)
            self._hub.listen(self._fanout.add(self._queue, added))
            try:
                await self._guard.call(lambda: self._hub.confirmed(channels))
            except BaseException:
                self._hub.unlisten(self._fanout.remove(self._queue, added))
                raise

    async def remove(self, channels: Collection[str]) -> None:
        async with self._changing:
            self._hub.unlisten(self._fanout.remove(self._queue, channels))
