"""What messages change about conversations."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import case, literal, or_, select, update

from adapters.sql.chat.conversation_tables import CONVERSATIONS, MEMBERS, MODE, mode_state_of
from adapters.sql.metadata import Moment
from adapters.sql.units import sql_of
from chat.mode import ModeState
from kernel.units import Transaction

_c, _m = CONVERSATIONS.c, MEMBERS.c


class SqlActivity:
    """chat.ports.Activity."""

    async def said(self, unit: Transaction, conversation: UUID, *, by: UUID, at: float) -> ModeState | None:
        connection = sql_of(unit).connection
        # Clocks of nodes differ: what was said last is never made older.
        latest = case((_c.active_at < at, literal(at, Moment)), else_=_c.active_at)
        counted = update(CONVERSATIONS).where(_c.id == conversation).values(said=_c.said + 1, active_at=latest)
        row = (await connection.execute(counted.returning(*MODE))).first()
        if row is None:
            return None
        own = update(MEMBERS).where(_m.conversation == conversation, _m.person == by)
        await connection.execute(own.values(seen=_m.seen + 1))
        return mode_state_of(row)

    async def read(self, unit: Transaction, conversation: UUID, person: UUID, *, up_to: UUID, left: int) -> bool:
        said = select(_c.said).where(_c.id == conversation).scalar_subquery()
        place = update(MEMBERS).where(_m.conversation == conversation, _m.person == person)
        further = place.where(or_(_m.last_read.is_(None), _m.last_read < up_to))
        moved = await sql_of(unit).connection.execute(further.values(last_read=up_to, seen=said - left))
        return moved.rowcount == 1
