"""Who fails to sign in too often waits, by account and by address, and each time longer."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory import MemoryState
from identity import lockout
from identity.accounts import State
from identity.lockout import FAILURES, FIRST_LOCK_SECONDS, LONGEST_LOCK_SECONDS, WITHIN_SECONDS, Lockout, lock_seconds
from kernel.errors import DependencyUnavailable, RateLimited, Unauthenticated
from tests.clocks import VirtualClock
from tests.identity.bench import ADDRESS, bench
from tests.services.redis import RedisService
from tests.worlds import PASSWORD, world

ADA, BOB = "ada@example.org", "bob@example.org"
HERE, THERE = "192.0.2.1", "198.51.100.1"


class Door:
    def __init__(self) -> None:
        self.clock = VirtualClock()
        state = MemoryState(self.clock)
        self.lockout = Lockout(failures=state.sets, locks=state.counters, words=state.key_values, clock=self.clock)

    async def fail(self, times: int = 1, *, account: str = ADA, address: str = HERE) -> None:
        for _ in range(times):
            await self.lockout.failed(account=account, address=address)

    async def wait(self, *, account: str = ADA, address: str = HERE) -> float:
        """Seconds until the door opens; 0 when it is open."""
        try:
            await self.lockout.require_open(account=account, address=address)
        except RateLimited as error:
            return error.retry_after or -1.0 if error.code == "locked_out" else -1.0
        return 0.0


@pytest.fixture
def door() -> Door:
    return Door()


async def test_four_failures_are_forgiven_and_the_fifth_locks(door: Door) -> None:
    await door.fail(FAILURES - 1)
    assert await door.wait() == 0
    await door.fail()
    assert await door.wait() == FIRST_LOCK_SECONDS
    door.clock.advance(FIRST_LOCK_SECONDS - 0.1)
    assert await door.wait() > 0
    door.clock.advance(0.1)
    assert await door.wait() == 0


async def test_the_account_is_locked_from_everywhere_and_the_address_for_every_account(door: Door) -> None:
    await door.fail(FAILURES)
    assert await door.wait(account=ADA, address=THERE) > 0
    assert await door.wait(account=BOB, address=HERE) > 0
    assert await door.wait(account=BOB, address=THERE) == 0


async def test_failures_at_many_addresses_lock_the_account(door: Door) -> None:
    for number in range(FAILURES):
        await door.fail(address=f"203.0.113.{number}")
    assert await door.wait(address=THERE) > 0
    assert await door.wait(account=BOB, address="203.0.113.1") == 0


async def test_failures_with_many_accounts_lock_the_address(door: Door) -> None:
    for number in range(FAILURES):
        await door.fail(account=f"person{number}@example.org")
    assert await door.wait(account="person99@example.org") > 0
    assert await door.wait(account="person1@example.org", address=THERE) == 0


async def test_a_customer_with_a_network_of_addresses_has_one(door: Door) -> None:
    for number in range(FAILURES):
        await door.fail(account=f"person{number}@example.org", address=f"2001:db8:1:1::{number:x}")
    assert await door.wait(account=BOB, address="2001:db8:1:1:ffff::9") > 0
    assert await door.wait(account=BOB, address="2001:db8:1:2::1") == 0


async def test_it_is_the_last_quarter_of_an_hour_that_counts_whenever_that_began(door: Door) -> None:
    await door.fail()
    door.clock.advance(WITHIN_SECONDS - 10)
    await door.fail(FAILURES - 2)
    assert await door.wait() == 0
    door.clock.advance(20)  # the first has left, those after it have not
    await door.fail()
    assert await door.wait() == 0
    await door.fail()
    assert await door.wait() > 0


async def test_slow_failures_never_lock(door: Door) -> None:
    for _ in range(50):
        await door.fail()
        door.clock.advance(WITHIN_SECONDS / (FAILURES - 1) + 1)
        assert await door.wait() == 0


async def test_each_lock_of_a_day_is_twice_as_long_up_to_a_bound_and_tomorrow_is_another_day(door: Door) -> None:
    locks = []
    for number in range(5):
        await door.fail(FAILURES, address=f"203.0.113.{number}")
        locks.append(await door.wait(address=THERE))
        door.clock.advance(locks[-1])
        assert await door.wait(address=THERE) == 0
    assert locks == [60, 120, 240, 480, 960]
    door.clock.advance(lockout.REMEMBERED_SECONDS)
    await door.fail(FAILURES)
    assert await door.wait(address=THERE) == 60


async def test_of_many_failures_at_once_one_locks(door: Door) -> None:
    await asyncio.gather(*(door.fail() for _ in range(4 * FAILURES)))
    assert await door.wait() == FIRST_LOCK_SECONDS
    door.clock.advance(FIRST_LOCK_SECONDS)
    await door.fail()
    assert await door.wait() == 0, "what failed while it was locked is forgotten with the rest"


async def test_who_succeeds_begins_anew_but_not_their_address(door: Door) -> None:
    await door.fail(FAILURES - 1)
    await door.lockout.succeeded(ADA)
    await door.fail(account=ADA, address=THERE)
    assert await door.wait(address=THERE) == 0
    await door.fail(account="own-account-of-the-guesser@example.org")
    assert await door.wait(account=BOB) > 0


async def test_a_proof_of_another_kind_opens_the_account_and_not_the_address(door: Door) -> None:
    await door.fail(FAILURES)
    await door.lockout.clear(ADA)
    assert await door.wait(address=THERE) == 0
    assert await door.wait(account=BOB, address=HERE) > 0


@given(st.integers(1, 10_000))
def test_a_lock_grows_and_stays_within_its_bounds(times: int) -> None:
    assert FIRST_LOCK_SECONDS <= lock_seconds(times) <= lock_seconds(times + 1) <= LONGEST_LOCK_SECONDS


# --- signing in -------------------------------------------------------------------------------------------


async def test_a_locked_account_is_locked_for_the_right_password_too_until_its_time_is_up(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        await here.account("ada")
        for number in range(FAILURES):
            with pytest.raises(Unauthenticated):
                await here.sign_in("ada", "not-" + PASSWORD, address=f"203.0.113.{number}")
        with pytest.raises(RateLimited):
            await here.sign_in("ada")
        here.clock.advance(FIRST_LOCK_SECONDS)
        await here.sign_in("ada")


async def test_of_many_guesses_at_once_the_right_one_is_not_answered_when_it_comes_too_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor by what else there would be to say to who knows the password."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)  # guesses are looked at in their order
    async with bench(tmp_path) as here:
        _, bob, cleo = [await here.account(name) for name in ("ada", "bob", "cleo")]
        await here.set_state(bob.id, State.DISABLED)
        await here.second_factor(cleo.id)
        for network, name in (("203.0.113", "ada"), ("198.51.100", "bob"), ("192.0.2", "cleo")):
            guesses = [*(f"{number}-{PASSWORD}" for number in range(30)), PASSWORD]
            tries = [here.sign_in(name, guess, address=f"{network}.{at}") for at, guess in enumerate(guesses)]
            *_, last = await asyncio.gather(*tries, return_exceptions=True)
            assert isinstance(last, RateLimited), (name, last)


async def test_of_many_codes_at_once_the_right_one_is_of_no_use_when_it_comes_too_late(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        cleo = await here.account("cleo")
        key, _ = await here.second_factor(cleo.id)
        right = here.code(key)
        wrong = [code for number in range(40) if (code := f"{number:06}") != right][:30]
        tries = [here.sign_in("cleo", address=f"192.0.2.{at}", totp=code) for at, code in enumerate([*wrong, right])]
        *_, last = await asyncio.gather(*tries, return_exceptions=True)
        assert isinstance(last, RateLimited), last


async def test_known_and_unknown_accounts_are_told_the_same_from_the_first_to_the_last(tmp_path: Path) -> None:
    async with bench(tmp_path) as here:
        await here.account("ada")

        async def told(name: str, network: str) -> list[tuple[type[BaseException], str, str, float | None]]:
            answers: list[tuple[type[BaseException], str, str, float | None]] = []
            for number in range(FAILURES + 2):
                with pytest.raises((Unauthenticated, RateLimited)) as caught:
                    await here.sign_in(name, "not-" + PASSWORD, address=f"{network}.{number}")
                error = caught.value
                answers.append((type(error), error.code, error.detail, error.retry_after))
            return answers

        known, unknown = await told("ada", "203.0.113"), await told("nobody", "198.51.100")
        assert known == unknown
        assert [code for _, code, _, _ in known] == ["invalid_credentials"] * FAILURES + ["locked_out"] * 2


async def test_spaces_and_capitals_are_no_way_around_it(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        spellings = [ada.email, ada.email.upper(), f" {ada.email}", f"{ada.email}  ", ada.email.title()]
        for spelling in spellings:
            wrong = {"email": spelling, "password": "not-" + PASSWORD}
            assert (await here.stranger.post("/v1/auth/login", wrong)).code == "invalid_credentials"
        locked = await ada.sign_in()
        assert (locked.status, locked.code) == (429, "locked_out")
        assert 1 <= int(locked.headers["Retry-After"]) <= FIRST_LOCK_SECONDS
        assert (await ada.get("/v1/auth/profile")).status == 200, "who is signed in stays so"


async def test_locks_are_shared_over_redis_and_without_it_nobody_signs_in(
    tmp_path: Path, redis_server: RedisService
) -> None:
    redis_server.flush()
    async with bench(tmp_path, redis_url=redis_server.url) as here:
        await here.account("ada")
        for _ in range(FAILURES):
            with pytest.raises(Unauthenticated):
                await here.sign_in("ada", "not-" + PASSWORD)
        with pytest.raises(RateLimited):
            await here.sign_in("ada", address=ADDRESS)
        door = here.people.lockout
        await asyncio.gather(*(door.failed(account=BOB, address=f"203.0.113.{at}") for at in range(4 * FAILURES)))
        with pytest.raises(RateLimited) as caught:
            await door.require_open(account=BOB, address=THERE)
        assert caught.value.retry_after == FIRST_LOCK_SECONDS, "of many failures at once one locks"
        await asyncio.to_thread(redis_server.kill)
        try:
            with pytest.raises(DependencyUnavailable):
                await here.sign_in("ada")
        finally:
            await asyncio.to_thread(redis_server.start)
