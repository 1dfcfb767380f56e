"""PostgreSQL dies, freezes or is cut off while units of work run."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from adapters.sql.engine import Database
from adapters.sql.migrate import upgrade
from adapters.sql.units import sql_of
from kernel.breaker import Circuit
from kernel.errors import DependencyUnavailable
from kernel.metrics import Metrics
from kernel.units import Transaction
from tests.adapters.sql.relational import add_note, create_notes, noted, opened, settings_for
from tests.services.cut import CutProxy
from tests.services.postgres import PostgresService

TIMEOUT = 1.0
# The promise: a typed error within the timeout and a fifth; beyond that the scheduling of a busy machine.
LATEST = TIMEOUT * 1.2 + 0.15
RECOVERY = 2.0
WORKERS = 20


class Load:
    """Units of work without pause, and what became of them. A note is written for every acknowledged number."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next = 0
        self.acknowledged: set[int] = set()
        self.failures: Counter[str] = Counter()
        self.slowest_failure = 0.0
        self.last_success = 0.0
        self._changed = asyncio.Condition()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(WORKERS):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            self._next += 1
            await self._one(self._next)

    async def _one(self, number: int) -> None:
        started = time.monotonic()
        try:
            await self._database.units.write(lambda unit: add_note(unit, number))
        except DependencyUnavailable as error:
            self.slowest_failure = max(self.slowest_failure, time.monotonic() - started)
            self.failures[error.reason] += 1
            await asyncio.sleep(0.01)
        else:
            self.acknowledged.add(number)
            self.last_success = time.monotonic()
        async with self._changed:
            self._changed.notify_all()

    async def until(self, condition: Callable[[], bool], *, within: float) -> None:
        async with asyncio.timeout(within), self._changed:
            await self._changed.wait_for(condition)


@asynccontextmanager
async def running_load(database: Database) -> AsyncIterator[Load]:
    load = Load(database)
    task = asyncio.create_task(load.run())
    await load.until(lambda: len(load.acknowledged) > 50, within=10)
    try:
        yield load
    finally:
        task.cancel()
        await asyncio.wait({task})


@pytest.fixture
async def proxy(postgres: PostgresService) -> AsyncIterator[CutProxy]:
    async with CutProxy(postgres.host, postgres.port) as proxy:
        yield proxy


@pytest.fixture
def direct_url(postgres: PostgresService) -> str:
    return postgres.create_database()


