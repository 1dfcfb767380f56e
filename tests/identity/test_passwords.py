"""Passwords: what their hashes are, which are taken over from older systems, and what a storm of logins meets."""

from __future__ import annotations

import asyncio
import os
import statistics
import threading
import time
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from threading import Event

import argon2
import bcrypt
import pytest
from sqlalchemy import select, update

from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.units import sql_of
from identity import passwords
from identity.passwords import PasswordHasher, require_acceptable
from kernel.errors import Overloaded, Unprocessable
from kernel.metrics import Metrics
from kernel.units import Transaction
from tests.identity.bench import bench
from tests.worlds import PASSWORD, World, world


@asynccontextmanager
async def hashing(threads: int = 1) -> AsyncIterator[PasswordHasher]:
    hasher = PasswordHasher(Metrics(), threads=threads)
    try:
        yield hasher
    finally:
        await asyncio.to_thread(hasher.close)


async def stored_hash(here: World, email: str) -> str:
    async def read(unit: Transaction) -> str:
        row = await sql_of(unit).connection.execute(select(ACCOUNTS.c.password_hash).where(ACCOUNTS.c.email == email))
        return str(row.scalar_one())

    return await here.platform.database.units.read(read)


async def keep_hash(here: World, email: str, password_hash: str) -> None:
    async def work(unit: Transaction) -> None:
        change = update(ACCOUNTS).where(ACCOUNTS.c.email == email).values(password_hash=password_hash)
        await sql_of(unit).connection.execute(change)

    await here.platform.database.units.write(work)


async def test_a_hash_is_argon2id_as_owasp_recommends_with_a_salt_of_its_own() -> None:
    async with hashing() as hasher:
        first, second = await hasher.hash(PASSWORD), await hasher.hash(PASSWORD)
        parameters = argon2.extract_parameters(first)
        assert parameters.type is argon2.Type.ID
        assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (19456, 2, 1)
        assert parameters.salt_len >= 16
        assert parameters.hash_len >= 32
        assert first != second
        assert await hasher.verify(first, PASSWORD)
        assert not await hasher.verify(first, PASSWORD + "x")
        assert not hasher.is_outdated(first)


async def test_a_weaker_hash_is_outdated() -> None:
    async with hashing() as hasher:
        weak = argon2.PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash(PASSWORD)
        assert await hasher.verify(weak, PASSWORD)
        assert hasher.is_outdated(weak)


async def test_the_same_characters_are_the_same_password_on_every_keyboard() -> None:
    async with hashing() as hasher:
        composed = await hasher.hash(unicodedata.normalize("NFC", "crème-brûlée-1"))
        assert await hasher.verify(composed, unicodedata.normalize("NFD", "crème-brûlée-1"))


@pytest.mark.parametrize("stored", ["", "x", "$2b$", "$2b$12$short", "$argon2id$v=19$broken", "plain-" + PASSWORD])
async def test_a_hash_that_is_none_matches_nothing(stored: str) -> None:
    async with hashing() as hasher:
        assert not await hasher.verify(stored, PASSWORD)


async def test_a_hash_of_an_older_system_signs_in_once_and_is_a_new_one_then(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        for prefix in ("$2a$", "$2b$", "$2y$"):
            old = prefix + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=4)).decode()[4:]
            await keep_hash(here, ada.email, old)
            wrong = {"email": ada.email, "password": "not-" + PASSWORD}
            assert (await here.stranger.post("/v1/auth/login", wrong)).code == "invalid_credentials"
            assert await stored_hash(here, ada.email) == old
            assert (await ada.sign_in()).status == 200
            upgraded = await stored_hash(here, ada.email)
            assert upgraded.startswith("$argon2id$")
            assert (await ada.sign_in()).status == 200
            assert await stored_hash(here, ada.email) == upgraded


