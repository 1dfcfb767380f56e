"""kernel.ephemeral.Counters, in memory and over Redis."""

from __future__ import annotations

import asyncio

import pytest

from tests.contract.ephemeral import Nodes


async def test_a_new_counter_starts_at_zero(nodes: Nodes) -> None:
    assert await nodes.first.counters.value("failures") == 0
    assert await nodes.first.counters.increment("failures", ttl=60) == 1
    assert await nodes.second.counters.increment("failures", 4, ttl=60) == 5
    assert await nodes.second.counters.increment("failures", -2, ttl=60) == 3
    assert await nodes.first.counters.value("failures") == 3


async def test_no_increment_is_lost_or_counted_twice(nodes: Nodes) -> None:
    both = (nodes.first.counters, nodes.second.counters)
    answers = await asyncio.gather(*(both[number % 2].increment("hot", ttl=60) for number in range(600)))
    assert sorted(answers) == list(range(1, 601))


async def test_the_ttl_starts_at_creation_and_is_not_prolonged(nodes: Nodes) -> None:
    counters = nodes.first.counters
    await counters.increment("window", ttl=0.2)
    await nodes.elapse(0.1)
    assert await counters.increment("window", ttl=60) == 2
    await nodes.elapse(0.1)
    assert await counters.value("window") == 0
    assert await counters.increment("window", ttl=60) == 1


async def test_a_counter_that_came_to_zero_keeps_its_end(nodes: Nodes) -> None:
    counters = nodes.first.counters
    await counters.increment("c", ttl=0.15)
    assert await counters.increment("c", -1, ttl=60) == 0
    assert await counters.increment("c", 7, ttl=60) == 7
    await nodes.elapse(0.15)
    assert await counters.value("c") == 0


async def test_counters_and_values_of_one_name_are_different_things(nodes: Nodes) -> None:
    await nodes.first.key_values.put("name", b"text", ttl=60)
    await nodes.first.sets.add("name", "member", ttl=60)
    assert await nodes.first.counters.increment("name", ttl=60) == 1
    assert await nodes.first.key_values.get("name") == b"text"


async def test_a_ttl_is_above_zero(nodes: Nodes) -> None:
    with pytest.raises(ValueError, match="TTL"):
        await nodes.first.counters.increment("c", ttl=-1)
