"""Lists of conversations among 100,000 of them, 1,000 of the one who looks, and what they take.

``python -m benchmarks.conversations`` measures the embedded store and a PostgreSQL of its own. Half are direct; groups
have up to eight members, some of the viewer's three hundred; one in ten is public.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import uvloop
from sqlalchemy import Table, insert, text

from adapters.sql.chat.companions import SqlCompanions
from adapters.sql.chat.conversation_tables import CONVERSATIONS, MEMBERS
from adapters.sql.chat.listing import SqlConversationLists
from adapters.sql.engine import Database
from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.units import sql_of
from benchmarks.jobs import SyncedPostgres
from benchmarks.people import AT_ONCE, Look, opened, plan, rows_of
from kernel.clock import SystemClock
from kernel.ids import IdGenerator
from kernel.units import Transaction
from tests.services.process import Session

PEOPLE = 20_000
CONVERSATIONS_IN_ALL = 100_000
MINE_IS_EVERY = 100
PAGE = 20


def conversations(people: Sequence[UUID], ids: IdGenerator) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    chance = random.Random(7)  # noqa: S311 - the same in every run
    for number in range(CONVERSATIONS_IN_ALL):
        identifier, mine = ids.next(), number % MINE_IS_EVERY == 0
        direct = (number // MINE_IS_EVERY if mine else number) % 2 == 0
        others = 1 if direct else 299 if mine and number % 700 == 0 else chance.randint(2, 7)
        there = [*([people[0]] if mine else []), *chance.sample(people[1:], others + (not mine))]
        at = 1.7e9 + chance.random() * 1e7
        conversation = {
            "id": identifier,
            "kind": "direct" if direct else "group",
            "pair": identifier.bytes * 2 if direct else None,
            "title": None if direct else f"Group {number}",
            "words": "" if direct else f"group {number} that talks about tea",
            "mode": "secure",
            "mode_version": 1,
            "mode_policy": "all_consent",
            "ai_enabled": False,
            "recording_enabled": False,
            "is_public": not direct and chance.random() < 0.2,
            "allow_invites": not direct,
            "max_members": 1000,
            "member_count": len(there),
            "created_at": at,
            "active_at": at,
            "said": 3,
        }
        first, rest = ("peer", "peer") if direct else ("owner", "member")
        members = [
            {"conversation": identifier, "person": who, "role": rest if place else first, "joined_at": at, "seen": 1}
            for place, who in enumerate(there)
        ]
        yield conversation, members


async def fill(database: Database, people: Sequence[UUID]) -> None:
    async def add(unit: Transaction, *, table: Table, rows: list[dict[str, Any]]) -> None:
        await sql_of(unit).connection.execute(insert(table), rows)

    async def write(table: Table, rows: list[dict[str, Any]]) -> None:
        for start in range(0, len(rows), AT_ONCE):
            await database.units.write(partial(add, table=table, rows=rows[start : start + AT_ONCE]))

    made = list(conversations(people, IdGenerator(SystemClock())))
    await write(ACCOUNTS, [account for account, _ in rows_of(people)])
    await write(CONVERSATIONS, [conversation for conversation, _ in made])
    await write(MEMBERS, [member for _, members in made for member in members])
    await database.units.write(lambda unit: sql_of(unit).connection.execute(text("ANALYZE")))


def looks(viewer: UUID) -> dict[str, Look]:
    lists, most = SqlConversationLists(), PAGE + 1
    return {
        "one's own, the first page": lambda unit: lists.of(unit, viewer, before=None, most=most),
        "one's own, in the middle": lambda unit: lists.of(unit, viewer, before=(1.705e9, viewer), most=most),
        "one's own, a hundred": lambda unit: lists.of(unit, viewer, before=None, most=101),
        "public": lambda unit: lists.public(unit, viewer, "", before=None, most=most),
        "public, by a word of all": lambda unit: lists.public(unit, viewer, "tea", before=None, most=most),
        "public, by a word of none": lambda unit: lists.public(unit, viewer, "coffee", before=None, most=most),
        "companions, a page of 500": lambda unit: SqlCompanions().of(unit, viewer, after=None, limit=500),
    }


async def measure(url: str, *, rounds: int, plans: bool) -> dict[str, Any]:
    ids = IdGenerator(SystemClock())
    people = [ids.next() for _ in range(PEOPLE)]
    found: dict[str, Any] = {}
    async with opened(url) as database:
        await fill(database, people)
        for name, look in looks(people[0]).items():
            taken = []
            for _ in range(rounds):
                started = time.perf_counter()
                await database.units.read(look)
                taken.append((time.perf_counter() - started) * 1000)
            found[name] = {"p50_ms": round(statistics.median(taken), 2), "worst_ms": round(max(taken), 2)}
            if plans:
                found[name]["plan"] = await plan(database, look)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--plans", action="store_true", help="how the database looks for them")
    chosen = parser.parse_args()
    asked = {"rounds": chosen.rounds, "plans": chosen.plans}
    results: dict[str, object] = {"embedded": uvloop.run(measure("", **asked))}
    session = Session()
    try:
        server = SyncedPostgres(session)
        server.start()
        results["postgresql"] = uvloop.run(measure(server.create_database(), **asked))
    finally:
        session.close()
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
