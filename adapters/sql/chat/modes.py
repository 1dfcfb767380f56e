"""The mode of a conversation, for rooms that act under it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select

from adapters.sql.chat.conversation_tables import CONVERSATIONS
from adapters.sql.units import sql_of
from chat.mode import Features, Mode, ModeState
from kernel.units import Transaction

_c = CONVERSATIONS.c
# A row lock that readers share: that a unit is serializable does not keep a change from being acknowledged before the
# unit, which comes first in that order, has committed. SQLite has one writer and no such words.
_HELD = select(_c.mode, _c.ai_enabled, _c.recording_enabled, _c.mode_version).with_for_update(read=True)


class SqlModes:
    """chat.ports.ModeReader."""

    async def mode_of(self, unit: Transaction, conversation: UUID) -> ModeState | None:
        row = (await sql_of(unit).connection.execute(_HELD.where(_c.id == conversation))).first()
        if row is None:
            return None
        features = Features(Mode(row.mode), ai_enabled=row.ai_enabled, recording_enabled=row.recording_enabled)
        return ModeState(features, row.mode_version)
