"""Redis is killed, stopped and cut off under load: typed errors in time, nothing leaked, and back without a restart."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

import psutil
import pytest

from adapters.redis import RedisStores, open_redis
from kernel.breaker import Circuit
from kernel.bus import BusEvent, EventsLost, Subscription
from kernel.clock import SystemClock
from kernel.errors import DependencyUnavailable
from kernel.metrics import Metrics
from tests.contract.ephemeral import redis_settings
from tests.services.cut import CutProxy
from tests.services.redis import RedisService

pytestmark = pytest.mark.slow

TIMEOUT = 0.5
LATEST = TIMEOUT * 1.2
RECOVERY = 2.0
# Longer than a silent peer goes unnoticed by the idle listening connection (1 s and the timeout).
OUTAGE = 2.2
CALLERS = 20


@dataclass
class Line:
    """What lies between us and Redis, and how it breaks and mends."""

    port: int
    begin: Callable[[], Awaitable[object]]
    end: Callable[[], Awaitable[object]]


@asynccontextmanager
async def line_to(server: RedisService, outage: str) -> AsyncIterator[Line]:
    if outage == "killed":
        async with started_afterwards(server):
            yield Line(server.port, partial(asyncio.to_thread, server.kill), partial(asyncio.to_thread, server.start))
    elif outage == "stopped":
        try:
            yield Line(server.port, _later(server.pause), _later(server.resume))
        finally:
            server.resume()
    else:
        async with CutProxy(server.host, server.port) as proxy:
            yield Line(proxy.port, _later(proxy.cut if outage == "cut" else proxy.stall), _later(proxy.mend))


@asynccontextmanager
async def started_afterwards(server: RedisService) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


def _later(switch: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    async def flip() -> None:
        switch()

    return flip


def connections_to(port: int) -> int:
    return sum(
        bool(connection.raddr) and connection.raddr.port == port and connection.status == psutil.CONN_ESTABLISHED
        for connection in psutil.Process().net_connections("tcp")
    )


@dataclass
class Load:
    """Callers that never stop; what each call came to is kept."""

    stores: RedisStores
    acknowledged: int = 0
    attempted: int = 0
    slowest_failure: float = 0.0
    failures: Counter[type[Exception]] = field(default_factory=Counter)
    successes: dict[str, float] = field(default_factory=dict)

    async def caller(self, number: int) -> None:
        stores = self.stores
        operations: dict[str, Callable[[], Awaitable[object]]] = {
            "put": lambda: stores.key_values.put(f"k{number}", b"x" * 1000, ttl=60),
            "increment": self._increment,
            "take": lambda: stores.buckets.take(f"b{number}", capacity=1000, per_second=1000),
            "lock": lambda: stores.locks.acquire(f"l{number}", ttl=0.01),
            "publish": lambda: stores.bus.publish("load", b"x"),
        }
        while True:
            for name, operation in operations.items():
                started = time.monotonic()
                try:
                    await operation()
                    self.successes[name] = time.monotonic()
                except Exception as error:  # noqa: BLE001 - its type is what the test is about
                    self.failures[type(error)] += 1
                    self.slowest_failure = max(self.slowest_failure, time.monotonic() - started)
                await asyncio.sleep(0.005)

    async def _increment(self) -> None:
        self.attempted += 1
        await self.stores.counters.increment("total", ttl=600)
        self.acknowledged += 1

    async def all_kinds_succeed(self, since: float) -> None:
        """Polled: the callers are in the middle of their loops."""
        async with asyncio.timeout(10):
            while len([moment for moment in self.successes.values() if moment > since]) < 5:
                await asyncio.sleep(0.005)


async def heard_until(subscription: Subscription, payload: bytes) -> list[BusEvent | EventsLost]:
    heard: list[BusEvent | EventsLost] = []
    async with asyncio.timeout(10):
        async for item in subscription:
            heard.append(item)
            if isinstance(item, BusEvent) and item.payload == payload:
                break
    return heard


async def publish_when_possible(stores: RedisStores, channel: str, payload: bytes) -> None:
    async with asyncio.timeout(10):
        while True:
            with suppress(DependencyUnavailable):
                await stores.bus.publish(channel, payload)
                return
            await asyncio.sleep(0.02)


@dataclass
class Scene:
    line: Line
    stores: RedisStores
    load: Load
    subscription: Subscription


@asynccontextmanager
async def under_load(server: RedisService, outage: str) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        line = await stack.enter_async_context(line_to(server, outage))
        settings = redis_settings(f"redis://{server.host}:{line.port}/0", timeout=TIMEOUT)
        stores = await stack.enter_async_context(open_redis(settings, clock=SystemClock(), metrics=Metrics()))
        subscription = await stack.enter_async_context(stores.bus.subscribe(["news", "other"]))
        load = Load(stores)
        callers = [asyncio.create_task(load.caller(number)) for number in range(CALLERS)]
        try:
            await load.all_kinds_succeed(time.monotonic())
            yield Scene(line, stores, load, subscription)
        finally:
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)


@pytest.mark.parametrize("outage", ["killed", "stopped", "cut", "stalled"])
async def test_an_outage_is_typed_timely_and_over_when_redis_is_back(redis_server: RedisService, outage: str) -> None:
    async with under_load(redis_server, outage) as scene:
        before = connections_to(scene.line.port)
        load = scene.load
        assert not load.failures

        await scene.line.begin()
        await asyncio.sleep(OUTAGE)
        assert set(load.failures) == {DependencyUnavailable}
        assert load.slowest_failure <= LATEST
        assert scene.stores.guard.circuit in {Circuit.OPEN, Circuit.HALF_OPEN}
        probe = await scene.stores.dependency.probe()
        assert not probe.ok
        assert probe.latency <= LATEST

        await scene.line.end()
        back = time.monotonic()
        await load.all_kinds_succeed(back)
        async with asyncio.timeout(10):
            told = await anext(aiter(scene.subscription))
        await publish_when_possible(scene.stores, "news", b"back")
        assert await heard_until(scene.subscription, b"back") == [BusEvent("news", b"back")]
        recovery = time.monotonic() - back
        print(f"{outage}: slowest failure {load.slowest_failure:.3f} s, recovery {recovery:.3f} s")
        assert recovery <= RECOVERY

        assert told == EventsLost(frozenset({"news", "other"}), "the connection to Redis was lost")
        recovered = await scene.stores.dependency.probe()
        assert recovered.ok
        assert recovered.circuit is Circuit.CLOSED
        assert connections_to(scene.line.port) <= before
        acknowledged = load.acknowledged
        assert acknowledged <= await scene.stores.counters.value("total") <= load.attempted
    assert connections_to(scene.line.port) == 0


async def test_channels_added_and_removed_during_an_outage_are_right_after_it(redis_server: RedisService) -> None:
    async with under_load(redis_server, "cut") as scene:
        await scene.line.begin()
        await scene.subscription.remove(["other"])
        with pytest.raises(DependencyUnavailable):
            await scene.subscription.add(["refused"])
        await scene.line.end()
        async with asyncio.timeout(RECOVERY):
            while True:
                with suppress(DependencyUnavailable):
                    await scene.subscription.add(["added"])
                    break
                await asyncio.sleep(0.02)
        for channel in ("other", "refused", "added"):
            await publish_when_possible(scene.stores, channel, channel.encode())
        await publish_when_possible(scene.stores, "news", b"end")
        heard = await heard_until(scene.subscription, b"end")
        assert [item.payload for item in heard if isinstance(item, BusEvent)] == [b"added", b"end"]


async def test_an_idle_listener_notices_a_peer_that_fell_silent(redis_server: RedisService) -> None:
    """Nothing is published and nothing asked: only the sign of life can tell."""
    async with AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(CutProxy(redis_server.host, redis_server.port))
        settings = redis_settings(f"redis://{proxy.host}:{proxy.port}/0", timeout=TIMEOUT)
        stores = await stack.enter_async_context(open_redis(settings, clock=SystemClock(), metrics=Metrics()))
        subscription = await stack.enter_async_context(stores.bus.subscribe(["quiet"]))
        proxy.stall()
        await asyncio.sleep(1 + TIMEOUT * 1.5)
        proxy.mend()
        mended = time.monotonic()
        async with asyncio.timeout(10):
            lost = await anext(aiter(subscription))
        assert lost == EventsLost(frozenset({"quiet"}), "the connection to Redis was lost")
        assert time.monotonic() - mended <= RECOVERY


async def test_connections_that_the_network_swallowed_are_given_up_and_replaced(redis_server: RedisService) -> None:
    """No reset, no answer, for ever: only new connections get through."""
    async with AsyncExitStack() as stack:
        swallowing = await stack.enter_async_context(CutProxy(redis_server.host, redis_server.port))
        # One lane, so that there is no other to fall back to.
        settings = redis_settings(f"redis://{swallowing.host}:{swallowing.port}/0", timeout=TIMEOUT, pool_size=3)
        stores = await stack.enter_async_context(open_redis(settings, clock=SystemClock(), metrics=Metrics()))
        await stores.key_values.put("k", b"v", ttl=60)
        subscription = await stack.enter_async_context(stores.bus.subscribe(["a"]))
        swallowing.stall()
        assert swallowing._listener is not None
        asyncio.get_running_loop().remove_reader(swallowing._listener)
        swallowing._listener.close()
        swallowing._listener = None
        passing = CutProxy(redis_server.host, redis_server.port)
        passing.port = swallowing.port
        await stack.enter_async_context(passing)

        started = time.monotonic()
        with pytest.raises(DependencyUnavailable):
            await stores.key_values.get("k")
        assert time.monotonic() - started <= LATEST
        await publish_when_possible(stores, "a", b"lost, perhaps")
        async with asyncio.timeout(RECOVERY):
            while True:
                with suppress(DependencyUnavailable):
                    assert await stores.key_values.get("k") == b"v"
                    break
                await asyncio.sleep(0.02)
        async with asyncio.timeout(10):
            assert isinstance(await anext(aiter(subscription)), EventsLost)
        assert time.monotonic() - started <= 1 + TIMEOUT + RECOVERY
        await publish_when_possible(stores, "a", b"heard")
        assert (await heard_until(subscription, b"heard"))[-1] == BusEvent("a", b"heard")


async def test_closing_ends_even_if_the_connections_fail_in_that_very_moment(redis_server: RedisService) -> None:
    async with CutProxy(redis_server.host, redis_server.port) as proxy:
        settings = redis_settings(f"redis://{proxy.host}:{proxy.port}/0", timeout=TIMEOUT)
        for turns in range(25):
            async with asyncio.timeout(5), AsyncExitStack() as stack:
                stores = await stack.enter_async_context(open_redis(settings, clock=SystemClock(), metrics=Metrics()))
                await stack.enter_async_context(stores.bus.subscribe(["a"]))
                await asyncio.gather(*(stores.key_values.get(f"{number}") for number in range(20)))
                proxy.cut()
                for _ in range(turns):
                    await asyncio.sleep(0)
            proxy.mend()


async def test_opening_while_redis_is_away_works_once_it_is_there(redis_server: RedisService) -> None:
    async with started_afterwards(redis_server):
        await asyncio.to_thread(redis_server.kill)
        settings = redis_settings(redis_server.url, timeout=TIMEOUT)
        async with open_redis(settings, clock=SystemClock(), metrics=Metrics()) as stores:
            with pytest.raises(DependencyUnavailable):
                await stores.key_values.get("k")
            with pytest.raises(DependencyUnavailable):
                await stores.bus.subscribe(["a"]).__aenter__()
            await asyncio.to_thread(redis_server.start)
            back = time.monotonic()
            await publish_when_possible(stores, "a", b"")
            assert time.monotonic() - back <= RECOVERY
            async with stores.bus.subscribe(["a"]) as subscription:
                await stores.bus.publish("a", b"1")
                assert await heard_until(subscription, b"1") == [BusEvent("a", b"1")]
