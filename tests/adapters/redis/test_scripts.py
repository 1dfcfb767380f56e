"""The Lua inside Redis: the same sums as in memory, safe to lose, and placed together by a cluster."""

from __future__ import annotations

import asyncio

import pytest
import redis
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.crc import key_slot

from adapters.memory import bucket
from adapters.redis import scripts
from adapters.redis.keys import Keys
from kernel.errors import Overloaded
from tests.adapters.redis.conftest import Opened
from tests.services.redis import RedisService

# The arithmetic of the real script, with the time passed in instead of asked for.
ARITHMETIC = (
    scripts.source("bucket")
    + """
local full_at, allowed, remaining, retry_after, debt =
  take(tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]))
return {string.format('%.17g', full_at), allowed, remaining,
  string.format('%.17g', retry_after), string.format('%.17g', debt)}
"""
)


def test_token_buckets_do_the_same_sums_in_lua_and_in_python(redis_server: RedisService) -> None:
    with redis.Redis.from_url(redis_server.url) as client:

        @settings(max_examples=200, deadline=None, database=None)
        @given(
            st.integers(1, 1_000),
            st.floats(0.001, 1_000),
            st.lists(st.tuples(st.floats(-5, 100), st.integers(1, 5)), min_size=1, max_size=20),
        )
        def same(capacity: int, per_second: float, requests: list[tuple[float, int]]) -> None:
            now = full_at = 1_750_000_000.0
            for pause, wanted in requests:
                now += pause
                cost = min(wanted, capacity)
                arguments = [repr(full_at), repr(now), capacity, repr(per_second), cost]
                answer = client.eval(ARITHMETIC, 0, *arguments)
                full_at, allowance = bucket.take(full_at, now, capacity=capacity, per_second=per_second, cost=cost)
                assert [float(answer[0]), bool(answer[1]), answer[2], float(answer[3]), float(answer[4])] == [
                    full_at,
                    allowance.allowed,
                    allowance.remaining,
                    allowance.retry_after,
                    allowance.full_after,
                ]

        same()


async def test_scripts_are_sent_again_when_the_server_has_forgotten_them(opened: Opened) -> None:
    counters = opened.stores.counters
    assert await counters.increment("c", ttl=60) == 1
    await opened.raw.script_flush()
    assert sorted(await asyncio.gather(*(counters.increment("c", ttl=60) for _ in range(20)))) == list(range(2, 22))


async def test_everything_ephemeral_has_an_end_in_redis_too(opened: Opened) -> None:
    stores = opened.stores
    await stores.key_values.put("k", b"", ttl=60)
    await stores.sets.add("s", "short", ttl=30)
    await stores.sets.add("s", "long", ttl=60)
    await stores.sets.add("s", "shortest", ttl=10)
    await stores.counters.increment("c", ttl=60)
    lease = await stores.locks.acquire("l", ttl=60)
    assert lease is not None
    await stores.locks.renew(lease, ttl=60)
    await stores.buckets.take("b", capacity=60, per_second=1, cost=60)
    keys = [key async for key in opened.raw.scan_iter(match=f"{opened.settings.prefix}:*")]
    lives = {key.decode().removeprefix(f"{opened.settings.prefix}:"): await opened.raw.pttl(key) for key in keys}
    assert set(lives) == {"v:k", "s:s", "c:c", "l:{l}", "f:{l}", "b:b"}
    week = lives.pop("f:{l}")
    assert 6 * 86_400_000 < week < 8 * 86_400_000
    assert all(55_000 < life <= 61_500 for life in lives.values()), lives


async def test_fences_go_on_after_redis_lost_everything(opened: Opened) -> None:
    before = await opened.stores.locks.acquire("l", ttl=60)
    await opened.raw.flushall()
    after = await opened.stores.locks.acquire("l", ttl=60)
    assert before is not None
    assert after is not None
    assert after.fence > before.fence
    assert await opened.stores.locks.renew(before, ttl=60) is False


async def test_a_fence_ahead_of_the_clock_is_followed(opened: Opened) -> None:
    """The server's clock was set back: the remembered fence is the higher one."""
    ahead = 4_000_000_000_000_000
    await opened.raw.set(f"{opened.settings.prefix}:f:{{l}}", ahead)
    lease = await opened.stores.locks.acquire("l", ttl=60)
    assert lease is not None
    assert lease.fence == ahead + 1


async def test_a_bucket_written_before_the_clock_was_set_back_recovers(opened: Opened) -> None:
    seconds, _ = await opened.raw.time()
    await opened.raw.set(f"{opened.settings.prefix}:b:b", repr(float(seconds + 3_600)))
    refused = await opened.stores.buckets.take("b", capacity=2, per_second=20)
    assert not refused.allowed
    assert refused.full_after <= 0.1
    await asyncio.sleep(0.1)
    assert (await opened.stores.buckets.take("b", capacity=2, per_second=20)).allowed


async def test_a_full_redis_refuses_newcomers_as_overload_and_keeps_what_it_has(opened: Opened) -> None:
    stores = opened.stores
    await stores.key_values.put("guard", b"kept", ttl=60)
    limit = str((await opened.raw.config_get("maxmemory"))["maxmemory"])
    try:
        await opened.raw.config_set("maxmemory", 1)
        for refused in (
            stores.key_values.put("k", b"", ttl=60),
            stores.sets.add("s", "m", ttl=60),
            stores.counters.increment("c", ttl=60),
            stores.locks.acquire("l", ttl=60),
            stores.buckets.take("b", capacity=5, per_second=1),
            stores.streams.append("x", b"payload"),
        ):
            with pytest.raises(Overloaded, match="memory limit"):
                await refused
        assert await stores.key_values.get("guard") == b"kept"
        assert await stores.streams.last("x") == 0
    finally:
        await opened.raw.config_set("maxmemory", limit)
    assert await stores.streams.append("x", b"payload") == 1


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_keys_of_one_name_share_a_hash_slot(name: str) -> None:
    keys = Keys("sc")
    kinds = ("l", "f", "x", "xn", "xk")
    assert len({key_slot(keys.tagged(kind, name).encode()) for kind in kinds}) == 1


@given(st.sets(st.text("{}%7Da", min_size=1, max_size=6), min_size=2, max_size=8))
def test_different_names_never_share_a_key(names: set[str]) -> None:
    keys = Keys("sc")
    assert len({keys.tagged("l", name) for name in names}) == len(names)
