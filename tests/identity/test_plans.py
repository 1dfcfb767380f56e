"""Plans: which one holds when, what it allows, and that rate limits read it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.identity.plans import SqlSubscriptions
from adapters.sql.units import sql_of
from config.sections import Limits
from identity.accounts import State
from identity.plans import FREE, PLANS, REMEMBERED_SECONDS, Plans, Subscription, entitlement, holds_for
from kernel.errors import DependencyUnavailable, Overloaded
from kernel.units import Transaction
from tests.identity.bench import bench
from tests.worlds import Person, world

FREE_LIMITS = asdict(PLANS[FREE])

moments = st.floats(0, 1e9)
limits = st.dictionaries(st.sampled_from(sorted(FREE_LIMITS)), st.integers(1, 1 << 40))


async def put(admin: Person, who: Person, **fields: Any) -> Any:
    return await admin.put(f"/v1/admin/users/{who.id}/plan", fields)


IMPOSSIBLE: Sequence[tuple[Mapping[str, Any], str]] = (
    ({"plan": "gold"}, "unknown_plan"),
    ({"plan": "pro", "limits": {"rate_factor": 0}}, "validation_failed"),
    ({"plan": "pro", "limits": {"sockets": 1}}, "validation_failed"),
    ({"plan": "pro", "period_start": "1999-01-01T00:00:00Z"}, "invalid_period"),
    ({"plan": "pro", "period_end": "9999-12-31T23:59:59.999999Z"}, "invalid_period"),
    (
        {"plan": "pro", "period_start": "2050-01-01T00:00:00Z", "period_end": "2050-01-01T00:00:00Z"},
        "invalid_period",
    ),
    ({"plan": "pro", "period_start": "2050-01-01T00:00:00"}, "validation_failed"),
)


async def test_an_admin_subscribes_somebody_with_limits_and_a_period_of_their_own(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        root, ada = await here.admin("root.one"), await here.person("ada")
        nothing = {"plan": "free", "limits": FREE_LIMITS, "period_start": None, "period_end": None}
        assert (await ada.get("/v1/users/me/plan")).body == nothing
        for fields, code in IMPOSSIBLE:
            refused = await put(root, ada, **fields)
            assert (refused.status, refused.code) == (422, code), fields
        assert (await root.put(f"/v1/admin/users/{uuid4()}/plan", {"plan": "pro"})).status == 404
        assert (await root.get("/v1/admin/audit?action=user.plan")).body["items"] == []

        period = {"period_start": "2020-01-01T00:00:00Z", "period_end": "2199-01-01T00:00:00Z"}
        answer = await put(root, ada, plan="pro", limits={"storage_bytes": 7}, **period)
        assert answer.status == 200
        assert answer.body["limits"] == asdict(PLANS["pro"]) | {"storage_bytes": 7}
        assert (await ada.get("/v1/users/me/plan")).body == answer.body
        assert (await root.get(f"/v1/admin/users/{ada.id}")).body["plan"] == answer.body
        [entry] = (await root.get(f"/v1/admin/audit?action=user.plan&subject={ada.id}")).body["items"]
        told = {name: at.replace("Z", "+00:00") for name, at in period.items()}
        assert (entry["actor"], entry["details"]) == (str(root.id), {"plan": "pro", "storage_bytes": "7", **told})
        assert (await put(root, ada, plan="free")).body["limits"] == FREE_LIMITS

        changed = (await root.patch(f"/v1/admin/users/{ada.id}", {"plan": "enterprise"})).body
        assert changed["plan"]["limits"] == asdict(PLANS["enterprise"])
        assert changed["plan"]["period_end"] is None
        # One that has not begun or is over gives nothing.
        for period in (
            {"period_start": "2190-01-01T00:00:00Z"},
            {"period_start": "2001-01-01T00:00:00Z", "period_end": "2002-01-01T00:00:00Z"},
        ):
            assert (await put(root, ada, plan="pro", **period)).body == nothing

        erasing = update(ACCOUNTS).where(ACCOUNTS.c.id == ada.id).values(state=State.ERASING.value)
        await here.platform.database.units.write(lambda unit: sql_of(unit).connection.execute(erasing))
        refused = await put(root, ada, plan="pro")
        assert (refused.status, refused.code) == (409, "account_erasing")


async def test_a_plan_raises_what_its_account_may_ask_at_once(tmp_path: Path) -> None:
    async with world(tmp_path, limits=Limits(default=3, register=10)) as here:
        ada = await here.person("ada")
        assert (await ada.get("/v1/auth/profile")).headers["RateLimit-Limit"] == "3"
        people = here.started.people
        await people.administration.subscribe(Subscription(ada.id, "pro", 0.0), actor="test")
        assert (await ada.get("/v1/auth/profile")).headers["RateLimit-Limit"] == "9"
        assert (await ada.sign_in()).headers["RateLimit-Limit"] == "5", "no plan buys more guesses"


# --- what is remembered ----------------------------------------------------------------------------------------


class Counting(SqlSubscriptions):
    def __init__(self) -> None:
        self.asked = 0
        self.away: Exception | None = None

    async def many(self, unit: Transaction, accounts: frozenset[UUID]) -> Mapping[UUID, Subscription]:
        self.asked += 1
        if self.away is not None:
            raise self.away
        return await super().many(unit, accounts)


async def test_limits_are_remembered_for_half_a_minute_and_forgotten_when_they_change(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        store, units = Counting(), here.platform.database.units
        plans = Plans(units=units, store=store, audit=here.people.audit, clock=here.clock)
        somebody, now = uuid4(), here.clock.now()
        for _ in range(3):
            assert await plans.rate_factor(somebody) == 1
        assert store.asked == 1
        ending = Subscription(somebody, "pro", now, now + 10.0)
        await units.write(lambda unit: plans.subscribe(unit, ending, actor="test"))
        assert await plans.rate_factor(somebody) == 3
        here.clock.advance(9.0)
        assert await plans.rate_factor(somebody) == 3
        assert store.asked == 2
        here.clock.advance(1.0)
        assert await plans.rate_factor(somebody) == 1, "nothing is remembered past the end of a period"
        assert store.asked == 3
        here.clock.advance(REMEMBERED_SECONDS)
        another = uuid4()
        await plans.limits_of(another)
        assert set(plans._known) == {another}, "of whom nobody asked any more, nothing is remembered"
        plans.forget(another)
        store.asked -= 1
        for store.away in (DependencyUnavailable("database", "switched off"), Overloaded("Too many wait.")):
            assert await plans.rate_factor(somebody) == 1
        assert store.asked == 5
        with pytest.raises(Overloaded):
            await plans.limits_of(somebody)


class Slow(SqlSubscriptions):
    """Answers what was so before the change that is made meanwhile."""

    def __init__(self) -> None:
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def many(self, unit: Transaction, accounts: frozenset[UUID]) -> Mapping[UUID, Subscription]:
        found, meanwhile = await super().many(unit, accounts), self.meanwhile
        self.meanwhile = None
        if meanwhile is not None:
            await meanwhile()
        return found


async def test_a_change_that_overtakes_a_look_up_is_seen_at_once_all_the_same(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        store, units = Slow(), here.platform.database.units
        plans = Plans(units=units, store=store, audit=here.people.audit, clock=here.clock)
        somebody = uuid4()

        async def change() -> None:
            pro = Subscription(somebody, "pro", here.clock.now())
            await units.write(lambda unit: plans.subscribe(unit, pro, actor="test"))

        store.meanwhile = change
        assert await plans.rate_factor(somebody) == 1
        assert await plans.rate_factor(somebody) == 3


# --- rules ---------------------------------------------------------------------------------------------------


@given(st.sampled_from(sorted(PLANS)), moments, st.none() | moments, limits, moments)
def test_a_subscription_holds_from_its_start_until_before_its_end(
    plan: str, starts_at: float, ends_at: float | None, own: Mapping[str, int], now: float
) -> None:
    found = entitlement(Subscription(uuid4(), plan, starts_at, ends_at, own), now)
    if starts_at <= now and (ends_at is None or now < ends_at):
        assert (found.plan, asdict(found.limits)) == (plan, {**asdict(PLANS[plan]), **own})
    else:
        assert found == entitlement(None, now)


@given(st.none() | st.builds(Subscription, st.uuids(), st.just("pro"), moments, st.none() | moments), moments)
def test_what_somebody_may_use_stays_the_same_for_as_long_as_is_said(found: Subscription | None, now: float) -> None:
    until = now + holds_for(found, now)
    assert until > now
    assert entitlement(found, min(now + (until - now) / 2, 1e9)) == entitlement(found, now)
    if found is not None and found.starts_at == until and found.ends_at is None:
        assert entitlement(found, until) != entitlement(found, now)


def test_what_a_later_version_wrote_gives_no_more_than_this_one_knows() -> None:
    assert entitlement(Subscription(uuid4(), "platinum", 0.0, None, {"rate_factor": 9}), 1.0) == entitlement(None, 1.0)
    assert entitlement(Subscription(uuid4(), "pro", 0.0, None, {"robots": 9}), 1.0).limits == PLANS["pro"]
