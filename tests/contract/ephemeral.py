"""Two nodes that share one ephemeral store and one event bus, embedded and over a real Redis."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adapters.memory import MemoryBus, MemoryState
from adapters.redis import open_redis
from config.sections import Redis
from config.values import Duration, Secret
from kernel.bus import EventBus
from kernel.clock import SystemClock
from kernel.ephemeral import Counters, KeyValues, Locks, TimedSets, TokenBuckets
from kernel.metrics import Metrics
from tests.clocks import VirtualClock


@dataclass(frozen=True)
class Node:
    key_values: KeyValues
    sets: TimedSets
    counters: Counters
    locks: Locks
    buckets: TokenBuckets
    bus: EventBus


@dataclass(frozen=True)
class Nodes:
    """``elapse`` lets seconds pass, however the store counts them."""

    first: Node
    second: Node
    elapse: Callable[[float], Awaitable[None]]


@asynccontextmanager
async def memory_nodes() -> AsyncIterator[Nodes]:
    clock = VirtualClock()
    state = MemoryState(clock)
    bus = MemoryBus(Metrics())
    node = Node(state.key_values, state.sets, state.counters, state.locks, state.buckets, bus)

    async def elapse(seconds: float) -> None:
        clock.advance(seconds)

    yield Nodes(node, node, elapse)


def redis_settings(url: str, *, prefix: str | None = None, timeout: float = 5, pool_size: int = 6) -> Redis:
    """A name space of its own per test, so that none sees what another left."""
    return Redis(
        url=Secret(url),
        prefix=prefix or f"t{secrets.token_hex(6)}",
        timeout=Duration(timeout),
        pool_size=pool_size,
    )


@asynccontextmanager
async def redis_node(settings: Redis) -> AsyncIterator[Node]:
    async with open_redis(settings, clock=SystemClock(), metrics=Metrics()) as stores:
        yield Node(stores.key_values, stores.sets, stores.counters, stores.locks, stores.buckets, stores.bus)


@asynccontextmanager
async def redis_nodes(url: str) -> AsyncIterator[Nodes]:
    settings = redis_settings(url)

    async def elapse(seconds: float) -> None:
        # Redis rounds a life up to whole milliseconds.
        await asyncio.sleep(seconds + 0.002)

    async with redis_node(settings) as first, redis_node(settings) as second:
        yield Nodes(first, second, elapse)
