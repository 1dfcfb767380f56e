"""Everything Redis does for a node, opened and closed together."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adapters.fanout import Fanout
from adapters.guard import Guard
from adapters.redis import scripts
from adapters.redis.bus import RedisBus
from adapters.redis.commands import Commands
from adapters.redis.connections import OUTAGES, dialler
from adapters.redis.ephemeral import RedisCounters, RedisKeyValues, RedisLocks, RedisTimedSets, RedisTokenBuckets
from adapters.redis.hub import Hub
from adapters.redis.keys import Keys
from adapters.redis.lane import Lane
from adapters.redis.streams import RedisStreams
from config.sections import Redis
from kernel.clock import Clock
from kernel.errors import SecureConnectError
from kernel.health import ProbeResult
from kernel.metrics import Metrics

_log = logging.getLogger(__name__)

# Beside the lanes that commands share, one connection publishes and one listens.
NOT_LANES = 2

DATA_LOST = "Redis has lost its data"


@dataclass(frozen=True, slots=True)
class RedisStores:
    key_values: RedisKeyValues
    sets: RedisTimedSets
    counters: RedisCounters
    locks: RedisLocks
    buckets: RedisTokenBuckets
    bus: RedisBus
    streams: RedisStreams
    dependency: RedisDependency
    guard: Guard


class RedisDependency:
    """Implements kernel.health.Dependency. Required: a node without it hears no events and shares no state."""

    name = "redis"
    required = True

    def __init__(self, guard: Guard, commands: Commands, hub: Hub, epoch: Epoch) -> None:
        self._guard = guard
        self._commands = commands
        self._hub = hub
        self._epoch = epoch

    async def probe(self) -> ProbeResult:
        async def round_trip() -> None:
            await self._commands.ping()
            self._hub.require_listening()

        result = await self._guard.probe(round_trip)
        if result.ok:
            await self._epoch.check()
        return result


class Epoch:
    """Notices that Redis came back empty (or was flushed): a mark left in it is gone.

    Checked whenever the listening connection is made and with every probe. A copy that merely lags behind after
    a failover keeps the mark and is not noticed.
    """

    def __init__(self, commands: Commands, keys: Keys, fanout: Fanout, metrics: Metrics) -> None:
        self._commands = commands
        self._key = keys.one("epoch", "mark")
        self._fanout = fanout
        self._known: bytes | None = None
        self._losses = metrics.counter("redis_data_lost_total", "Times Redis was found to have lost its data")

    async def check(self) -> bool:
        """False when Redis could not be asked."""
        try:
            found = await self._commands.script(scripts.EPOCH, [self._key], secrets.token_hex(8))
        except SecureConnectError:
            return False
        if self._known is not None and found != self._known:
            self._losses.inc()
            _log.error("Redis has lost its data: sessions, locks, limits and streams start over")
            self._fanout.lose(DATA_LOST)
        self._known = found
        return True


@asynccontextmanager
async def open_redis(settings: Redis, *, clock: Clock, metrics: Metrics) -> AsyncIterator[RedisStores]:
    """Needs Redis 6.2 or newer, one node (or a primary behind one address). Opens also while Redis is away: the
    first calls fail, and it is found when it comes back. ValueError when the settings cannot work."""
    dial = await dialler(settings)
    guard = Guard("redis", timeout=settings.timeout, outages=OUTAGES, clock=clock, metrics=metrics)
    fanout = Fanout(metrics)
    keys = Keys(settings.prefix)
    channel_prefix = keys.one("e", "")
    lanes = [Lane(dial, timeout=settings.timeout, clock=clock) for _ in range(settings.pool_size - NOT_LANES)]
    publisher = Lane(dial, timeout=settings.timeout, clock=clock)
    commands = Commands(lanes, publisher, guard)
    epoch = Epoch(commands, keys, fanout, metrics)
    hub = Hub(dial, prefix=channel_prefix, fanout=fanout, ask_epoch=epoch.check, timeout=settings.timeout, clock=clock)
    bus = RedisBus(commands, hub, fanout, guard, prefix=channel_prefix, metrics=metrics)
    links = [*lanes, publisher, hub]
    metrics.gauge("redis_connections", "Open connections to Redis").set_function(
        lambda: sum(link.connected for link in links)
    )
    metrics.gauge("redis_commands", "Commands waiting for Redis").set_function(
        lambda: sum(lane.load for lane in (*lanes, publisher))
    )
    tasks = [asyncio.create_task(link.run(), name=f"redis {type(link).__name__.lower()}") for link in links]
    try:
        yield RedisStores(
            RedisKeyValues(commands, keys),
            RedisTimedSets(commands, keys),
            RedisCounters(commands, keys),
            RedisLocks(commands, keys),
            RedisTokenBuckets(commands, keys),
            bus,
            RedisStreams(commands, bus, keys, channel_prefix=channel_prefix),
            RedisDependency(guard, commands, hub, epoch),
            guard,
        )
    finally:
        for link, task in zip(links, tasks, strict=True):
            link.close()
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
