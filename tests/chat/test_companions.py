"""Who shares a conversation with whom: everybody once, by id, page by page."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import insert

from adapters.sql.chat.companions import SqlCompanions
from adapters.sql.chat.conversation_tables import MEMBERS
from adapters.sql.migrate import upgrade
from adapters.sql.units import sql_of
from kernel.units import Transaction
from tests.adapters.sql.relational import BACKENDS, opened, settings_for, url_for

ADA, STRANGER = UUID(int=50), UUID(int=99)
# By conversation: Ada is in the first three, with people on both sides of her.
ROOMS = [[50, 3, 70, 8], [50, 8, 60], [50], [3, 99]]


@pytest.mark.parametrize("backend", BACKENDS[:2])
async def test_whoever_shares_a_conversation_is_listed_once(
    backend: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    rows = [
        {
            "conversation": UUID(int=1000 + room),
            "person": UUID(int=person),
            "role": "member",
            "joined_at": 1.0,
            "seen": 0,
        }
        for room, people in enumerate(ROOMS)
        for person in people
    ]
    async with opened(settings_for(url_for(backend, request)), tmp_path) as database:
        await upgrade(database)

        async def work(unit: Transaction) -> list[list[UUID]]:
            await sql_of(unit).connection.execute(insert(MEMBERS).values(rows))
            pages: list[list[UUID]] = []
            after = None
            while page := await SqlCompanions().of(unit, ADA, after=after, limit=2):
                pages.append(list(page))
                after = page[-1]
            assert await SqlCompanions().of(unit, UUID(int=1), after=None, limit=2) == []
            return pages

        found = await database.units.write(work)
        assert found == [[UUID(int=3), UUID(int=8)], [UUID(int=60), UUID(int=70)]]
