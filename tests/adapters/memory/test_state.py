"""adapters.memory.state: bounds, and what someone who can make up keys cannot do."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import generate_latest

from adapters.memory import MemoryState
from adapters.memory.state import OVERFLOW_SLOTS, Bounds
from kernel.errors import Overloaded
from kernel.metrics import Metrics
from tests.clocks import VirtualClock


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"secureconnect_{name}", labels) or 0.0


async def test_a_flood_of_keys_does_not_give_a_password_guesser_his_attempts_back() -> None:
    metrics = Metrics()
    state = MemoryState(VirtualClock(), metrics, Bounds(buckets=1_000))
    for _ in range(5):
        await state.buckets.take("login:ada:192.0.2.1", capacity=5, per_second=5 / 60)
    for number in range(20_000):
        if number % 1_000 == 0:
            await asyncio.sleep(0)
        await state.buckets.take(f"login:ada:address {number}", capacity=5, per_second=5 / 60)
    refused = await state.buckets.take("login:ada:192.0.2.1", capacity=5, per_second=5 / 60)
    assert not refused.allowed
    assert sample(metrics, "memory_buckets_shared_total") == 20_000 - 999


async def test_keys_that_find_the_table_full_are_limited_all_the_same() -> None:
    state = MemoryState(VirtualClock(), bounds=Bounds(buckets=10))
    for number in range(10):
        await state.buckets.take(f"filler {number}", capacity=5, per_second=0.01)
    answers = [(await state.buckets.take("newcomer", capacity=5, per_second=0.01)).allowed for _ in range(8)]
    assert answers == [True] * 5 + [False] * 3
    allowed = 0
    for number in range(OVERFLOW_SLOTS * 8):
        if number % 1_000 == 0:
            await asyncio.sleep(0)
        allowed += (await state.buckets.take(f"flood {number}", capacity=5, per_second=0.01)).allowed
    assert allowed <= OVERFLOW_SLOTS * 5


async def test_buckets_that_are_full_again_make_room() -> None:
    clock, metrics = VirtualClock(), Metrics()
    state = MemoryState(clock, metrics, Bounds(buckets=100))
    for round_number in range(5):
        for number in range(100):
            await state.buckets.take(f"{round_number}:{number}", capacity=5, per_second=1)
        clock.advance(1)
    assert sample(metrics, "memory_buckets_shared_total") == 0
    assert sample(metrics, "memory_state_entries", kind="buckets") <= 100


async def test_a_full_store_refuses_newcomers_and_keeps_what_guards_something() -> None:
    state = MemoryState(VirtualClock(), bounds=Bounds(key_values=1, members=1, counters=1, locks=1))
    await state.key_values.put("used:ticket", b"", ttl=30)
    await state.sets.add("room", "ada", ttl=30)
    await state.counters.increment("failures:ada", 5, ttl=900)
    lease = await state.locks.acquire("sweeper", ttl=30)
    for refused in (
        state.key_values.put("other", b"", ttl=30),
        state.sets.add("room", "bob", ttl=30),
        state.counters.increment("failures:bob", ttl=900),
        state.locks.acquire("other", ttl=30),
    ):
        with pytest.raises(Overloaded):
            await refused
    assert await state.key_values.put("used:ticket", b"", ttl=30, if_absent=True) is False
    assert await state.sets.members("room") == {"ada"}
    assert await state.counters.value("failures:ada") == 5
    assert lease is not None
    assert await state.locks.renew(lease, ttl=30) is True


async def test_values_are_bounded_in_bytes_too() -> None:
    state = MemoryState(VirtualClock(), bounds=Bounds(value_bytes=1 << 20))
    await state.key_values.put("a", bytes(1 << 19), ttl=30)
    with pytest.raises(Overloaded):
        await state.key_values.put("b", bytes((1 << 19) + 1), ttl=30)
    await state.key_values.delete("a")
    assert await state.key_values.put("b", bytes((1 << 19) + 1), ttl=30) is True


async def test_sets_leave_nothing_behind_once_their_members_have_ended() -> None:
    clock = VirtualClock()
    state = MemoryState(clock)
    for number in range(100):
        await state.sets.add(f"room {number}", "ada", ttl=1)
    clock.advance(1)
    for number in range(100):
        await state.sets.add("lobby", f"member {number}", ttl=60)
    assert list(state.sets._members) == ["lobby"]


async def test_fences_go_on_in_the_next_process_and_when_the_clock_is_set_back() -> None:
    clock = VirtualClock()
    locks = MemoryState(clock).locks
    before = await locks.acquire("l", ttl=10)
    clock.advance(0.5)
    restarted = MemoryState(clock).locks
    after = await restarted.acquire("l", ttl=10)
    clock.set_back(3_600)
    corrected = await restarted.acquire("other", ttl=10)
    assert before is not None
    assert after is not None
    assert corrected is not None
    assert before.fence < after.fence < corrected.fence


async def test_an_operator_sees_how_much_is_kept() -> None:
    metrics = Metrics()
    state = MemoryState(VirtualClock(), metrics)
    await state.key_values.put("a", b"", ttl=1)
    await state.sets.add("s", "m", ttl=1)
    assert sample(metrics, "memory_state_entries", kind="key_values") == 1
    assert sample(metrics, "memory_state_entries", kind="set_members") == 1
    assert b"memory_state_entries" in generate_latest(metrics.registry)
