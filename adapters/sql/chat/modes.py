"""The mode of a conversation, for rooms that act under it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from adapters.sql.chat.conversation_tables import CONVERSATIONS, MODE, mode_state_of
from adapters.sql.units import sql_of
from chat.mode import ModeState
from kernel.units import Transaction

_c = CONVERSATIONS.c
# That a unit is serializable does not keep a change from being acknowledged before the unit, which comes first in that
# order, has committed: a lock of the row does. Not a shared one, which CockroachDB passes over in serializable units.
# SQLite has one writer and no such words.
_HELD = select(*MODE).with_for_update()


class SqlModes:
    """chat.ports.ModeReader."""

    async def mode_of(self, unit: Transaction, conversation: UUID) -> ModeState | None:
        row = (await sql_of(unit).connection.execute(_HELD.where(_c.id == conversation))).first()
        return None if row is None else mode_state_of(row)
