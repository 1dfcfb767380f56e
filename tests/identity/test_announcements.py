"""Telling people's devices what has happened."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from uuid import UUID, uuid4

import msgspec
import pytest

from adapters.memory import MemoryBus
from identity.announcements import SIDE_BY_SIDE, Announcer, channel_of
from kernel.bus import BusEvent, Subscription
from kernel.errors import DependencyUnavailable
from kernel.metrics import Metrics


async def test_each_of_many_people_hears_it_once() -> None:
    bus = MemoryBus(Metrics())
    people = [uuid4() for _ in range(2 * SIDE_BY_SIDE + 1)]
    unconcerned = uuid4()
    channels = [channel_of(person) for person in [*people, unconcerned]]
    heard: list[str] = []
    async with bus.subscribe(channels) as subscription:
        await Announcer(bus).to(people, "something", {"about": people[0], "at": 1.5})
        async with asyncio.timeout(5):
            async for news in subscription:
                assert isinstance(news, BusEvent)
                assert msgspec.json.decode(news.payload) == {
                    "type": "something",
                    "data": {"about": str(people[0]), "at": 1.5},
                }
                heard.append(news.channel)
                if len(heard) == len(people):
                    break
    assert sorted(heard) == sorted(channels[:-1])


class AwayFor:
    """A bus that does not answer for one person's channel."""

    def __init__(self, person: UUID) -> None:
        self._channel = channel_of(person)
        self.published: list[str] = []

    async def publish(self, channel: str, payload: bytes) -> None:
        if channel == self._channel:
            raise DependencyUnavailable("bus", "away")
        self.published.append(channel)

    def subscribe(self, channels: Collection[str], *, queue: int = 1024) -> AbstractAsyncContextManager[Subscription]:
        raise NotImplementedError


async def test_a_bus_that_is_away_fails_nobody_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    ada, bob = uuid4(), uuid4()
    bus = AwayFor(ada)
    await Announcer(bus).to([ada, bob], "something", {"secret": "of theirs"})
    assert bus.published == [channel_of(bob)]
    [line] = [record.getMessage() for record in caplog.records]
    assert "something" in line
    assert "of theirs" not in line
    with pytest.raises(DependencyUnavailable):
        await Announcer(bus).surely([bob, ada], "something", {})
