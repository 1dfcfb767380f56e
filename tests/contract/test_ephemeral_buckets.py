"""kernel.ephemeral.TokenBuckets, in memory and over Redis."""

from __future__ import annotations

import asyncio
import math

import pytest

from tests.contract.ephemeral import Nodes

NEVER = 1 / 3600  # a token an hour: nothing comes back while a test runs


async def test_a_bucket_starts_full_and_counts_down(nodes: Nodes) -> None:
    left = [
        (await node.buckets.take("k", capacity=3, per_second=NEVER)).remaining
        for node in (nodes.first, nodes.second, nodes.first)
    ]
    assert left == [2, 1, 0]


async def test_an_empty_bucket_refuses_and_says_when_to_come_back(nodes: Nodes) -> None:
    take = nodes.first.buckets.take
    for _ in range(2):
        assert (await take("k", capacity=2, per_second=10)).allowed
    refused = await take("k", capacity=2, per_second=10)
    assert not refused.allowed
    assert refused.remaining == 0
    assert 0 < refused.retry_after <= 0.1
    assert 0.1 < refused.full_after <= 0.2
    await nodes.elapse(refused.retry_after)
    allowed = await take("k", capacity=2, per_second=10)
    assert allowed.allowed
    assert allowed.retry_after == 0


async def test_a_refusal_takes_nothing(nodes: Nodes) -> None:
    take = nodes.first.buckets.take
    await take("k", capacity=5, per_second=NEVER, cost=3)
    for _ in range(3):
        assert not (await take("k", capacity=5, per_second=NEVER, cost=3)).allowed
    assert (await take("k", capacity=5, per_second=NEVER, cost=2)).remaining == 0


async def test_everyone_together_gets_the_capacity_and_not_one_more(nodes: Nodes) -> None:
    both = (nodes.first.buckets, nodes.second.buckets)
    answers = await asyncio.gather(
        *(both[number % 2].take("k", capacity=50, per_second=NEVER) for number in range(300))
    )
    assert sum(answer.allowed for answer in answers) == 50


async def test_buckets_of_different_keys_know_nothing_of_each_other(nodes: Nodes) -> None:
    assert (await nodes.first.buckets.take("a", capacity=1, per_second=NEVER)).allowed
    assert (await nodes.first.buckets.take("b", capacity=1, per_second=NEVER)).allowed
    assert not (await nodes.first.buckets.take("a", capacity=1, per_second=NEVER)).allowed


async def test_a_bucket_fills_again_and_not_beyond_its_capacity(nodes: Nodes) -> None:
    take = nodes.first.buckets.take
    emptied = await take("k", capacity=4, per_second=40, cost=4)
    await nodes.elapse(emptied.full_after * 2)
    assert (await take("k", capacity=4, per_second=40)).remaining == 3


async def test_a_capacity_made_smaller_holds_at_once(nodes: Nodes) -> None:
    await nodes.first.buckets.take("k", capacity=100, per_second=10, cost=90)
    refused = await nodes.first.buckets.take("k", capacity=2, per_second=10, cost=1)
    assert not refused.allowed
    assert refused.full_after <= 0.2
    await nodes.elapse(0.2)
    assert (await nodes.first.buckets.take("k", capacity=2, per_second=10)).remaining == 1


@pytest.mark.parametrize(
    ("capacity", "per_second", "cost"),
    [
        (5, 1, 6),
        (5, 1, 0),
        (5, 1, -1),
        (0, 1, 1),
        (5, 0, 1),
        (5, -1, 1),
        (5, math.inf, 1),
        (5, math.nan, 1),
        (5, 1e-12, 1),
    ],
)
async def test_what_could_never_be_taken_is_an_error(nodes: Nodes, capacity: int, per_second: float, cost: int) -> None:
    with pytest.raises(ValueError, match="can never be taken"):
        await nodes.first.buckets.take("k", capacity=capacity, per_second=per_second, cost=cost)
