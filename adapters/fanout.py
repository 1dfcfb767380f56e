"""Local delivery of bus events: which subscription of this process listens to which channel, and its bounded queue.

Shared by every bus adapter, so that a slow reader looks the same whatever carries the events.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable

from prometheus_client import Counter

from kernel.bus import BusEvent, EventsLost
from kernel.metrics import Metrics

# Beside the number of events: a thousand events of 1 MiB each are no bound on memory.
MAX_QUEUED_BYTES = 32 << 20

SLOW_READER = "the reader was slower than its events"


class EventQueue:
    """The events one subscription has yet to read. When it is full the oldest go, and one EventsLost at the
    head names their channels."""

    def __init__(self, length: int, dropped: Counter) -> None:
        if length < 1:
            raise ValueError("a subscription's queue holds at least one event")
        self._length = length
        self._dropped = dropped
        self._items: deque[BusEvent | EventsLost] = deque()
        self._bytes = 0
        self._lost: set[str] = set()
        self._reader: asyncio.Future[None] | None = None
        self._closed = False

    def put(self, item: BusEvent | EventsLost) -> None:
        if self._closed:
            return
        self._items.append(item)
        if isinstance(item, BusEvent):
            self._bytes += len(item.payload)
        while len(self._items) > self._length or (self._bytes > MAX_QUEUED_BYTES and len(self._items) > 1):
            self._drop_oldest()
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _drop_oldest(self) -> None:
        oldest = self._items.popleft()
        if isinstance(oldest, EventsLost):
            self._lost |= oldest.channels
            return
        self._bytes -= len(oldest.payload)
        self._lost.add(oldest.channel)
        self._dropped.inc()

    async def get(self) -> BusEvent | EventsLost:
        """The next item; StopAsyncIteration once closed. One reader at a time."""
        while not (self._items or self._lost or self._closed):
            if self._reader is not None:
                raise RuntimeError("a subscription has one reader at a time")
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if self._closed:
            raise StopAsyncIteration
        if self._lost:
            lost, self._lost = frozenset(self._lost), set()
            return EventsLost(lost, SLOW_READER)
        item = self._items.popleft()
        if isinstance(item, BusEvent):
            self._bytes -= len(item.payload)
        return item

    def close(self) -> None:
        self._closed = True
        self._items.clear()
        self._lost.clear()
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class Fanout:
    """Channels of this process and the queues that listen to each; never awaits, so never interleaves."""

    def __init__(self, metrics: Metrics) -> None:
        self._listeners: dict[str, dict[EventQueue, None]] = {}
        self._queues: dict[EventQueue, set[str]] = {}
        self._dropped = metrics.counter(
            "bus_events_dropped_total", "Events dropped because a subscription's queue was full"
        )
        self._delivered = metrics.counter("bus_events_delivered_total", "Events put into a subscription's queue")
        metrics.gauge("bus_subscriptions", "Open subscriptions").set_function(lambda: len(self._queues))
        metrics.gauge("bus_channels", "Channels with a subscription here").set_function(lambda: len(self._listeners))

    def open(self, length: int) -> EventQueue:
        queue = EventQueue(length, self._dropped)
        self._queues[queue] = set()
        return queue

    def close(self, queue: EventQueue) -> set[str]:
        """Forget a queue; answers the channels nobody here listens to any more."""
        queue.close()
        silent = self.remove(queue, self._queues.get(queue, ()))
        self._queues.pop(queue, None)
        return silent

    def missing(self, queue: EventQueue, channels: Iterable[str]) -> set[str]:
        """The channels this queue does not yet listen to."""
        return set(channels) - self._queues.get(queue, set())

    def add(self, queue: EventQueue, channels: Iterable[str]) -> set[str]:
        """Answers the channels that had no listener here before."""
        if queue not in self._queues:
            raise RuntimeError("the subscription is closed")
        fresh = set()
        for channel in channels:
            if channel not in self._listeners:
                self._listeners[channel] = {}
                fresh.add(channel)
            self._listeners[channel][queue] = None
            self._queues[queue].add(channel)
        return fresh

    def remove(self, queue: EventQueue, channels: Iterable[str]) -> set[str]:
        """Answers the channels nobody here listens to any more."""
        silent = set()
        for channel in tuple(channels):
            listeners = self._listeners.get(channel, {})
            if queue not in listeners:
                continue
            del listeners[queue]
            self._queues[queue].discard(channel)
            if not listeners:
                del self._listeners[channel]
                silent.add(channel)
        return silent

    def channels(self) -> Collection[str]:
        return self._listeners.keys()

    def deliver(self, channel: str, payload: bytes) -> None:
        listeners = self._listeners.get(channel)
        if not listeners:
            return
        event = BusEvent(channel, payload)
        for queue in listeners:
            queue.put(event)
        self._delivered.inc(len(listeners))

    def lose(self, reason: str) -> None:
        """Tell every subscription that events of all its channels may be missing."""
        for queue, channels in self._queues.items():
            if channels:
                queue.put(EventsLost(frozenset(channels), reason))
