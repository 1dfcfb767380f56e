"""Which answer of Redis confirms which subscription: driven reply by reply, without a server, because the moments
that matter lie between two turns of the loop."""

from __future__ import annotations

import asyncio

from redis.exceptions import ConnectionError as RedisConnectionError

from adapters.fanout import EventQueue, Fanout
from adapters.redis.connections import dialler
from adapters.redis.hub import CONNECTION_LOST, Hub
from config.sections import Redis
from config.values import Secret
from kernel.bus import EventsLost
from kernel.metrics import Metrics
from tests.clocks import VirtualClock

CONFIRMED: list[bytes | int] = [b"subscribe", b"e:a", 1]


async def nothing_is_lost() -> bool:
    return True


class Listening:
    """A hub whose writing and reading the test does itself."""

    @classmethod
    async def prepared(cls) -> Listening:
        fanout = Fanout(Metrics())
        dial = await dialler(Redis(url=Secret("redis://localhost")))
        return cls(
            fanout, Hub(dial, prefix="e:", fanout=fanout, ask_epoch=nothing_is_lost, timeout=1, clock=VirtualClock())
        )

    def __init__(self, fanout: Fanout, hub: Hub) -> None:
        self.fanout = fanout
        self.hub = hub

    def add(self) -> EventQueue:
        queue = self.fanout.open(1)
        self.hub.listen(self.fanout.add(queue, ["a"]))
        return queue

    def leave(self, queue: EventQueue) -> None:
        self.hub.unlisten(self.fanout.close(queue))

    def write(self) -> bytes:
        return b"".join(self.hub._outgoing())

    def receive(self, reply: list[bytes | int]) -> None:
        self.hub._received(reply)

    async def is_confirmed(self) -> bool:
        waiting = asyncio.ensure_future(self.hub.confirmed(["a"]))
        await asyncio.sleep(0)
        done = waiting.done()
        waiting.cancel()
        return done


async def test_the_answer_to_the_subscription_confirms_it() -> None:
    listening = await Listening.prepared()
    listening.add()
    assert b"SUBSCRIBE" in listening.write()
    assert not await listening.is_confirmed()
    listening.receive(CONFIRMED)
    assert await listening.is_confirmed()


async def test_a_late_answer_does_not_confirm_a_subscription_made_after_leaving() -> None:
    listening = await Listening.prepared()
    first = listening.add()
    listening.write()
    listening.leave(first)
    assert b"UNSUBSCRIBE" in listening.write()
    listening.add()
    listening.receive(CONFIRMED)  # to the first one
    assert not await listening.is_confirmed()
    assert b"\r\nSUBSCRIBE" in listening.write()
    assert not await listening.is_confirmed()
    listening.receive(CONFIRMED)
    assert await listening.is_confirmed()


async def test_the_last_of_several_answers_confirms() -> None:
    listening = await Listening.prepared()
    first = listening.add()
    listening.write()
    listening.leave(first)
    listening.write()
    listening.add()
    listening.write()
    listening.receive(CONFIRMED)
    assert not await listening.is_confirmed()
    listening.receive(CONFIRMED)
    assert await listening.is_confirmed()


async def test_changes_between_two_writes_are_told_as_their_sum() -> None:
    listening = await Listening.prepared()
    for _ in range(100):
        listening.leave(listening.add())
    assert listening.write().count(b"SUBSCRIBE") == 1
    assert listening.write() == b""


async def test_a_loss_is_told_when_every_channel_is_back_and_not_before() -> None:
    listening = await Listening.prepared()
    queue = listening.add()
    async with asyncio.TaskGroup() as session:
        listening.hub._opened(session)
        listening.write()
        listening.receive(CONFIRMED)
    listening.hub._lost(RedisConnectionError("cut"))
    async with asyncio.TaskGroup() as session:
        listening.hub._opened(session)
        telling = asyncio.ensure_future(queue.get())
        listening.write()
        await asyncio.sleep(0)
        assert not telling.done()
        listening.receive(CONFIRMED)
    assert await telling == EventsLost(frozenset({"a"}), CONNECTION_LOST)
