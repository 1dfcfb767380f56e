"""Serialization failures and their kin, raised by a real server: run again, as often as is sensible."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from adapters.sql.engine import Database
from adapters.sql.sqlite import FILE_NAME
from adapters.sql.units import MAX_ATTEMPTS, sql_of
from kernel.breaker import Circuit
from kernel.errors import Conflict, DependencyUnavailable
from kernel.metrics import Metrics
from kernel.units import Transaction
from tests.adapters.sql.relational import BACKENDS, add_note, create_notes, noted, opened, settings_for, url_for


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture(params=BACKENDS[1:])
async def database(request: pytest.FixtureRequest, tmp_path: Path, metrics: Metrics) -> AsyncIterator[Database]:
    async with opened(settings_for(url_for(request.param, request)), tmp_path, metrics=metrics) as database:
        await create_notes(database)
        yield database


async def raise_error(transaction: Transaction, code: str) -> None:
    statement = f"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{code}'; END $$"
    await sql_of(transaction).connection.execute(text(statement))


def retries(metrics: Metrics, reason: str) -> float:
    return metrics.registry.get_sample_value("secureconnect_database_retries_total", {"reason": reason}) or 0.0


@pytest.mark.parametrize("code", ["40001", "40P01", "CR000", "55P03"])
async def test_a_unit_that_lost_against_another_is_run_again_from_its_start(
    database: Database, metrics: Metrics, code: str
) -> None:
    attempts = 0

    async def work(transaction: Transaction) -> int:
        nonlocal attempts
        attempts += 1
        await add_note(transaction, attempts)
        if attempts < 4:
            await raise_error(transaction, code)
        return attempts

    assert await database.units.write(work) == 4
    assert await database.units.read(noted) == [4]
    assert retries(metrics, "contention") == 3


async def test_a_failure_that_only_the_commit_reports_is_run_again_too(database: Database) -> None:
    """As PostgreSQL and CockroachDB do when they find a conflict last: here a trigger that waits for the commit."""

    async def install(transaction: Transaction) -> None:
        connection = sql_of(transaction).connection
        await connection.execute(text("CREATE SEQUENCE commits"))
        await connection.execute(
            text(
                "CREATE FUNCTION fail_twice() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                "IF nextval('commits') < 3 THEN RAISE EXCEPTION 'restart' USING ERRCODE = '40001'; END IF; "
                "RETURN NULL; END $$"
            )
        )
        await connection.execute(
            text(
                "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED "
                "FOR EACH ROW EXECUTE FUNCTION fail_twice()"
            )
        )

    await database.units.write(install)
    attempts = 0
    committed: list[int] = []

    async def work(transaction: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        transaction.after_commit(lambda attempt=attempts: committed.append(attempt))  # type: ignore[misc]
        await add_note(transaction, 1)

    await database.units.write(work)
    assert attempts == 3
    assert committed == [3]
    assert await database.units.read(noted) == [1]


async def test_who_loses_every_time_hears_of_it_and_the_circuit_stays_closed(database: Database) -> None:
    attempts = 0

    async def work(transaction: Transaction) -> None:
        nonlocal attempts
        attempts += 1
        await raise_error(transaction, "40001")

    with pytest.raises(Conflict) as caught:
        await database.units.write(work)
    assert caught.value.code == "write_contention"
    assert caught.value.retry_after
    assert attempts == MAX_ATTEMPTS
    assert database.guard.circuit is Circuit.CLOSED


@pytest.mark.parametrize("code", ["57P01", "53300", "53100", "28P01", "40003"])
async def test_what_the_server_says_about_itself_is_an_outage_with_its_cause(database: Database, code: str) -> None:
    with pytest.raises(DependencyUnavailable) as caught:
        await database.units.write(lambda unit: raise_error(unit, code))
    assert "the " in caught.value.reason


async def test_a_schema_change_behind_a_prepared_statement_is_not_noticed(database: Database) -> None:
    async def everything(transaction: Transaction) -> list[object]:
        rows = await sql_of(transaction).connection.execute(text("SELECT * FROM notes"))
        return list(rows.keys())

    async def change(transaction: Transaction) -> None:
        await sql_of(transaction).connection.execute(text("ALTER TABLE notes ADD COLUMN more INTEGER"))

    together = asyncio.Barrier(3)

    async def prepare(transaction: Transaction) -> None:
        await everything(transaction)
        await together.wait()

    await asyncio.gather(*(database.units.read(prepare) for _ in range(3)))
    await database.units.write(change)
    for _ in range(6):
        assert await database.units.read(everything) == ["id", "text", "more"]


async def test_another_process_at_the_sqlite_file_is_waited_for_and_then_named(tmp_path: Path) -> None:
    async with opened(settings_for("", timeout=1.0), tmp_path) as database:
        await create_notes(database)
        with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            with pytest.raises(DependencyUnavailable, match="another process holds the database file's lock"):
                await database.units.write(lambda unit: add_note(unit, 1))
            assert time.monotonic() - started < 1.4
            waiting = asyncio.create_task(database.units.write(lambda unit: add_note(unit, 2)))
            await asyncio.wait({waiting}, timeout=0.4)
            other.execute("COMMIT")
            await waiting
        assert await database.units.read(noted) == [2]
