"""Rate limits: whose bucket, what is told, and what happens when the shared buckets are away."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.memory import MemoryState
from api.http.access import Principal
from api.http.context import RequestContext
from api.http.rates import FAIL_CLOSED, RATES, RateLimiter
from config.sections import Limits
from kernel.ephemeral import Allowance, TokenBuckets
from kernel.errors import DependencyUnavailable, RateLimited
from kernel.metrics import Metrics
from tests.clocks import VirtualClock

SMALL = msgspec.structs.replace(Limits(), **dict.fromkeys(RATES, 3))


class Away:
    async def take(self, key: str, *, capacity: int, per_second: float, cost: int = 1) -> Allowance:
        raise DependencyUnavailable("redis", "switched off")


class Limited:
    def __init__(self, limits: Limits = SMALL, shared: TokenBuckets | None = None) -> None:
        self.clock, self.metrics = VirtualClock(), Metrics()
        local = MemoryState(self.clock).buckets
        self.limiter = RateLimiter(limits, shared or MemoryState(self.clock).buckets, local, self.metrics)

    async def admitted(self, name: str, asking: RequestContext) -> bool:
        try:
            await self.limiter.admit(name, asking)
        except RateLimited:
            return False
        return True

    async def how_many(self, name: str, asking: RequestContext, tries: int = 10) -> int:
        return sum([await self.admitted(name, asking) for _ in range(tries)])

    def count(self, metric: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"secureconnect_{metric}", labels) or 0.0


def caller(address: str = "203.0.113.1", user: str | None = None) -> RequestContext:
    return as_principal(Principal(user, "user") if user else None, address)


def as_principal(principal: Principal | None, address: str = "203.0.113.1") -> RequestContext:
    return RequestContext("id", address, False, 0.0, principal=principal)


def test_every_limit_of_the_settings_is_a_rate_and_knows_what_an_outage_means() -> None:
    limiter = Limited().limiter
    assert all(name in limiter for name in RATES)
    assert "no_such_limit" not in limiter
    assert set(RATES) | {"enabled", "body", "json_depth"} == set(Limits.__struct_fields__)
    others = {"profile", "search", "avatars", "friend_requests", "presence", "messages", "calls"}
    others |= {"sockets", "storage", "default"}
    assert set(RATES) - FAIL_CLOSED == others


async def test_so_many_a_minute_and_then_no_more_until_time_has_passed() -> None:
    limited, me = Limited(), caller()
    assert await limited.how_many("search", me) == 3
    limited.clock.advance(20.0)
    assert await limited.how_many("search", me) == 1
    limited.clock.advance(3_600.0)
    assert await limited.how_many("search", me) == 3


async def test_limits_do_not_take_from_each_other() -> None:
    limited, me = Limited(), caller()
    assert [await limited.how_many(name, me) for name in RATES] == [3] * len(RATES)


async def test_strangers_count_by_address_and_an_ipv6_customer_as_one() -> None:
    limited = Limited()
    assert await limited.how_many("search", caller("203.0.113.1")) == 3
    assert await limited.how_many("search", caller("203.0.113.2")) == 3
    assert await limited.how_many("search", caller("::ffff:203.0.113.2")) == 0
    assert await limited.how_many("search", caller("2001:db8:1:2::1")) == 3
    assert await limited.how_many("search", caller("2001:db8:1:2:ffff::9")) == 0
    assert await limited.how_many("search", caller("2001:db8:1:3::1")) == 3


async def test_whoever_signed_in_counts_as_themselves_wherever_they_are() -> None:
    limited = Limited()
    assert await limited.how_many("search", caller("203.0.113.1", "ada")) == 3
    assert await limited.how_many("search", caller("203.0.113.9", "ada")) == 0
    assert await limited.how_many("search", caller("203.0.113.1", "bob")) == 3
    assert await limited.how_many("search", caller("203.0.113.1")) == 3


async def test_a_plan_multiplies_what_its_account_may_ask_but_not_how_often_it_may_guess() -> None:
    limited, me = Limited(), as_principal(Principal("ada", "user", rate_factor=3))
    assert await limited.how_many("search", me) == 9
    assert me.headers["RateLimit-Limit"] == "9"
    assert await limited.how_many("password", me) == 3
    assert await limited.how_many("search", caller(user="bob")) == 3


async def test_whoever_changes_plan_has_what_the_new_one_gives_and_not_one_more() -> None:
    limited = Limited()
    assert await limited.how_many("search", caller(user="ada"), tries=3) == 3
    raised = await limited.how_many("search", as_principal(Principal("ada", "user", rate_factor=2)))
    assert raised <= 6
    assert await limited.how_many("search", caller(user="ada")) == 0


async def test_a_service_has_one_bucket_of_the_size_its_key_says() -> None:
    limited, key = Limited(), as_principal(Principal("k1", "service", rate=5))
    assert [await limited.how_many(name, key) for name in ("search", "default", "messages")] == [5, 0, 0]
    assert key.headers["RateLimit-Policy"] == '"service";q=5;w=60'
    assert limited.count("rate_limited_total", limit="service") == 25.0
    assert await limited.how_many("login", key) == 3


async def test_an_account_has_a_limit_of_its_own_from_whatever_address() -> None:
    limited = Limited()
    for place in range(3):
        await limited.limiter.admit_account("login", "Ada@example.org", caller(f"203.0.113.{place}"))
    with pytest.raises(RateLimited):
        await limited.limiter.admit_account("login", "ada@EXAMPLE.org", caller("203.0.113.9"))
    await limited.limiter.admit_account("login", "bob@example.org", caller("203.0.113.9"))
    assert await limited.how_many("login", caller("203.0.113.9")) == 3


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 10_000))
async def test_any_account_name_has_a_bucket(account: str, length: int) -> None:
    await Limited().limiter.admit_account("login", account * length, caller())


async def test_a_refusal_says_when_to_come_back_and_is_counted() -> None:
    limited, me = Limited(), caller()
    await limited.how_many("search", me, tries=3)
    with pytest.raises(RateLimited) as caught:
        await limited.limiter.admit("search", me)
    assert caught.value.retry_after == pytest.approx(20.0)
    assert "3 a minute" in caught.value.detail
    assert limited.count("rate_limited_total", limit="search") == 1.0
    limited.clock.advance(20.0)
    await limited.limiter.admit("search", me)


@given(st.integers(1, 200), st.lists(st.tuples(st.integers(1, 8), st.floats(0, 90)), min_size=1, max_size=20))
@example(2, [(2, 1.3108216289364716)])  # an empty bucket whose minute is rounded up
async def test_what_is_told_is_what_happens(per_minute: int, visits: Sequence[tuple[int, float]]) -> None:
    limited, me = Limited(Limits(search=per_minute)), caller()
    taken, began = 0, limited.clock.monotonic()
    for requests, pause in visits:
        limited.clock.advance(pause)
        for _ in range(requests):
            allowed = await limited.admitted("search", me)
            told = {name.removeprefix("RateLimit-"): value for name, value in me.headers.items()}
            assert told["Policy"] == f'"search";q={per_minute};w=60'
            assert told["Limit"] == str(per_minute)
            left = int(told["Remaining"])
            assert 0 <= left < per_minute
            assert 0 < int(told["Reset"]) <= 60
            assert allowed or left == 0
            taken += allowed
    elapsed = limited.clock.monotonic() - began
    assert taken <= per_minute + math.floor(elapsed * per_minute / 60 + 0.01)
    left = int(me.headers["RateLimit-Remaining"])
    assert await limited.how_many("search", me, tries=left + 1) == left
    limited.clock.advance(int(me.headers["RateLimit-Reset"]))
    assert await limited.how_many("search", me, tries=per_minute + 1) == per_minute


# --- the shared buckets are away -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FAIL_CLOSED))
async def test_guessing_does_not_become_free(name: str) -> None:
    limited = Limited(shared=Away())
    with pytest.raises(DependencyUnavailable):
        await limited.limiter.admit(name, caller())
    with pytest.raises(DependencyUnavailable):
        await limited.limiter.admit_account(name, "ada", caller())
    assert limited.count("rate_limit_degraded_total") == 0.0


@pytest.mark.parametrize("name", sorted(set(RATES) - FAIL_CLOSED))
async def test_everything_else_is_limited_in_this_process_and_says_so(name: str) -> None:
    limited, me = Limited(shared=Away()), caller()
    assert await limited.how_many(name, me, tries=5) == 3
    assert limited.count("rate_limit_degraded_total") == 5.0
    assert me.headers["RateLimit-Remaining"] == "0"


async def test_switched_off_nobody_is_limited_and_nothing_is_told() -> None:
    limited, me = Limited(Limits(enabled=False, search=1), shared=Away()), caller()
    assert await limited.how_many("search", me, tries=20) == 20
    await limited.limiter.admit_account("login", "ada", me)
    assert me.headers == {}
