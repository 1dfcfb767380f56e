"""adapters.memory.bus and the queues all buses share: their bounds, and what they count."""

from __future__ import annotations

import asyncio

import pytest

from adapters.fanout import MAX_QUEUED_BYTES, SLOW_READER, Fanout
from adapters.memory import MemoryBus
from kernel.bus import BusEvent, EventsLost
from kernel.metrics import Metrics


def sample(metrics: Metrics, name: str) -> float:
    return metrics.registry.get_sample_value(f"secureconnect_{name}") or 0.0


async def test_a_queue_is_bounded_in_bytes_and_keeps_at_least_the_newest() -> None:
    metrics = Metrics()
    bus = MemoryBus(metrics)
    big = bytes(MAX_QUEUED_BYTES // 4)
    async with bus.subscribe(["big", "huge"], queue=1_000) as subscription:
        items = aiter(subscription)
        for _ in range(6):
            await bus.publish("big", big)
        assert await anext(items) == EventsLost(frozenset({"big"}), SLOW_READER)
        for _ in range(4):
            assert await anext(items) == BusEvent("big", big)
        await bus.publish("big", big)
        await bus.publish("huge", bytes(MAX_QUEUED_BYTES + 1))
        assert await anext(items) == EventsLost(frozenset({"big"}), SLOW_READER)
        huge = await anext(items)
        assert isinstance(huge, BusEvent)
        assert huge.channel == "huge"
    assert sample(metrics, "bus_events_dropped_total") == 3


async def test_a_loss_that_is_itself_pushed_out_is_still_told() -> None:
    fanout = Fanout(Metrics())
    queue = fanout.open(2)
    fanout.add(queue, ["a", "b"])
    fanout.lose("the connection was lost")
    fanout.deliver("a", b"1")
    fanout.deliver("a", b"2")
    assert await queue.get() == EventsLost(frozenset({"a", "b"}), SLOW_READER)
    assert [await queue.get(), await queue.get()] == [BusEvent("a", b"1"), BusEvent("a", b"2")]


async def test_subscriptions_events_and_drops_are_counted() -> None:
    metrics = Metrics()
    bus = MemoryBus(metrics)
    async with bus.subscribe(["a"], queue=1), bus.subscribe(["a", "b"]):
        await bus.publish("a", b"")
        await bus.publish("a", b"")
        assert sample(metrics, "bus_subscriptions") == 2
        assert sample(metrics, "bus_channels") == 2
    assert sample(metrics, "bus_subscriptions") == 0
    assert sample(metrics, "bus_channels") == 0
    assert sample(metrics, "bus_events_published_total") == 2
    assert sample(metrics, "bus_events_delivered_total") == 4
    assert sample(metrics, "bus_events_dropped_total") == 1


async def test_a_subscription_has_one_reader() -> None:
    async with MemoryBus(Metrics()).subscribe(["a"]) as subscription:
        reader = asyncio.ensure_future(anext(aiter(subscription)))
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match="one reader"):
            await anext(aiter(subscription))
        reader.cancel()


async def test_a_queue_holds_at_least_one_event() -> None:
    with pytest.raises(ValueError, match="at least one"):
        await MemoryBus(Metrics()).subscribe(["a"], queue=0).__aenter__()
