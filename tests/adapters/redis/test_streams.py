"""What is special about streams in Redis; what they promise is in tests/contract/test_streams.py."""

from __future__ import annotations

import asyncio

import pytest

from kernel.errors import Conflict
from tests.adapters.redis.conftest import Opened


async def test_a_reader_ahead_of_a_stream_that_was_lost_is_told_so(opened: Opened) -> None:
    streams = opened.stores.streams
    for _ in range(3):
        await streams.append("s", b"payload")
    assert await streams.read("s", after=3) == []
    await opened.raw.flushall()
    with pytest.raises(Conflict, match="lost data") as conflict:
        await streams.read("s", after=3)
    assert conflict.value.code == "stream_reset"
    assert await streams.append("s", b"payload") == 1


async def test_keys_are_forgotten_with_their_records(opened: Opened) -> None:
    streams = opened.stores.streams
    for number in range(5):
        await streams.append("s", b"", key=f"{number}")
    assert await streams.trim("s", through=3) == 3
    assert await opened.raw.zcard(f"{opened.settings.prefix}:xk:{{s}}") == 2
    assert await streams.append("s", b"", key="4") == 5
    assert await streams.append("s", b"", key="0") == 6


async def test_waiters_share_one_connection_however_many_they_are(opened: Opened) -> None:
    streams = opened.stores.streams
    waiters = [asyncio.create_task(streams.wait(f"s{number % 50}", after=0, timeout=5)) for number in range(500)]
    async with asyncio.timeout(5):
        while opened.metric("bus_subscriptions") < 500:
            await asyncio.sleep(0.01)
    assert len(await opened.raw.client_list(_type="pubsub")) == 1
    for number in range(50):
        await streams.append(f"s{number}", b"")
    assert all(await asyncio.gather(*waiters))
    assert opened.metric("bus_subscriptions") == 0


async def test_a_waiter_survives_a_lost_connection(opened: Opened) -> None:
    streams = opened.stores.streams
    waiter = asyncio.create_task(streams.wait("s", after=0, timeout=10))
    async with asyncio.timeout(5):
        while not opened.metric("bus_subscriptions"):
            await asyncio.sleep(0.01)
    await opened.raw.client_kill_filter(_type="pubsub")
    await streams.append("s", b"")
    assert await waiter is True
