"""When people were there last."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from sqlalchemy import Column, Table, select

from adapters.sql.metadata import Id, Moment, metadata, upsert
from adapters.sql.units import sql_of
from kernel.units import Transaction

LAST_SEEN = Table(
    "last_seen",
    metadata,
    Column("account", Id, primary_key=True),
    Column("at", Moment, nullable=False),
)

_c = LAST_SEEN.c


class SqlSeen:
    """chat.presence.SeenStore."""

    async def note(self, unit: Transaction, person: UUID, at: float) -> None:
        seen = upsert(LAST_SEEN).values(account=person, at=at)
        later = seen.on_conflict_do_update(
            index_elements=[_c.account], set_={"at": seen.excluded.at}, where=_c.at < seen.excluded.at
        )
        await sql_of(unit).connection.execute(later)

    async def of(self, unit: Transaction, people: Collection[UUID]) -> Mapping[UUID, float]:
        if not people:
            return {}
        rows = await sql_of(unit).connection.execute(select(LAST_SEEN).where(_c.account.in_(people)))
        return {row.account: row.at for row in rows}
