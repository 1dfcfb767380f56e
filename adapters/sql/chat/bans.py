"""Who is banned from which group."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, delete, func, or_, select

from adapters.sql.chat.conversation_tables import face_of
from adapters.sql.chat.invites import INVITES
from adapters.sql.identity.accounts import ACCOUNTS
from adapters.sql.metadata import Id, Moment, metadata, upsert
from adapters.sql.units import sql_of
from chat.records import Ban, Face
from kernel.errors import Unprocessable
from kernel.units import Transaction

BANS = Table(
    "conversation_bans",
    metadata,
    Column("conversation", Id, nullable=False),
    Column("person", Id, nullable=False),
    Column("banned_at", Moment, nullable=False),
    PrimaryKeyConstraint("conversation", "person"),
    Index(None, "conversation", "banned_at", "person"),
    Index(None, "person"),
)

_c = BANS.c


class SqlBans:
    """chat.ports.BanStore."""

    async def add(self, unit: Transaction, ban: Ban, *, most: int) -> bool:
        connection = sql_of(unit).connection
        values = {column.name: getattr(ban, column.name) for column in _c}
        if (await connection.execute(upsert(BANS).values(values).on_conflict_do_nothing())).rowcount != 1:
            return False
        count = select(func.count()).select_from(BANS).where(_c.conversation == ban.conversation)
        if (await connection.execute(count)).scalar_one() > most:
            raise Unprocessable(f"A group has at most {most} bans; lift some.", code="too_many_bans")
        theirs = (INVITES.c.conversation == ban.conversation) & (INVITES.c.created_by == ban.person)
        await connection.execute(delete(INVITES).where(theirs))
        return True

    async def remove(self, unit: Transaction, conversation: UUID, person: UUID) -> bool:
        gone = delete(BANS).where(_c.conversation == conversation, _c.person == person)
        return (await sql_of(unit).connection.execute(gone)).rowcount == 1

    async def among(self, unit: Transaction, conversation: UUID, people: Collection[UUID]) -> frozenset[UUID]:
        banned = select(_c.person).where(_c.conversation == conversation, _c.person.in_(people))
        return frozenset((await sql_of(unit).connection.execute(banned)).scalars())

    async def page(
        self, unit: Transaction, conversation: UUID, *, before: tuple[float, UUID] | None, most: int
    ) -> Sequence[tuple[Ban, Face]]:
        latest = (
            select(BANS, ACCOUNTS.c.username, ACCOUNTS.c.display_name, ACCOUNTS.c.avatar)
            .join(ACCOUNTS, ACCOUNTS.c.id == _c.person)
            .where(_c.conversation == conversation)
            .order_by(_c.banned_at.desc(), _c.person.desc())
            .limit(most)
        )
        if before is not None:
            when, who = before
            latest = latest.where(or_(_c.banned_at < when, (_c.banned_at == when) & (_c.person < who)))
        rows = await sql_of(unit).connection.execute(latest)
        return [(Ban(row.conversation, row.person, row.banned_at), face_of(row)) for row in rows]
