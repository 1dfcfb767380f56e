"""Whether a session is still one: nobody gets in on a session that has ended, whatever the store in front forgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.memory import MemoryState
from config.sections import Identity
from identity.revocations import ALIVE_SECONDS, MARGIN_SECONDS, Revocations
from kernel.ephemeral import KeyValues
from kernel.errors import DependencyUnavailable, Overloaded, Unauthenticated
from tests.clocks import VirtualClock
from tests.identity.bench import bench
from tests.services.postgres import PostgresService
from tests.services.redis import RedisService
from tests.worlds import world

Result = TypeVar("Result")

LIFETIME = 900.0


class Table:
    """The durable truth, and how often it was asked."""

    def __init__(self, *alive: UUID) -> None:
        self.alive = set(alive)
        self.asked = 0

    async def __call__(self, session: UUID) -> bool:
        self.asked += 1
        return session in self.alive


class Words:
    """A store of words that can be away, or full, and hands the loop over before each answer."""

    def __init__(self, inner: KeyValues) -> None:
        self._inner = inner
        self.away = False
        self.full = False

    async def _answering(self) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise DependencyUnavailable("redis", "switched off")

    async def get(self, key: str) -> bytes | None:
        await self._answering()
        return await self._inner.get(key)

    async def get_many(self, keys: Collection[str]) -> Mapping[str, bytes]:
        await self._answering()
        return await self._inner.get_many(keys)

    async def put(self, key: str, value: bytes, *, ttl: float, if_absent: bool = False) -> bool:
        await self._answering()
        if self.full:
            raise Overloaded("full")
        return await self._inner.put(key, value, ttl=ttl, if_absent=if_absent)

    async def touch(self, key: str, *, ttl: float) -> bool:
        await self._answering()
        return await self._inner.touch(key, ttl=ttl)

    async def delete(self, key: str) -> bool:
        await self._answering()
        return await self._inner.delete(key)


async def lets_in(revocations: Revocations, session: UUID) -> bool:
    refusal = ""
    try:
        await revocations.require_alive(session)
    except Unauthenticated as error:
        refusal = error.code
    assert refusal in ("", "session_ended")
    return not refusal


def made(clock: VirtualClock, table: Table) -> tuple[Revocations, Words]:
    words = Words(MemoryState(clock).key_values)
    return Revocations(words, table, token_lifetime=LIFETIME), words


async def test_the_table_is_asked_once_a_minute_and_not_on_each_request() -> None:
    clock, session = VirtualClock(), uuid4()
    table = Table(session)
    revocations, _ = made(clock, table)
    for _ in range(10):
        assert await lets_in(revocations, session)
    assert table.asked == 1
    clock.advance(ALIVE_SECONDS)
    assert await lets_in(revocations, session)
    assert table.asked == 2


async def test_a_session_that_is_not_in_the_table_is_none() -> None:
    revocations, _ = made(VirtualClock(), Table())
    assert not await lets_in(revocations, uuid4())


async def test_a_row_that_went_without_a_word_is_noticed_within_a_minute() -> None:
    clock, session = VirtualClock(), uuid4()
    table = Table(session)
    revocations, _ = made(clock, table)
    assert await lets_in(revocations, session)
    table.alive.clear()
    clock.advance(ALIVE_SECONDS)
    assert not await lets_in(revocations, session)


async def test_an_end_is_kept_longer_than_any_token_lives() -> None:
    clock, session = VirtualClock(), uuid4()
    table = Table(session)
    revocations, _ = made(clock, table)
    await revocations.revoke([session])
    clock.advance(LIFETIME + MARGIN_SECONDS - 1)
    assert not await lets_in(revocations, session)
    assert table.asked == 0


async def test_a_store_that_does_not_answer_is_never_a_yes() -> None:
    session = uuid4()
    revocations, words = made(VirtualClock(), Table(session))
    assert await lets_in(revocations, session)
    words.away = True
    with pytest.raises(DependencyUnavailable):
        await revocations.require_alive(session)
    with pytest.raises(DependencyUnavailable):
        await revocations.revoke([session])


async def test_a_table_that_does_not_answer_is_never_a_yes() -> None:
    async def away(session: UUID) -> bool:
        raise DependencyUnavailable("database", "switched off")

    revocations = Revocations(MemoryState(VirtualClock()).key_values, away, token_lifetime=LIFETIME)
    with pytest.raises(DependencyUnavailable):
        await revocations.require_alive(uuid4())


async def test_a_store_that_is_full_lets_in_whom_the_table_knows_and_says_when_an_end_cannot_be_told() -> None:
    session = uuid4()
    table = Table(session)
    revocations, words = made(VirtualClock(), table)
    words.full = True
    assert await lets_in(revocations, session)
    assert await lets_in(revocations, session)
    assert table.asked == 2
    assert not await lets_in(revocations, uuid4())
    with pytest.raises(Overloaded):
        await revocations.revoke([session])


class Steps:
    """Tasks that take one step each time they are told to; without a name of ours they run freely."""

    def __init__(self, count: int) -> None:
        self._gates = {f"step {number}": asyncio.Semaphore(0) for number in range(count)}

    def start(self, number: int, work: Coroutine[None, None, Result]) -> asyncio.Task[Result]:
        return asyncio.create_task(work, name=f"step {number}")

    async def gate(self) -> None:
        task = asyncio.current_task()
        gate = self._gates.get(task.get_name()) if task is not None else None
        if gate is not None:
            await gate.acquire()

    async def release(self, number: int, times: int = 1) -> None:
        for _ in range(times):
            self._gates[f"step {number}"].release()
            for _ in range(5):
                await asyncio.sleep(0)


class SteppedWords(Words):
    def __init__(self, inner: KeyValues, steps: Steps) -> None:
        super().__init__(inner)
        self._steps = steps

    async def _answering(self) -> None:
        await self._steps.gate()


class SteppedTable(Table):
    def __init__(self, steps: Steps, *alive: UUID) -> None:
        super().__init__(*alive)
        self._steps = steps

    async def __call__(self, session: UUID) -> bool:
        seen = await super().__call__(session)
        await self._steps.gate()  # seen now, told later
        return seen


async def play(turns: list[int], *, removed_first: bool) -> None:
    clock, session, steps = VirtualClock(), uuid4(), Steps(4)
    table = SteppedTable(steps, session)
    words = SteppedWords(MemoryState(clock).key_values, steps)
    revocations = Revocations(words, table, token_lifetime=LIFETIME)

    async def end() -> bool:
        if removed_first:
            table.alive.discard(session)
        await revocations.revoke([session])
        table.alive.discard(session)
        return True

    tasks = [steps.start(number, lets_in(revocations, session) if number else end()) for number in range(4)]
    for turn in turns:
        await steps.release(turn)
        assert not (tasks[0].done() and await lets_in(revocations, session))
    for number in range(4):
        await steps.release(number, times=10)
    await asyncio.gather(*tasks)
    assert not await lets_in(revocations, session)
    clock.advance(LIFETIME + 2 * MARGIN_SECONDS)
    assert not await lets_in(revocations, session)


@given(st.lists(st.integers(0, 3), min_size=4, max_size=60), st.booleans())
def test_whoever_looks_while_a_session_ends_is_refused_from_its_end_on(turns: list[int], removed_first: bool) -> None:
    """Three look while one ends it, in every order of their steps: once the end has returned, nobody gets in, and
    no answer that was on its way brings the session back."""
    asyncio.run(play(turns, removed_first=removed_first))


# --- the product ------------------------------------------------------------------------------------------


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.service("redis"))])
def redis_url(request: pytest.FixtureRequest) -> str:
    if request.param == "memory":
        return ""
    server: RedisService = request.getfixturevalue("redis_server")
    server.flush()
    return server.url


async def test_after_a_restart_a_session_that_ended_is_none_and_the_others_are(tmp_path: Path, redis_url: str) -> None:
    async with world(tmp_path, redis_url=redis_url) as here:
        ada, bob = await here.people("ada", "bob")
        assert (await ada.get("/v1/auth/profile")).status == 200
        assert (await ada.post("/v1/auth/logout")).status == 204
    async with world(tmp_path, redis_url=redis_url) as here:
        ada.session = bob.session = here.session
        refused = await ada.get("/v1/auth/profile")
        assert (refused.status, refused.code) == (401, "session_ended")
        assert (await bob.get("/v1/auth/profile")).status == 200


async def test_a_redis_that_lost_its_memory_brings_nobody_back(tmp_path: Path, redis_server: RedisService) -> None:
    redis_server.flush()
    async with world(tmp_path, redis_url=redis_server.url) as here:
        ada, bob = await here.people("ada", "bob")
        assert (await ada.post("/v1/auth/logout")).status == 204
        redis_server.flush()
        assert (await ada.get("/v1/auth/profile")).code == "session_ended"
        assert (await bob.get("/v1/auth/profile")).status == 200


async def test_two_servers_agree_at_once_on_who_has_ended(
    tmp_path: Path, redis_server: RedisService, postgres: PostgresService
) -> None:
    redis_server.flush()
    url = postgres.create_database()
    async with world(tmp_path / "one", redis_url=redis_server.url, database_url=url) as one:
        async with world(tmp_path / "two", redis_url=redis_server.url, database_url=url) as two:
            ada = await one.person("ada")
            ada.session = two.session
            assert (await ada.get("/v1/auth/profile")).status == 200
            ada.session = one.session
            assert (await ada.post("/v1/auth/logout")).status == 204
            ada.session = two.session
            assert (await ada.get("/v1/auth/profile")).code == "session_ended"


@asynccontextmanager
async def stopped(server: RedisService) -> AsyncIterator[None]:
    await asyncio.to_thread(server.kill)
    try:
        yield
    finally:
        await asyncio.to_thread(server.start)


async def test_without_the_store_nobody_is_let_in_and_everybody_is_when_it_is_back(
    tmp_path: Path, redis_server: RedisService
) -> None:
    async with world(tmp_path, redis_url=redis_server.url) as here:
        ada = await here.person("ada")
        async with stopped(redis_server):
            answer = await ada.get("/v1/auth/profile")
            assert (answer.status, answer.code) == (503, "dependency_unavailable")
            login = await ada.post("/v1/auth/login", {"email": ada.email, "password": ada.password})
            assert login.status == 503
        async with asyncio.timeout(10):
            while (await ada.get("/v1/auth/profile")).status != 200:
                await asyncio.sleep(0.1)


async def test_the_words_of_ended_sessions_do_not_outstay_their_tokens(tmp_path: Path) -> None:
    async with bench(tmp_path, identity=Identity()) as here:
        ada = await here.account("ada")
        _, pair = await here.sign_in("ada")
        await here.people.sessions.end(ada.id, pair.session)
        here.clock.advance(LIFETIME + MARGIN_SECONDS + 1)
        with pytest.raises(Unauthenticated) as caught:
            await here.people.authenticator.authenticate({"Authorization": f"Bearer {pair.access_token}"})
        assert caught.value.code == "token_expired"
