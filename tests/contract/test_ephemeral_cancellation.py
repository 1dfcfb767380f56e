"""A caller may give up at any await: nothing is half done, and whoever comes next is served correctly."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from tests.contract.ephemeral import Node, Nodes


async def _cancelled_after(awaits: int, operation: Awaitable[object]) -> bool:
    """Whether it was cancelled before it was done."""
    task = asyncio.ensure_future(operation)
    for _ in range(awaits):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


async def _increment(node: Node) -> object:
    return await node.counters.increment("c", ttl=60)


async def _write(node: Node) -> object:
    return await node.key_values.put("v", b"x" * 100_000, ttl=60)


async def _read(node: Node) -> object:
    return await node.key_values.get("known")


async def _lock(node: Node) -> object:
    return await node.locks.acquire("l", ttl=0.05)


async def _limit(node: Node) -> object:
    return await node.buckets.take("b", capacity=10_000, per_second=1)


OPERATIONS: list[Callable[[Node], Awaitable[object]]] = [_increment, _write, _read, _lock, _limit]


async def test_answers_stay_with_their_questions_after_cancellations_everywhere(nodes: Nodes) -> None:
    chance = random.Random(20)  # noqa: S311 - the same order in every run
    await nodes.first.key_values.put("known", b"answer", ttl=60)
    for _ in range(400):
        await _cancelled_after(chance.randrange(12), chance.choice(OPERATIONS)(nodes.first))
        assert await nodes.first.key_values.get("known") == b"answer"


async def test_others_are_served_while_some_give_up(nodes: Nodes) -> None:
    chance = random.Random(21)  # noqa: S311 - the same order in every run

    async def patient(number: int) -> None:
        for step in range(20):
            await nodes.first.key_values.put(f"mine {number}", b"%d" % step, ttl=60)
            assert await nodes.first.key_values.get(f"mine {number}") == b"%d" % step

    async def impatient() -> None:
        for _ in range(60):
            await _cancelled_after(chance.randrange(8), chance.choice(OPERATIONS)(nodes.first))

    await asyncio.gather(*(patient(number) for number in range(10)), *(impatient() for _ in range(10)))


async def test_a_cancelled_increment_happened_once_or_not_at_all(nodes: Nodes) -> None:
    chance = random.Random(22)  # noqa: S311 - the same order in every run
    finished = 0
    for _ in range(200):
        finished += not await _cancelled_after(chance.randrange(10), _increment(nodes.first))
    assert finished <= await nodes.second.counters.value("c") <= 200


async def test_a_lock_whose_taker_gave_up_lapses(nodes: Nodes) -> None:
    for awaits in range(12):
        await _cancelled_after(awaits, _lock(nodes.first))
    # An acquire that was on its way to Redis when it was given up may begin only now.
    await nodes.elapse(0.5)
    assert await nodes.second.locks.acquire("l", ttl=60) is not None