@pytest.fixture
async def database(proxy: CutProxy, direct_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    url = make_url(direct_url).set(port=proxy.port).render_as_string(hide_password=False)
    async with opened(settings_for(url, timeout=TIMEOUT), tmp_path) as database:
        await create_notes(database)
        yield database


async def recovered(load: Load, *, since: float) -> None:
    before = len(load.acknowledged)
    await load.until(lambda: len(load.acknowledged) > before + WORKERS, within=RECOVERY - (time.monotonic() - since))


async def nothing_lost_or_leaked(database: Database, load: Load, direct_url: str, postgres: PostgresService) -> None:
    await asyncio.wait_for(database.writes.idle(), 2)
    assert load.acknowledged <= set(await database.units.read(noted))
    assert database.writes.open_connections <= 10
    name = make_url(direct_url).database
    question = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND xact_start IS NOT NULL"
    assert await asyncio.to_thread(postgres.execute, "postgres", question) == "0\n"
    assert (await database.dependency.probe()).ok
    assert database.guard.circuit is Circuit.CLOSED


async def test_a_killed_server_gives_typed_errors_at_once_and_is_found_again(
    postgres: PostgresService, database: Database, direct_url: str
) -> None:
    async with running_load(database) as load:
        try:
            await asyncio.to_thread(postgres.kill)
            await load.until(lambda: load.failures.total() > 200, within=5)
            assert not (await database.dependency.probe()).ok
            assert database.guard.circuit is not Circuit.CLOSED
        finally:
            await asyncio.to_thread(postgres.start)
        await recovered(load, since=time.monotonic())
    assert load.slowest_failure < LATEST
    assert load.failures["its circuit is open after repeated failures"]
    await nothing_lost_or_leaked(database, load, direct_url, postgres)


async def test_a_frozen_server_gives_typed_errors_within_the_timeout_and_is_found_again(
    postgres: PostgresService, database: Database, direct_url: str
) -> None:
    async with running_load(database) as load:
        try:
            postgres.pause()
            await load.until(lambda: load.failures.total() > 100, within=5)
            probe = await database.dependency.probe()
            assert not probe.ok
            assert probe.latency < LATEST
        finally:
            postgres.resume()
        await recovered(load, since=time.monotonic())
    assert load.slowest_failure < LATEST
    await nothing_lost_or_leaked(database, load, direct_url, postgres)


async def test_a_cut_cable_gives_typed_errors_and_new_connections_when_mended(
    proxy: CutProxy, postgres: PostgresService, database: Database, direct_url: str
) -> None:
    async with running_load(database) as load:
        proxy.cut()
        await load.until(lambda: load.failures.total() > 200, within=5)
        assert database.guard.circuit is not Circuit.CLOSED
        proxy.mend()
        await recovered(load, since=time.monotonic())
    assert load.slowest_failure < LATEST
    await nothing_lost_or_leaked(database, load, direct_url, postgres)


async def test_a_cable_that_swallows_everything_costs_a_timeout_and_no_more(
    proxy: CutProxy, postgres: PostgresService, database: Database, direct_url: str
) -> None:
    async with running_load(database) as load:
        proxy.stall()
        await load.until(lambda: load.failures.total() > 100, within=5)
        proxy.mend()
        await recovered(load, since=time.monotonic())
    assert load.slowest_failure < LATEST
    await nothing_lost_or_leaked(database, load, direct_url, postgres)


async def test_no_connection_from_before_a_silent_outage_is_used_after_it(proxy: CutProxy, database: Database) -> None:
    """A firewall may have forgotten them: each would swallow a request and cost a timeout."""

    async def backends() -> set[int]:
        together = asyncio.Barrier(5)

        async def backend(transaction: Transaction) -> int:
            chosen: int = (await sql_of(transaction).connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            await together.wait()
            return chosen

        return set(await asyncio.gather(*(database.units.read(backend) for _ in range(5))))

    before = await backends()
    assert len(before) == 5
    proxy.stall()
    while database.guard.circuit is Circuit.CLOSED:
        with pytest.raises(DependencyUnavailable):
            await database.units.read(noted)
    proxy.mend()
    assert (await database.dependency.probe()).ok
    assert not before & await backends()


async def test_closing_does_not_wait_for_a_server_that_does_not_answer(
    proxy: CutProxy, direct_url: str, tmp_path: Path
) -> None:
    url = make_url(direct_url).set(port=proxy.port).render_as_string(hide_password=False)
    async with opened(settings_for(url, timeout=TIMEOUT), tmp_path) as database:
        await create_notes(database)
        proxy.stall()
        unanswered = asyncio.create_task(database.units.read(noted))
        await asyncio.wait({unanswered}, timeout=0.1)
        started = time.monotonic()
    assert time.monotonic() - started < 2
    assert database.writes.open_connections == 0
    await asyncio.wait({unanswered})
    assert unanswered.exception() or unanswered.cancelled()


async def test_a_unit_that_ran_out_of_time_leaves_nothing_to_wait_for(proxy: CutProxy, database: Database) -> None:
    """No connection held while a farewell or a cancellation is sent to a server that does not answer."""

    async def stall_midway(transaction: Transaction) -> None:
        await noted(transaction)
        proxy.stall()
        await noted(transaction)

    with pytest.raises(DependencyUnavailable):
        await database.units.read(stall_midway)
    assert database.writes.in_use == 0
    assert database.writes.open_connections == 0
    assert not [task for task in asyncio.all_tasks() if "asyncpg" in repr(task.get_coro())]


async def test_restarting_an_idle_server_is_not_noticed(
    postgres: PostgresService, proxy: CutProxy, direct_url: str, tmp_path: Path
) -> None:
    metrics = Metrics()
    url = make_url(direct_url).set(port=proxy.port).render_as_string(hide_password=False)

    async with opened(settings_for(url, timeout=5), tmp_path, metrics=metrics) as database:
        together = asyncio.Barrier(5)

        async def five_at_once(transaction: Transaction) -> int:
            backend: int = (await sql_of(transaction).connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            await together.wait()
            return backend

        before = await asyncio.gather(*(database.units.read(five_at_once) for _ in range(5)))
        await asyncio.to_thread(postgres.kill)
        await asyncio.to_thread(postgres.start)
        after = await asyncio.gather(*(database.units.read(five_at_once) for _ in range(5)))
        assert len({*before, *after}) == 10
    errors = metrics.registry.get_sample_value(
        "secureconnect_dependency_errors_total", {"dependency": "database", "reason": "outage"}
    )
    assert errors == 0


async def test_a_connection_the_administrator_ends_costs_nothing_before_the_commit(
    postgres: PostgresService, database: Database
) -> None:
    attempts: list[int] = []

    async def ended_midway(transaction: Transaction) -> None:
        connection = sql_of(transaction).connection
        backend = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        attempts.append(backend)
        if len(attempts) == 1:
            await asyncio.to_thread(postgres.execute, "postgres", f"SELECT pg_terminate_backend({backend})")
        await add_note(transaction, 1)

    await database.units.write(ended_midway)
    assert len(set(attempts)) == 2
    assert await database.units.read(noted) == [1]


async def test_appends_to_streams_are_bounded_too_and_none_that_was_acknowledged_is_lost(
    postgres: PostgresService, database: Database
) -> None:
    await upgrade(database)
    acknowledged: dict[int, bytes] = {}
    slowest_failure = 0.0
    stop = asyncio.Event()

    async def appender(name: int) -> None:
        nonlocal slowest_failure
        number = 0
        while not stop.is_set():
            number += 1
            payload = b"%d:%d" % (name, number)
            started = time.monotonic()
            try:
                acknowledged[await database.streams.append("log", payload)] = payload
            except DependencyUnavailable:
                slowest_failure = max(slowest_failure, time.monotonic() - started)
                await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as group:
        for name in range(WORKERS):
            group.create_task(appender(name))
        for outage, end in ((postgres.pause, postgres.resume), (postgres.kill, postgres.start)):
            await asyncio.sleep(0.3)
            try:
                await asyncio.to_thread(outage)
                await asyncio.sleep(TIMEOUT * 1.5)
            finally:
                await asyncio.to_thread(end)
            before = len(acknowledged)
            async with asyncio.timeout(RECOVERY):
                while len(acknowledged) <= before:
                    await asyncio.sleep(0.02)
        stop.set()
    assert slowest_failure < LATEST
    stored = {record.position: record.payload for record in await database.streams.read("log", limit=100_000)}
    assert list(stored) == list(range(1, len(stored) + 1))
    assert acknowledged.items() <= stored.items()
