"""kernel.bus.EventBus, in memory and over Redis."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable

import pytest

from kernel.bus import BusEvent, EventBus, EventsLost
from tests.contract.ephemeral import Nodes

SOON = 10.0


async def arriving(subscription: AsyncIterable[BusEvent | EventsLost], count: int) -> list[BusEvent | EventsLost]:
    """The next items; fails rather than waits for ever."""
    found: list[BusEvent | EventsLost] = []
    async with asyncio.timeout(SOON):
        async for item in subscription:
            found.append(item)
            if len(found) == count:
                return found
    raise AssertionError(f"the subscription ended after {found}")


def numbers(items: list[BusEvent | EventsLost]) -> list[int]:
    return [int(item.payload) for item in items if isinstance(item, BusEvent)]


async def publish_numbers(bus: EventBus, channel: str, count: int) -> None:
    for number in range(count):
        await bus.publish(channel, b"%d" % number)


async def test_an_event_reaches_the_subscriptions_of_every_node(nodes: Nodes) -> None:
    async with nodes.first.bus.subscribe(["a"]) as here, nodes.second.bus.subscribe(["a"]) as there:
        await nodes.first.bus.publish("a", b"hello")
        for subscription in (here, there):
            assert await arriving(subscription, 1) == [BusEvent("a", b"hello")]


async def test_nobody_listening_is_no_error(nodes: Nodes) -> None:
    await nodes.first.bus.publish("void", b"anyone?")


async def test_events_of_a_channel_keep_their_order(nodes: Nodes) -> None:
    async with nodes.second.bus.subscribe(["a"]) as subscription:
        await publish_numbers(nodes.first.bus, "a", 500)
        assert numbers(await arriving(subscription, 500)) == list(range(500))


async def test_each_publisher_is_heard_in_its_own_order(nodes: Nodes) -> None:
    async def publisher(name: int) -> None:
        bus = (nodes.first.bus, nodes.second.bus)[name % 2]
        for number in range(100):
            await bus.publish("a", b"%d" % (name * 1000 + number))

    async with nodes.second.bus.subscribe(["a"], queue=2000) as subscription:
        await asyncio.gather(*(publisher(name) for name in range(10)))
        heard = numbers(await arriving(subscription, 1000))
    for name in range(10):
        assert [number for number in heard if number // 1000 == name] == list(range(name * 1000, name * 1000 + 100))


async def test_an_event_comes_once_however_many_listen_to_its_channel(nodes: Nodes) -> None:
    async with (
        nodes.first.bus.subscribe(["a", "a"]) as one,
        nodes.first.bus.subscribe(["a"]) as two,
    ):
        await one.add(["a", "end"])
        await nodes.second.bus.publish("a", b"0")
        await nodes.second.bus.publish("end", b"1")
        assert numbers(await arriving(one, 2)) == [0, 1]
        assert numbers(await arriving(two, 1)) == [0]


async def test_a_subscription_hears_only_its_channels(nodes: Nodes) -> None:
    async with nodes.first.bus.subscribe(["a*", "end"]) as subscription:
        for channel in ("a", "ab", "a*", "A*", "end"):
            await nodes.second.bus.publish(channel, b"")
        assert await arriving(subscription, 2) == [BusEvent("a*", b""), BusEvent("end", b"")]


async def test_what_is_published_after_adding_arrives(nodes: Nodes) -> None:
    async with nodes.first.bus.subscribe([]) as subscription:
        for number in range(50):
            await subscription.add([f"c{number}"])
            await nodes.second.bus.publish(f"c{number}", b"%d" % number)
        assert numbers(await arriving(subscription, 50)) == list(range(50))


async def test_nothing_arrives_from_a_removed_channel(nodes: Nodes) -> None:
    async with nodes.first.bus.subscribe(["a", "b"]) as subscription:
        await subscription.remove(["a", "never added"])
        await nodes.second.bus.publish("a", b"0")
        await nodes.second.bus.publish("b", b"1")
        assert numbers(await arriving(subscription, 1)) == [1]
        await subscription.add(["a"])
        await nodes.second.bus.publish("a", b"2")
        assert numbers(await arriving(subscription, 1)) == [2]


async def test_one_subscription_leaving_a_channel_leaves_the_others_theirs(nodes: Nodes) -> None:
    async with nodes.first.bus.subscribe(["a"]) as staying:
        async with nodes.first.bus.subscribe(["a"]) as leaving:
            await leaving.remove(["a"])
        await nodes.second.bus.publish("a", b"0")
        assert numbers(await arriving(staying, 1)) == [0]


async def test_a_slow_reader_loses_the_oldest_and_is_told_first(nodes: Nodes) -> None:
    async with nodes.first.bus.subscribe(["a", "b", "end"], queue=10) as slow:
        async with nodes.first.bus.subscribe(["end"]) as witness:
            await publish_numbers(nodes.second.bus, "a", 30)
            await nodes.second.bus.publish("b", b"30")
            await nodes.second.bus.publish("end", b"31")
            await arriving(witness, 1)
        lost, *kept = await arriving(slow, 11)
        assert isinstance(lost, EventsLost)
        assert lost.channels == {"a"}
        assert numbers(kept) == list(range(22, 32))


async def test_a_slow_reader_delays_nobody(nodes: Nodes) -> None:
    async with (
        nodes.first.bus.subscribe(["a"], queue=1) as slow,
        nodes.first.bus.subscribe(["a"], queue=1000) as quick,
    ):
        await publish_numbers(nodes.first.bus, "a", 1000)
        assert numbers(await arriving(quick, 1000)) == list(range(1000))
        lost, last = await arriving(slow, 2)
        assert isinstance(lost, EventsLost)
        assert last == BusEvent("a", b"999")


@pytest.mark.parametrize("payload", [b"", b"\x00\r\n\xff", bytes(range(256)) * 4096], ids=["empty", "raw", "1 MiB"])
async def test_any_bytes_arrive_as_they_were(nodes: Nodes, payload: bytes) -> None:
    async with nodes.first.bus.subscribe(["a"]) as subscription:
        await nodes.second.bus.publish("a", payload)
        assert await arriving(subscription, 1) == [BusEvent("a", payload)]


async def test_any_text_is_a_channel_of_its_own(nodes: Nodes) -> None:
    channels = ["канал", "🛎️", "a b", "a\x00b", "e\u0301", "\u00e9", "ü" * 256]
    async with nodes.first.bus.subscribe(channels) as subscription:
        for channel in channels:
            await nodes.second.bus.publish(channel, b"")
        assert await arriving(subscription, len(channels)) == [BusEvent(channel, b"") for channel in channels]


@pytest.mark.parametrize("channel", ["", "x" * 513, "\ud800"], ids=["empty", "too long", "not text"])
async def test_what_is_no_channel_is_an_error_and_harms_nothing(nodes: Nodes, channel: str) -> None:
    async with nodes.first.bus.subscribe(["a"]) as subscription:
        with pytest.raises(ValueError, match=r"a key has|surrogates"):
            await subscription.add([channel])
        with pytest.raises(ValueError, match=r"a key has|surrogates"):
            await nodes.first.bus.publish(channel, b"")
        await nodes.second.bus.publish("a", b"still here")
        assert await arriving(subscription, 1) == [BusEvent("a", b"still here")]


async def test_thousands_of_channels_in_one_subscription(nodes: Nodes) -> None:
    channels = [f"conversation:{number}" for number in range(5000)]
    async with nodes.first.bus.subscribe(channels, queue=5000) as subscription:
        for start in range(0, 5000, 250):
            await asyncio.gather(*(nodes.second.bus.publish(name, b"") for name in channels[start : start + 250]))
        heard = await arriving(subscription, 5000)
    assert {item.channel for item in heard if isinstance(item, BusEvent)} == set(channels)


async def test_iteration_ends_when_the_subscription_does(nodes: Nodes) -> None:
    async with nodes.first.bus.subscribe(["a"]) as subscription:
        reader = asyncio.create_task(arriving(subscription, 1))
        await asyncio.sleep(0)
    with pytest.raises(AssertionError, match="the subscription ended"):
        await reader
    with pytest.raises(RuntimeError, match="closed"):
        await subscription.add(["b"])


async def test_a_reader_that_is_cancelled_loses_nothing(nodes: Nodes) -> None:
    async with nodes.first.bus.subscribe(["a"]) as subscription:
        reader = asyncio.create_task(arriving(subscription, 1))
        await asyncio.sleep(0)
        reader.cancel()
        await asyncio.wait([reader])
        await publish_numbers(nodes.second.bus, "a", 3)
        assert numbers(await arriving(subscription, 3)) == [0, 1, 2]


async def test_adding_and_removing_in_a_hurry_ends_in_the_state_last_asked_for(nodes: Nodes) -> None:
    chance = random.Random(7)  # noqa: S311 - the same order in every run
    names = [f"c{number}" for number in range(8)]
    async with nodes.first.bus.subscribe(["end"], queue=5000) as subscription, nodes.first.bus.subscribe(names):

        async def churn(channel: str) -> bool:
            listening = False
            for _ in range(40):
                listening = not listening
                async with nodes.first.bus.subscribe([channel]):
                    await (subscription.add if listening else subscription.remove)([channel])
                if chance.random() < 0.3:
                    await asyncio.sleep(0)
            if chance.random() < 0.5:
                await subscription.add([channel])
                return True
            return listening

        wanted = {
            name for name, listening in zip(names, await asyncio.gather(*map(churn, names)), strict=True) if listening
        }
        for name in names:
            await nodes.second.bus.publish(name, b"")
        await nodes.second.bus.publish("end", b"")
        heard = await arriving(subscription, len(wanted) + 1)
    assert {item.channel for item in heard if isinstance(item, BusEvent)} == wanted | {"end"}


async def test_subscribing_again_at_once_misses_nothing(nodes: Nodes) -> None:
    for number in range(100):
        async with nodes.first.bus.subscribe(["a"]) as subscription:
            await nodes.second.bus.publish("a", b"%d" % number)
            assert numbers(await arriving(subscription, 1)) == [number]


async def test_subscribing_can_be_cancelled_anywhere_and_leaves_nothing_behind(nodes: Nodes) -> None:
    async def listen_for_ever() -> None:
        async with nodes.first.bus.subscribe(["a", "b"]) as subscription:
            await subscription.add(["c"])
            async for _ in subscription:
                pass

    for awaits in range(40):
        listener = asyncio.create_task(listen_for_ever())
        for _ in range(awaits):
            await asyncio.sleep(0)
        listener.cancel()
        await asyncio.wait([listener])
        assert listener.cancelled()
    async with nodes.first.bus.subscribe(["a", "c"]) as subscription:
        await nodes.second.bus.publish("a", b"0")
        await nodes.second.bus.publish("c", b"1")
        assert numbers(await arriving(subscription, 2)) == [0, 1]
