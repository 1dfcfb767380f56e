"""Finding people among 100,000: searches and suggestions, what they take and how the database looks for them.

``python -m benchmarks.people`` measures the embedded store and a PostgreSQL of its own. Names are unevenly spread, as
people's are: the most frequent first name is that of a twentieth of them. The viewer has the most friends and
blocks that one may have, and those friends have as many.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import uvloop
from sqlalchemy import Connection, Table, event, insert, text

from adapters.sql.engine import Database, open_database
from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.identity.blocks import BLOCKS
from adapters.sql.identity.friendlists import SqlFriendLists
from adapters.sql.identity.friends import FRIENDSHIPS
from adapters.sql.identity.search import SqlSearch
from adapters.sql.identity.words import SEARCH_WORDS
from adapters.sql.migrate import upgrade
from adapters.sql.units import sql_of
from benchmarks.jobs import SyncedPostgres
from config.sections import Database as Settings
from config.values import Duration, Secret
from identity.befriending import MAX_FRIENDS
from identity.blocking import MAX_BLOCKED
from identity.search import question
from identity.words import words_of
from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.metrics import Metrics
from kernel.units import Transaction
from tests.services.process import Session

AT_ONCE = 5000
PAGE = 20
Look = Callable[[Transaction], Awaitable[Sequence[object] | object]]


def names(count: int) -> Iterator[tuple[str, str]]:
    chance = random.Random(5)  # noqa: S311 - the same people in every run
    letters = "aeioubdfgklmnprstvz"
    first = ["maria", *("".join(chance.choices(letters, k=chance.randint(3, 8))) for _ in range(2000))]
    last = ["".join(chance.choices(letters, k=chance.randint(4, 10))) for _ in range(20_000)]
    spread = [1 / (place + 2.5) for place in range(len(first))]
    for given in chance.choices(first, spread, k=count):
        yield given, chance.choice(last)


def rows_of(people: Sequence[UUID]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    for number, (who, (given, family)) in enumerate(zip(people, names(len(people)), strict=True)):
        username, shown = f"{given}.{number}", f"{given} {family}"
        account = {
            "id": who,
            "email": f"{number}@example.org",
            "username": username,
            "skeleton": username,
            "display_name": shown,
            "password_hash": "",
            "created_at": 0.0,
            "password_changed_at": 0.0,
            "email_verified_at": 1.0,
            "roles": "",
            "state": "active",
            "searchable": number % 50 != 0,
        }
        yield account, [{"word": word, "account": who} for word in words_of(username, shown)]


async def fill(database: Database, people: Sequence[UUID]) -> None:
    async def add(unit: Transaction, *, table: Table, rows: list[dict[str, Any]]) -> None:
        await sql_of(unit).connection.execute(insert(table), rows)

    async def write(table: Table, rows: list[dict[str, Any]]) -> None:
        for start in range(0, len(rows), AT_ONCE):
            await database.units.write(partial(add, table=table, rows=rows[start : start + AT_ONCE]))

    made = list(rows_of(people))
    await write(ACCOUNTS, [account for account, _ in made])
    await write(SEARCH_WORDS, [word for _, words in made for word in words])
    viewer, friends = people[0], people[1 : MAX_FRIENDS + 1]
    ties = {(viewer, friend) for friend in friends}
    chance = random.Random(6)  # noqa: S311
    for friend in friends:
        ties |= {(min(friend, other), max(friend, other)) for other in chance.sample(people, MAX_FRIENDS - 1)}
    ties = {(low, high) for low, high in ties if low != high}
    await write(FRIENDSHIPS, [{"low": a, "high": b, "asker": a, "accepted": True, "since": 1.0} for a, b in ties])
    blocked = people[-MAX_BLOCKED:]
    await write(BLOCKS, [{"blocker": viewer, "blocked": other, "created_at": 1.0} for other in blocked])
    await database.units.write(lambda unit: sql_of(unit).connection.execute(text("ANALYZE")))


def looks(viewer: UUID) -> dict[str, Look]:
    search, lists = SqlSearch(), SqlFriendLists()

    def words(asked: str) -> Look:
        return lambda unit: search.by_words(unit, viewer, question(asked), after=None, limit=PAGE + 1)

    return {
        "one letter": words("m"),
        "a frequent name": words("maria"),
        "a frequent name, the last page": lambda unit: search.by_words(
            unit, viewer, question("maria"), after=("maria", UUID(int=2**128 - 1)), limit=PAGE + 1
        ),
        "a frequent name and a letter": words("maria b"),
        "a frequent name and one that nobody with it has": words("maria qqqq"),
        "two letters that hardly meet": words("q x"),
        "six letters": words("a b d f g k"),
        "a username": words("maria.77"),
        "nobody": words("nobodyatall"),
        "an address": lambda unit: search.by_email(unit, viewer, "5001@example.org", unconfirmed_since=0.0),
        "suggestions": lambda unit: lists.suggested(unit, viewer, before=None, limit=PAGE + 1),
    }


async def plan(database: Database, look: Look) -> list[str]:
    """How the database goes about the first statement of it."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    engine = database.reads.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await database.units.read(look)
    event.remove(engine, "before_cursor_execute", note)
    statement, parameters = next(item for item in asked if item[0].lstrip().startswith(("SELECT", "WITH")))
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN (COSTS OFF) "

    async def explained(unit: Transaction) -> list[str]:
        rows = await sql_of(unit).connection.exec_driver_sql(explain + statement, parameters)
        return [str(row[-1]) for row in rows]

    return await database.units.read(explained)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(url=Secret(url), timeout=Duration(30))
        async with open_database(settings, data_dir=Path(folder), clock=SystemClock(), metrics=Metrics()) as database:
            await upgrade(database)
            yield database


async def measure(url: str, *, people: int, rounds: int, plans: bool) -> dict[str, Any]:
    ids = IdGenerator(SystemClock())
    crowd = [ids.next() for _ in range(people)]
    found: dict[str, Any] = {}
    async with opened(url) as database:
        await fill(database, crowd)
        for name, look in looks(crowd[0]).items():
            taken, count = [], 0
            for _ in range(rounds):
                started = time.perf_counter()
                answer = await database.units.read(look)
                taken.append((time.perf_counter() - started) * 1000)
                count = len(answer) if isinstance(answer, Sequence) else int(answer is not None)
            found[name] = {
                "p50_ms": round(statistics.median(taken), 2),
                "worst_ms": round(max(taken), 2),
                "found": count,
            }
            if plans:
                found[name]["plan"] = await plan(database, look)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--plans", action="store_true", help="how the database looks for them")
    parser.add_argument("--only", choices=("embedded", "postgresql"))
    chosen = parser.parse_args()
    settings = {"people": chosen.people, "rounds": chosen.rounds, "plans": chosen.plans}
    results: dict[str, object] = {}
    if chosen.only != "postgresql":
        results["embedded"] = uvloop.run(measure("", **settings))
    if chosen.only != "embedded":
        session = Session()
        try:
            server = SyncedPostgres(session)
            server.start()
            results["postgresql"] = uvloop.run(measure(server.create_database(), **settings))
        finally:
            session.close()
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
