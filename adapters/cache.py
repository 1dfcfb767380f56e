"""An optional read cache in front of a store: hot rows in memory, forgotten by every node when one of them
changes them.

What it may hold is data that everyone may see a moment late. A node hears of a change within the bus's delivery
time; one that cannot listen keeps nothing; and a change whose announcement could not be sent (counted) is seen
elsewhere when the entry's time is up.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar, cast

import msgspec

from kernel.bus import EventBus, EventsLost
from kernel.clock import Clock
from kernel.errors import SecureConnectError
from kernel.metrics import Metrics

Value = TypeVar("Value")

CHANNEL = "cache"
LISTEN_AGAIN_AFTER = 1.0

_keys_in = msgspec.msgpack.Decoder(list[str])
_keys_out = msgspec.msgpack.Encoder()


class ReadCache:
    """Least recently used entries go first when ``size`` is reached; a ``ttl`` of 0 turns the cache off."""

    def __init__(self, bus: EventBus, *, ttl: float, size: int, clock: Clock, metrics: Metrics) -> None:
        self._bus = bus
        self._ttl = ttl
        self._size = size
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, object]] = OrderedDict()
        # The load that whoever asks for a key now may join. One that an invalidation overtook is taken out: it
        # may have read the old row, so it answers those who asked before, and nobody else.
        self._joinable: dict[str, asyncio.Task[object]] = {}
        self._loads: set[asyncio.Task[object]] = set()
        self._listening = False
        lookups = metrics.counter("cache_lookups_total", "Reads through the cache, by outcome", ("outcome",))
        self._hits, self._joins, self._misses = (lookups.labels(outcome) for outcome in ("hit", "joined", "miss"))
        self._evicted = metrics.counter("cache_evictions_total", "Entries dropped because the cache was full")
        self._unsent = metrics.counter(
            "cache_invalidations_unsent_total", "Changes that other nodes see only when their entries expire"
        )
        metrics.gauge("cache_entries", "Entries in the cache").set_function(lambda: len(self._entries))

    async def get_or_load(self, key: str, loader: Callable[[], Awaitable[Value]]) -> Value:
        """The cached value, or what ``loader`` answers. It runs once for all who ask meanwhile, and to its end even
        if they are cancelled. It reads the primary: a replica could bring back what was just invalidated."""
        if not self._ttl:
            return await loader()
        entry = self._entries.get(key)
        if entry is not None and self._clock.monotonic() < entry[0]:
            self._entries.move_to_end(key)
            self._hits.inc()
            return cast(Value, entry[1])
        task = self._joinable.get(key)
        if task is None:
            self._misses.inc()
            task = self._start(key, loader)
        else:
            self._joins.inc()
        return cast(Value, await asyncio.shield(task))

    async def invalidate(self, *keys: str) -> None:
        """Call it after the change is committed: a read that starts after this returned sees the change here, and
        on other nodes once the bus has told them. Never fails: the change itself has happened."""
        if not self._ttl:
            return
        self._forget(keys)
        try:
            await self._bus.publish(CHANNEL, _keys_out.encode(keys))
        except SecureConnectError:
            self._unsent.inc()

    def _start(self, key: str, loader: Callable[[], Awaitable[object]]) -> asyncio.Task[object]:
        async def load() -> object:
            return await loader()

        task = asyncio.create_task(load(), name=f"cache load of {key}")
        self._joinable[key] = task
        self._loads.add(task)
        task.add_done_callback(partial(self._loaded, key))
        return task

    def _loaded(self, key: str, task: asyncio.Task[object]) -> None:
        self._loads.discard(task)
        failed = task.cancelled() or task.exception() is not None
        if self._joinable.get(key) is task:
            del self._joinable[key]
            if self._listening and not failed:
                self._keep(key, task.result())

    def _keep(self, key: str, value: object) -> None:
        self._entries[key] = (self._clock.monotonic() + self._ttl, value)
        self._entries.move_to_end(key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
            self._evicted.inc()

    def _forget(self, keys: tuple[str, ...] | list[str]) -> None:
        for key in keys:
            self._entries.pop(key, None)
            self._joinable.pop(key, None)

    def _forget_everything(self) -> None:
        self._entries.clear()
        self._joinable.clear()

    async def listen_forever(self, ready: asyncio.Event) -> None:
        while True:
            try:
                await self._listen(ready)
            except SecureConnectError:
                pass  # the bus's own guard has counted it
            finally:
                self._listening = False
                self._forget_everything()
                ready.set()
            await asyncio.sleep(LISTEN_AGAIN_AFTER)

    async def _listen(self, ready: asyncio.Event) -> None:
        async with self._bus.subscribe([CHANNEL]) as subscription:
            self._listening = True
            ready.set()
            async for event in subscription:
                if isinstance(event, EventsLost):
                    self._forget_everything()
                else:
                    self._forget(_keys_in.decode(event.payload))

    async def aclose(self) -> None:
        loads = list(self._loads)
        for task in loads:
            task.cancel()
        await asyncio.gather(*loads, return_exceptions=True)


@asynccontextmanager
async def open_cache(
    bus: EventBus, *, ttl: float, size: int, clock: Clock, metrics: Metrics
) -> AsyncIterator[ReadCache]:
    cache = ReadCache(bus, ttl=ttl, size=size, clock=clock, metrics=metrics)
    if not ttl:
        yield cache
        return
    ready = asyncio.Event()
    listener = asyncio.create_task(cache.listen_forever(ready), name="cache invalidations")
    try:
        await ready.wait()
        yield cache
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
        await cache.aclose()
