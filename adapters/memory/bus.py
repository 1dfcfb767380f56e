"""The event bus of a single process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext

from adapters.fanout import EventQueue, Fanout
from kernel.bus import BusEvent, EventsLost, Subscription
from kernel.ephemeral import require_key
from kernel.metrics import Metrics


class MemoryBus:
    """Implements kernel.bus.EventBus: publishing puts the event into the queues before it returns."""

    def __init__(self, metrics: Metrics) -> None:
        self._fanout = Fanout(metrics)
        self._published = metrics.counter("bus_events_published_total", "Events published by this process")
        self._tracing = metrics.tracing

    async def publish(self, channel: str, payload: bytes) -> None:
        require_key(channel)
        self._published.inc()
        with self._tracing.dependency("bus") if self._tracing.active else nullcontext():
            self._fanout.deliver(channel, payload)

    def subscribe(self, channels: Collection[str], *, queue: int = 1024) -> AbstractAsyncContextManager[Subscription]:
        return self._subscribe(channels, queue)

    @asynccontextmanager
    async def _subscribe(self, channels: Collection[str], length: int) -> AsyncIterator[Subscription]:
        queue = self._fanout.open(length)
        try:
            subscription = MemorySubscription(self._fanout, queue)
            await subscription.add(channels)
            yield subscription
        finally:
            self._fanout.close(queue)


class MemorySubscription:
    def __init__(self, fanout: Fanout, queue: EventQueue) -> None:
        self._fanout = fanout
        self._queue = queue

    def __aiter__(self) -> AsyncIterator[BusEvent | EventsLost]:
        return self

    async def __anext__(self) -> BusEvent | EventsLost:
        return await self._queue.get()

    async def add(self, channels: Collection[str]) -> None:
        for channel in channels:
            require_key(channel)
        self._fanout.add(self._queue, channels)

    async def remove(self, channels: Collection[str]) -> None:
        self._fanout.remove(self._queue, channels)