async def test_an_old_hash_of_a_long_password_counts_its_first_72_bytes_and_the_new_one_all(tmp_path: Path) -> None:
    long = "long-" * 20
    old = bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(rounds=4)).decode()
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        await keep_hash(here, ada.email, old)
        ada.password = long
        assert (await ada.sign_in()).status == 200
        ada.password = long[:72]
        assert (await ada.sign_in()).code == "invalid_credentials"


async def test_a_password_changed_while_it_is_upgraded_stays_the_changed_one(tmp_path: Path) -> None:
    """The new hash is written only in place of the one that was verified."""
    async with bench(tmp_path) as here:
        ada = await here.account("ada")
        await here.set_hash(ada.id, bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=4)).decode())
        login = here.people.login
        hash_it = login._hasher.hash

        async def hash_slowly(password: str) -> str:
            hashed = await hash_it(password)
            await here.set_hash(ada.id, "another")
            return hashed

        login._hasher.hash = hash_slowly  # type: ignore[method-assign]
        await here.sign_in("ada")
        login._hasher.hash = hash_it  # type: ignore[method-assign]
        found = await here.people.accounts.get(ada.id)
        assert found.password_hash == "another"


async def test_an_account_that_does_not_exist_takes_as_long_as_a_wrong_password() -> None:
    """Loosely: the machine has other work. Without the hash in its place it would take a hundredth."""
    async with hashing() as hasher:
        stored = await hasher.hash(PASSWORD)

        async def seconds(of: str | None) -> float:
            started = time.perf_counter()
            assert not await hasher.verify(of, "something else")
            return time.perf_counter() - started

        rounds = [(await seconds(stored), await seconds(None)) for _ in range(15)]
        known = statistics.median(known for known, _ in rounds)
        unknown = statistics.median(unknown for _, unknown in rounds)
        assert 0.5 < unknown / known < 2.0


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


async def test_a_storm_beyond_the_bound_is_refused_and_those_who_wait_are_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "MOST_WAITING", 3)
    async with hashing() as hasher:
        gate = Event()
        first = asyncio.create_task(hasher._run(lambda: gate.wait(10)))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(hasher._run(lambda: True)) for _ in range(3)]
        await until(lambda: hasher._waiting == 3)
        with pytest.raises(Overloaded) as caught:
            await hasher.verify(None, PASSWORD)
        assert caught.value.retry_after
        gate.set()
        assert await asyncio.gather(first, *waiting) == [True] * 4
        assert not await hasher.verify(None, PASSWORD)


async def test_who_gives_up_waiting_frees_their_place_but_not_the_thread_they_left_at_work() -> None:
    async with hashing() as hasher:
        gate = Event()
        working = asyncio.create_task(hasher._run(lambda: gate.wait(10)))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(hasher.hash(PASSWORD))
        await until(lambda: hasher._waiting == 1)
        working.cancel()
        waiting.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
        assert hasher._waiting == 0
        assert hasher._turns.locked(), "a thread is at work still, so nobody is to be queued behind it unseen"
        gate.set()
        assert (await hasher.hash(PASSWORD)).startswith("$argon2id$")


@pytest.mark.parametrize(
    "password",
    ["", "short", "a" * 9, "x" * 257, "1234567890", "PASSWORD123", "aaaaaaaaaaaa", "abababababab", "ada.lovelace1"],
)
def test_a_weak_password_is_refused(password: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        require_acceptable(password, beside=("ada.lovelace", "ada"))
    assert caught.value.code == "weak_password"


@pytest.mark.parametrize(
    "password",
    [PASSWORD, "pass phrase with spaces", "пароль-из-букв", "😀😁😂🤣😃😄😅😆😉😊", "v" * 3 + "ery-long" * 30],
)
def test_a_long_one_of_any_characters_is_taken(password: str) -> None:
    require_acceptable(password, beside=("ada.lovelace", "ada"))


async def test_threads_that_hash_leave_the_cores_to_calls() -> None:

    async with hashing() as hasher:
        nice = await hasher._run(lambda: os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        assert nice == os.getpriority(os.PRIO_PROCESS, 0) + passwords.NICENESS
