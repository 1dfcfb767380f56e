"""The column types: what goes in comes out, in the same order, on every backend."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Column, MetaData, Table, func, insert, select

from adapters.sql.engine import Database
from adapters.sql.metadata import Bytes, Id, Integer, Json, Moment, Text, upsert
from adapters.sql.units import sql_of
from kernel.clock import SystemClock
from kernel.errors import Malformed
from kernel.ids import IdGenerator
from kernel.units import Transaction
from tests.adapters.sql.relational import BACKENDS, opened, settings_for, url_for

schema = MetaData()
things = Table(
    "things",
    schema,
    Column("id", Id, primary_key=True),
    Column("text", Text),
    Column("moment", Moment),
    Column("document", Json),
    Column("bytes", Bytes),
    Column("number", Integer),
)

AWKWARD = [
    "",
    " ",
    "a",
    "A",
    "Z",
    "b",
    "ä",
    "Ä",
    "ß",
    "é",
    "e\u0301",
    "я",
    "中",
    "🎉",
    "\ue000",
    "\uffff",
    "a b",
    "a-b",
    "a_b",
    "ab",
    "1",
    "10",
    "2",
    "'\"\\%",
    "\x01",
    "\n",
]


@pytest.fixture(params=BACKENDS)
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    async with opened(settings_for(url_for(request.param, request)), tmp_path) as database:
        await database.units.write(lambda unit: unit.connection.run_sync(schema.create_all))
        yield database


async def store(database: Database, rows: list[dict[str, object]]) -> None:
    async def work(transaction: Transaction) -> None:
        await sql_of(transaction).connection.execute(insert(things), rows)

    await database.units.write(work)


async def test_every_value_comes_back_as_it_was(database: Database) -> None:
    identifier = uuid4()
    row = {
        "id": identifier,
        "text": "Grüße, мир 🎉",
        "moment": 1_785_000_000.123456,
        "document": {"nested": [1, 2.5, None, True, "x"], "ключ": {}},
        "bytes": bytes(range(256)),
        "number": -(2**62),
    }
    empty: dict[str, object] = {"text": None, "moment": None, "document": None, "bytes": None, "number": None}
    await store(database, [row, {"id": UUID(int=0), **empty}])
    found = await database.units.read(lambda unit: unit.connection.execute(select(things).order_by(things.c.id)))
    assert [dict(each) for each in found.mappings()] == [{"id": UUID(int=0), **empty}, row]


async def test_text_sorts_by_its_bytes(database: Database) -> None:
    await store(database, [{"id": uuid4(), "text": text} for text in random.sample(AWKWARD, len(AWKWARD))])
    found = await database.units.read(
        lambda unit: unit.connection.scalars(select(things.c.text).order_by(things.c.text))
    )
    assert list(found) == sorted(AWKWARD, key=str.encode)


async def test_text_compares_by_its_bytes(database: Database) -> None:
    await store(database, [{"id": uuid4(), "text": text} for text in AWKWARD])

    async def smaller_than(transaction: Transaction, text: str) -> int | None:
        return await sql_of(transaction).connection.scalar(select(func.count()).where(things.c.text < text))

    for text in AWKWARD:
        smaller = await database.units.read(partial(smaller_than, text=text))
        assert smaller == sum(other.encode() < text.encode() for other in AWKWARD)


async def test_ids_sort_by_the_time_they_were_made(database: Database) -> None:
    ids = IdGenerator(SystemClock())
    made = [ids.next() for _ in range(500)]
    await store(database, [{"id": each} for each in random.sample(made, len(made))])
    middle = made[250]
    found = await database.units.read(
        lambda unit: unit.connection.scalars(select(things.c.id).where(things.c.id >= middle).order_by(things.c.id))
    )
    assert list(found) == made[250:]


async def test_moments_keep_microseconds_and_compare_as_numbers(database: Database) -> None:
    moments = [0.0, -1.5, 1e-6, 1_785_000_000.000001, 1_785_000_000.000002]
    await store(database, [{"id": uuid4(), "moment": moment} for moment in moments])
    found = await database.units.read(
        lambda unit: unit.connection.scalars(select(things.c.moment).order_by(things.c.moment))
    )
    assert list(found) == sorted(moments)


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "a\udfff"])
async def test_text_that_one_backend_cannot_keep_is_refused_by_all(database: Database, text: str) -> None:
    with pytest.raises(Malformed) as caught:
        await store(database, [{"id": uuid4(), "text": text}])
    assert caught.value.code == "unstorable_text"


async def test_an_upsert_is_one_statement(database: Database) -> None:
    identifier = uuid4()
    adding = upsert(things)
    adding = adding.on_conflict_do_update(
        index_elements=[things.c.id], set_={"number": things.c.number + adding.excluded.number}
    )

    async def work(transaction: Transaction) -> None:
        for number in (1, 2, 4):
            await sql_of(transaction).connection.execute(adding, {"id": identifier, "number": number})

    await database.units.write(work)
    assert await database.units.read(lambda unit: unit.connection.scalar(select(things.c.number))) == 7
