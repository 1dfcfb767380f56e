"""Lists of conversations and of who is in them: their order, their pages, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event, update

from adapters.sql.chat.companions import SqlCompanions
from adapters.sql.chat.conversation_tables import CONVERSATIONS
from adapters.sql.chat.listing import SqlConversationLists
from adapters.sql.chat.members import SqlMembers
from adapters.sql.chat.rounds import SqlRounds
from adapters.sql.units import sql_of
from kernel.cursors import encode_cursor
from kernel.units import Transaction
from tests.adapters.sql.relational import BACKENDS, url_for
from tests.chat.parties import at, direct, group
from tests.worlds import Person, World, world


async def spoken(here: World, made: dict[str, Any], moment: float) -> None:
    """As if the last message had been sent then."""

    async def work(unit: Transaction) -> None:
        place = update(CONVERSATIONS).where(CONVERSATIONS.c.id == UUID(made["id"]))
        await sql_of(unit).connection.execute(place.values(active_at=moment, said=1))

    await here.platform.database.units.write(work)


@contextmanager
def statements(here: World) -> Iterator[list[tuple[str, Any]]]:
    """About conversations, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def record(_connection: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if "conversation" in statement:
            seen.append((statement, parameters))

    engine = here.platform.database.reads.engine.sync_engine
    event.listen(engine, "before_cursor_execute", record)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", record)


async def pages(person: Person, path: str, *, limit: int) -> list[list[dict[str, Any]]]:
    found: list[list[dict[str, Any]]] = []
    cursor = ""
    while True:
        answer = await person.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}")
        assert answer.status == 200, answer.body
        found.append(answer.body["items"])
        if answer.body["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer.body['next_cursor']}"


@pytest.mark.parametrize("backend", BACKENDS[:2])
async def test_the_latest_active_comes_first_in_one_query_page_by_page(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    async with world(tmp_path, database_url=url_for(backend, request)) as here:
        ada, bob, cleo = await here.people("ada", "bob", "cleo")
        made = [await group(ada, bob, cleo), await direct(ada, bob), await group(ada), await direct(cleo, ada)]
        await group(bob, cleo)
        now = here.platform.clock.now()
        await spoken(here, made[0], now + 10)
        await spoken(here, made[2], now + 10)
        expected = [made[2]["id"], made[0]["id"], made[3]["id"], made[1]["id"]]
        with statements(here) as seen:
            listed = (await ada.get("/v1/conversations")).body
        assert len(seen) == 1, seen
        assert [item["id"] for item in listed["items"]] == expected
        assert [item["member_count"] for item in listed["items"]] == [1, 3, 2, 2]
        others = [[face["username"] for face in item["participants"]] for item in listed["items"]]
        assert others == [[], [], ["cleo"], ["bob"]]
        for limit in (1, 2, 3, 4):
            found = await pages(ada, "/v1/conversations", limit=limit)
            assert [item["id"] for page in found for item in page] == expected
            assert all(len(page) <= limit for page in found)


async def test_no_list_reads_whole_tables_or_the_members_of_groups(tmp_path: Path) -> None:
    """What SQLite means to do; a table that is read from end to end is a SCAN."""
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        asked = {
            "mine": lambda unit: SqlConversationLists().of(unit, ada.id, before=(1.0, ada.id), most=21),
            "public": lambda unit: SqlConversationLists().public(unit, ada.id, "tea", before=None, most=21),
            "members": lambda unit: SqlMembers().page(unit, ada.id, after=(1.0, ada.id), most=21),
            "overdue": lambda unit: SqlRounds().overdue(unit, now=1.0, most=21),
            "companions": lambda unit: SqlCompanions().of(unit, ada.id, after=ada.id, limit=21),
        }
        for name, work in asked.items():
            with statements(here) as seen:
                await here.platform.database.units.read(work)
            [(statement, parameters)] = seen

            async def explain(unit: Transaction, text: str = statement, values: Any = parameters) -> list[str]:
                found = await sql_of(unit).connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
                return [row.detail for row in found]

            plan = await here.platform.database.units.read(explain)
            assert [step for step in plan if step.startswith("SCAN") and step != "SCAN page"] == [], (name, plan)
            assert not any("TEMP B-TREE" in step for step in plan) or name in ("mine", "public", "companions"), plan


async def test_pages_survive_what_is_begun_between_them(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        made = [await group(ada, title=f"Group {number}", is_public=True) for number in range(4)]
        for path in ("/v1/conversations?limit=2", "/v1/conversations/public?q=group&limit=2"):
            first = (await ada.get(path)).body
            await group(ada, title="Group in between", is_public=True)
            rest = (await ada.get(f"{path}&cursor={first['next_cursor']}")).body
            found = [item["id"] for item in first["items"] + rest["items"]]
            assert found[-2:] in ([made[1]["id"], made[0]["id"]], [made[2]["id"], made[1]["id"]])
            assert len(set(found)) == 4


async def test_participants_are_listed_by_how_long_they_are_there(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada, bob, cleo, dan = await here.people("ada", "bob", "cleo", "dan")
        made = await group(ada, is_public=True)
        for person in (dan, bob, cleo):
            await person.post(at(made, "/join"))
        found = await pages(cleo, at(made, "/participants"), limit=3)
        names = [[item["username"] for item in page] for page in found]
        assert names == [["ada", "dan", "bob"], ["cleo"]]
        assert found[0][0]["role"] == "owner"


MOMENTS: list[object] = [float("nan"), float("inf"), -1, 1 << 60, "now", None, 0.5]


async def test_made_up_cursors_are_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as here:
        ada = await here.person("ada")
        made = await group(ada)
        lists = {
            "conversations": "/v1/conversations",
            "public conversations": "/v1/conversations/public",
            "participants": at(made, "/participants"),
            "bans": at(made, "/bans"),
        }
        for listing, path in lists.items():
            for moment in MOMENTS:
                made_up = encode_cursor(listing, (moment, UUID(int=1)))
                refused = await ada.get(f"{path}?cursor={made_up}")
                assert (refused.status, refused.code) == (400, "bad_cursor")
