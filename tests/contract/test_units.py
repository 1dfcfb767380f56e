"""What kernel.units promises, held against every backend of the relational adapter."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select, update
from sqlalchemy.exc import DBAPIError

from adapters.sql.engine import Database
from adapters.sql.units import sql_of
from kernel.errors import Forbidden
from kernel.units import Transaction, UnitsOfWork
from tests.adapters.sql.relational import BACKENDS, add_note, create_notes, noted, notes, opened, settings_for, url_for


@pytest.fixture(params=BACKENDS)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(settings_for(url_for(request.param, request)), tmp_path) as database:
        await create_notes(database)
        yield database


@pytest.fixture
def units(database: Database) -> UnitsOfWork:
    return database.units


async def test_what_a_unit_wrote_is_there_when_it_has_returned(units: UnitsOfWork) -> None:
    async def work(transaction: Transaction) -> str:
        await add_note(transaction, 1)
        return "the unit's own answer"

    assert await units.write(work) == "the unit's own answer"
    assert await units.read(noted) == [1]


async def test_a_unit_that_raises_leaves_nothing_and_its_exception_arrives_unchanged(units: UnitsOfWork) -> None:
    refusal = Forbidden("You may not.")

    async def work(transaction: Transaction) -> None:
        await add_note(transaction, 1)
        raise refusal

    with pytest.raises(Forbidden) as caught:
        await units.write(work)
    assert caught.value is refusal
    assert await units.read(noted) == []


async def test_a_unit_that_never_touches_the_store_is_fine(units: UnitsOfWork) -> None:
    async def nothing(transaction: Transaction) -> int:
        return 7

    assert await units.write(nothing) == 7
    assert await units.read(nothing) == 7


async def test_callbacks_run_in_order_once_what_was_written_can_be_read(units: UnitsOfWork) -> None:
    heard: list[str] = []

    async def work(transaction: Transaction) -> None:
        transaction.after_commit(lambda: heard.append("first"))
        await add_note(transaction, 1)
        transaction.after_commit(lambda: heard.append("second"))
        assert heard == []

    await units.write(work)
    assert heard == ["first", "second"]


async def test_callbacks_of_a_unit_that_was_rolled_back_never_run(units: UnitsOfWork) -> None:
    heard: list[str] = []

    async def work(transaction: Transaction) -> None:
        transaction.after_commit(lambda: heard.append("no"))
        raise Forbidden("You may not.")

    with pytest.raises(Forbidden):
        await units.write(work)
    assert heard == []


async def test_a_callback_that_fails_does_not_make_a_durable_write_look_failed(units: UnitsOfWork) -> None:
    heard: list[str] = []

    def broken() -> None:
        raise RuntimeError("a wake-up failed")

    async def work(transaction: Transaction) -> None:
        transaction.after_commit(broken)
        transaction.after_commit(lambda: heard.append("still called"))
        await add_note(transaction, 1)

    await units.write(work)
    assert heard == ["still called"]
    assert await units.read(noted) == [1]


async def test_a_read_only_unit_cannot_write(units: UnitsOfWork) -> None:
    async def work(transaction: Transaction) -> None:
        await add_note(transaction, 1)

    with pytest.raises(DBAPIError):
        await units.read(work)
    assert await units.read(noted) == []


async def test_a_read_only_unit_sees_one_moment_whatever_others_commit_meanwhile(units: UnitsOfWork) -> None:
    async def look_twice(transaction: Transaction) -> tuple[list[int], list[int]]:
        before = await noted(transaction)
        await units.write(lambda other: add_note(other, 1))
        return before, await noted(transaction)

    assert await units.read(look_twice) == ([], [])
    assert await units.read(noted) == [1]


async def test_no_update_is_lost_between_units_that_read_and_then_write(units: UnitsOfWork) -> None:
    await units.write(lambda transaction: add_note(transaction, 1, "0"))

    async def increment(transaction: Transaction) -> None:
        connection = sql_of(transaction).connection
        value = int((await connection.execute(select(notes.c.text))).scalar_one())
        await asyncio.sleep(0)
        await connection.execute(update(notes).values(text=str(value + 1)))

    await asyncio.gather(*(units.write(increment) for _ in range(5)))
    text = await units.read(lambda unit: sql_of(unit).connection.scalar(select(notes.c.text)))
    assert text == "5"


async def test_two_units_that_each_check_before_they_write_cannot_both_pass_the_check(units: UnitsOfWork) -> None:
    """Write skew: no row is written twice, so nothing but serializable transactions notices."""
    both_looked = asyncio.Barrier(2)

    async def add_if_none(transaction: Transaction, number: int) -> bool:
        connection = sql_of(transaction).connection
        if (await connection.execute(select(func.count()).select_from(notes))).scalar_one():
            return False
        try:
            async with asyncio.timeout(0.2):  # a backend with one writer never lets the second look
                await both_looked.wait()
        except (TimeoutError, asyncio.BrokenBarrierError):
            pass
        await connection.execute(insert(notes).values(id=number))
        return True

    outcomes = await asyncio.gather(*(units.write(partial(add_if_none, number=number)) for number in (1, 2)))
    assert sorted(outcomes) == [False, True]
    assert len(await units.read(noted)) == 1


async def test_many_more_units_than_connections_all_get_their_turn(database: Database) -> None:
    await asyncio.gather(*(database.units.write(partial(add_note, number=number)) for number in range(200)))
    assert await database.units.read(noted) == list(range(200))
    assert database.writes.in_use == 0


@pytest.mark.slow(alone=False)
async def test_a_unit_cancelled_anywhere_is_all_or_nothing_and_gives_its_connection_back(database: Database) -> None:
    chance = random.Random(20260728)  # noqa: S311 - the moments of cancellation, the same in every run as far as time allows
    units = database.units
    finished: set[int] = set()
    reported: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: reported.append(context))

    async def pair(number: int) -> None:
        async def work(transaction: Transaction) -> None:
            await add_note(transaction, 2 * number)
            await noted(transaction)
            await add_note(transaction, 2 * number + 1)

        await units.write(work)
        finished.add(number)

    for start in range(0, 300, 6):
        tasks = [asyncio.create_task(pair(number)) for number in range(start, start + 6)]
        await asyncio.sleep(chance.random() * 0.012)
        for task in chance.sample(tasks, 4):
            task.cancel()
        if chance.random() < 0.3:  # impatient callers cancel again
            await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}, results

    present = set(await units.read(noted))
    complete = {number for number in range(300) if 2 * number in present}
    assert present == {note for number in complete for note in (2 * number, 2 * number + 1)}
    assert finished <= complete
    await asyncio.wait_for(database.writes.idle(), 2)
    assert database.writes.open_connections <= 10
    assert reported == []
    assert finished
    assert len(finished) < 300
