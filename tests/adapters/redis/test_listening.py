"""The one listening connection: shared by all subscriptions, restored when lost, and honest about it."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace

from adapters.redis import open_redis
from config.values import Secret
from kernel.bus import BusEvent, EventsLost, Subscription
from kernel.clock import SystemClock
from kernel.metrics import Metrics
from tests.adapters.redis.conftest import Opened


async def next_of(subscription: Subscription) -> BusEvent | EventsLost:
    async with asyncio.timeout(5):
        return await anext(aiter(subscription))


async def test_subscriptions_share_a_channel_until_the_last_one_leaves(opened: Opened) -> None:
    async def listeners() -> int:
        [(_, count)] = await opened.raw.pubsub_numsub(f"{opened.settings.prefix}:e:a")
        return int(count)

    bus = opened.stores.bus
    async with bus.subscribe(["a"]):
        async with bus.subscribe(["a"]):
            assert await listeners() == 1
        async with bus.subscribe(["b"]):  # confirmed behind whatever was told before
            assert await listeners() == 1
    async with bus.subscribe(["b"]):
        assert await listeners() == 0


async def test_a_lost_connection_is_restored_and_told_to_each_subscription(opened: Opened) -> None:
    bus = opened.stores.bus
    async with bus.subscribe(["a", "b"]) as two, bus.subscribe(["c"]) as one, bus.subscribe([]) as none:
        await opened.raw.client_kill_filter(_type="pubsub")
        assert await next_of(two) == EventsLost(frozenset({"a", "b"}), "the connection to Redis was lost")
        assert await next_of(one) == EventsLost(frozenset({"c"}), "the connection to Redis was lost")
        for channel in ("a", "b", "c"):
            await bus.publish(channel, channel.encode())
        assert [await next_of(two), await next_of(two)] == [BusEvent("a", b"a"), BusEvent("b", b"b")]
        assert await next_of(one) == BusEvent("c", b"c")
        await none.add(["c"])
        await bus.publish("c", b"heard")
        assert await next_of(none) == BusEvent("c", b"heard")


async def test_what_is_published_after_the_loss_was_told_arrives(opened: Opened) -> None:
    """Told too early, a reader would read the store before the channels are back, and miss what follows."""
    channels = [f"c{number}" for number in range(3_000)]
    async with opened.stores.bus.subscribe(channels, queue=10_000) as subscription:
        for round_number in range(5):
            await opened.raw.client_kill_filter(_type="pubsub")
            assert isinstance(await next_of(subscription), EventsLost)
            for start in range(0, len(channels), 250):
                batch = channels[start : start + 250]
                await asyncio.gather(*(opened.stores.bus.publish(channel, b"%d" % round_number) for channel in batch))
                assert [await next_of(subscription) for _ in batch] == [
                    BusEvent(name, b"%d" % round_number) for name in batch
                ]


async def test_changing_channels_while_the_connection_dies_ends_in_the_state_last_asked_for(opened: Opened) -> None:
    bus = opened.stores.bus
    names = [f"c{number}" for number in range(10)]
    dying = True

    async def die() -> None:
        while dying:
            await opened.raw.client_kill_filter(_type="pubsub")
            await asyncio.sleep(0.03)

    async def change(subscription: Subscription, name: str, last: int) -> None:
        for step in range(last):
            await (subscription.remove if step % 2 else subscription.add)([name])
            async with bus.subscribe([name]):
                pass

    async with bus.subscribe(["end"], queue=5_000) as subscription:
        killer = asyncio.create_task(die())
        await asyncio.gather(*(change(subscription, name, 10 + number) for number, name in enumerate(names)))
        dying = False
        await killer
        async with bus.subscribe(["settled"]):
            for name in (*names, "end"):
                await bus.publish(name, b"")
        heard: list[BusEvent | EventsLost] = []
        while not (heard and heard[-1] == BusEvent("end", b"")):
            heard.append(await next_of(subscription))
    events = [item.channel for item in heard if isinstance(item, BusEvent)]
    assert events == [*names[1::2], "end"]


async def test_a_node_that_cannot_listen_is_not_well(opened: Opened) -> None:
    await opened.raw.acl_setuser("deaf", enabled=True, nopass=True, commands=["+@all"], keys=["*"], channels=[])
    settings = replace(opened.settings, url=Secret(opened.settings.url.reveal().replace("//", "//deaf:x@")))
    try:
        async with open_redis(settings, clock=SystemClock(), metrics=Metrics()) as stores:
            assert (await stores.dependency.probe()).ok
            listening = asyncio.create_task(stores.bus.subscribe(["a"]).__aenter__())
            await asyncio.sleep(0.2)
            unwell = await stores.dependency.probe()
            assert not unwell.ok
            assert unwell.error is not None
            assert "events cannot be received" in unwell.error
            listening.cancel()
            await asyncio.wait([listening])
    finally:
        await opened.raw.acl_deluser("deaf")


async def test_losing_all_data_is_noticed_counted_and_told(opened: Opened) -> None:
    async with opened.stores.bus.subscribe(["a"]) as subscription:
        assert (await opened.stores.dependency.probe()).ok
        await opened.raw.flushall()
        assert (await opened.stores.dependency.probe()).ok
        assert await next_of(subscription) == EventsLost(frozenset({"a"}), "Redis has lost its data")
        assert opened.metric("redis_data_lost_total") == 1
        assert (await opened.stores.dependency.probe()).ok
        assert opened.metric("redis_data_lost_total") == 1


async def test_a_redis_that_comes_back_empty_is_noticed_without_being_probed(opened: Opened) -> None:
    async with opened.stores.bus.subscribe(["a"]) as subscription:
        async with asyncio.timeout(5):
            while not await opened.raw.exists(f"{opened.settings.prefix}:epoch:mark"):
                await asyncio.sleep(0.01)
        await opened.raw.flushall()
        await opened.raw.client_kill_filter(_type="pubsub")
        told = [await next_of(subscription), await next_of(subscription)]
    assert told == [
        EventsLost(frozenset({"a"}), "the connection to Redis was lost"),
        EventsLost(frozenset({"a"}), "Redis has lost its data"),
    ]


async def test_a_reader_that_never_reads_does_not_hold_up_redis(opened: Opened) -> None:
    """Left unread, Redis would cut us off at 32 MiB of output."""
    async with opened.stores.bus.subscribe(["big"], queue=1), opened.stores.bus.subscribe(["end"]) as witness:
        for _ in range(80):
            await opened.stores.bus.publish("big", bytes(1 << 20))
        await opened.stores.bus.publish("end", b"")
        assert await next_of(witness) == BusEvent("end", b"")
    assert opened.metric("bus_events_dropped_total") == 79
