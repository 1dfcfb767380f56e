"""People by the dozen, who never sign in, and how many statements it takes to list them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, event

from adapters.sql.engine import Database
from adapters.sql.identity.accounts import SqlAccounts
from adapters.sql.identity.friends import SqlFriends
from adapters.sql.units import sql_of
from identity import names
from identity.accounts import Account
from identity.friends import Friendship
from kernel.units import Transaction
from tests.worlds import Person, World


async def crowd(here: World, shown: Sequence[str], **fields: Any) -> list[Account]:
    """An account for each display name, made in this order."""
    made = []
    for display_name in shown:
        identifier = here.platform.ids.next()
        # Digits look like letters to a skeleton; hexadecimal ones that differ keep differing as these.
        username = "u" + identifier.hex.translate(str.maketrans("0123456789", "ghjkmnpqtv"))[-24:]
        made.append(
            Account(
                id=identifier,
                email=f"{username}@example.org",
                username=username,
                skeleton=names.skeleton(username),
                display_name=display_name,
                password_hash="",
                created_at=here.platform.clock.now(),
                password_changed_at=0.0,
                **fields,
            )
        )

    async def work(unit: Transaction) -> None:
        for account in made:
            await SqlAccounts().add(unit, account)

    await here.platform.database.units.write(work)
    return made


async def befriend(here: World, *pairs: tuple[UUID, UUID]) -> None:
    now = here.platform.clock.now()

    async def work(unit: Transaction) -> None:
        for number, (one, other) in enumerate(pairs):
            await SqlFriends().put(unit, Friendship(one, other, True, now + number))

    await here.platform.database.units.write(work)


async def become_friends(one: Person, other: Person) -> None:
    assert (await one.post(f"/v1/users/{other.id}/friend")).status == 200
    assert (await other.post(f"/v1/users/me/friends/{one.id}/accept")).status == 200


@contextmanager
def statements(here: World) -> Iterator[list[str]]:
    """What the database is asked meanwhile, but for what transactions and job workers ask by themselves."""
    asked: list[str] = []

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "accounts" in statement or "friendships" in statement or "blocks" in statement:
            asked.append(statement)

    engines = [lane.engine.sync_engine for lane in (here.platform.database.writes, here.platform.database.reads)]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


async def plan_of(database: Database, table: str, ask: Callable[[], Awaitable[object]]) -> str:
    """How SQLite goes about the one query on ``table`` that ``ask`` makes."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    engine = database.reads.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    await ask()
    event.remove(engine, "before_cursor_execute", note)
    [(statement, parameters)] = [(said, given) for said, given in asked if table in said]

    async def explain(unit: Transaction) -> str:
        rows = await sql_of(unit).connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return "; ".join(row.detail for row in rows)

    return await database.units.read(explain)
